// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// An index for each order in which pages of large lists are read, behind what such a list is filtered by.
enum M0019ListIndexes {
    /// What few objects have: so the index is small, and a filter by tags reads it alone.
    private static func tagged(_ table: String) -> String {
        "CREATE INDEX \(table)_tagged ON \(table) (id) WHERE tags <> '[]'"
    }

    /// The project of what a row is in, where it is not the row's own: whose owner sees the row too.
    private static func hosted(_ table: String, _ column: String, in host: String) -> [String] {
        [
            "ALTER TABLE \(table) ADD COLUMN host_project TEXT",
            """
            UPDATE \(table) SET host_project = (SELECT h.project_id FROM \(host) h
             WHERE h.id = \(table).\(column) AND h.project_id <> \(table).project_id)
            """,
            "CREATE INDEX \(table)_hosted ON \(table) (host_project, id)",
        ]
    }

    static let migration = Migration(
        "network-0019-list-indexes",
        [
            "CREATE INDEX ports_of_project ON ports (project_id, id)",
            "CREATE INDEX ports_of_project_name ON ports (project_id, name, id)",
            "CREATE INDEX ports_of_network ON ports (network_id, id)",
            // What a project asks most: without these, its own order would be walked.
            "CREATE INDEX ports_of_project_device ON ports (project_id, device_id, id)",
            "CREATE INDEX ports_of_project_network ON ports (project_id, network_id, id)",
            "CREATE INDEX ports_by_name ON ports (name, id)",
            "CREATE INDEX ports_by_age ON ports (created_at, id)",
            "CREATE INDEX ports_by_owner ON ports (device_owner, id)",
            "CREATE INDEX ports_by_host ON ports (host, id)",
            "CREATE INDEX ports_by_status ON ports (status, id)",
            "CREATE INDEX ports_by_mac ON ports (mac)",
            "DROP INDEX ports_name",
            "DROP INDEX ports_owner",
            tagged("ports"),
            "CREATE INDEX networks_of_project ON networks (project_id, id)",
            "CREATE INDEX networks_of_project_name ON networks (project_id, name, id)",
            "CREATE INDEX networks_by_name ON networks (name, id)",
            "CREATE INDEX networks_by_side ON networks (is_external, id)",
            "DROP INDEX networks_name",
            "DROP INDEX networks_external",
            tagged("networks"),
            "CREATE INDEX subnets_of_project ON subnets (project_id, id)",
            "CREATE INDEX subnets_of_project_name ON subnets (project_id, name, id)",
            "CREATE INDEX subnets_of_network ON subnets (network_id, id)",
            "CREATE INDEX subnets_of_project_network ON subnets (project_id, network_id, id)",
            "CREATE INDEX subnets_by_name ON subnets (name, id)",
            "CREATE INDEX subnets_by_cidr ON subnets (cidr, id)",
            "DROP INDEX subnets_network",
            "DROP INDEX subnets_name",
            tagged("subnets"),
            "CREATE INDEX routers_of_project ON routers (project_id, id)",
            "CREATE INDEX routers_by_name ON routers (name, id)",
            "DROP INDEX routers_name",
            tagged("routers"),
            "CREATE INDEX floatingips_of_project ON floatingips (project_id, id)",
            "CREATE INDEX floatingips_of_project_address ON floatingips (project_id, address, id)",
            "CREATE INDEX floatingips_of_project_port ON floatingips (project_id, port_id, id)",
            "CREATE INDEX floatingips_of_network ON floatingips (network_id, id)",
            "DROP INDEX floatingips_network",
            tagged("floatingips"),
            "CREATE INDEX security_groups_of_project ON security_groups (project_id, id)",
            "CREATE INDEX security_groups_of_project_name ON security_groups (project_id, name, id)",
            "CREATE INDEX security_groups_by_name ON security_groups (name, id)",
            "DROP INDEX security_groups_name",
            tagged("security_groups"),
            "CREATE INDEX security_group_rules_of_project ON security_group_rules (project_id, id)",
            "CREATE INDEX security_group_rules_of_project_group ON security_group_rules (project_id, group_id, id)",
            "CREATE INDEX trunks_of_project ON trunks (project_id, id)",
            "CREATE INDEX network_rbac_granted ON network_rbac (target_project, object_type, object_id)",
            "DROP INDEX network_rbac_target",
        ] + hosted("ports", "network_id", in: "networks") + hosted("subnets", "network_id", in: "networks")
            + hosted("security_group_rules", "group_id", in: "security_groups"))
}
