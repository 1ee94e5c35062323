// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

// What happens to all volumes of a group begins in one transaction, a run for each of them; these sagas wait for the
// last and say how it ended.

private enum GroupWait {
    static let deadline = Duration.seconds(24 * 3600)

    /// Asks to be repeated: soon at first, then less and less often.
    static func later(_ what: String) -> SagaRetry {
        SagaRetry(
            after: .milliseconds(min(5000, 50 << min(SagaRun.current?.attempt ?? 0, 7))),
            because: CloudError(.unavailable, "\(what) did not end in time."))
    }

    /// Leaves it in error, so that it can be deleted.
    static func fail(_ id: VolumeGroupID, _ parts: BlockStorageParts) async throws {
        let (stores, run, now) = (parts.stores, SagaRun.id, parts.clock.now())
        try await parts.database.write { try stores.groups.settle(id, .error, heldBy: run, at: now, $0) }
    }

    static func fail(_ id: GroupSnapshotID, _ parts: BlockStorageParts) async throws {
        let (stores, run, now) = (parts.stores, SagaRun.id, parts.clock.now())
        try await parts.database.write { try stores.groupSnapshots.settle(id, .error, heldBy: run, at: now, $0) }
    }
}

/// A group of copies of another's volumes, or of a group snapshot's.
package enum CreateGroupSaga: Saga {
    package static let name: StaticString = "volume-group.create"
    package static let deadline = GroupWait.deadline
    package static func waits(_ parts: BlockStorageParts) -> Duration { CreateVolumeSaga.waits(parts) }

    package struct Ledger: Codable, Sendable {
        package var group: VolumeGroupID
    }

    package static let steps: [SagaStep<Self>] = [SagaStep("wait", run: wait)]

    private static func wait(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run, now) = (parts.stores, ledger.group, SagaRun.id, parts.clock.now())
        let isDone = try await parts.database.write { transaction in
            let volumes = try stores.volumes.volumes(inGroup: id, transaction)
            if volumes.contains(where: { $0.status == .creating }) { return false }
            try stores.groups.settle(
                id, volumes.contains { $0.status.isError } ? .error : .available, heldBy: run, at: now, transaction)
            return true
        }
        if !isDone { throw GroupWait.later("The copies of the group's volumes") }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        try await GroupWait.fail(ledger.group, parts)
    }
}

/// A group goes when its volumes have gone.
package enum DeleteGroupSaga: Saga {
    package static let name: StaticString = "volume-group.delete"
    package static let deadline = GroupWait.deadline
    package static func waits(_ parts: BlockStorageParts) -> Duration { DeleteVolumeSaga.waits(parts) }

    package struct Ledger: Codable, Sendable {
        package var group: VolumeGroupID
    }

    package static let steps: [SagaStep<Self>] = [SagaStep("wait", run: wait)]

    private static func wait(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.group, SagaRun.id)
        let isDone = try await parts.database.write { transaction in
            guard let group = try stores.groups.group(id, transaction), group.sagaRun == run else { return true }
            let volumes = try stores.volumes.volumes(inGroup: id, transaction)
            guard volumes.isEmpty else {
                guard !volumes.contains(where: { $0.status == .deleting }) else { return false }
                throw CloudError(.conflict, "A volume of the group could not be deleted.")
            }
            try stores.groups.delete(id, transaction)
            return true
        }
        if !isDone { throw GroupWait.later("The deletion of the group's volumes") }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        try await GroupWait.fail(ledger.group, parts)
    }
}

package enum CreateGroupSnapshotSaga: Saga {
    package static let name: StaticString = "volume-group-snapshot.create"
    package static let deadline = GroupWait.deadline
    package static func waits(_ parts: BlockStorageParts) -> Duration { CreateSnapshotSaga.waits(parts) }

    package struct Ledger: Codable, Sendable {
        package var snapshot: GroupSnapshotID
    }

    package static let steps: [SagaStep<Self>] = [SagaStep("wait", run: wait)]

    private static func wait(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run, now) = (parts.stores, ledger.snapshot, SagaRun.id, parts.clock.now())
        let isDone = try await parts.database.write { transaction in
            let snapshots = try stores.snapshots.snapshots(ofGroupSnapshot: id, transaction)
            if snapshots.contains(where: { $0.status == .creating }) { return false }
            let hasFailed = snapshots.contains { $0.status == .error || $0.status == .errorDeleting }
            try stores.groupSnapshots.settle(
                id, hasFailed ? .error : .available, heldBy: run, at: now, transaction)
            return true
        }
        if !isDone { throw GroupWait.later("The snapshots of the group's volumes") }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        try await GroupWait.fail(ledger.snapshot, parts)
    }
}

package enum DeleteGroupSnapshotSaga: Saga {
    package static let name: StaticString = "volume-group-snapshot.delete"
    package static let deadline = GroupWait.deadline
    package static func waits(_ parts: BlockStorageParts) -> Duration { DeleteSnapshotSaga.waits(parts) }

    package struct Ledger: Codable, Sendable {
        package var snapshot: GroupSnapshotID
    }

    package static let steps: [SagaStep<Self>] = [SagaStep("wait", run: wait)]

    private static func wait(_ ledger: inout Ledger, _ parts: BlockStorageParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.snapshot, SagaRun.id)
        let isDone = try await parts.database.write { transaction in
            guard let row = try stores.groupSnapshots.snapshot(id, transaction), row.sagaRun == run else { return true }
            let snapshots = try stores.snapshots.snapshots(ofGroupSnapshot: id, transaction)
            guard snapshots.isEmpty else {
                guard !snapshots.contains(where: { $0.status == .deleting }) else { return false }
                throw CloudError(.conflict, "A snapshot of the group could not be deleted.")
            }
            try stores.groupSnapshots.delete(id, transaction)
            return true
        }
        if !isDone { throw GroupWait.later("The deletion of the group's snapshots") }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: BlockStorageParts) async throws {
        try await GroupWait.fail(ledger.snapshot, parts)
    }
}
