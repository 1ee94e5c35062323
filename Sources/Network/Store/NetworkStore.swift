// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `networks`, and the segments that they hold.
enum NetworkStore {
    static let schema = ListSchema(
        from: "FROM networks n", id: "n.id", tags: "n.tags",
        [
            ListAttribute("id", "n.id"), ListAttribute("name", "n.name"), ListAttribute("project_id", "n.project_id"),
            ListAttribute("tenant_id", "n.project_id"), ListAttribute("description", "n.description"),
            ListAttribute("admin_state_up", "n.is_enabled", .boolean), ListAttribute("mtu", "n.mtu", .integer),
            ListAttribute("router:external", "n.is_external", .boolean),
            ListAttribute("is_default", "n.is_default", .boolean),
            ListAttribute("port_security_enabled", "n.port_security", .boolean),
            ListAttribute("provider:network_type", "n.kind"),
            ListAttribute("provider:physical_network", "n.physical_network", isNullable: true),
            ListAttribute("provider:segmentation_id", "n.segment", .integer, isNullable: true),
            ListAttribute("qos_policy_id", "n.qos_policy", isNullable: true),
            ListAttribute("vlan_transparent", "n.vlan_transparent", .boolean, isSortKey: false, isNullable: true),
            ListAttribute("qinq", "n.qinq", .boolean, isSortKey: false, isNullable: true),
            ListAttribute("dns_domain", "n.dns_domain"), ListAttribute("revision_number", "n.revision", .integer),
            ListAttribute("created_at", "n.created_at", .time),
            ListAttribute("updated_at", "n.updated_at", .time),
            .filter("status") { $0.contains("ACTIVE") ? "1 = 1" : "1 = 0" },
            .filter("shared") { try Viewer.sharedWithAll("n.id", $0) },
            .filter("subnets") { "n.id IN (SELECT network_id FROM subnets WHERE id IN \(list: $0))" },
        ])

    private static func scope(_ ipVersion: Int) -> SQL {
        """
        (SELECT b.address_scope FROM subnets s JOIN subnetpools b ON b.id = s.subnetpool \
        WHERE s.network_id = n.id AND s.ip_version = \(ipVersion) AND b.address_scope IS NOT NULL LIMIT 1)
        """
    }

    private static func columns(_ project: ProjectID?) -> SQL {
        """
        n.id, n.project_id, n.name, n.is_enabled, n.mtu, n.kind, n.physical_network, n.segment, n.is_external, \
        n.is_default, n.port_security, n.dns_domain, n.zone_hints, \(Viewer.isShared("n.id", with: project)),
            n.description, n.tags, \
        n.revision, n.created_at, n.updated_at, \(scope(4)), \(scope(6)), \(Viewer.isGranted("n.id", to: project)), \
        n.qos_policy, n.vlan_transparent, n.qinq
        """
    }

    private static func network(_ row: any Row) throws -> Network {
        Network(
            id: row.id(0), project: row.id(1), name: row.text(2), isEnabled: row.bool(3), mtu: row.int(4),
            kind: try row.word(5), physicalNetwork: row.textOrNil(6),
            segment: row.intOrNil(7), isExternal: row.bool(8), isDefault: row.bool(9), hasPortSecurity: row.bool(10),
            dnsDomain: row.text(11), zoneHints: row.text(12), isShared: row.bool(13), subnets: [],
            ipv4Scope: row.idOrNil(19), ipv6Scope: row.idOrNil(20),
            isGranted: row.bool(21), standard: row.standard(14), qosPolicy: row.idOrNil(22),
            isVLANTransparent: row.intOrNil(23).map { $0 != 0 }, hasQinQ: row.intOrNil(24).map { $0 != 0 })
    }

