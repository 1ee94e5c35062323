// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `subnets`.
enum SubnetStore {
    static let schema = ListSchema(
        from: "FROM subnets s JOIN networks n ON n.id = s.network_id", id: "s.id", tags: "s.tags",
        [
            ListAttribute("id", "s.id"), ListAttribute("name", "s.name"), ListAttribute("project_id", "s.project_id"),
            ListAttribute("tenant_id", "s.project_id"), ListAttribute("network_id", "s.network_id"),
            ListAttribute("description", "s.description"), ListAttribute("ip_version", "s.ip_version", .integer),
            ListAttribute("cidr", "s.cidr"), ListAttribute("gateway_ip", "s.gateway", isNullable: true),
            ListAttribute("enable_dhcp", "s.uses_dhcp", .boolean),
            ListAttribute("ipv6_ra_mode", "s.ra_mode", isNullable: true),
            ListAttribute("ipv6_address_mode", "s.address_mode", isNullable: true),
            ListAttribute("revision_number", "s.revision", .integer),
            ListAttribute("created_at", "s.created_at", .time),
            ListAttribute("updated_at", "s.updated_at", .time),
            ListAttribute("router:external", "n.is_external", .boolean),
            ListAttribute("subnetpool_id", "s.subnetpool", isNullable: true),
            ListAttribute("segment_id", "s.segment_id", isNullable: true),
            .filter("service_types") { values in
                try ListAttribute.bounded(values, "service_types").reduce(into: "(1 = 0" as SQL) {
                    $0 += "OR replace(s.service_types, \(JSON.string($1).text()), '') <> s.service_types"
                } + ")"
            },
            .filter("shared") { try Viewer.sharedWithAll("n.id", $0) },
        ])

    private static func columns(_ project: ProjectID?) -> SQL {
        """
        s.id, s.project_id, s.network_id, s.name, s.cidr, s.gateway, s.uses_dhcp, s.ra_mode, s.address_mode, s.pools, \
        s.dns_servers, s.host_routes, s.service_types, s.publishes_dns, n.is_external, n.project_id, \
        \(Viewer.isShared("n.id", with: project)), \
        s.description, s.tags, s.revision, s.created_at, s.updated_at, s.subnetpool, \
        \(Viewer.isGranted("n.id", to: project)), s.segment_id
        """
    }

    private static func subnet(_ row: any Row) throws -> Subnet {
        func place(_ column: StaticString) -> StoredPlace { StoredPlace("subnets", row.text(0), column) }
        return Subnet(
            id: row.id(0), project: row.id(1), network: row.id(2), name: row.text(3),
            cidr: try place("cidr").cidr(row.text(4)),
            gateway: try row.textOrNil(5).map { try place("gateway").address($0) }, usesDHCP: row.bool(6),
            raMode: row.textOrNil(7).flatMap(Subnet.IPv6Mode.init),
            addressMode: row.textOrNil(8).flatMap(Subnet.IPv6Mode.init),
            pools: try decodePools(row.text(9), at: place("pools")),
            dnsServers: try JSONList.strings(row.text(10), at: place("dns_servers")),
            hostRoutes: try Router.routes(row.text(11), at: place("host_routes")).map {
                ServerPort.HostRoute(destination: $0.destination, nextHop: $0.nextHop)
            },
            serviceTypes: try JSONList.strings(row.text(12), at: place("service_types")),
            publishesDNS: row.bool(13), pool: row.idOrNil(22), segment: row.idOrNil(24),
            isExternal: row.bool(14), isShared: row.bool(16),
            isGranted: row.bool(23), networkProject: row.id(15), standard: row.standard(17))
    }

    private static func decodePools(
        _ text: String, at place: @autoclosure () -> StoredPlace
    ) throws -> [AddressRange] {
        try JSONList.decode(text, at: place()) { pool in
            guard let first = pool["start"]?.string.flatMap({ IPAddress($0) }),
                let last = pool["end"]?.string.flatMap({ IPAddress($0) })
            else { return nil }
            return AddressRange(first, last)
        }
    }

