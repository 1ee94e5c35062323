// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LifecycleKit
import LogKit
import MessagingKit
import NetworkContract

/// Answers guests at 169.254.169.254 with what the controller says.
///
/// Who asks is told by the listener, which belongs to one network, and by the address of the socket, which port
/// security keeps honest. No header counts: a guest may write what it likes into `X-Forwarded-For` or `X-Instance-ID`.
package struct MetadataProxy: HTTPHandler {
    private static let bodyLimit = 64 << 10
    private static let pathLimit = 2048
    private static let callLimit = Duration.seconds(20)

    private let bus: any MessageBus
    /// A crowd of guests that boot together waits here, not at the controller.
    private let slots = AsyncSlots("metadata", slots: 32, waitLimit: 1000)
    private let log = Logger("metadata")

    package init(bus: any MessageBus) { self.bus = bus }

    package func handle(_ request: HTTPRequest) async -> HTTPResponse {
        guard [.get, .head, .post, .put].contains(request.method) else {
            return Self.text(405, "405 Method Not Allowed")
        }
        guard let path = Percent.decode(request.path), path.utf8.count <= Self.pathLimit, !path.utf8.contains(0) else {
            return Self.text(400, "400 Bad Request")
        }
        guard !request.listenerTag.isEmpty else { return Self.text(404, "404 Not Found") }
        do {
            let body = try await request.body.collect(limit: Self.bodyLimit)
            let query = MetadataQuery(
                network: NetworkID(request.listenerTag), address: request.remoteAddress,
                method: request.method == .head ? "GET" : request.method.rawValue, path: path, body: body)
            let reply = try await slots.run {
                try await bus.call(MetadataQuery.destination, query, timeout: Self.callLimit)
            }
            return HTTPResponse(
                status: reply.status, headers: ["Content-Type": reply.contentType],
                body: reply.body.isEmpty ? .empty : .bytes(reply.body))
        } catch {
            return failure(CloudError(describing: error), request)
        }
    }

    private func failure(_ error: CloudError, _ request: HTTPRequest) -> HTTPResponse {
        switch error.code {
        case .notFound: return Self.text(404, "404 Not Found")
        case .tooLarge: return Self.text(413, "413 Payload Too Large")
        default:
            // Guests ask again after a 502; a 404 they would believe.
            log.warning(
                "no metadata", ["network": request.listenerTag, "address": request.remoteAddress, "error": error])
            return Self.text(502, "502 Bad Gateway")
        }
    }

    private static func text(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: ["Content-Type": "text/plain; charset=UTF-8"],
            body: .bytes(Array("\(text)\n".utf8)))
    }
}
