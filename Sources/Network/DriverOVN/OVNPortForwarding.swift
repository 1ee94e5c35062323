// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit

extension OVNTranslation {
    /// A load balancer with one target for each port: for the router, and for the switches behind it, from where guests
    /// reach the floating address, too.
    func rows(ofPortForwardingsOf router: LogicalRouter) -> [OVNRow] {
        let switches = router.interfaces.filter { !$0.isGateway }.map(\.network.rawValue)
        let parents = [OVNKey(.router, router.id.rawValue)] + Set(switches).map { OVNKey(.logicalSwitch, $0) }
        return router.portForwardings.compactMap { forwarding in
            guard let address = OVNText.address(forwarding.address), !forwarding.targets.isEmpty else { return nil }
            let name = "pf-floatingip-\(forwarding.floatingIP)-\(forwarding.protocolName)"
            let vips = forwarding.targets.map { ("\(address):\($0.key)", $0.value) }
            return OVNRow(
                .loadBalancer, name, owner: .router(router.id.rawValue),
                [
                    "name": .string(name), "protocol": .string(forwarding.protocolName),
                    "vips": .pairs(Dictionary(vips, uniquingKeysWith: { first, _ in first })),
                ],
                externalIDs: [
                    "neutron:device_owner": "port_forwarding_plugin",
                    "neutron:fip_id": forwarding.floatingIP.rawValue, "neutron:router_name": Self.name(router.id),
                ],
                links: Set(parents.map { OVNLink(parent: $0, column: "load_balancer") }))
        }
    }
}
