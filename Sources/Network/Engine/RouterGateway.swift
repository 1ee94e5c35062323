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
            if let addresses = gateway.addresses { try readdress(router, addresses, on: network, change) }
        } else {
            try clear(&router, change)
            let port = try insertPort(for: router, gateway, on: network, change)
            router.gatewayNetwork = network.id
            router.gatewayPort = port.id
        }
        router.usesSNAT = gateway.usesSNAT ?? true
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
        try RouterInterfaces.checkOverlap(
            of: try port.fixedIPs.map(\.subnet), with: router.id, besides: port.id, change)
        return port
    }

    private static func readdress(
        _ router: Router, _ addresses: [PortDraft.Address], on network: Network, _ change: NetworkChange
    ) throws {
        guard let id = router.gatewayPort, let port = try PortStore.find(id, change.transaction) else { return }
        var draft = PortDraft()
        draft.addresses = addresses
        _ = try PortOperations.update(port, draft, on: network, change)
    }

    /// Takes the gateway away. The caller writes the router's row.
    static func clear(_ router: inout Router, _ change: NetworkChange) throws {
        guard let network = router.gatewayNetwork, let port = router.gatewayPort else { return }
        let isNeeded = try change.transaction.exists(
            "SELECT 1 FROM floatingips WHERE router_id = \(router.id) AND network_id = \(network) LIMIT 1")
        guard !isNeeded else {
            throw CloudError.conflict(
                "Gateway cannot be updated for router \(router.id), since a gateway to external network \(network) is "
                    + "required by one or more floating IPs.", kind: "RouterExternalGatewayInUseByFloatingIp")
        }
        let hops = try router.routes.compactMap { IPAddress($0.nextHop) }
        if let old = try PortStore.find(port, change.transaction) {
            let cidrs = try SubnetStore.all(old.fixedIPs.map(\.subnet), change.transaction).values.map(\.cidr)
            guard !hops.contains(where: { hop in cidrs.contains { $0.contains(hop) } }) else {
                throw NetworkFault.routerInUse(router.id, "needs its gateway for one or more routes")
            }
            router.gatewayNetwork = nil
            router.gatewayPort = nil
            try RouterStore.update(router, change.transaction)
            try PortOperations.remove(old, change)
        }
    }
}
