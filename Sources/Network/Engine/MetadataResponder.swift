// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import MessagingKit
import NetworkContract

/// The controller's end of the metadata service: finds the server behind a network and an address, and asks Compute.
package struct MetadataResponder: Sendable {
    private let networks: any NetworkService
    private let servers: any ComputeService

    package init(networks: any NetworkService, servers: any ComputeService) {
        self.networks = networks
        self.servers = servers
    }

    /// Answers on the controller's own bus name.
    package func server(on bus: any MessageBus) -> BusServer {
        let server = BusServer(bus, topic: "network", host: MetadataQuery.destination)
        server.handle(MetadataQuery.self) { try await answer($0) }
        return server
    }

    private static let notFound = MetadataReply(status: 404, body: Array("404 Not Found".utf8))

    func answer(_ query: MetadataQuery) async throws -> MetadataReply {
        guard query.method == "GET" else {
            return MetadataReply(status: 405, body: Array("405 Method Not Allowed".utf8))
        }
        guard let port = try await networks.port(on: query.network, withAddress: query.address), !port.deviceID.isEmpty,
            // A port names its server as its owner likes; Compute tells nothing of another project's server.
            let project = port.project,
            let answer = try await servers.metadata(of: ServerID(port.deviceID), in: project, path: query.path)
        else { return Self.notFound }
        return MetadataReply(status: 200, contentType: answer.contentType, body: answer.body)
    }
}
