// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit

/// What a console token opens. The token itself is not stored.
package struct ConsoleGrant: Sendable, Equatable {
    package var server: ServerID
    package var kind: ConsoleKind
    /// As asked for: `novnc`, `xvpvnc`, `serial`.
    package var type: String
    package var host: String
    package var endpoint: ConsoleEndpoint
    package var expiresAt: Timestamp
}

package struct ConsoleTokenStore: Sendable {
    package init() {}

    package func insert(hash: String, _ grant: ConsoleGrant, _ transaction: any Transaction) throws {
        try transaction.execute(
            "DELETE FROM compute_console_tokens WHERE expires_at < \(grant.expiresAt - .seconds(86_400))")
        try transaction.execute(
            """
            INSERT INTO compute_console_tokens (token_hash, server_id, kind, console_type, host, endpoint, expires_at)
            VALUES (
                \(hash), \(grant.server), \(grant.kind.rawValue), \(grant.type), \(grant.host),
                \(Self.text(grant.endpoint)), \(grant.expiresAt)
            )
            """)
    }

    package func grant(hash: String, _ transaction: any Transaction) throws -> ConsoleGrant? {
        try transaction.first(
            """
            SELECT server_id, kind, console_type, host, endpoint, expires_at FROM compute_console_tokens
             WHERE token_hash = \(hash)
            """
        ) { row -> ConsoleGrant? in
            guard let endpoint = Self.endpoint(row.text(4)) else { return nil }
            return ConsoleGrant(
                server: row.id(0), kind: try row.word(1), type: row.text(2), host: row.text(3), endpoint: endpoint,
                expiresAt: row.timestamp(5))
        }.flatMap { $0 }
    }

    private static func text(_ endpoint: ConsoleEndpoint) -> String {
        switch endpoint {
        case .tcp(let host, let port): "tcp \(port) \(host)"
        case .unixSocket(let path): "unix \(path)"
        }
    }

    private static func endpoint(_ text: String) -> ConsoleEndpoint? {
        if text.hasPrefix("unix ") { return .unixSocket(path: String(text.dropFirst(5))) }
        let parts = text.split(separator: " ", maxSplits: 2)
        guard parts.count == 3, parts[0] == "tcp", let port = Int(parts[1]) else { return nil }
        return .tcp(host: String(parts[2]), port: port)
    }
}
