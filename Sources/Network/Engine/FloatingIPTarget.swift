// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Where a floating IP leads: a port, one of its addresses, and the router between.
extension FloatingIPEngine {
    /// Chooses the fixed address and finds the router that translates.
    static func point(
        _ floatingIP: inout FloatingIP, at id: PortID, _ wanted: IPAddress?, for context: CallContext,
        _ change: NetworkChange
    ) throws {
        guard let port = try PortStore.find(id, change.transaction),
            let network = try NetworkStore.find(port.network, for: context.projectID, change.transaction)
        else { throw NetworkFault.portNotFound(id) }
        try context.authorizeSight(
            "get_port", PolicyTarget(project: port.project, on: network), missing: NetworkFault.portNotFound(id))
        guard port.project == floatingIP.project || context.allows("context_is_admin", [:]) else {
            throw NetworkFault.badRequest(
                "floatingip",
                "Port \(id) is associated with a different project than Floating IP \(floatingIP.id) "
                    + "and therefore cannot be bound")
        }
        let fixed = try fixedAddress(of: port, wanted)
        guard let router = try router(to: floatingIP.network, from: fixed, change) else {
            throw CloudError.notFound(
                "External network \(floatingIP.network) is not reachable from subnet \(fixed.subnet).  "
                    + "Therefore, cannot "
                    + "associate Port \(id) with a Floating IP.", kind: "ExternalGatewayForFloatingIPNotFound")
        }
        let holder = try FloatingIPStore.all(
            where: """
                f.port_id = \(id) AND f.fixed_address = \(fixed.address.description) \
                AND f.network_id = \(floatingIP.network) AND f.id <> \(floatingIP.id)
                """, change.transaction
        ).first
        if holder != nil {
            throw CloudError.conflict(
                "Cannot associate floating IP \(floatingIP.address) (\(floatingIP.id)) with port \(id) using fixed IP "
                    + "\(fixed.address), as that fixed IP already has a floating IP on external network "
                    + "\(floatingIP.network).", kind: "FloatingIPPortAlreadyAssociated")
        }
        (floatingIP.port, floatingIP.fixedAddress, floatingIP.router) = (id, fixed.address, router)
        change.mark(.router(router))
    }

    private static func fixedAddress(of port: Port, _ wanted: IPAddress?) throws -> Port.FixedIP {
        let candidates = try port.fixedIPs.filter { !$0.address.isIPv6 }
        if let wanted {
            guard let found = candidates.first(where: { $0.address == wanted }) else {
                throw NetworkFault.badRequest("floatingip", "Port \(port.id) does not have fixed ip \(wanted)")
            }
            return found
        }
        guard let only = candidates.first else {
            throw NetworkFault.badRequest(
                "floatingip", "Cannot add floating IP to port \(port.id) that has no fixed IPv4 addresses")
        }
        guard candidates.count == 1 else {
            throw NetworkFault.badRequest(
                "floatingip",
                "Port \(port.id) has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address "
                    + "when assigning a floating IP")
        }
        return only
    }

    /// A router between the subnet and the external network. One that holds the subnet's gateway address comes first.
    static func router(to network: NetworkID, from fixed: Port.FixedIP, _ change: NetworkChange) throws
        -> RouterID?
    {
        try change.transaction.first(
            """
            SELECT r.id FROM routers r
              JOIN ports p ON p.device_id = r.id AND p.device_owner = \(DeviceOwner.routerInterface)
              JOIN ip_allocations a ON a.port_id = p.id
              JOIN subnets s ON s.id = a.subnet_id
             WHERE (r.gateway_network = \(network) OR r.id IN (
                       SELECT e.router_id FROM router_extra_gateways e JOIN ports g ON g.id = e.port_id
                        WHERE g.network_id = \(network)))
               AND a.subnet_id = \(fixed.subnet)
             ORDER BY CASE WHEN a.address = s.gateway THEN 0 ELSE 1 END, r.created_at, r.id LIMIT 1
            """
        ) { $0.id(0) }
    }

    /// Points the address nowhere, because its port goes away.
    static func detach(_ floatingIP: FloatingIP, _ change: NetworkChange) throws {
        if let router = floatingIP.router { change.mark(.router(router)) }
        var detached = floatingIP
        (detached.port, detached.fixedAddress, detached.router) = (nil, nil, nil)
        detached.standard.touch(change)
        try FloatingIPStore.update(detached, change.transaction)
    }
}
