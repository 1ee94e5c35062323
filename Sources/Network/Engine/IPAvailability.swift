// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// How many addresses a network has and how many are taken.
package struct IPAvailability: Sendable {
    package struct SubnetPart: Sendable {
        package var id: SubnetID
        package var name: String
        package var ipVersion: Int
        package var cidr: String
        package var total: UInt128
        package var used: Int64
    }

    package var network: NetworkID
    package var name: String
    package var project: ProjectID
    package var subnets: [SubnetPart]

    package var total: UInt128 { subnets.reduce(0) { $0 + $1.total } }
    package var used: Int64 { subnets.reduce(0) { $0 + $1.used } }
}

extension NetworkEngine {
    /// For administrators; empty for others. `network` nil: all.
    package func availability(of network: NetworkID?, for context: CallContext) async throws -> [IPAvailability] {
        context.authorizeListing()
        guard context.allows("get_network_ip_availability", [:]) else { return [] }
        return try await environment.read { transaction in
            var query = ListQuery()
            if let network { query.filters = [("id", [network.rawValue])] }
            let networks = try NetworkStore.list(query, for: .everything, transaction)
            var used: [SubnetID: Int64] = [:]
            try transaction.forEach("SELECT subnet_id, COUNT(*) FROM ip_allocations GROUP BY subnet_id") {
                used[$0.id(0)] = $0.int64(1)
            }
            let subnets = try SubnetStore.all(networks.flatMap(\.subnets), transaction)
            return networks.map { network in
                IPAvailability(
                    network: network.id, name: network.name, project: network.project,
                    subnets: network.subnets.compactMap { id in
                        guard let subnet = subnets[id] else { return nil }
                        let total = subnet.pools.reduce(UInt128(0)) { $0 + min($1.count, 1 << 96) }
                        return IPAvailability.SubnetPart(
                            id: id, name: subnet.name, ipVersion: subnet.ipVersion, cidr: subnet.cidr.description,
                            total: total, used: used[id] ?? 0)
                    })
            }
        }
    }
}
