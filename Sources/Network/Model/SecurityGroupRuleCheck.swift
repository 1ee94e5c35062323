// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Which combinations of protocol, ports, ethertype and remote make a rule (upstream: `securitygroups_db.py`). Pure.
package enum SecurityGroupRuleCheck {
    /// The draft as it is stored. Throws `.badRequest` for a combination that means nothing.
    package static func canonical(_ draft: SecurityGroupRuleDraft) throws -> SecurityGroupRuleDraft {
        var rule = draft
        canonicalProtocol(&rule)
        if rule.portMinimum == 1, rule.portMaximum == 65_535, hasPorts(rule) {
            (rule.portMinimum, rule.portMaximum) = (nil, nil)
        }
        try checkPorts(rule)
        try canonicalPrefix(&rule)
        if let name = rule.protocolName, !rule.isIPv6, let number = IPProtocol.number(name, isIPv6: false),
            IPProtocol.isIPv6Only(number)
        {
            throw fault(
                "SecurityGroupEthertypeConflictWithProtocol", "Invalid ethertype IPv4 for protocol \(name).")
        }
        let remotes = [rule.remotePrefix != nil, rule.remoteGroup != nil, rule.remoteAddressGroup != nil]
        guard remotes.count(where: { $0 }) <= 1 else {
            throw fault(
                "SecurityGroupMultipleRemoteEntites",
                "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.")
        }
        return rule
    }

    private static func fault(_ kind: String, _ message: String) -> CloudError { .badRequest(message, kind: kind) }

    private static func hasPorts(_ rule: SecurityGroupRuleDraft) -> Bool {
        rule.protocolName.flatMap { IPProtocol.number($0, isIPv6: rule.isIPv6) }.map(IPProtocol.hasPorts) ?? false
    }

    private static func canonicalProtocol(_ rule: inout SecurityGroupRuleDraft) {
        guard rule.isIPv6 else { return }
        switch rule.protocolName {
        case "icmp", "icmpv6": rule.protocolName = "ipv6-icmp"
        case "1": rule.protocolName = "58"
        default: break
        }
    }

    private static func checkPorts(_ rule: SecurityGroupRuleDraft) throws {
        guard rule.portMinimum != nil || rule.portMaximum != nil else { return }
        guard let name = rule.protocolName, let number = IPProtocol.number(name, isIPv6: rule.isIPv6) else {
            throw fault(
                "SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol if port range is given.")
        }
        if IPProtocol.hasPorts(number) {
            guard rule.portMinimum != 0, rule.portMaximum != 0 else {
                throw fault("SecurityGroupInvalidPortValue", "Invalid value for port 0")
            }
            guard let low = rule.portMinimum, let high = rule.portMaximum, low <= high else {
                throw fault(
                    "SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max")
            }
        } else if IPProtocol.isICMP(number) {
            let fields = [("type", "port_range_min", rule.portMinimum), ("code", "port_range_max", rule.portMaximum)]
            for (field, attribute, value) in fields {
                if let value, !(0...255).contains(value) {
                    throw fault(
                        "SecurityGroupInvalidIcmpValue",
                        "Invalid value for ICMP \(field) (\(attribute)) \(value). It must be 0 to 255.")
                }
            }
            if rule.portMinimum == nil, let code = rule.portMaximum {
                throw fault(
                    "SecurityGroupMissingIcmpType",
                    "ICMP code (port-range-max) \(code) is provided but ICMP type (port-range-min) is missing.")
            }
        } else {
            throw fault(
                "SecurityGroupInvalidProtocolForPort",
                "Ports cannot be specified for protocol \(number). "
                    + "Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.")
        }
    }

    /// `192.168.1.10` becomes `192.168.1.10/32`; host bits stay as given, and `normalized_cidr` shows them gone.
    private static func canonicalPrefix(_ rule: inout SecurityGroupRuleDraft) throws {
        guard let prefix = rule.remotePrefix else { return }
        guard let cidr = CIDR(prefix) else {
            throw fault("InvalidCIDR", "Invalid CIDR \(prefix) given as IP prefix.")
        }
        guard cidr.isIPv6 == rule.isIPv6 else {
            throw fault(
                "SecurityGroupRuleParameterConflict",
                "Conflicting value ethertype \(rule.isIPv6 ? "IPv6" : "IPv4") for CIDR \(prefix)")
        }
        let address = prefix.split(separator: "/").first.flatMap { IPAddress($0) } ?? cidr.network
        rule.remotePrefix = "\(address)/\(cidr.prefixLength)"
    }
}
