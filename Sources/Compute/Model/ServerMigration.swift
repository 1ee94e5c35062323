// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract

package enum ServerMigrationTag {}
/// Names one move in placement, too: until it is settled, what the server had before is held under this id.
package typealias ServerMigrationID = ID<ServerMigrationTag>

/// One move of a server: to another flavor, to another host, or both (nova: `migrations`).
package struct ServerMigration: Sendable {
    package enum Kind: String, Sendable, CaseIterable, Codable {
        case resize
        /// A cold one: the guest is off meanwhile.
        case migration
        case live = "live-migration"
        case evacuation
    }

    /// The words are nova's.
    package enum Status: String, Sendable, CaseIterable {
        /// Live migrations and evacuations begin here.
        case accepted
        case queued, preparing, running
        /// Resizes and cold migrations begin here.
        case preMigrating = "pre-migrating"
        case migrating
        case postMigrating = "post-migrating"
        /// Moved; waits for `confirming` or `reverting`.
        case finished
        case confirming, confirmed
        case reverting, reverted
        /// A live one, or the end of an evacuation.
        case completed, done
        case cancelled
        case failed, error

        /// Nothing will happen to it any more.
        package var hasEnded: Bool {
            switch self {
            case .confirmed, .reverted, .completed, .done, .cancelled, .failed, .error: true
            case .accepted, .queued, .preparing, .running, .preMigrating, .migrating, .postMigrating, .finished,
                .confirming, .reverting:
                false
            }
        }

        /// The server is where it was to go, whatever has become of that since.
        package var hasMoved: Bool {
            switch self {
            case .finished, .confirming, .confirmed, .reverting, .reverted, .completed, .done: true
            case .accepted, .queued, .preparing, .running, .preMigrating, .migrating, .postMigrating, .cancelled,
                .failed, .error:
                false
            }
        }

        /// What `/servers/{id}/migrations` shows (nova: `migration_get_in_progress_by_instance`).
        package static let inProgress: Set<Status> = [.queued, .preparing, .running, .postMigrating]
    }

    package var id: ServerMigrationID
    /// Counts all moves of the cloud; the API's `id`.
    package var number: Int64
    package var server: ServerID
    package var kind: Kind
    package var status: Status
    package var sourceHost: String?
    package var sourceNode: String?
    package var destinationHost: String?
    package var destinationNode: String?
    /// The address of the destination.
    package var destinationAddress: String?
    package var oldFlavor: FlavorSnapshot
    package var newFlavor: FlavorSnapshot
    /// What the server was before, and is again when the move is taken back.
    package var oldState: VMState
    package var userID: UserID
    package var projectID: ProjectID
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?
}

extension ServerMigration {
    package init(
        id: ServerMigrationID, number: Int64, of server: Server, kind: Kind, status: Status,
        to newFlavor: FlavorSnapshot? = nil, by user: UserID, at time: Timestamp
    ) {
        self.init(
            id: id, number: number, server: server.id, kind: kind, status: status, sourceHost: server.host,
            sourceNode: server.hypervisorHostname, oldFlavor: server.flavor, newFlavor: newFlavor ?? server.flavor,
            oldState: server.state.vm, userID: user, projectID: server.projectID, createdAt: time)
    }
}

/// Which moves a list shows, newest first.
package struct ServerMigrationQuery: Sendable {
    package var server: ServerID?
    package var status: String?
    package var kind: String?
    /// Where a server came from, or went to.
    package var host: String?
    package var sourceHost: String?
    package var user: UserID?
    package var project: ProjectID?
    package var changedSince: Timestamp?
    package var changedBefore: Timestamp?
    package var marker: ServerMigrationID?
    package var limit: Int

    package init(limit: Int) { self.limit = limit }
}
