// SPDX-License-Identifier: Apache-2.0
import OVSDBKit

/// Tables of the Northbound database that the driver fills.
enum OVNTable: String, CaseIterable, Sendable {
    case logicalSwitch = "Logical_Switch"
    case switchPort = "Logical_Switch_Port"
    case portGroup = "Port_Group"
    case addressSet = "Address_Set"
    case acl = "ACL"
    case dhcpOptions = "DHCP_Options"
    case dns = "DNS"
    case router = "Logical_Router"
    case routerPort = "Logical_Router_Port"
    case gatewayChassis = "Gateway_Chassis"
    case nat = "NAT"
    case staticRoute = "Logical_Router_Static_Route"
    case qos = "QoS"
    case loadBalancer = "Load_Balancer"
    case bfd = "BFD"
    case meter = "Meter"
    case meterBand = "Meter_Band"

    /// Rows of a root table live by themselves; the others live as long as a parent refers to them.
    var isRoot: Bool {
        switch self {
        case .logicalSwitch, .portGroup, .addressSet, .dhcpOptions, .dns, .router, .loadBalancer, .bfd, .meter: true
        case .switchPort, .acl, .qos, .routerPort, .gatewayChassis, .nat, .staticRoute, .meterBand: false
        }
    }

    /// Whether the server itself refuses a second row of the same name.
    var hasUniqueName: Bool {
        switch self {
        case .switchPort, .portGroup, .addressSet, .routerPort, .gatewayChassis, .meter: true
        default: false
        }
    }
}

/// A row as the driver names it: the table and its external id `haneul:id`.
struct OVNKey: Hashable, Sendable, Comparable {
    let table: OVNTable
    let id: String
    init(_ table: OVNTable, _ id: String) {
        self.table = table
        self.id = id
    }

    static func < (left: Self, right: Self) -> Bool {
        (left.table.rawValue, left.id) < (right.table.rawValue, right.id)
    }
}

/// A column of another row that must refer to this one.
struct OVNLink: Hashable, Sendable {
    let parent: OVNKey
    let column: String

    static func ports(of network: String) -> OVNLink {
        OVNLink(parent: OVNKey(.logicalSwitch, network), column: "ports")
    }
    static func members(of group: String) -> OVNLink { OVNLink(parent: OVNKey(.portGroup, group), column: "ports") }

    /// Every column that the driver links into, by the table of the child.
    static let columns: [OVNTable: [(parent: OVNTable, column: String)]] = [
        .switchPort: [(.logicalSwitch, "ports"), (.portGroup, "ports")],
        .acl: [(.portGroup, "acls")],
        .meterBand: [(.meter, "bands")],
        .dns: [(.logicalSwitch, "dns_records")],
        .routerPort: [(.router, "ports")],
        .gatewayChassis: [(.routerPort, "gateway_chassis")],
        .nat: [(.router, "nat")],
        .staticRoute: [(.router, "static_routes")],
        .qos: [(.logicalSwitch, "qos_rules")],
        .loadBalancer: [(.router, "load_balancer"), (.logicalSwitch, "load_balancer")],
    ]
}

/// A row that must be there.
struct OVNRow: Equatable, Sendable {
    /// Names of external ids that only this driver writes.
    static let ownerID = "haneul:owner"
    static let rowID = "haneul:id"
    static let ownPrefixes = ["haneul:", "neutron:"]

    let key: OVNKey
    let owner: OVNUnit
    /// Wanted values. Columns that are not named here are not touched. Without `external_ids`.
    var columns: OVSDBRow
    var externalIDs: [String: String]
    /// Columns that refer to another row: the first of the list that exists, else nothing.
    var references: [String: [OVNKey]] = [:]
    var links: Set<OVNLink> = []

