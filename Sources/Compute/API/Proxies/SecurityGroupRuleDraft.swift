// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit

/// A rule as Compute took it, in Network's words.
struct SecurityGroupRuleDraft {
    let body: JSON

    /// Throws `.badRequest` with upstream's reasons.
    init(_ reader: inout ObjectReader, parent: String, source: String?) throws {
        let name = try reader.nullableString("ip_protocol").flatMap { $0 }
        var low = try Self.port(&reader, "from_port")
        var high = try Self.port(&reader, "to_port")
        let cidr = try reader.nullableString("cidr").flatMap { $0 }
        let kind = name?.uppercased() ?? ""
        if source != nil, low == nil, high == nil {
            if kind == "ICMP" { (low, high) = (-1, -1) }
            if kind == "TCP" || kind == "UDP" { (low, high) = (1, 65_535) }
        }
        var rule: [String: JSON] = [
            "direction": "ingress", "ethertype": "IPv4", "security_group_id": .string(parent),
        ]
        if let source { rule["remote_group_id"] = .string(source) }
        if source == nil {
            var prefix = "0.0.0.0/0"
            if let cidr, !cidr.isEmpty { prefix = Percent.decode(cidr) ?? cidr }
            guard CIDR(prefix) != nil || IPAddress(prefix) != nil else {
                throw CloudError.badRequest("Invalid cidr \(prefix.prefix(64)).", kind: "InvalidCidr")
            }
            rule["remote_ip_prefix"] = .string(prefix)
            if prefix.contains(":") { rule["ethertype"] = "IPv6" }
        }
        if let name, let low, let high {
            try Self.check(kind, name, low, high)
            rule["protocol"] = .string(name.lowercased())
            if low != -1 { rule["port_range_min"] = .int(low) }
            if high != -1 { rule["port_range_max"] = .int(high) }
        } else if source == nil {
            throw CloudError.badRequest("Not enough parameters to build a valid rule.")
        }
        body = .object(rule)
    }

    /// A number, or text that is one, or nothing.
    private static func port(_ reader: inout ObjectReader, _ key: String) throws -> Int64? {
        if reader.isNull(key) {
            _ = reader.value(key)
            return nil
        }
        return try reader.looseInt(key, -1...65_535)
    }

    private static func check(_ kind: String, _ name: String, _ low: Int64, _ high: Int64) throws {
        switch kind {
        case "TCP", "UDP":
            guard low <= high else {
                throw invalid(low, high, "Former value cannot be greater than the later")
            }
            guard low >= 1, high <= 65_535 else {
                throw invalid(low, high, "Valid \(kind) ports should be between 1-65535")
            }
        case "ICMP":
            guard (-1...255).contains(low), (-1...255).contains(high) else {
                throw invalid(low, high, "For ICMP, the type:code must be valid")
            }
        default:
            throw CloudError.badRequest("Invalid IP protocol \(name.prefix(64)).", kind: "InvalidIpProtocol")
        }
    }

    private static func invalid(_ low: Int64, _ high: Int64, _ reason: String) -> CloudError {
        .badRequest("Invalid port range \(low):\(high). \(reason)", kind: "InvalidPortRange")
    }
}
