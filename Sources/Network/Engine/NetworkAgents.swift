// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// A part of the data plane on one host, as the agent list shows it.
package struct NetworkAgentInfo: Sendable {
    package var id: String
    package var type: String
    package var binary: String
    package var host: String
    package var isAlive: Bool
    package var description = ""
}

/// Hosts of the data plane, for operators. The driver is asked; only what operators write is stored.
package struct NetworkAgents: Sendable {
    private let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    package var now: Timestamp { environment.clock.now() }
    /// Agents are known as long as this process is.
    package var startedAt: Timestamp { environment.startedAt }

    /// Empty for those who may see none.
    package func list(for context: CallContext) async throws -> [NetworkAgentInfo] {
        context.authorizeListing()
        guard context.allows("get_agent", [:]) else { return [] }
        let descriptions = try await environment.read { transaction in
            Dictionary(
                try transaction.query("SELECT id, description FROM network_agents") { ($0.text(0), $0.text(1)) },
                uniquingKeysWith: { first, _ in first })
        }
        var agents = try await environment.driver.chassis().flatMap { chassis in
            [
                NetworkAgentInfo(
                    id: chassis.id,
                    type: chassis.isGateway ? "OVN Controller Gateway agent" : "OVN Controller agent",
                    binary: "ovn-controller", host: chassis.hostname, isAlive: chassis.isAlive),
                NetworkAgentInfo(
                    id: Self.metadataID(of: chassis.id), type: "OVN Metadata agent",
                    binary: "neutron-ovn-metadata-agent", host: chassis.hostname, isAlive: chassis.isAlive),
            ]
        }
        for index in agents.indices { agents[index].description = descriptions[agents[index].id] ?? "" }
        return agents
    }

    /// The data plane's agents cannot be switched off; a description can be given.
    package func update(_ id: String, description: String?, isEnabled: Bool?, for context: CallContext) async throws
        -> NetworkAgentInfo
    {
        var agent = try await get(id, for: context)
        try context.authorizeCreation("update_agent", [:])
        guard isEnabled != false else {
            throw NetworkFault.badRequest("agent", "OVN agent status cannot be updated")
        }
        guard let description else { return agent }
        try await environment.write { change in
            _ = try change.transaction.execute(
                """
                INSERT INTO network_agents (id, description) VALUES (\(id), \(description))
                ON CONFLICT (id) DO UPDATE SET description = excluded.description
                """)
        }
        agent.description = description
        return agent
    }

    /// A host leaves the list when it leaves the data plane; until then it cannot be deleted.
    package func delete(_ id: String, for context: CallContext) async throws {
        let agent = try await get(id, for: context)
        try context.authorizeCreation("delete_agent", [:])
        throw CloudError.conflict(
            "Agent \(id) belongs to host \(agent.host) of the data plane and goes with it.", kind: "AgentInUse")
    }

    package func get(_ id: String, for context: CallContext) async throws -> NetworkAgentInfo {
        guard let agent = try await list(for: context).first(where: { $0.id == id }) else {
            throw CloudError.notFound("Agent \(id) could not be found.", kind: "AgentNotFound")
        }
        return agent
    }

    /// The name of the one availability zone, which is there whatever its hosts do.
    package func zone(for context: CallContext) async throws -> String {
        try context.authorizeCreation("get_availability_zone", [:])
        return environment.config.availabilityZone
    }

    /// A UUID that is the same for the same chassis: FNV-1a over its name, with two bases.
    private static func metadataID(of chassis: String) -> String {
        @Sendable func hash(_ basis: UInt64) -> UInt64 {
            chassis.utf8.reduce(basis) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        }
        return IDSource { (hash(0xCBF2_9CE4_8422_2325), hash(0x8422_2325_CBF2_9CE4)) }.uuid()
    }
}
