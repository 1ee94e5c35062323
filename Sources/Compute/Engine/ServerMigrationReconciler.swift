// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LogKit
import TaskKit

/// Ends moves that nobody ends: those whose owners have said nothing for too long, and those whose run is gone.
struct ServerMigrationReconciler: Sendable {
    /// A record that a run changed so shortly before is left to it.
    private static let patience = Duration.seconds(120)

    let parts: ComputeParts
    let sagas: SagaRunner

    func reconcile() async throws -> Int { try await confirmOverdue() + settleAbandoned() }

    private func confirmOverdue() async throws -> Int {
        guard parts.config.resizeConfirmWindow > .zero else { return 0 }
        let (stores, limit) = (parts.stores, parts.clock.now() - parts.config.resizeConfirmWindow)
        var confirmed = 0
        for migration in try await parts.database.read({ try stores.migrations.unconfirmed(before: limit, $0) }) {
            if let source = migration.sourceHost, try await parts.reach(source) == .silent { continue }
            do {
                try await MoveConfirmer(parts: parts, sagas: sagas).confirm(
                    migration, user: migration.userID, request: "req-" + parts.ids.uuid())
                parts.log.info("resize confirmed by itself", ["server": migration.server])
                confirmed += 1
            } catch let error as CloudError {
                // Somebody else has just begun something; or the record is older than its server's state.
                parts.log.warning("resize not confirmed", ["server": migration.server, "error": error])
            }
        }
        return confirmed
    }

    private func settleAbandoned() async throws -> Int {
        let (stores, now) = (parts.stores, parts.clock.now())
        var settled = 0
        for migration in try await parts.database.read({ try stores.migrations.open($0) })
        where (migration.updatedAt ?? migration.createdAt) + Self.patience < now {
            let server = try await parts.database.read { try stores.servers.server(migration.server, $0) }
            guard server?.sagaRun == nil else { continue }
            let waits = server?.isDeleted == false && server?.state == ServerState(.resized)
            if waits, migration.status == .finished { continue }
            // What was about to be confirmed or reverted can be so again.
            let status: ServerMigration.Status =
                waits && [.confirming, .reverting].contains(migration.status) ? .finished : .error
            try await parts.database.write {
                _ = try stores.migrations.move(migration.id, from: migration.status, to: status, at: now, $0)
            }
            parts.log.warning("move without a run", ["server": migration.server, "status": status.rawValue])
            settled += 1
        }
        return settled
    }
}
