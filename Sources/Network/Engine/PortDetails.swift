// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// What a port shows that is written elsewhere: what its server needs to be placed, and the trunk that it is the
/// parent of. A few statements, whatever the number of ports.
enum PortDetails {
    static func filled(_ ports: [Port], fields: Set<String>? = nil, _ transaction: any Transaction) throws -> [Port] {
        var ports = ports
        if fields?.contains("resource_request") ?? true { try fillRequests(&ports, transaction) }
        if fields?.contains("trunk_details") ?? true { try fillTrunks(&ports, transaction) }
        return ports
    }

    static func filled(_ port: Port, _ transaction: any Transaction) throws -> Port {
        try filled([port], transaction)[0]
    }

    private static func jsonText(_ body: (inout JSONWriter) -> Void) -> String {
        String(decoding: JSONWriter.object(body), as: UTF8.self)
    }

    // MARK: Placement

    private static func fillRequests(_ ports: inout [Port], _ transaction: any Transaction) throws {
        let policies = Set(ports.compactMap(\.effectiveQoSPolicy))
        guard !policies.isEmpty else { return }
        let rules = try QoSStore.rules(of: policies.sorted(), transaction).mapValues { rules in
            rules.filter { $0.kind == .minimumBandwidth || $0.kind == .minimumPacketRate }
        }.filter { !$0.value.isEmpty }
        guard !rules.isEmpty else { return }
        let physical = try physicalNetworks(of: Set(ports.map(\.network)), transaction)
        for index in ports.indices {
            guard let policy = ports[index].effectiveQoSPolicy, let rules = rules[policy] else { continue }
            ports[index].resourceRequest = request(
                of: ports[index], rules, physicalNetwork: physical[ports[index].network])
        }
    }

    private static func physicalNetworks(of networks: Set<NetworkID>, _ transaction: any Transaction) throws
        -> [NetworkID: String]
    {
        var names: [NetworkID: String] = [:]
        for chunk in Array(networks).slices() {
            try transaction.forEach("SELECT id, physical_network FROM networks WHERE id IN \(list: chunk)") {
                names[$0.id(0)] = $0.textOrNil(1)
            }
        }
        return names
    }

    /// One group for each kind of promise, as placement takes them (neutron: qos_plugin.py).
    private static func request(of port: Port, _ rules: [QoSRule], physicalNetwork: String?) -> String {
        let network = physicalNetwork.map { "CUSTOM_PHYSNET_" + traitText($0) } ?? "CUSTOM_NETWORK_TUNNEL_PROVIDER"
        let card = "CUSTOM_VNIC_TYPE_" + traitText(port.vnicType)
        let kinds: [(kind: QoSRuleKind, traits: [String])] = [
            (.minimumBandwidth, [network, card]), (.minimumPacketRate, [card]),
        ]
        let groups = kinds.compactMap { entry in
            let rules = rules.filter { $0.kind == entry.kind }
            return rules.isEmpty ? nil : (id: groupID(port.id, rules), traits: entry.traits, rules: rules)
        }
        return jsonText { json in
            json.array("request_groups") { json in
                for group in groups {
                    json.beginObject()
                    json.field("id", group.id)
                    json.field("required", group.traits)
                    json.object("resources") { json in
                        for rule in group.rules {
                            json.key(dynamic: resourceClass(rule))
                            json.value(rule.amount)
                        }
                    }
                    json.endObject()
                }
            }
            json.field("same_subtree", groups.map(\.id))
        }
    }

    private static func resourceClass(_ rule: QoSRule) -> String {
        switch (rule.kind, rule.direction) {
        case (.minimumBandwidth, .ingress): "NET_BW_IGR_KILOBIT_PER_SEC"
        case (.minimumBandwidth, _): "NET_BW_EGR_KILOBIT_PER_SEC"
        case (_, .ingress): "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC"
        case (_, .egress): "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC"
        default: "NET_PACKET_RATE_KILOPACKET_PER_SEC"
        }
    }

    /// The same for the same port and rules, so that who asks twice sees one group.
    private static func groupID(_ port: PortID, _ rules: [QoSRule]) -> String {
        let name = ([port.rawValue] + rules.map(\.id.rawValue)).joined(separator: ":")
        @Sendable func hash(_ basis: UInt64) -> UInt64 {
            name.utf8.reduce(basis) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        }
        return IDSource { (hash(0xCBF2_9CE4_8422_2325), hash(0x8422_2325_CBF2_9CE4)) }.uuid()
    }

    /// Traits have capitals, digits and underscores (os-traits: normalize_name).
    private static func traitText(_ text: String) -> String {
        String(
            text.uppercased().unicodeScalars.map { scalar in
                let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                return isPlain ? Character(scalar) : "_"
            })
    }

    // MARK: Trunks

    private static func fillTrunks(_ ports: inout [Port], _ transaction: any Transaction) throws {
        // Most clouds have none, and then a list costs one look more.
        guard try transaction.exists("SELECT 1 FROM trunks LIMIT 1") else { return }
        var trunks: [PortID: TrunkID] = [:]
        for chunk in ports.map(\.id).slices() {
            try transaction.forEach("SELECT port_id, id FROM trunks WHERE port_id IN \(list: chunk)") {
                trunks[$0.id(0)] = $0.id(1)
            }
        }
        guard !trunks.isEmpty else { return }
        let subports = try TrunkStore.subports(of: Array(trunks.values), transaction)
        let macs = try macs(of: subports.values.flatMap { $0.map(\.port) }, transaction)
        for index in ports.indices {
            guard let trunk = trunks[ports[index].id] else { continue }
            ports[index].trunkDetails = jsonText { json in
                json.field("trunk_id", trunk)
                json.array("sub_ports") { json in
                    for subport in subports[trunk] ?? [] {
                        json.beginObject()
                        json.field("segmentation_id", subport.segmentation)
                        json.field("segmentation_type", subport.segmentationType)
                        json.field("port_id", subport.port)
                        json.field("mac_address", macs[subport.port])
                        json.endObject()
                    }
                }
            }
        }
    }

    private static func macs(of ports: [PortID], _ transaction: any Transaction) throws -> [PortID: String] {
        var macs: [PortID: String] = [:]
        for chunk in ports.slices() {
            try transaction.forEach("SELECT id, mac FROM ports WHERE id IN \(list: chunk)") {
                macs[$0.id(0)] = $0.text(1)
            }
        }
        return macs
    }
}

extension Port {
    /// Its own, else its network's. Ports of the network's own are bound to none.
    package var effectiveQoSPolicy: QoSPolicyID? {
        DeviceOwner.isTrusted(deviceOwner) ? nil : qosPolicy ?? networkQoSPolicy
    }
}
