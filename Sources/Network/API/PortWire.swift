// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore

enum PortWire {
    // MARK: Reading

    private static let vnicTypes = [
        "normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic",
    ]

    static func draft(_ reader: inout AttributeReader, isCreate: Bool, hasDHCPOptions: Bool) throws -> PortDraft {
        try reader.refuseReadOnly(
            "binding:vif_type", "binding:vif_details", "dns_assignment", "ip_allocation", "resource_request",
            "trunk_details", "qos_network_policy_id")
        try reader.refuseInUpdate("network_id")
        var draft = PortDraft()
        draft.project = try reader.project()
        draft.network = try reader.id("network_id")
        draft.name = try reader.string("name")
        draft.description = try reader.string("description")
        draft.isEnabled = try reader.bool("admin_state_up", default: true)
        if let mac = reader.value("mac_address") {
            if mac.isNull {
                draft.regeneratesMAC = !isCreate
            } else {
                draft.mac = try AttributeReader.mac(mac, "mac_address")
            }
        }
        draft.addresses = try addresses(&reader)
        draft.deviceID = try reader.string("device_id")
        draft.deviceOwner = try reader.string("device_owner")
        draft.host = try reader.nullableString("binding:host_id").map { $0 ?? "" }
        draft.vnicType = try vnicType(&reader)
        draft.profile = try profile(&reader)
        draft.hasPortSecurity = try reader.bool("port_security_enabled", default: true)
        draft.groups = try reader.list("security_groups")?.map { try AttributeReader.id($0, "security_groups") }
        draft.addressPairs = try pairs(&reader)
        if hasDHCPOptions { draft.dhcpOptions = try options(&reader) }
        draft.dnsName = try reader.string("dns_name").map { try checkedName($0) }
        draft.dnsDomain = try reader.string("dns_domain").map { try NetworkWire.checkedDomain($0) }
        draft.qosPolicy = try reader.nullableID("qos_policy_id")
        draft.tags = try reader.tags()
        draft.given = reader.given
        return draft
    }

    private static func addresses(_ reader: inout AttributeReader) throws -> [PortDraft.Address]? {
        guard let entries = try reader.list("fixed_ips") else { return nil }
        return try entries.map { entry in
            guard case .object(let fields) = entry, !fields.isEmpty else {
                throw AttributeReader.invalid(
                    "fixed_ips", "Invalid data format for fixed IP: '\(entry.text().prefix(100))'")
            }
            if let unknown = fields.keys.sorted().first(where: { $0 != "subnet_id" && $0 != "ip_address" }) {
                throw AttributeReader.invalid("fixed_ips", "Unexpected key '\(unknown.prefix(32))'")
            }
            var address = PortDraft.Address()
            if let subnet = fields["subnet_id"] {
                address.subnet = try AttributeReader.id(subnet, "fixed_ips")
                reader.note("fixed_ips:subnet_id")
            }
            if let ip = fields["ip_address"] {
                address.address = try AttributeReader.address(ip, "fixed_ips")
                reader.note("fixed_ips:ip_address")
            }
            return address
        }
    }

    static func vnicType(_ reader: inout AttributeReader, _ name: String = "binding:vnic_type") throws -> String? {
        guard let type = try reader.string(name, default: "normal") else { return nil }
        guard vnicTypes.contains(type) else {
            throw AttributeReader.invalid(name, "'\(type.prefix(32))' is not in \(vnicTypes)")
        }
        return type
    }

    static func profile(_ reader: inout AttributeReader, _ name: String = "binding:profile") throws -> JSON? {
        guard let profile = reader.value(name) else { return nil }
        switch profile {
        case .null: return [:]
        case .object where profile.text().utf8.count <= 4096: return profile
        default: throw AttributeReader.invalid(name, "it is not a dictionary, or too large")
        }
    }

    private static func pairs(_ reader: inout AttributeReader) throws -> [PortDraft.Pair]? {
        guard let entries = try reader.list("allowed_address_pairs") else { return nil }
        return try entries.map { entry in
            guard case .object(let fields) = entry, let ip = fields["ip_address"]?.string else {
                throw AttributeReader.invalid("allowed_address_pairs", "AllowedAddressPair must contain ip_address")
            }
            if let unknown = fields.keys.sorted().first(where: { $0 != "mac_address" && $0 != "ip_address" }) {
                throw AttributeReader.invalid("allowed_address_pairs", "Unrecognized field '\(unknown.prefix(32))'")
            }
            guard let cidr = CIDR(ip) else {
                throw AttributeReader.invalid(
                    "allowed_address_pairs", "'\(ip.prefix(64))' is not a valid IP address or subnet")
            }
            // aap-reject-multicast
            guard !cidr.network.isMulticast else {
                throw AttributeReader.invalid(
                    "allowed_address_pairs", "Multicast address '\(ip.prefix(64))' is not allowed")
            }
            reader.note("allowed_address_pairs:ip_address")
            if fields["mac_address"] != nil { reader.note("allowed_address_pairs:mac_address") }
            let mac = try fields["mac_address"].map { try AttributeReader.mac($0, "allowed_address_pairs") }
            if let mac, mac.isMulticast {
                throw AttributeReader.invalid("allowed_address_pairs", "Multicast address '\(mac)' is not allowed")
            }
            return PortDraft.Pair(
                mac: mac, ip: cidr.prefixLength == cidr.network.bits ? cidr.network.description : cidr.description)
        }
    }

