// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import PolicyKit

extension ServerEngine {
    /// What the guest of a running server does. Throws `.conflict` when it does not run.
    package func diagnostics(
        of id: ServerID, for context: CallContext
    ) async throws -> (server: Server, facts: GuestDiagnostics) {
        let server = try await server(id, for: context)
        guard let host = server.host, server.state.vm != .building else {
            throw CloudError.conflict("Instance \(id) is not ready", kind: "InstanceNotReady")
        }
        guard server.power == .running else {
            throw CloudError.conflict(
                "Cannot 'get_diagnostics' instance \(id) while it is in power state \(server.power)",
                kind: "InstanceInvalidState")
        }
        let facts = try await parts.call(host, GuestDiagnosticsQuery(server: id), timeout: .seconds(30))
        return (server, facts)
    }
}
