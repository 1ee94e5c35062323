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

    private static let notFound = reply(404, "Not Found")

    func answer(_ query: MetadataQuery) async throws -> MetadataReply {
        guard query.method == "GET" || query.method == "POST" else {
            return Self.reply(405, "Method Not Allowed")
        }
        guard let port = try await networks.port(on: query.network, withAddress: query.address), !port.deviceID.isEmpty,
            // A port names its server as its owner likes; Compute tells nothing of another project's server.
            let project = port.project
        else { return Self.notFound }
        let server = ServerID(port.deviceID)
        if query.method == "POST" { return try await keepPassword(of: server, in: project, query) }
        guard let answer = try await servers.metadata(of: server, in: project, path: query.path) else {
            return Self.notFound
        }
        return MetadataReply(status: 200, contentType: answer.contentType, body: answer.body)
    }

    private func keepPassword(
        of server: ServerID, in project: ProjectID, _ query: MetadataQuery
    ) async throws -> MetadataReply {
        do {
            let isKept = try await servers.keepPassword(query.body, of: server, in: project, path: query.path)
            return isKept ? MetadataReply(status: 200) : Self.notFound
        } catch let error as CloudError where error.code == .conflict {
            return Self.reply(409, "Conflict")
        } catch let error as CloudError where error.code == .badRequest {
            return Self.reply(400, "Bad Request")
        }
    }

    private static func reply(_ status: Int, _ reason: String) -> MetadataReply {
        MetadataReply(status: status, body: Array("\(status) \(reason)".utf8))
    }
}
