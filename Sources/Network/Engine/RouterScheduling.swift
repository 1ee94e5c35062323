// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Which hosts carry the gateways of routers. The data plane chooses; an operator can keep a host from a router, and
/// give it back.
package struct RouterScheduling: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    /// Routers whose gateway the agent's host carries, or takes over when others fail.
    package func routers(on agent: String, for context: CallContext) async throws -> [Router] {
        try context.authorizeCreation("get_l3-routers", [:])
        let chassis = try await host(agent, for: context)
        let places = try await environment.driver.gatewayPlaces()
        let ids = places.filter { $0.value.contains(chassis) }.keys.sorted()
        return try await environment.read { transaction in
            let excluded = try GatewayHostStore.excluding(chassis, transaction)
            let routers = try RouterStore.all(ids.filter { !excluded.contains($0) }, transaction)
            return try RouterEngine.filled(routers, transaction)
        }
    }

    /// The one that carries the gateway first.
    package func agents(hosting id: RouterID, for context: CallContext) async throws -> [NetworkAgentInfo] {
        try context.authorizeCreation("get_l3-agents", [:])
        let excluded = try await environment.read { transaction in
            try RouterStore.find(id, transaction).map { try GatewayHostStore.excluded(of: $0.id, transaction) }
        }
        guard let excluded else { throw NetworkFault.routerNotFound(id) }
        let places = try await environment.driver.gatewayPlaces()[id] ?? []
        let agents = try await NetworkAgents(environment).list(for: context)
        return places.filter { !excluded.contains($0) }.compactMap { chassis in agents.first { $0.id == chassis } }
    }

    /// The agent's host, when it can carry gateways.
    private func host(_ agent: String, for context: CallContext) async throws -> String {
        guard let chassis = try await environment.driver.chassis().first(where: { $0.id == agent }), chassis.isGateway
        else {
            throw CloudError.notFound(
                "Agent \(agent) is not a L3 Agent or has been disabled", kind: "InvalidL3Agent")
        }
        return chassis.id
    }

    // MARK: Change

    package func add(_ id: RouterID, to agent: String, for context: CallContext) async throws {
        try context.authorizeCreation("create_l3-router", [:])
        let chassis = try await host(agent, for: context)
        let places = try await environment.driver.gatewayPlaces()[id] ?? []
        try await environment.write { change in
            guard let router = try RouterStore.find(id, change.transaction) else {
                throw NetworkFault.routerNotFound(id)
            }
            if try GatewayHostStore.admit(chassis, of: id, change.transaction) { return change.mark(.router(id)) }
            guard !places.contains(chassis) else {
                throw CloudError.conflict(
                    "The router \(id) has been already hosted by the L3 Agent \(agent).", kind: "RouterHostedByL3Agent")
            }
            // Without a gateway there is nothing to carry, and every host may once there is.
            guard router.gatewayPort == nil else {
                throw CloudError.conflict(
                    "Failed scheduling router \(id) to the L3 Agent \(agent).", kind: "RouterSchedulingFailed")
            }
        }
    }

    package func remove(_ id: RouterID, from agent: String, for context: CallContext) async throws {
        try context.authorizeCreation("delete_l3-router", [:])
        let chassis = try await host(agent, for: context)
        let places = try await environment.driver.gatewayPlaces()[id] ?? []
        try await environment.write { change in
            guard try RouterStore.find(id, change.transaction) != nil else { throw NetworkFault.routerNotFound(id) }
            guard places.contains(chassis), try !GatewayHostStore.excluded(of: id, change.transaction).contains(chassis)
            else {
                throw CloudError.conflict(
                    "The router \(id) is not hosted by the L3 Agent \(agent).", kind: "RouterNotHostedByL3Agent")
            }
            try GatewayHostStore.exclude(chassis, of: id, change.transaction)
            change.mark(.router(id))
        }
    }
}

/// Agents that answer DHCP. There are none: each host answers for its own guests.
package struct DHCPScheduling: Sendable {
    private let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    package func checkNetwork(_ id: NetworkID, for context: CallContext) async throws {
        try context.authorizeCreation("get_dhcp-agents", [:])
        let isThere = try await environment.read { try NetworkStore.find(id, for: nil, $0) != nil }
        guard isThere else { throw NetworkFault.networkNotFound(id) }
    }

    package func checkAgent(_ id: String, for context: CallContext) async throws {
        try context.authorizeCreation("get_dhcp-networks", [:])
        _ = try await NetworkAgents(environment).get(id, for: context)
    }

    package func add(to agent: String, for context: CallContext) throws {
        try context.authorizeCreation("create_dhcp-network", [:])
        throw CloudError.notFound(
            "Agent \(agent) is not a valid DHCP Agent or has been disabled", kind: "InvalidDHCPAgent")
    }

    package func remove(_ network: NetworkID, from agent: String, for context: CallContext) throws {
        try context.authorizeCreation("delete_dhcp-network", [:])
        throw CloudError.conflict(
            "The network \(network) is not hosted by the DHCP agent \(agent).", kind: "NetworkNotHostedByDhcpAgent")
    }
}
