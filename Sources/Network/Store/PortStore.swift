// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `ports`, with the addresses and group memberships that are looked up by them.
enum PortStore {
    static let schema = ListSchema(
        from: "FROM ports p JOIN networks n ON n.id = p.network_id", id: "p.id", tags: "p.tags",
        [
            ListAttribute("id", "p.id"), ListAttribute("name", "p.name"), ListAttribute("project_id", "p.project_id"),
            ListAttribute("tenant_id", "p.project_id"), ListAttribute("network_id", "p.network_id"),
            ListAttribute("description", "p.description"), ListAttribute("admin_state_up", "p.is_enabled", .boolean),
            ListAttribute("status", "p.status"), ListAttribute("device_id", "p.device_id"),
            ListAttribute("device_owner", "p.device_owner"), ListAttribute("binding:host_id", "p.host"),
            ListAttribute("binding:vnic_type", "p.vnic_type"),
            ListAttribute("port_security_enabled", "p.port_security", .boolean),
            ListAttribute("qos_policy_id", "p.qos_policy", isNullable: true), ListAttribute("dns_name", "p.dns_name"),
            ListAttribute("dns_domain", "p.dns_domain"),
            ListAttribute("revision_number", "p.revision", .integer),
            ListAttribute("created_at", "p.created_at", .time),
            ListAttribute("updated_at", "p.updated_at", .time),
            ListAttribute("mac_address", "p.mac"),
            .filter("fixed_ips", fixedIPCondition),
            .filter("security_groups") { "p.id IN (SELECT port_id FROM port_groups WHERE group_id IN \(list: $0))" },
            .filter("mac_address") { "p.mac IN \(list: $0.map { MACAddress($0)?.description ?? $0 })" },
            .filter("binding:vif_type") { values in
                let bound = values.contains("ovs")
                let unbound = values.contains("unbound")
                return bound && unbound ? "1 = 1" : bound ? "p.host <> ''" : unbound ? "p.host = ''" : "1 = 0"
            },
        ])