    private static func options(_ reader: inout AttributeReader) throws -> [(
        name: String, value: String?, ipVersion: Int
    )]? {
        guard let entries = try reader.list("extra_dhcp_opts") else { return nil }
        return try entries.map { entry in
            guard (entry.object ?? [:]).keys.allSatisfy(["id", "opt_name", "opt_value", "ip_version"].contains) else {
                throw AttributeReader.invalid("extra_dhcp_opts", "it has a key that no option has")
            }
            guard let name = entry["opt_name"]?.string, (1...64).contains(name.utf8.count) else {
                throw AttributeReader.invalid("extra_dhcp_opts", "opt_name is missing or too long")
            }
            let version = entry["ip_version"]?.int ?? entry["ip_version"]?.string.flatMap { Int64($0) } ?? 4
            guard version == 4 || version == 6 else {
                throw AttributeReader.invalid("extra_dhcp_opts", "ip_version is not 4 or 6")
            }
            switch entry["opt_value"] {
            case nil, .null: return (name, nil, Int(version))
            case .string(let value) where value.utf8.count <= 255 && !value.utf8.contains(0):
                return (name, value, Int(version))
            default: throw AttributeReader.invalid("extra_dhcp_opts", "opt_value is not a valid string")
            }
        }
    }

    static func checkedName(_ name: String) throws -> String {
        guard name.isEmpty || DNSName.isValid(name.hasSuffix(".") ? String(name.dropLast()) : name) else {
            throw AttributeReader.invalid("dns_name", "'\(name.prefix(64))' not a valid PQDN or FQDN")
        }
        return name
    }

    // MARK: Writing

    /// What one caller sees of ports, and what all ports have in common.
    struct View: Sendable {
        var showsBinding: Bool
        var showsResourceRequest: Bool
        var showsDHCPOptions: Bool
        var dnsDomain: String
    }

    static func write(_ port: Port, _ view: View, _ out: inout ResourceWriter) {
        out.field("id", port.id)
        out.field("name", port.name)
        out.field("network_id", port.network)
        out.owner(port.project)
        out.field("mac_address", port.mac)
        out.field("admin_state_up", port.isEnabled)
        out.field("status", port.status.rawValue)
        out.field("device_id", port.deviceID)
        out.field("device_owner", port.deviceOwner)
        out.raw("fixed_ips", port.fixedIPsJSON)
        out.raw("allowed_address_pairs", port.addressPairsJSON)
        if view.showsDHCPOptions { out.raw("extra_dhcp_opts", port.dhcpOptionsJSON) }
        out.raw("security_groups", port.groupsJSON)
        out.field("port_security_enabled", port.hasPortSecurity)
        out.field("ip_allocation", port.fixedIPsJSON == "[]" ? "none" : "immediate")
        out.field("dns_name", port.dnsName)
        out.field("dns_domain", port.dnsDomain)
        if out.wants("dns_assignment") { writeAssignments(port, view.dnsDomain, &out) }
        out.field("qos_policy_id", port.qosPolicy)
        out.field("qos_network_policy_id", port.networkQoSPolicy)
        if let details = port.trunkDetails { out.raw("trunk_details", details) }
        out.field("binding:vnic_type", port.vnicType)
        if view.showsBinding {
            out.field("binding:host_id", port.host)
            out.field("binding:vif_type", port.host.isEmpty ? "unbound" : boundType)
            out.raw("binding:vif_details", port.host.isEmpty ? "{}" : boundDetails)
            out.raw("binding:profile", port.profile)
        }
        if view.showsResourceRequest { out.raw("resource_request", port.resourceRequest ?? "null") }
        out.standard(port.standard)
    }

    /// What ML2/OVN tells of a port that its `br-int` carries.
    static let boundType = "ovs"
    static let boundDetails =
        #"{"port_filter": true, "connectivity": "l2", "bridge_name": "br-int", "bound_drivers": {"0": "ovn"}}"#

    private static func writeAssignments(_ port: Port, _ dnsDomain: String, _ out: inout ResourceWriter) {
        let domain = port.dnsDomain.isEmpty ? dnsDomain : port.dnsDomain
        out.nested("dns_assignment") { json in
            json.beginArray()
            port.forEachAddressText { address in
                let name =
                    port.dnsName.isEmpty
                    ? "host-" + String(address.map { $0 == "." || $0 == ":" ? "-" : $0 }) : port.dnsName
                json.beginObject()
                json.field("ip_address", address)
                json.field("hostname", name)
                json.field("fqdn", domain.hasSuffix(".") ? "\(name).\(domain)" : "\(name).\(domain).")
                json.endObject()
            }
            json.endArray()
        }
    }
}
