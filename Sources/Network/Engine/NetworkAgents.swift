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
}

/// Hosts of the data plane, for operators. Nothing is stored: the driver is asked.
package struct NetworkAgents: Sendable {
    private let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    package var now: Timestamp { environment.clock.now() }

    /// Empty for those who may see none.
    package func list(for context: CallContext) async throws -> [NetworkAgentInfo] {
        context.authorizeListing()
        guard context.allows("get_agent", [:]) else { return [] }
        return try await environment.driver.chassis().flatMap { chassis in
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
    }

    package func get(_ id: String, for context: CallContext) async throws -> NetworkAgentInfo {
        guard let agent = try await list(for: context).first(where: { $0.id == id }) else {
            throw CloudError.notFound("Agent \(id) could not be found.", kind: "AgentNotFound")
        }
        return agent
    }

    /// Whether the zone's gateway host is there.
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