    static func visible(to viewer: Viewer) -> Visibility {
        viewer.ownsOrGranted("n.project_id", "n.id", "network")
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [Network] {
        var networks = try schema.list(
            query, columns: columns(viewer.project), where: visible(to: viewer), transaction,
            missing: { NetworkFault.networkNotFound(NetworkID($0)) }, network)
        if query.fields?.isDisjoint(with: filled) != true { try fill(&networks, transaction) }
        return networks
    }

    static func find(_ id: NetworkID, for project: ProjectID?, _ transaction: any Transaction) throws -> Network? {
        guard
            var network = try transaction.first(
                "SELECT \(columns(project)) FROM networks n WHERE n.id = \(id)", network)
        else { return nil }
        var networks = [network]
        try fill(&networks, transaction)
        network = networks[0]
        return network
    }

    static func all(_ transaction: any Transaction) throws -> [NetworkID] {
        try transaction.query("SELECT id FROM networks") { $0.id(0) }
    }

    /// Attributes that come from other tables.
    private static let filled: Set<String> = [
        "subnets", "l2_adjacency", "segments", "provider:network_type", "provider:physical_network",
        "provider:segmentation_id",
    ]

    private static func fill(_ networks: inout [Network], _ transaction: any Transaction) throws {
        var subnets: [NetworkID: [SubnetID]] = [:]
        var routed: Set<NetworkID> = []
        for chunk in networks.map(\.id).slices() {
            try transaction.forEach(
                """
                SELECT network_id, id, segment_id FROM subnets
                 WHERE network_id IN \(list: chunk) ORDER BY created_at, id
                """
            ) { row in
                subnets[row.id(0), default: []].append(row.id(1))
                if !row.isNull(2) { routed.insert(row.id(0)) }
            }
        }
        // An overlay has one segment.
        var segments: [NetworkID: [NetworkSegment]] = [:]
        for chunk in networks.filter({ $0.physicalNetwork != nil }).map(\.id).slices() {
            segments.merge(try SegmentStore.several(of: chunk, transaction)) { $1 }
        }
        for index in networks.indices {
            let id = networks[index].id
            networks[index].subnets = subnets[id] ?? []
            networks[index].isRouted = routed.contains(id)
            networks[index].segments = segments[id] ?? []
        }
    }

    static func insert(_ network: Network, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO networks (id, project_id, name, description, is_enabled, mtu, kind, physical_network, segment,
                is_external, is_default, port_security, dns_domain, zone_hints, tags, revision, created_at, updated_at,
                qos_policy, vlan_transparent, qinq)
            VALUES (\(network.id), \(network.project), \(network.name), \(network.standard.description),
                \(network.isEnabled), \(network.mtu), \(network.kind.rawValue), \(network.physicalNetwork),
                \(network.segment), \(network.isExternal), \(network.isDefault), \(network.hasPortSecurity),
                \(network.dnsDomain), \(network.zoneHints), \(network.standard.tags), 1, \(network.standard.createdAt),
                \(network.standard.updatedAt), \(network.qosPolicy), \(network.isVLANTransparent), \(network.hasQinQ))
            """)
    }

    static func update(_ network: Network, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE networks
               SET name = \(network.name), description = \(network.standard.description),
                   is_enabled = \(network.isEnabled), mtu = \(network.mtu), segment = \(network.segment),
                   is_external = \(network.isExternal), is_default = \(network.isDefault),
                   port_security = \(network.hasPortSecurity), dns_domain = \(network.dnsDomain),
                   qos_policy = \(network.qosPolicy),
                   tags = \(network.standard.tags), revision = \(network.standard.revision),
                   updated_at = \(network.standard.updatedAt)
             WHERE id = \(network.id)
            """)
    }

    /// What belongs to the network changed.
    static func touch(_ id: NetworkID, _ change: NetworkChange) throws {
        try change.transaction.execute(
            "UPDATE networks SET revision = revision + 1, updated_at = \(change.now) WHERE id = \(id)")
    }

    static func delete(_ id: NetworkID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_segment_claims WHERE network_id = \(id)")
        try transaction.execute("DELETE FROM network_segments WHERE network_id = \(id)")
        try transaction.execute("DELETE FROM network_rbac WHERE object_id = \(id)")
        try AutoTopologyStore.delete(of: id, transaction)
        try transaction.execute("DELETE FROM networks WHERE id = \(id)")
    }

    // MARK: Segments

    /// Takes a segment for a network. False: another network holds it.
    static func claim(_ claim: String, for id: NetworkID, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute(
            """
            INSERT INTO network_segment_claims (claim, network_id) VALUES (\(claim), \(id))
            ON CONFLICT (claim) DO NOTHING
            """) == 1
    }

    static func release(_ claim: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_segment_claims WHERE claim = \(claim)")
    }
}

extension Row {
    /// Description, tags, revision, created and updated time in five columns from `column` on.
    func standard(_ column: Int) -> StandardAttributes {
        StandardAttributes(
            description: text(column), tags: text(column + 1), revision: int(column + 2),
            createdAt: timestamp(column + 3), updatedAt: timestamp(column + 4))
    }
}