    init(
        _ table: OVNTable, _ id: String, owner: OVNUnit, _ columns: OVSDBRow, externalIDs: [String: String] = [:],
        links: Set<OVNLink> = []
    ) {
        key = OVNKey(table, id)
        self.owner = owner
        self.columns = columns
        self.externalIDs = externalIDs
        self.externalIDs[Self.ownerID] = owner.text
        self.externalIDs[Self.rowID] = id
        self.links = links
    }
}

/// A part of the data plane that is computed and compared as one: what belongs to one object, or to many.
enum OVNUnit: Hashable, Sendable {
    /// What every cloud has: the group that drops.
    case shared
    case network(String)
    /// The names that guests of a network can resolve.
    case names(String)
    case port(String)
    case router(String)
    case group(String)
    case addresses(String)

    var text: String {
        switch self {
        case .shared: "shared"
        case .network(let id): "network:\(id)"
        case .names(let id): "names:\(id)"
        case .port(let id): "port:\(id)"
        case .router(let id): "router:\(id)"
        case .group(let id): "group:\(id)"
        case .addresses(let id): "addresses:\(id)"
        }
    }
}

/// What the driver watches of the Northbound database.
enum OVNNorthbound {
    static let database = "OVN_Northbound"

    static func owner(_ table: OVNTable) -> OVSDBIndex {
        .mapKey(table: table.rawValue, column: "external_ids", key: OVNRow.ownerID)
    }
    static func id(_ table: OVNTable) -> OVSDBIndex {
        .mapKey(table: table.rawValue, column: "external_ids", key: OVNRow.rowID)
    }
    static func parents(_ table: OVNTable, _ column: String) -> OVSDBIndex {
        .column(table: table.rawValue, column: column)
    }

    static let indexes: [OVSDBIndex] =
        OVNTable.allCases.flatMap { [owner($0), id($0)] }
        + OVNLink.columns.values.flatMap { $0.map { parents($0.parent, $0.column) } }

    static let monitor = OVSDBMonitor(
        database: database,
        tables: [
            .init("NB_Global", ["nb_cfg"]),
            .init(
                "Logical_Switch",
                ["name", "ports", "dns_records", "qos_rules", "load_balancer", "other_config", "external_ids"]),
            .init(
                "Logical_Switch_Port",
                [
                    "name", "type", "options", "parent_name", "tag", "addresses", "port_security", "up", "enabled",
                    "dhcpv4_options", "dhcpv6_options", "external_ids",
                ]),
            .init("Port_Group", ["name", "ports", "acls", "external_ids"]),
            .init("Address_Set", ["name", "addresses", "external_ids"]),
            .init(
                "ACL",
                ["priority", "direction", "match", "action", "log", "name", "severity", "meter", "external_ids"]),
            .init("Meter", ["name", "unit", "bands", "fair", "external_ids"]),
            .init("Meter_Band", ["action", "rate", "burst_size", "external_ids"]),
            .init("DHCP_Options", ["cidr", "options", "external_ids"]),
            .init("DNS", ["records", "external_ids"]),
            .init(
                "Logical_Router",
                [
                    "name", "enabled", "options", "ports", "static_routes", "nat", "load_balancer", "external_ids",
                ]),
            .init("QoS", ["priority", "direction", "match", "action", "bandwidth", "external_ids"]),
            .init("Load_Balancer", ["name", "protocol", "vips", "external_ids"]),
            .init("BFD", ["logical_port", "dst_ip", "external_ids"]),
            .init(
                "Logical_Router_Port",
                ["name", "mac", "networks", "gateway_chassis", "options", "ipv6_ra_configs", "external_ids"]),
            .init("Gateway_Chassis", ["name", "chassis_name", "priority", "external_ids"]),
            .init(
                "NAT",
                ["type", "external_ip", "external_mac", "logical_ip", "logical_port", "gateway_port", "external_ids"]),
            .init("Logical_Router_Static_Route", ["ip_prefix", "nexthop", "output_port", "bfd", "external_ids"]),
        ],
        indexes: indexes)
}
