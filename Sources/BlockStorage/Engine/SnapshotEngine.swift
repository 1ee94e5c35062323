// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

/// What users do with snapshots of volumes.
package struct SnapshotEngine: Sendable {
    package let parts: BlockStorageParts
    let sagas: SagaRunner
    private var stores: BlockStorageStores { parts.stores }

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    // MARK: Load

    package func snapshot(
        _ id: VolumeSnapshotID, for context: CallContext, as policy: PolicyName? = nil
    ) async throws -> VolumeSnapshot {
        let stores = stores
        return try await parts.database.read { try Self.load(id, context, policy, stores, $0) }
    }

    static func load(
        _ id: VolumeSnapshotID, _ context: CallContext, _ policy: PolicyName?, _ stores: BlockStorageStores,
        _ transaction: any Transaction
    ) throws -> VolumeSnapshot {
        guard UUIDText.isUUID(id.rawValue), let snapshot = try stores.snapshots.snapshot(id, transaction),
            context.sees(snapshot.projectID)
        else { throw VolumeErrors.notFound(id) }
        try context.authorize(PolicyTarget(project: snapshot.projectID, user: snapshot.userID), as: policy)
        return snapshot
    }

    package struct Page: Sendable {
        package var snapshots: [VolumeSnapshot]
        package var hasMore: Bool
        package var count: Int?
    }

    package func list(_ query: SnapshotQuery, isCounted: Bool, for context: CallContext) async throws -> Page {
        context.authorizeListing()
        return try await parts.database.read { transaction in
            var snapshots = try query.run(transaction)
            let limit = query.limit ?? Int.max
            let hasMore = snapshots.count > limit
            if hasMore { snapshots.removeLast(snapshots.count - limit) }
            return Page(
                snapshots: snapshots, hasMore: hasMore, count: isCounted ? try query.count(transaction) : nil)
        }
    }

    @discardableResult
    package func edit(
        _ id: VolumeSnapshotID, for context: CallContext, as policy: PolicyName? = nil,
        _ body: @escaping @Sendable (inout VolumeSnapshot) throws -> Void
    ) async throws -> VolumeSnapshot {
        let (stores, now) = (stores, parts.clock.now())
        return try await parts.database.write { transaction in
            var snapshot = try Self.load(id, context, policy, stores, transaction)
            try body(&snapshot)
            try stores.snapshots.update(snapshot, at: now, transaction)
            snapshot.updatedAt = now
            return snapshot
        }
    }

    // MARK: Create

    package struct Draft: Sendable {
        package var id: VolumeSnapshotID?
        package var volume: VolumeID
        package var name: String?
        package var description: String?
        package var metadata: [String: String] = [:]
        /// A volume that a guest uses may be frozen, too.
        package var allowsInUse: Bool
        package init(volume: VolumeID, allowsInUse: Bool) {
            self.volume = volume
            self.allowsInUse = allowsInUse
        }
    }

    package func create(_ draft: Draft, for context: CallContext) async throws -> VolumeSnapshot {
        let (parts, sagas, stores) = (parts, sagas, stores)
        let id = draft.id ?? parts.ids.next(VolumeSnapshotTag.self)
        return try await parts.database.write { transaction in
            // A caller that lost the answer asks again.
            if draft.id != nil, let snapshot = try stores.snapshots.snapshot(id, transaction) { return snapshot }
            let volume = try VolumeEngine.load(draft.volume, context, "volume:create_snapshot", stores, transaction)
            var snapshot = VolumeSnapshot(
                id: id, of: volume, projectID: context.projectID ?? volume.projectID,
                userID: context.principal.userID, createdAt: parts.clock.now())
            snapshot.name = draft.name
            snapshot.description = draft.description
            snapshot.metadata = draft.metadata
            return try Self.begin(
                snapshot, of: volume, allowsInUse: draft.allowsInUse, request: context.requestID, parts, sagas,
                transaction)
        }
    }

    /// Checks, writes the row and starts the saga, in the caller's transaction; for groups, which freeze many at once,
    /// for services, and for what the backend has by the name `foreign` already.
    package static func begin(
        _ snapshot: VolumeSnapshot, of volume: Volume, foreign: String? = nil, allowsInUse: Bool, request: String,
        _ parts: BlockStorageParts, _ sagas: SagaRunner, _ transaction: any Transaction
    ) throws -> VolumeSnapshot {
        try check(volume, allowsInUse: allowsInUse, parts, transaction)
        try BlockStorageQuotas(parts).check(
            snapshot.projectID, snapshots: 1, gigabytes: snapshot.sizeGiB, type: volume.typeID, transaction)
        var snapshot = snapshot
        let (stores, now, run) = (parts.stores, parts.clock.now(), parts.ids.next(SagaRunTag.self))
        if let key = volume.keyID {
            // Another record of the same passphrase: the volume may go to another project, or the snapshot stay longer.
            guard let sealed = try stores.keys.sealed(key, transaction) else {
                throw CloudError(.bug, "The key of the volume cannot be found.", cause: "key \(key)")
            }
            let own = parts.ids.next(VolumeKeyTag.self)
            try stores.keys.insert(own, project: snapshot.projectID, sealed: sealed, at: now, transaction)
            snapshot.keyID = own
        }
        snapshot.sagaRun = run
        try stores.snapshots.insert(snapshot, transaction)
        try sagas.start(
            CreateSnapshotSaga.self, id: run,
            ledger: .init(snapshot: snapshot.id, volume: volume.id, requestID: request, foreign: foreign),
            in: transaction)
        return snapshot
    }

    /// cinder: volume/api.py, `_create_snapshot_in_db_validate` and `create_snapshot_in_db`.
    private static func check(
        _ volume: Volume, allowsInUse: Bool, _ parts: BlockStorageParts, _ transaction: any Transaction
    ) throws {
        guard let backend = volume.backend else {
            throw VolumeErrors.invalidVolume(
                "The snapshot cannot be created because volume has not been scheduled to any host.")
        }
        // cinder: volume/api.py, `_create_snapshot`
        guard !volume.isMigrating else {
            throw VolumeErrors.invalidVolume("Snapshot cannot be created while volume is migrating.")
        }
        switch volume.status {
        case .maintenance:
            throw VolumeErrors.invalidVolume(
                "The snapshot cannot be created when the volume is in maintenance mode.")
        case .error:
            throw VolumeErrors.invalidVolume("The snapshot cannot be created when the volume is in error status.")
        default: break
        }
        let allowed: [VolumeStatus] = allowsInUse ? [.available, .inUse] : [.available]
        guard allowed.contains(volume.status) else {
            throw VolumeErrors.invalidVolume(
                "Volume \(volume.id) status must be \(allowed.map(\.rawValue).joined(separator: ", ")), but current "
                    + "status is: \(volume.status.rawValue).")
        }
        if try parts.stores.backends.backend(backend, transaction)?.isFrozen == true {
            throw VolumeErrors.invalidInput("The backend of the volume is frozen.")
        }
    }

    // MARK: Delete

    package func delete(
        _ id: VolumeSnapshotID, isForced: Bool, isUnmanaged: Bool = false, for context: CallContext,
        as policy: PolicyName? = nil
    ) async throws {
        let (parts, sagas, stores) = (parts, sagas, stores)
        try await parts.database.write { transaction in
            let snapshot = try Self.load(id, context, policy, stores, transaction)
            guard snapshot.groupSnapshotID == nil else { throw Self.undeletable(isForced) }
            try Self.begin(
                deletionOf: snapshot, isForced: isForced, isUnmanaged: isUnmanaged, request: context.requestID, parts,
                sagas, transaction)
        }
    }

    /// Moves the row and starts the saga, in the caller's transaction; for groups, too.
    package static func begin(
        deletionOf snapshot: VolumeSnapshot, isForced: Bool, isUnmanaged: Bool = false, request: String,
        _ parts: BlockStorageParts, _ sagas: SagaRunner, _ transaction: any Transaction
    ) throws {
        let run = parts.ids.next(SagaRunTag.self)
        let event: VolumeSnapshotEvent =
            isUnmanaged ? .unmanageRequested : isForced ? .deleteForced : .deleteRequested
        guard let status = snapshot.status.after(event),
            isForced || snapshot.status != .errorDeleting || snapshot.sagaRun == nil,
            try parts.stores.snapshots.move(snapshot, to: status, run: run, at: parts.clock.now(), transaction)
        else { throw undeletable(isForced) }
        try sagas.start(
            DeleteSnapshotSaga.self, id: run,
            ledger: .init(
                snapshot: snapshot.id, volume: snapshot.volumeID, requestID: request,
                isUnmanaged: isUnmanaged ? true : nil), in: transaction)
    }

    private static func undeletable(_ isForced: Bool) -> CloudError {
        VolumeErrors.invalidSnapshot(
            "Snapshot \(isForced ? "" : "status must be available or error and ")must not be part of a group.")
    }

    // MARK: Administration

    package func reset(
        _ id: VolumeSnapshotID, to status: VolumeSnapshotStatus, for context: CallContext
    ) async throws {
        let (stores, now) = (stores, parts.clock.now())
        try await parts.database.write { transaction in
            let snapshot = try Self.load(id, context, nil, stores, transaction)
            guard let next = snapshot.status.after(.reset(status)),
                try stores.snapshots.move(snapshot, to: next, run: nil, at: now, transaction)
            else { throw CloudError.conflict("Snapshot \(id) is changing. Please retry.") }
        }
    }

    /// `os-update_snapshot_status`, from whoever makes the snapshot for us (cinder: contrib/snapshot_actions.py).
    package func setStatus(
        _ id: VolumeSnapshotID, _ status: String, progress: Int?, for context: CallContext
    ) async throws {
        let allowed: [VolumeSnapshotStatus: [String]] = [
            .creating: ["creating", "available", "error"], .deleting: ["deleting", "error_deleting"],
        ]
        let (stores, now) = (stores, parts.clock.now())
        try await parts.database.write { transaction in
            var snapshot = try Self.load(id, context, nil, stores, transaction)
            guard let words = allowed[snapshot.status] else {
                throw CloudError.badRequest("Snapshot status \(snapshot.status.rawValue) not allowed for update_snapshot_status")
            }
            guard words.contains(status), let wanted = VolumeSnapshotStatus(rawValue: status) else {
                throw CloudError.badRequest(
                    "Provided snapshot status \(status.prefix(64)) not allowed for snapshot with status "
                        + "\(snapshot.status.rawValue).")
            }
            // Only for snapshots that somebody else makes: this one is being worked on here.
            guard snapshot.sagaRun == nil || wanted == snapshot.status else {
                throw CloudError.badRequest("Snapshot \(id) is being worked on. Please retry when it has ended.")
            }
            if wanted != snapshot.status {
                guard try stores.snapshots.move(snapshot, to: wanted, run: nil, at: now, transaction) else {
                    throw CloudError.conflict("Snapshot \(id) is changing. Please retry.")
                }
            }
            if let progress {
                snapshot.progress = progress
                try stores.snapshots.update(snapshot, at: now, transaction)
            }
        }
    }
}
