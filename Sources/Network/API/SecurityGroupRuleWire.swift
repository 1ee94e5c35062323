// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore

enum SecurityGroupRuleWire {
    // MARK: Reading

    static func draft(_ reader: inout AttributeReader) throws -> SecurityGroupRuleDraft {
        try reader.refuseReadOnly("normalized_cidr", "belongs_to_default_sg")
        try reader.require("security_group_id")
        // neutron takes any text for these ids, and finds no group by it.
        let group = SecurityGroupID(try reader.string("security_group_id") ?? "")
        return try pattern(&reader, of: group)
    }

    /// What rules and default rules have in common.
    static func pattern(_ reader: inout AttributeReader, of group: SecurityGroupID) throws -> SecurityGroupRuleDraft {
        try reader.require("direction")
        let direction = try reader.string("direction") ?? ""
        guard direction == "ingress" || direction == "egress" else {
            throw AttributeReader.invalid("direction", "'\(direction.prefix(32))' is not in ['ingress', 'egress']")
        }
        var draft = SecurityGroupRuleDraft(group: group, isIngress: direction == "ingress")
        draft.project = try reader.project()
        draft.isIPv6 = try isIPv6(&reader)
        draft.protocolName = try protocolName(&reader)
        draft.portMinimum = try port(&reader, "port_range_min")
        draft.portMaximum = try port(&reader, "port_range_max")
        draft.remotePrefix = try reader.nullableString("remote_ip_prefix").flatMap { $0 }.flatMap {
            $0.isEmpty ? nil : $0
        }
        draft.remoteGroup = try reader.nullableString("remote_group_id").flatMap { $0 }.map { SecurityGroupID($0) }
        draft.remoteAddressGroup = try reader.nullableString("remote_address_group_id").flatMap { $0 }.map {
            AddressGroupID($0)
        }
        draft.description = try reader.string("description") ?? ""
        return draft
    }

    private static func isIPv6(_ reader: inout AttributeReader) throws -> Bool {
        guard let text = try reader.nullableString("ethertype").flatMap({ $0 }) else { return false }
        switch text.lowercased() {
        case "ipv4": return false
        case "ipv6": return true
        default:
            throw CloudError.badRequest(
                "Security group rule for ethertype '\(text.prefix(32))' not supported. Allowed values are "
                    + "['IPv4', 'IPv6'].",
                kind: "SecurityGroupRuleInvalidEtherType")
        }
    }

    /// `any`, `0`, null and nothing mean every protocol.
    private static func protocolName(_ reader: inout AttributeReader) throws -> String? {
        let text: String
        switch reader.value("protocol") {
        case nil, .null: return nil
        case .int(let number): text = String(number)
        case .string(let name): text = name.lowercased()
        default: throw unsupported("")
        }
        if ["", "any", "0"].contains(text) { return nil }
        if let number = Int(text) {
            guard (0...255).contains(number) else { throw unsupported(text) }
            return text
        }
        guard IPProtocol.isKnown(text) else { throw unsupported(text) }
        return text
    }

    private static func unsupported(_ text: String) -> CloudError {
        .badRequest(
            "Security group rule protocol \(text.prefix(32)) not supported. Only protocol values "
                + "\(["any"] + IPProtocol.names) and integer representations [0 to 255] are supported.",
            kind: "SecurityGroupRuleInvalidProtocol")
    }

    private static func port(_ reader: inout AttributeReader, _ name: String) throws -> Int? {
        guard let value = reader.value(name), !value.isNull else { return nil }
        guard let number = value.int ?? value.string.flatMap({ Int64($0) }), (0...65_535).contains(number) else {
            throw CloudError.badRequest(
                "Invalid value for port \(value.text().prefix(32))", kind: "SecurityGroupInvalidPortValue")
        }
        return Int(number)
    }

    // MARK: Writing

    static func write(_ rule: SecurityGroupRule, _ out: inout ResourceWriter) {
        out.field("id", rule.id)
        out.owner(rule.project)
        out.field("security_group_id", rule.group)
        out.field("ethertype", rule.ethertype)
        out.field("direction", rule.direction)
        out.field("protocol", rule.protocolName)
        out.field("port_range_min", rule.portMinimum)
        out.field("port_range_max", rule.portMaximum)
        out.field("remote_ip_prefix", rule.remotePrefix)
        out.field("normalized_cidr", rule.normalizedPrefix)
        out.field("remote_group_id", rule.remoteGroup)
        out.field("remote_address_group_id", rule.remoteAddressGroup)
        out.field("belongs_to_default_sg", rule.belongsToDefaultGroup)
        out.standard(rule.standard)
    }

    /// Within its group.
    static func write(_ rule: SecurityGroupRule, _ json: inout JSONWriter) {
        json.field("id", rule.id)
        json.field("project_id", rule.project)
        json.field("tenant_id", rule.project)
        json.field("security_group_id", rule.group)
        json.field("ethertype", rule.ethertype)
        json.field("direction", rule.direction)
        json.field("protocol", rule.protocolName)
        json.field("port_range_min", rule.portMinimum)
        json.field("port_range_max", rule.portMaximum)
        json.field("remote_ip_prefix", rule.remotePrefix)
        json.field("normalized_cidr", rule.normalizedPrefix)
        json.field("remote_group_id", rule.remoteGroup)
        json.field("remote_address_group_id", rule.remoteAddressGroup?.rawValue)
        json.field("belongs_to_default_sg", rule.belongsToDefaultGroup)
        json.field("description", rule.standard.description)
        json.key("tags")
        json.raw(rule.standard.tags)
        json.field("revision_number", rule.standard.revision)
        json.field("created_at", rule.standard.createdAt.iso8601())
        json.field("updated_at", rule.standard.updatedAt.iso8601())
    }
}