    /// `ip_address=10.0.0.5`, `subnet_id=…`, `ip_address_substr=10.0`: of one kind any, of several kinds all.
    @Sendable
    private static func fixedIPCondition(_ values: [String]) throws -> SQL {
        var byKind: [String: [String]] = [:]
        for value in values {
            let parts = value.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw NetworkFault.invalidInput(
                    "'fixed_ips' is filtered by ip_address=, ip_address_substr= or subnet_id=")
            }
            byKind[parts[0], default: []].append(parts[1])
        }
        var condition: SQL = "p.id IN (SELECT a.port_id FROM ip_allocations a WHERE 1 = 1"
        if let addresses = byKind["ip_address"] {
            condition += "AND a.address IN \(list: addresses.map { IPAddress($0)?.description ?? $0 })"
        }
        if let subnets = byKind["subnet_id"] { condition += "AND a.subnet_id IN \(list: subnets)" }
        for text in try ListAttribute.bounded(byKind["ip_address_substr"] ?? [], "fixed_ips") {
            condition += "AND replace(a.address, \(text), '') <> a.address"
        }
        return condition + ")"
    }

    private static let ownColumns: SQL = """
        p.id, p.project_id, p.network_id, p.name, p.mac, p.is_enabled, p.status, p.device_id, p.device_owner, p.host, \
        p.vnic_type, p.profile, p.port_security, p.fixed_ips, p.groups, p.address_pairs, p.dhcp_options, p.dns_name, \
        p.dns_domain, p.is_compute_owned, p.description, p.tags, p.revision, p.created_at, p.updated_at, \
        p.qos_policy
        """
    private static let columns =
        ownColumns + ", (SELECT q.qos_policy FROM networks q WHERE q.id = p.network_id)"
    /// For lists, which join the network anyway.
    private static let listColumns = ownColumns + ", n.qos_policy"

    private static func port(_ row: any Row) throws -> Port {
        Port(
            id: row.id(0), project: row.id(1), network: row.id(2), name: row.text(3), mac: row.text(4),
            isEnabled: row.bool(5), status: try row.word(6), deviceID: row.text(7),
            deviceOwner: row.text(8), host: row.text(9), vnicType: row.text(10), profile: row.text(11),
            hasPortSecurity: row.bool(12), fixedIPsJSON: row.text(13), groupsJSON: row.text(14),
            addressPairsJSON: row.text(15), dhcpOptionsJSON: row.text(16), dnsName: row.text(17),
            dnsDomain: row.text(18), isOwnedByCompute: row.bool(19), standard: row.standard(20),
            qosPolicy: row.idOrNil(25), networkQoSPolicy: row.idOrNil(26))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [Port] {
        try schema.list(
            query, columns: listColumns, where: viewer.owns("p.project_id", orHosts: "p.host_project"), transaction,
            missing: { NetworkFault.portNotFound(PortID($0)) }, port)
    }

    static func find(_ id: PortID, _ transaction: any Transaction) throws -> Port? {
        try transaction.first("SELECT \(columns) FROM ports p WHERE p.id = \(id)", port)
    }

    static func all(where condition: SQL, _ transaction: any Transaction) throws -> [Port] {
        try transaction.query("SELECT \(columns) FROM ports p WHERE \(condition) ORDER BY p.created_at, p.id", port)
    }

    static func all(_ transaction: any Transaction) throws -> [PortID] {
        try transaction.query("SELECT id FROM ports") { $0.id(0) }
    }

    /// The network's project, where it is another.
    private static func hostProject(_ port: Port) -> SQL {
        "(SELECT project_id FROM networks WHERE id = \(port.network) AND project_id <> \(port.project))"
    }

    static func insert(_ port: Port, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO ports (id, project_id, network_id, name, description, mac, is_enabled, status, device_id,
                device_owner, host, vnic_type, profile, port_security, fixed_ips, groups, address_pairs, dhcp_options,
                dns_name, dns_domain, is_compute_owned, tags, revision, created_at, updated_at, qos_policy,
                host_project)
            VALUES (\(port.id), \(port.project), \(port.network), \(port.name), \(port.standard.description),
                \(port.mac), \(port.isEnabled), \(port.status.rawValue), \(port.deviceID), \(port.deviceOwner),
                \(port.host), \(port.vnicType), \(port.profile), \(port.hasPortSecurity), \(port.fixedIPsJSON),
                \(port.groupsJSON), \(port.addressPairsJSON), \(port.dhcpOptionsJSON), \(port.dnsName),
                \(port.dnsDomain), \(port.isOwnedByCompute), \(port.standard.tags), \(port.standard.revision),
                \(port.standard.createdAt), \(port.standard.updatedAt), \(port.qosPolicy), \(hostProject(port)))
            """)
        for address in try port.fixedIPs { try insertAddress(address, of: port.id, transaction) }
        for group in try port.groups { try insertGroup(group, of: port.id, transaction) }
    }

    /// Writes the whole row. `old` tells which addresses and memberships to take back.
    static func update(_ port: Port, from old: Port, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE ports
               SET name = \(port.name), description = \(port.standard.description), mac = \(port.mac),
                   is_enabled = \(port.isEnabled), status = \(port.status.rawValue), device_id = \(port.deviceID),
                   device_owner = \(port.deviceOwner), host = \(port.host), vnic_type = \(port.vnicType),
                   profile = \(port.profile), port_security = \(port.hasPortSecurity), fixed_ips = \(port.fixedIPsJSON),
                   groups = \(port.groupsJSON), address_pairs = \(port.addressPairsJSON),
                   dhcp_options = \(port.dhcpOptionsJSON), dns_name = \(port.dnsName), dns_domain = \(port.dnsDomain),
                   tags = \(port.standard.tags), revision = \(port.standard.revision),
                   updated_at = \(port.standard.updatedAt), project_id = \(port.project),
                   qos_policy = \(port.qosPolicy), host_project = \(hostProject(port))
             WHERE id = \(port.id)
            """)
        if port.fixedIPsJSON != old.fixedIPsJSON {
            let (before, after) = (try old.fixedIPs, try port.fixedIPs)
            for address in before where !after.contains(address) {
                try transaction.execute(
                    """
                    DELETE FROM ip_allocations
                     WHERE subnet_id = \(address.subnet) AND address_key = \(address.address.sortKey)
                       AND port_id = \(port.id)
                    """)
            }
            for address in after where !before.contains(address) {
                try insertAddress(address, of: port.id, transaction)
            }
        }
        if port.groupsJSON != old.groupsJSON {
            try transaction.execute("DELETE FROM port_groups WHERE port_id = \(port.id)")
            for group in try port.groups { try insertGroup(group, of: port.id, transaction) }
        }
    }

    static func delete(_ id: PortID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM ip_allocations WHERE port_id = \(id)")
        try transaction.execute("DELETE FROM port_groups WHERE port_id = \(id)")
        try PortBindingStore.deleteAll(of: id, transaction)
        try ExtraGatewayStore.delete(id, transaction)
        try transaction.execute("DELETE FROM ports WHERE id = \(id)")
    }

    /// What the data plane says. True when that is news.
    static func setStatus(_ status: Port.Status, of id: PortID, _ transaction: any Transaction) throws -> Bool {
        if status == .active { try TrunkStore.setStatus(.active, ofTrunkOn: id, transaction) }
        return try transaction.execute(
            """
            UPDATE ports SET status = \(status.rawValue)
             WHERE id = \(id) AND status NOT IN (\(status.rawValue), 'N/A')
            """) == 1
    }

    static func hasMAC(_ mac: MACAddress, on network: NetworkID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM ports WHERE network_id = \(network) AND mac = \(mac.description)")
    }

    // MARK: Addresses

    private static func insertAddress(_ address: Port.FixedIP, of port: PortID, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO ip_allocations (subnet_id, address_key, address, port_id)
            VALUES (\(address.subnet), \(address.address.sortKey), \(address.address.description), \(port))
            """)
    }

    private static func insertGroup(_ group: SecurityGroupID, of port: PortID, _ transaction: any Transaction) throws {
        try transaction.execute("INSERT INTO port_groups (port_id, group_id) VALUES (\(port), \(group))")
    }

    static func isTaken(_ address: IPAddress, in subnet: SubnetID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists(
            "SELECT 1 FROM ip_allocations WHERE subnet_id = \(subnet) AND address_key = \(address.sortKey)")
    }

    /// The highest address in use within `range`.
    static func highest(in range: AddressRange, of subnet: SubnetID, _ transaction: any Transaction) throws
        -> IPAddress?
    {
        try transaction.first(
            """
            SELECT address_key FROM ip_allocations
             WHERE subnet_id = \(subnet) AND address_key >= \(range.first.sortKey)
               AND address_key <= \(range.last.sortKey)
             ORDER BY address_key DESC LIMIT 1
            """
        ) { IPAddress(sortKey: $0.text(0)) } ?? nil
    }

    /// The lowest free address of `range`; walks what is in use, so it is for ranges that are nearly full.
    static func lowestFree(in range: AddressRange, of subnet: SubnetID, _ transaction: any Transaction) throws
        -> IPAddress?
    {
        var candidate: IPAddress? = range.first
        try transaction.forEach(
            """
            SELECT address_key FROM ip_allocations
             WHERE subnet_id = \(subnet) AND address_key >= \(range.first.sortKey)
               AND address_key <= \(range.last.sortKey)
             ORDER BY address_key
            """
        ) { row in
            if row.text(0) == candidate?.sortKey { candidate = candidate?.advanced(by: 1) }
        }
        return candidate.flatMap { range.contains($0) ? $0 : nil }
    }

    /// Ports with an address of `subnet`.
    static func users(of subnet: SubnetID, _ transaction: any Transaction) throws -> [Port] {
        try all(where: "p.id IN (SELECT port_id FROM ip_allocations WHERE subnet_id = \(subnet))", transaction)
    }
}
