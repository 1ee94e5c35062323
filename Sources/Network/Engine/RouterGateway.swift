// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// A router's leg on an external network.
enum RouterGateway {
    /// Makes `gateway` the router's gateway. The caller writes the router's row.
    static func set(
        _ gateway: RouterDraft.Gateway, on router: inout Router, for context: CallContext?, _ change: NetworkChange
    ) throws {
        let network = try external(gateway.network, for: context, change)
        if router.gatewayNetwork == gateway.network {
            if let id = router.gatewayPort, let port = try PortStore.find(id, change.transaction) {
                try readdress(port, gateway.addresses, on: network, change)
            }
        } else {
            try clear(&router, change)
            let port = try insertPort(for: router, gateway, on: network, change)
            router.gatewayNetwork = network.id
            router.gatewayPort = port.id
        }
        router.usesSNAT = gateway.usesSNAT ?? true
        router.gatewayQoSPolicy = try QoSBinding.changed(
            from: router.gatewayQoSPolicy, to: gateway.qosPolicy, for: context, change)
    }

    private static func external(_ id: NetworkID, for context: CallContext?, _ change: NetworkChange) throws -> Network
    {
        let network: Network
        if let context {
            network = try NetworkEngine.visible(id, for: context, change)
        } else {
            guard let found = try NetworkStore.find(id, for: nil, change.transaction) else {
                throw NetworkFault.networkNotFound(id)
            }
            network = found
        }
        guard network.isExternal else {
            throw NetworkFault.badRequest("router", "Network \(id) is not an external network")
        }
        return network
    }

    private static func insertPort(
        for router: Router, _ gateway: RouterDraft.Gateway, on network: Network, _ change: NetworkChange
    ) throws -> Port {
        var draft = PortDraft()
        draft.deviceID = router.id.rawValue
        draft.deviceOwner = DeviceOwner.routerGateway
        draft.addresses = gateway.addresses.flatMap { $0.isEmpty ? nil : $0 }
        // The gateway's port belongs to no project, as upstream: it counts against no quota and shows in no list.
        let port = try PortOperations.insert(draft, project: ProjectID(""), on: network, checksQuota: false, change)
        // Several gateways on one network are several ways to the same neighbours.
        let siblings = try RouterStore.ports(of: router.id, change.transaction).filter {
            $0.deviceOwner == DeviceOwner.routerGateway && $0.network == network.id
        }
        try RouterInterfaces.checkOverlap(
            of: try port.fixedIPs.map(\.subnet), with: router.id, besides: Set(siblings.map(\.id)), change)
        return port
    }

    /// One more gateway, besides the first.
    static func insertExtra(
        _ gateway: RouterDraft.Gateway, on router: Router, for context: CallContext?, _ change: NetworkChange
    ) throws -> Port {
        let network = try external(gateway.network, for: context, change)
        return try insertPort(for: router, gateway, on: network, change)
    }

    /// Gives a gateway that stays the addresses of the request, if that names some.
    static func readdress(
        _ port: Port, _ gateway: RouterDraft.Gateway, for context: CallContext?, _ change: NetworkChange
    ) throws {
        try readdress(port, gateway.addresses, on: external(port.network, for: context, change), change)
    }

    private static func readdress(
        _ port: Port, _ addresses: [PortDraft.Address]?, on network: Network, _ change: NetworkChange
    ) throws {
        guard let addresses else { return }
        var draft = PortDraft()
        draft.addresses = addresses
        _ = try PortOperations.update(port, draft, on: network, change)
    }

    /// Takes the gateway away. The caller writes the router's row.
    static func clear(_ router: inout Router, _ change: NetworkChange) throws {
        guard let network = router.gatewayNetwork, let port = router.gatewayPort else { return }
        let others = try ExtraGatewayStore.all(of: [router.id], change.transaction)[router.id] ?? []
        if !others.contains(where: { $0.network == network }) { try checkUnused(network, by: router.id, change) }
        if let old = try PortStore.find(port, change.transaction) {
            try checkRoutes(of: router, besides: old, change)
            router.gatewayNetwork = nil
            router.gatewayPort = nil
            router.gatewayQoSPolicy = nil
            try RouterStore.update(router, change.transaction)
            try PortOperations.remove(old, change)
        }
    }

    /// Floating IPs of the network need a gateway there.
    static func checkUnused(_ network: NetworkID, by router: RouterID, _ change: NetworkChange) throws {
        let isNeeded = try change.transaction.exists(
            "SELECT 1 FROM floatingips WHERE router_id = \(router) AND network_id = \(network) LIMIT 1")
        guard isNeeded else { return }
        throw CloudError.conflict(
            "Gateway cannot be updated for router \(router), since a gateway to external network \(network) is "
                + "required by one or more floating IPs.", kind: "RouterExternalGatewayInUseByFloatingIp")
    }

    /// Routes of the router's own need the gateway that reaches their next hops.
    static func checkRoutes(of router: Router, besides port: Port, _ change: NetworkChange) throws {
        let hops = try router.routes.compactMap { IPAddress($0.nextHop) }
        guard !hops.isEmpty else { return }
        let others = try RouterStore.ports(of: router.id, change.transaction).filter { $0.id != port.id }
        let kept = Set(try others.flatMap { try $0.fixedIPs.map(\.subnet) })
        let leaving = try port.fixedIPs.map(\.subnet).filter { !kept.contains($0) }
        let cidrs = try SubnetStore.all(leaving, change.transaction).values.map(\.cidr)
        guard !hops.contains(where: { hop in cidrs.contains { $0.contains(hop) } }) else {
            throw NetworkFault.routerInUse(router.id, "needs its gateway for one or more routes")
        }
    }
}
