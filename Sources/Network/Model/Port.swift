// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// An attachment to a network: a guest's card, a router's leg, or an address that is kept.
package struct Port: Sendable, Equatable {
    package struct FixedIP: Sendable, Equatable {
        package var subnet: SubnetID
        package var address: IPAddress
        package init(subnet: SubnetID, address: IPAddress) {
            self.subnet = subnet
            self.address = address
        }
    }
    package enum Status: String, Sendable {
        case active = "ACTIVE"
        case down = "DOWN"
        /// A floating IP's port: nothing is ever plugged there.
        case notApplicable = "N/A"
    }

    package var id: PortID
    package var project: ProjectID
    package var network: NetworkID
    package var name: String
    package var mac: String
    package var isEnabled: Bool
    package var status: Status
    package var deviceID: String
    package var deviceOwner: String
    /// Empty when unbound.
    package var host: String
    package var vnicType: String
    /// A JSON object.
    package var profile: String
    package var hasPortSecurity: Bool
    /// JSON lists, as the API shows them. `ip_allocations` and `port_groups` hold the same for look-ups.
    package var fixedIPsJSON: String
    package var groupsJSON: String
    package var addressPairsJSON: String
    package var dhcpOptionsJSON: String
    package var dnsName: String
    package var dnsDomain: String
    /// Whether Compute made it for a server.
    package var isOwnedByCompute: Bool
    package var standard: StandardAttributes
    package var qosPolicy: QoSPolicyID?
    /// Of its network: what holds when it has none.
    package var networkQoSPolicy: QoSPolicyID?
    /// What placing a server with this port must find; a JSON object. Only where somebody is shown the port.
    package var resourceRequest: String?
    /// Of the trunk whose parent it is; a JSON object. Only where somebody is shown the port.
    package var trunkDetails: String?

    package var fixedIPs: [FixedIP] {
        get throws {
            try JSONList.decode(fixedIPsJSON, at: place("fixed_ips")) { entry in
                guard let subnet = entry["subnet_id"]?.string,
                    let address = entry["ip_address"]?.string.flatMap({ IPAddress($0) })
                else { return nil }
                return FixedIP(subnet: SubnetID(subnet), address: address)
            }
        }
    }
    /// The addresses alone, without reading the JSON: for lists of a thousand ports.
    package func forEachAddressText(_ body: (String) -> Void) {
        // The text is `encode`'s own, so the key stands before each address and no quote stands in one.
        var rest = fixedIPsJSON.utf8[...]
        let quote = UInt8(ascii: "\"")
        while let key = rest.firstIndex(of: UInt8(ascii: "p")) {
            guard rest[key...].starts(with: "p_address\":\"".utf8) else {
                rest = rest[rest.index(after: key)...]
                continue
            }
            let start = rest.index(key, offsetBy: 12)
            guard let end = rest[start...].firstIndex(of: quote) else { return }
            body(String(Substring(rest[start..<end])))
            rest = rest[end...]
        }
    }
    package var groups: [SecurityGroupID] {
        get throws { try JSONList.strings(groupsJSON, at: place("groups")).map { SecurityGroupID($0) } }
    }
    package var addressPairs: [LogicalPort.AddressPair] {
        get throws {
            try JSONList.decode(addressPairsJSON, at: place("address_pairs")) { entry in
                guard let mac = entry["mac_address"]?.string, let ip = entry["ip_address"]?.string else { return nil }
                return LogicalPort.AddressPair(macAddress: mac, ip: ip)
            }
        }
    }
    package var dhcpOptions: [DHCPOption] {
        get throws { try JSONList.decode(dhcpOptionsJSON, at: place("dhcp_options"), DHCPOption.init(json:)) }
    }

    /// A column of this port's row.
    func place(_ column: StaticString) -> StoredPlace { StoredPlace("ports", id, column) }

    package static func encode(_ addresses: [FixedIP]) -> String {
        var writer = JSONWriter(capacity: 96)
        writer.beginArray()
        for address in addresses {
            writer.beginObject()
            writer.field("subnet_id", address.subnet)
            writer.field("ip_address", address.address.description)
            writer.endObject()
        }
        writer.endArray()
        return writer.string()
    }

    package static func encode(_ pairs: [LogicalPort.AddressPair]) -> String {
        var writer = JSONWriter(capacity: 96)
        writer.beginArray()
        for pair in pairs {
            writer.beginObject()
            writer.field("ip_address", pair.ip)
            writer.field("mac_address", pair.macAddress)
            writer.endObject()
        }
        writer.endArray()
        return writer.string()
    }
}

/// An option that DHCP gives to one port.
package struct DHCPOption: Sendable, Equatable {
    package var name: String
    package var value: String
    package var ipVersion: Int

    package init(name: String, value: String, ipVersion: Int) {
        self.name = name
        self.value = value
        self.ipVersion = ipVersion
    }

    init?(json: JSON) {
        guard let name = json["opt_name"]?.string, let value = json["opt_value"]?.string else { return nil }
        self.init(name: name, value: value, ipVersion: json["ip_version"]?.int == 6 ? 6 : 4)
    }

    package static func encode(_ options: [DHCPOption]) -> String {
        var writer = JSONWriter(capacity: 96)
        writer.beginArray()
        for option in options {
            writer.beginObject()
            writer.field("opt_name", option.name)
            writer.field("opt_value", option.value)
            writer.field("ip_version", option.ipVersion)
            writer.endObject()
        }
        writer.endArray()
        return writer.string()
    }
}

/// Who plugs a port, as upstream names them.
package enum DeviceOwner {
    package static let routerInterface = "network:router_interface"
    package static let routerGateway = "network:router_gateway"
    package static let floatingIP = "network:floatingip"
    package static let metadata = "network:distributed"
    /// Removed with their network or subnet, because nobody but the cloud made them.
    package static let automatic: Set<String> = [metadata, "network:dhcp"]
    package static let router: Set<String> = [routerInterface, routerGateway]

    /// Ports of the network's own: never filtered.
    package static func isTrusted(_ owner: String) -> Bool {
        owner.hasPrefix("network:") || owner.hasPrefix("neutron:")
    }
}

/// What a caller gives to create or change a port. Nil: not given.
package struct PortDraft: Sendable {
    package struct Address: Sendable, Equatable {
        package var subnet: SubnetID?
        package var address: IPAddress?
        package init(subnet: SubnetID? = nil, address: IPAddress? = nil) {
            self.subnet = subnet
            self.address = address
        }
    }
    package struct Pair: Sendable, Equatable {
        package var mac: MACAddress?
        package var ip: String
        package init(mac: MACAddress?, ip: String) {
            self.mac = mac
            self.ip = ip
        }
    }

    package var id: PortID?
    package var project: ProjectID?
    package var network: NetworkID?
    package var name: String?
    package var description: String?
    package var mac: MACAddress?
    /// Given as null in an update: make a new one.
    package var regeneratesMAC = false
    package var addresses: [Address]?
    package var isEnabled: Bool?
    package var deviceID: String?
    package var deviceOwner: String?
    package var host: String?
    package var vnicType: String?
    package var profile: JSON?
    package var hasPortSecurity: Bool?
    package var groups: [SecurityGroupID]?
    package var addressPairs: [Pair]?
    package var dhcpOptions: [(name: String, value: String?, ipVersion: Int)]?
    package var dnsName: String?
    package var dnsDomain: String?
    package var qosPolicy: QoSPolicyID??
    package var isOwnedByCompute = false
    package var tags: [String]?
    package var given: [String] = []

    package init() {}
}
