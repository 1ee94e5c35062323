// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// What a caller asks of all gateways of a router.
package struct RouterGatewaysDraft: Sendable {
    package var gateways: [RouterDraft.Gateway]
    package var given: [String]
    package init(gateways: [RouterDraft.Gateway], given: [String]) {
        self.gateways = gateways
        self.given = given
    }
}

extension RouterEngine {
    package var hasExtraGateways: Bool { environment.driver.capabilities.hasExtraGateways }

    package func addGateways(
        _ draft: RouterGatewaysDraft, to id: RouterID, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> Router {
        try await changeGateways(of: id, draft, "add_external_gateways", ifMatch, for: context) { router, change in
            try ExtraGateways.add(draft.gateways, to: &router, for: context, change)
        }
    }

    package func updateGateways(
        _ draft: RouterGatewaysDraft, of id: RouterID, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> Router {
        try await changeGateways(of: id, draft, "update_external_gateways", ifMatch, for: context) { router, change in
            try ExtraGateways.replace(with: draft.gateways, on: &router, for: context, change)
        }
    }

    package func removeGateways(
        _ draft: RouterGatewaysDraft, from id: RouterID, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> Router {
        try await changeGateways(of: id, draft, "remove_external_gateways", ifMatch, for: context) { router, change in
            try ExtraGateways.remove(draft.gateways, from: &router, change)
        }
    }

    private func changeGateways(
        of id: RouterID, _ draft: RouterGatewaysDraft, _ rule: PolicyName, _ ifMatch: Int?, for context: CallContext,
        _ body: @escaping @Sendable (inout Router, NetworkChange) throws -> Void
    ) async throws -> Router {
        try await environment.write { change in
            var router = try Self.authorized(id, rule, for: context, change)
            try context.authorizeAttributes(rule.rawValue, draft.given, PolicyTarget(project: router.project))
            try router.standard.check(ifMatch)
            try body(&router, change)
            return try Self.save(router, change)
        }
    }
}

/// Gateways of a router besides the first. The first is the one that `external_gateway_info` shows; it translates.
enum ExtraGateways {
    private static let limit = 16

    // MARK: Add

    static func add(
        _ gateways: [RouterDraft.Gateway], to router: inout Router, for context: CallContext?, _ change: NetworkChange
    ) throws {
        let present = try ports(of: router.id, change).count
        guard present + gateways.count <= limit else {
            throw NetworkFault.badRequest("router", "A router has at most \(limit) external gateways")
        }
        for gateway in gateways {
            if router.gatewayPort == nil {
                try RouterGateway.set(gateway, on: &router, for: context, change)
                try RouterStore.update(router, change.transaction)
            } else {
                let port = try RouterGateway.insertExtra(gateway, on: router, for: context, change)
                try ExtraGatewayStore.insert(port.id, of: router.id, change.transaction)
            }
        }
    }

    private static func ports(of router: RouterID, _ change: NetworkChange) throws -> [Port] {
        try RouterStore.ports(of: router, change.transaction).filter { $0.deviceOwner == DeviceOwner.routerGateway }
    }

    // MARK: Remove

    static func remove(_ gateways: [RouterDraft.Gateway], from router: inout Router, _ change: NetworkChange) throws {
        guard !gateways.isEmpty else { return }
        let present = try ports(of: router.id, change)
        guard !present.isEmpty else {
            throw NetworkFault.gatewaysNotMatched(router.id, "the router does not have any external gateways")
        }
        var leaving: Set<PortID> = []
        for gateway in gateways {
            guard let port = try match(gateway, among: present, of: router.id) else {
                throw NetworkFault.gatewaysNotMatched(
                    router.id, "no gateway on network \(gateway.network) is the one in the request")
            }
            leaving.insert(port.id)
        }
        for port in present where leaving.contains(port.id) && port.id != router.gatewayPort {
            try removeExtra(port, of: router, change)
        }
        guard let first = router.gatewayPort, leaving.contains(first) else { return }
        try RouterGateway.clear(&router, change)
        try promote(&router, change)
    }

    /// With the router itself.
    static func removeAll(of router: inout Router, _ change: NetworkChange) throws {
        for port in try ports(of: router.id, change) where port.id != router.gatewayPort {
            try removeExtra(port, of: router, change)
        }
        try RouterGateway.clear(&router, change)
    }

    private static func removeExtra(_ port: Port, of router: Router, _ change: NetworkChange) throws {
        let others = try ports(of: router.id, change).filter { $0.id != port.id && $0.network == port.network }
        if others.isEmpty { try RouterGateway.checkUnused(port.network, by: router.id, change) }
        try RouterGateway.checkRoutes(of: router, besides: port, change)
        try PortOperations.remove(port, change)
    }

    /// The next gateway is the first when the first has gone.
    static func promote(_ router: inout Router, _ change: NetworkChange) throws {
        guard router.gatewayPort == nil,
            let next = try ExtraGatewayStore.all(of: [router.id], change.transaction)[router.id]?.first
        else { return }
        router.gatewayPort = next.port
        router.gatewayNetwork = next.network
        try ExtraGatewayStore.delete(next.port, change.transaction)
    }

    /// The gateway that a request means: by its network, and by an address where there are several.
    private static func match(_ gateway: RouterDraft.Gateway, among ports: [Port], of router: RouterID) throws -> Port?
    {
        let candidates = ports.filter { $0.network == gateway.network }
        let wanted = Set((gateway.addresses ?? []).compactMap(\.address))
        guard wanted.isEmpty else {
            return try candidates.first { try !wanted.isDisjoint(with: $0.fixedIPs.map(\.address)) }
        }
        guard candidates.count <= 1 else {
            throw NetworkFault.gatewaysNotMatched(
                router,
                "multiple gateway ports are attached to the same network \(gateway.network) but external_fixed_ips "
                    + "parameter is not specified in the request")
        }
        return candidates.first
    }

    // MARK: Replace

    static func replace(
        with gateways: [RouterDraft.Gateway], on router: inout Router, for context: CallContext?,
        _ change: NetworkChange
    ) throws {
        guard let first = gateways.first else { return try removeAll(of: &router, change) }
        let rest = Array(gateways.dropFirst())
        if let port = try match(first, among: ports(of: router.id, change), of: router.id) {
            try makeFirst(port, of: &router, change)
        }
        try RouterGateway.set(first, on: &router, for: context, change)
        try RouterStore.update(router, change.transaction)
        let extras = try ports(of: router.id, change).filter { $0.id != router.gatewayPort }
        var staying: Set<PortID> = []
        var new: [RouterDraft.Gateway] = []
        for gateway in rest {
            let free = extras.filter { !staying.contains($0.id) }
            guard let port = try match(gateway, among: free, of: router.id) else {
                new.append(gateway)
                continue
            }
            staying.insert(port.id)
            try RouterGateway.readdress(port, gateway, for: context, change)
        }
        for port in extras where !staying.contains(port.id) { try removeExtra(port, of: router, change) }
        try add(new, to: &router, for: context, change)
    }

    private static func makeFirst(_ port: Port, of router: inout Router, _ change: NetworkChange) throws {
        guard port.id != router.gatewayPort else { return }
        try ExtraGatewayStore.delete(port.id, change.transaction)
        if let old = router.gatewayPort { try ExtraGatewayStore.insert(old, of: router.id, change.transaction) }
        router.gatewayPort = port.id
        router.gatewayNetwork = port.network
    }
}
