// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit

extension OVNTranslation {
    /// The group of all ports with port security: what no rule allows is dropped there.
    static let dropGroup = "neutron_pg_drop"
    private static let allowPriority = 1002
    /// A group's own, above the one for all, so that what is dropped is written down as the group's.
    private static let logDropPriority = 1001
    private static let dropPriority = 1000
    /// Hosts write no more lines than it lets pass, however many packets come (neutron: network_log.rate_limit).
    private static let meter = "acl_log_meter"
    private static let linesPerSecond = 100
    private static let burstLines = 25

    func rows(_ group: LogicalSecurityGroup) -> [OVNRow] {
        let unit = OVNUnit.group(group.id.rawValue)
        let name = Self.name(group.id)
        let row = OVNRow(
            .portGroup, group.id.rawValue, owner: unit, ["name": .string(name)],
            externalIDs: ["neutron:security_group_id": group.id.rawValue])
        return [row] + dropLogs(of: group, name)
            + group.rules.compactMap { rule in
                Self.match(rule, in: name).map { match in
                    acl(
                        rule.id.rawValue, unit, in: group.id.rawValue, isIngress: rule.isIngress,
                        priority: Self.allowPriority, match,
                        action: group.isStateful ? "allow-related" : "allow-stateless",
                        log: group.acceptLog,
                        externalIDs: ["neutron:security_group_rule_id": rule.id.rawValue])
                }
            }
    }

    private func dropLogs(of group: LogicalSecurityGroup, _ name: String) -> [OVNRow] {
        guard let log = group.dropLog else { return [] }
        return [true, false].map { isIngress in
            acl(
                "\(group.id):drop:\(isIngress ? "ingress" : "egress")", .group(group.id.rawValue),
                in: group.id.rawValue, isIngress: isIngress, priority: Self.logDropPriority,
                "\(isIngress ? "outport" : "inport") == @\(name) && ip", action: "drop", log: log)
        }
    }

    private func meterRows() -> [OVNRow] {
        [
            OVNRow(
                .meter, Self.meter, owner: .shared,
                ["name": .string(Self.meter), "unit": .string("pktps"), "fair": .bool(true)]),
            OVNRow(
                .meterBand, Self.meter, owner: .shared,
                [
                    "action": .string("drop"), "rate": .int(Self.linesPerSecond), "burst_size": .int(Self.burstLines),
                ],
                links: [OVNLink(parent: OVNKey(.meter, Self.meter), column: "bands")]),
        ]
    }

    /// One set for each family, also when it is empty: rules of either may name it.
    func rows(_ group: LogicalAddressGroup) -> [OVNRow] {
        [false, true].map { isIPv6 in
            let name = Self.name(group.id, isIPv6: isIPv6)
            return OVNRow(
                .addressSet, name, owner: .addresses(group.id.rawValue),
                [
                    "name": .string(name),
                    "addresses": .strings(
                        group.prefixes.compactMap(OVNText.address).filter { $0.contains(":") == isIPv6 }),
                ],
                externalIDs: ["neutron:address_group_id": group.id.rawValue])
        }
    }

    func sharedRows() -> [OVNRow] {
        let name = Self.dropGroup
        let row = OVNRow(.portGroup, name, owner: .shared, ["name": .string(name)])
        func rule(_ id: String, isIngress: Bool, _ priority: Int, _ match: String, _ action: String) -> OVNRow {
            acl("\(name):\(id)", .shared, in: name, isIngress: isIngress, priority: priority, match, action: action)
        }
        return [
            row,
            rule("egress", isIngress: false, Self.dropPriority, "inport == @\(name) && ip", "drop"),
            rule("ingress", isIngress: true, Self.dropPriority, "outport == @\(name) && ip", "drop"),
            // A guest whose groups allow nothing out still gets its address, as with upstream's other drivers.
            rule(
                "dhcp4", isIngress: false, Self.allowPriority,
                "inport == @\(name) && ip4 && udp && udp.src == 68 && udp.dst == 67", "allow"),
            rule(
                "dhcp6", isIngress: false, Self.allowPriority,
                "inport == @\(name) && ip6 && udp && udp.src == 546 && udp.dst == 547", "allow"),
        ] + meterRows()
    }

    private func acl(
        _ id: String, _ unit: OVNUnit, in group: String, isIngress: Bool, priority: Int, _ match: String,
        action: String, log: String? = nil, externalIDs: [String: String] = [:]
    ) -> OVNRow {
        OVNRow(
            .acl, id, owner: unit,
            [
                "priority": .int(priority), "direction": .string(isIngress ? "to-lport" : "from-lport"),
                "match": .string(match), "action": .string(action), "log": .bool(log != nil),
                "name": .optional(log.map { "neutron-" + $0 }), "severity": .optional(log.map { _ in "info" }),
                "meter": .optional(log.map { _ in Self.meter }),
            ],
            externalIDs: externalIDs,
            links: [OVNLink(parent: OVNKey(.portGroup, group), column: "acls")])
    }

    /// The rule as OVN's expression; nil when it can match nothing that OVN understands.
    static func match(_ rule: LogicalSecurityGroup.Rule, in group: String) -> String? {
        let ip = rule.isIPv6 ? "ip6" : "ip4"
        let side = rule.isIngress ? "src" : "dst"
        var parts = ["\(rule.isIngress ? "outport" : "inport") == @\(group)", ip]
        switch rule.peer {
        case .anywhere: break
        case .prefix(let prefix):
            guard let prefix = OVNText.address(prefix), prefix.contains(":") == rule.isIPv6 else { return nil }
            parts.append("\(ip).\(side) == \(prefix)")
        case .group(let peer): parts.append("\(ip).\(side) == $\(name(peer))_\(ip)")
        case .addresses(let peer): parts.append("\(ip).\(side) == $\(name(peer, isIPv6: rule.isIPv6))")
        }
        return (parts + transport(rule)).joined(separator: " && ")
    }

    private static func transport(_ rule: LogicalSecurityGroup.Rule) -> [String] {
        guard let number = rule.ipProtocol else { return [] }
        switch number {
        case 1, 58:
            let icmp = rule.isIPv6 ? "icmp6" : "icmp4"
            return [icmp] + (rule.portMinimum.map { ["\(icmp).type == \($0)"] } ?? [])
                + (rule.portMaximum.map { ["\(icmp).code == \($0)"] } ?? [])
        case 6, 17, 132:
            let name = number == 6 ? "tcp" : number == 17 ? "udp" : "sctp"
            if let port = rule.portMinimum, port == rule.portMaximum { return [name, "\(name).dst == \(port)"] }
            return [name] + (rule.portMinimum.map { ["\(name).dst >= \($0)"] } ?? [])
                + (rule.portMaximum.map { ["\(name).dst <= \($0)"] } ?? [])
        default: return ["ip.proto == \(number)"]
        }
    }
}
