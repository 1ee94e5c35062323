// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit

extension OVNTranslation {
    private static let portPriority = 2002
    /// Above the gateway's: a floating address's own bounds come first.
    private static let floatingPriority = 2003
    private static let bitsPerKilobit = 1000

    /// OVN makes a meter of each row that names a rate. One row for each direction holds rate and mark.
    func rows(ofQoS qos: LogicalQoS?, of port: LogicalPort) -> [OVNRow] {
        guard let qos else { return [] }
        return Self.rows(
            Self.hasPromise(qos, on: world.networks[port.network])
                ? LogicalQoS(ingress: qos.ingress, dscp: qos.dscp) : qos,
            id: port.id.rawValue, owner: .port(port.id.rawValue), on: port.network, port: port.id.rawValue,
            priority: Self.portPriority, externalIDs: ["neutron:port_id": port.id.rawValue])
    }

    /// On a physical network a promise and its limit are a queue of the host's card.
    func options(ofQoS qos: LogicalQoS?, on network: NetworkID) -> [String: String] {
        guard let qos, Self.hasPromise(qos, on: world.networks[network]) else { return [:] }
        var options: [String: String] = [:]
        options["qos_min_rate"] = qos.minimumEgressKbps.map { "\($0 * Self.bitsPerKilobit)" }
        options["qos_max_rate"] = qos.egress.map { "\($0.kbps * Self.bitsPerKilobit)" }
        options["qos_burst"] = qos.egress?.burstKilobits.map { "\($0 * Self.bitsPerKilobit)" }
        return options
    }

    private static func hasPromise(_ qos: LogicalQoS, on network: LogicalNetwork?) -> Bool {
        qos.minimumEgressKbps != nil && network?.provider != nil
    }

    /// Bounds of what passes the router's gateway: all of it, and of single floating addresses.
    func rows(ofQoSOf router: LogicalRouter) -> [OVNRow] {
        guard let gateway = router.interfaces.first(where: \.isGateway) else { return [] }
        let owner = OVNUnit.router(router.id.rawValue)
        var rows: [OVNRow] = []
        if let qos = router.gatewayQoS {
            rows += Self.rows(
                qos, id: router.id.rawValue, owner: owner, on: gateway.network, port: gateway.port.rawValue,
                priority: Self.portPriority, externalIDs: ["neutron:router_id": router.id.rawValue])
        }
        for floating in router.floatingAddresses {
            guard let qos = floating.qos, let address = OVNText.address(floating.address) else { continue }
            // Each packet is counted where it is translated.
            let resident =
                isTranslatedLocally(floating, router)
                ? floating.port.rawValue : "cr-" + Self.routerPortName(gateway.port)
            rows += Self.rows(
                qos, id: floating.id.rawValue, owner: owner, on: gateway.network, port: gateway.port.rawValue,
                priority: Self.floatingPriority, address: address, resident: resident,
                externalIDs: ["neutron:fip_id": floating.id.rawValue])
        }
        return rows
    }

    private static func rows(
        _ qos: LogicalQoS, id: String, owner: OVNUnit, on network: NetworkID, port: String, priority: Int,
        address: String? = nil, resident: String? = nil, externalIDs: [String: String]
    ) -> [OVNRow] {
        [true, false].compactMap { isEgress in
            let limit = isEgress ? qos.egress : qos.ingress
            let mark = isEgress ? qos.dscp : nil
            guard limit != nil || mark != nil else { return nil }
            var match = "\(isEgress ? "inport" : "outport") == \"\(port)\""
            if let address, let resident {
                match += " && ip4.\(isEgress ? "src" : "dst") == \(address) && is_chassis_resident(\"\(resident)\")"
            }
            return OVNRow(
                .qos, "\(id):\(isEgress ? "egress" : "ingress")", owner: owner,
                [
                    "priority": .int(priority), "direction": .string(isEgress ? "from-lport" : "to-lport"),
                    "match": .string(match), "bandwidth": bandwidth(limit), "action": numbers(["dscp": mark]),
                ],
                externalIDs: externalIDs,
                links: [OVNLink(parent: OVNKey(.logicalSwitch, network.rawValue), column: "qos_rules")])
        }
    }

    private static func bandwidth(_ limit: LogicalQoS.Limit?) -> OVSDBValue {
        numbers(["rate": limit?.kbps, "burst": limit?.burstKilobits])
    }

    private static func numbers(_ values: [String: Int?]) -> OVSDBValue {
        var map: [OVSDBAtom: OVSDBAtom] = [:]
        for (key, value) in values { if let value { map[.string(key)] = .int(Int64(value)) } }
        return .map(map)
    }
}
