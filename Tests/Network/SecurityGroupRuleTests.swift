// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: each combination of protocol, ports, ethertype and remote is taken or refused as upstream does. Pure.
@Suite("Security group rules")
struct SecurityGroupRuleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String?
        var low: Int?
        var high: Int?
        var isIPv6 = false
        var prefix: String?
        var fault: String?
        var testDescription: String { "\(name ?? "any") \(low ?? -1)-\(high ?? -1) v6=\(isIPv6) \(prefix ?? "")" }
    }

    @Test(
        "combinations",
        arguments: [
            Case(name: "tcp", low: 22, high: 22), Case(name: "tcp"), Case(name: nil),
            Case(name: "icmp", low: 8, high: 0),
            Case(name: "icmp", low: 8), Case(name: "112"), Case(name: "tcp", low: 22, high: 22, prefix: "10.0.0.0/8"),
            Case(name: "ipv6-icmp", low: 128, isIPv6: true), Case(name: "icmp", isIPv6: true),
            Case(name: nil, low: 1, high: 2, fault: "SecurityGroupProtocolRequiredWithPorts"),
            Case(name: "tcp", low: 23, high: 22, fault: "SecurityGroupInvalidPortRange"),
            Case(name: "tcp", low: 23, fault: "SecurityGroupInvalidPortRange"),
            Case(name: "udp", low: 0, high: 22, fault: "SecurityGroupInvalidPortValue"),
            Case(name: "icmp", low: 256, fault: "SecurityGroupInvalidIcmpValue"),
            Case(name: "icmp", high: 1, fault: "SecurityGroupMissingIcmpType"),
            Case(name: "gre", low: 1, high: 2, fault: "SecurityGroupInvalidProtocolForPort"),
            Case(name: "ipv6-icmp", fault: "SecurityGroupEthertypeConflictWithProtocol"),
            Case(name: "58", fault: "SecurityGroupEthertypeConflictWithProtocol"),
            Case(name: "tcp", prefix: "2001:db8::/64", fault: "SecurityGroupRuleParameterConflict"),
            Case(name: "tcp", prefix: "nonsense", fault: "InvalidCIDR"),
        ])
    func combination(_ given: Case) throws {
        var draft = SecurityGroupRuleDraft(group: SecurityGroupID("g"), isIngress: true)
        (draft.protocolName, draft.portMinimum, draft.portMaximum) = (given.name, given.low, given.high)
        (draft.isIPv6, draft.remotePrefix) = (given.isIPv6, given.prefix)
        guard let fault = given.fault else {
            _ = try SecurityGroupRuleCheck.canonical(draft)
            return
        }
        let error = #expect(throws: CloudError.self) { try SecurityGroupRuleCheck.canonical(draft) }
        #expect(error?.kind == fault)
        #expect(error?.code == .badRequest)
    }

    @Test("canonical forms")
    func canonical() throws {
        var draft = SecurityGroupRuleDraft(group: SecurityGroupID("g"), isIngress: true)
        draft.protocolName = "tcp"
        (draft.portMinimum, draft.portMaximum) = (1, 65_535)
        draft.remotePrefix = "192.168.1.10"
        let rule = try SecurityGroupRuleCheck.canonical(draft)
        #expect(rule.portMinimum == nil && rule.portMaximum == nil)
        #expect(rule.remotePrefix == "192.168.1.10/32")
        draft = SecurityGroupRuleDraft(group: SecurityGroupID("g"), isIngress: true)
        (draft.protocolName, draft.isIPv6) = ("icmp", true)
        #expect(try SecurityGroupRuleCheck.canonical(draft).protocolName == "ipv6-icmp")
    }
}
