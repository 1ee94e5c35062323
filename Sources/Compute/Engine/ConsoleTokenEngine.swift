// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import PolicyKit
import SecurityKit

/// Opens consoles: gives a token for a server, and finds the server again for a token.
///
/// A token is random, valid for a time, for one console of one server; only its digest is stored.
package struct ConsoleTokenEngine: Sendable {
    private let servers: ServerEngine
    private let parts: ComputeParts
    /// `http://127.0.0.1:8088`: where the cloud's users reach it.
    private let origin: String

    package init(_ servers: ServerEngine, origin: String) {
        self.servers = servers
        parts = servers.parts
        self.origin = origin
    }

    /// `type` is upstream's name: `novnc`, `xvpvnc`, `serial`. Returns the address to open.
    package func open(
        _ id: ServerID, _ kind: ConsoleKind, type: String, for context: CallContext
    ) async throws -> String {
        let server = try await servers.server(id, for: context, as: "os_compute_api:os-remote-consoles")
        guard let host = server.host, server.state.vm != .building, server.state.vm != .error else {
            throw CloudError.conflict("Instance \(id) is not ready", kind: "InstanceNotReady")
        }
        let reply = try await parts.call(host, ConsoleEndpointQuery(server: id, kind: kind), timeout: .seconds(30))
        let token = parts.ids.uuid()
        let (stores, hash) = (parts.stores, Self.hash(token))
        let grant = ConsoleGrant(
            server: id, kind: kind, type: type, host: host, endpoint: reply.endpoint,
            expiresAt: parts.clock.now() + parts.config.consoleTokenLife)
        try await parts.database.write { try stores.consoleTokens.insert(hash: hash, grant, $0) }
        return address(kind, token)
    }

    private func address(_ kind: ConsoleKind, _ token: String) -> String {
        switch kind {
        // noVNC takes the address of its WebSocket from `path`.
        case .vnc: return "\(origin)/console/vnc_lite.html?path=console%2Fwebsockify%3Ftoken%3D\(token)"
        case .serial:
            let socket = origin.hasPrefix("https") ? "wss" + origin.dropFirst(5) : "ws" + origin.dropFirst(4)
            return "\(socket)/console/websockify?token=\(token)"
        }
    }

    /// Nil: no such token, or not any more, or its server has gone.
    package func grant(_ token: String) async throws -> ConsoleGrant? {
        guard token.utf8.count <= 64 else { return nil }
        let (stores, hash, now) = (parts.stores, Self.hash(token), parts.clock.now())
        return try await parts.database.read { transaction in
            guard let grant = try stores.consoleTokens.grant(hash: hash, transaction), grant.expiresAt > now,
                let server = try stores.servers.server(grant.server, transaction), !server.isDeleted,
                server.host == grant.host
            else { return nil }
            return grant
        }
    }

    private static func hash(_ token: String) -> String { Hex.encode(Digest.of(Array(token.utf8), .sha256)) }
}