    private static func encode(_ pools: [AddressRange]) -> String {
        var writer = JSONWriter(capacity: 64)
        writer.beginArray()
        for pool in pools {
            writer.beginObject()
            writer.field("start", pool.first.description)
            writer.field("end", pool.last.description)
            writer.endObject()
        }
        writer.endArray()
        return writer.string()
    }

    private static func routes(of subnet: Subnet) -> String {
        Router.encode(subnet.hostRoutes.map { Router.Route(destination: $0.destination, nextHop: $0.nextHop) })
    }

    static func visible(to viewer: Viewer) -> Visibility {
        if viewer.seesAll { return "1 = 1" }
        let own = viewer.owns("s.project_id", orHosts: "s.host_project")
        return Visibility(own.parts + ["n.id IN (\(viewer.granted("network")))"])
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [Subnet] {
        try schema.list(
            query, columns: columns(viewer.project), where: visible(to: viewer), transaction,
            missing: { NetworkFault.subnetNotFound(SubnetID($0)) }, subnet)
    }

    static func find(_ id: SubnetID, for project: ProjectID? = nil, _ transaction: any Transaction) throws -> Subnet? {
        try transaction.first("SELECT \(columns(project)) \(schema.from) WHERE s.id = \(id)", subnet)
    }

    /// Oldest first.
    static func all(on network: NetworkID, _ transaction: any Transaction) throws -> [Subnet] {
        try transaction.query(
            "SELECT \(columns(nil)) \(schema.from) WHERE s.network_id = \(network) ORDER BY s.created_at, s.id", subnet)
    }

    static func all(_ ids: some Sequence<SubnetID>, _ transaction: any Transaction) throws -> [SubnetID: Subnet] {
        var subnets: [SubnetID: Subnet] = [:]
        for chunk in Array(Set(ids)).slices() {
            for subnet in try transaction.query(
                "SELECT \(columns(nil)) \(schema.from) WHERE s.id IN \(list: chunk)", subnet)
            { subnets[subnet.id] = subnet }
        }
        return subnets
    }

    static func insert(_ subnet: Subnet, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO subnets (id, project_id, network_id, name, description, ip_version, cidr, gateway, uses_dhcp,
                ra_mode, address_mode, pools, dns_servers, host_routes, service_types, publishes_dns, tags, revision,
                created_at, updated_at, subnetpool, segment_id, host_project)
            VALUES (\(subnet.id), \(subnet.project), \(subnet.network), \(subnet.name), \(subnet.standard.description),
                \(subnet.ipVersion), \(subnet.cidr.description), \(subnet.gateway?.description), \(subnet.usesDHCP),
                \(subnet.raMode?.rawValue), \(subnet.addressMode?.rawValue), \(encode(subnet.pools)),
                \(JSONList.encode(subnet.dnsServers)), \(routes(of: subnet)), \(JSONList.encode(subnet.serviceTypes)),
                \(subnet.publishesDNS), \(subnet.standard.tags), 1, \(subnet.standard.createdAt),
                \(subnet.standard.updatedAt), \(subnet.pool), \(subnet.segment),
                (SELECT project_id FROM networks WHERE id = \(subnet.network) AND project_id <> \(subnet.project)))
            """)
    }

    static func update(_ subnet: Subnet, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE subnets
               SET name = \(subnet.name), description = \(subnet.standard.description),
                   gateway = \(subnet.gateway?.description), uses_dhcp = \(subnet.usesDHCP),
                   pools = \(encode(subnet.pools)), dns_servers = \(JSONList.encode(subnet.dnsServers)),
                   host_routes = \(routes(of: subnet)), service_types = \(JSONList.encode(subnet.serviceTypes)),
                   publishes_dns = \(subnet.publishesDNS), tags = \(subnet.standard.tags),
                   revision = \(subnet.standard.revision), updated_at = \(subnet.standard.updatedAt),
                   subnetpool = \(subnet.pool), segment_id = \(subnet.segment)
             WHERE id = \(subnet.id)
            """)
    }

    static func delete(_ id: SubnetID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM subnets WHERE id = \(id)")
    }
}
