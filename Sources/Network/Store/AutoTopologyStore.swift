// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// A network that the cloud made for a project, with its way out.
package struct AutoTopology: Sendable, Equatable {
    package var project: ProjectID
    package var network: NetworkID
    package var router: RouterID
}

/// Rows of `auto_topologies`. A row goes with its network.
enum AutoTopologyStore {
    static func find(_ project: ProjectID, _ transaction: any Transaction) throws -> AutoTopology? {
        try transaction.first(
            "SELECT project_id, network_id, router_id FROM auto_topologies WHERE project_id = \(project)"
        ) { AutoTopology(project: $0.id(0), network: $0.id(1), router: $0.id(2)) }
    }

    static func insert(_ topology: AutoTopology, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO auto_topologies (project_id, network_id, router_id)
            VALUES (\(topology.project), \(topology.network), \(topology.router))
            """)
    }

    static func delete(of network: NetworkID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM auto_topologies WHERE network_id = \(network)")
    }
}
