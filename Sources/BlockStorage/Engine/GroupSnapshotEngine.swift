// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

/// Snapshots of all volumes of a group, made in one go.
package struct GroupSnapshotEngine: Sendable {
    private let parts: BlockStorageParts
    private let sagas: SagaRunner

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    static func notFound(_ id: GroupSnapshotID) -> CloudError {
        .notFound("GroupSnapshot \(id.rawValue.prefix(255)) could not be found.", kind: "GroupSnapshotNotFound")
    }

    // MARK: Load

    static func load(
        _ id: GroupSnapshotID, _ context: CallContext, _ policy: PolicyName?, _ stores: BlockStorageStores,
        _ transaction: any Transaction
    ) throws -> GroupSnapshot {
        guard let snapshot = try stores.groupSnapshots.snapshot(id, transaction),
            context.sees(snapshot.projectID)
        else { throw notFound(id) }
        try context.authorize(PolicyTarget(project: snapshot.projectID, user: snapshot.userID), as: policy)
        return snapshot
    }

    package func snapshot(_ id: GroupSnapshotID, for context: CallContext) async throws -> GroupSnapshot {
        let stores = parts.stores
        return try await parts.database.read { try Self.load(id, context, nil, stores, $0) }
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage) async throws -> [GroupSnapshot] {
        let stores = parts.stores
        return try await parts.database.read { try stores.groupSnapshots.list(filter, page, $0) }
    }

    // MARK: Create

    package func create(
        of groupID: VolumeGroupID, name: String?, description: String?, for context: CallContext
    ) async throws -> GroupSnapshot {
        let project = try context.requireProject()
        let (engine, id, run, now): (Self, GroupSnapshotID, SagaRunID, Timestamp) = (
            self, parts.ids.next(), parts.ids.next(), parts.clock.now()
        )
        return try await parts.database.write { transaction in
            let stores = engine.parts.stores
            let group = try VolumeGroupEngine.load(groupID, context, nil, stores, transaction)
            guard group.status == .available || group.status == .error || group.status == .updating else {
                throw VolumeGroupEngine.invalid("Group status must be available.")
            }
            var row = GroupSnapshot(
                id: id, of: group, projectID: project, userID: context.principal.userID, createdAt: now)
            row.name = name
            row.description = description
            row.sagaRun = run
            try stores.groupSnapshots.insert(row, transaction)
            for volume in try stores.volumes.volumes(inGroup: groupID, transaction) {
                try engine.freeze(volume, row, context, transaction)
            }
            try engine.sagas.start(
                CreateGroupSnapshotSaga.self, id: run, ledger: .init(snapshot: id), in: transaction)
            return row
        }
    }

    private func freeze(
        _ volume: Volume, _ row: GroupSnapshot, _ context: CallContext, _ transaction: any Transaction
    ) throws {
        guard volume.status == .available || volume.status == .inUse else {
            throw VolumeErrors.invalidVolume(
                "The snapshot cannot be created when the volume is in \(volume.status.rawValue) status.")
        }
        try BlockStorageQuotas(parts).check(
            row.projectID, snapshots: 1, gigabytes: volume.sizeGiB, type: volume.typeID, transaction)
        let run: SagaRunID = parts.ids.next()
        var snapshot = VolumeSnapshot(
            id: parts.ids.next(), of: volume, projectID: volume.projectID, userID: context.principal.userID,
            createdAt: row.createdAt)
        snapshot.name = row.name
        snapshot.description = row.description
        snapshot.groupSnapshotID = row.id
        snapshot.sagaRun = run
        try parts.stores.snapshots.insert(snapshot, transaction)
        try sagas.start(
            CreateSnapshotSaga.self, id: run,
            ledger: .init(snapshot: snapshot.id, volume: volume.id, requestID: context.requestID), in: transaction)
    }

    // MARK: Delete

    package func delete(_ id: GroupSnapshotID, for context: CallContext) async throws {
        let (engine, run, now): (Self, SagaRunID, Timestamp) = (self, parts.ids.next(), parts.clock.now())
        let request = context.requestID
        try await parts.database.write { transaction in
            let stores = engine.parts.stores
            let row = try Self.load(id, context, nil, stores, transaction)
            guard [.available, .error, .errorDeleting].contains(row.status),
                try !stores.groups.isSource(id, transaction)
            else {
                throw CloudError.badRequest(
                    "Invalid GroupSnapshot: GroupSnapshot status must be available or error, and no Group can be "
                        + "currently using it as source for its creation.",
                    kind: "InvalidGroupSnapshot")
            }
            for snapshot in try stores.snapshots.snapshots(ofGroupSnapshot: id, transaction) {
                let own: SagaRunID = engine.parts.ids.next()
                guard snapshot.status != .deleting else { continue }
                guard let status = snapshot.status.after(.deleteRequested),
                    try stores.snapshots.move(snapshot, to: status, run: own, at: now, transaction)
                else {
                    throw CloudError.badRequest(
                        "Invalid GroupSnapshot: Snapshot \(snapshot.id) of it is \(snapshot.status.rawValue).",
                        kind: "InvalidGroupSnapshot")
                }
                try engine.sagas.start(
                    DeleteSnapshotSaga.self, id: own,
                    ledger: .init(snapshot: snapshot.id, volume: snapshot.volumeID, requestID: request),
                    in: transaction)
            }
            try stores.groupSnapshots.setStatus(id, .deleting, run: run, at: now, transaction)
            try engine.sagas.start(
                DeleteGroupSnapshotSaga.self, id: run, ledger: .init(snapshot: id), in: transaction)
        }
    }

    package func resetStatus(
        _ id: GroupSnapshotID, _ status: GroupSnapshotStatus, for context: CallContext, as policy: PolicyName
    ) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write { transaction in
            let row = try Self.load(id, context, policy, stores, transaction)
            try stores.groupSnapshots.setStatus(row.id, status, run: nil, at: now, transaction)
        }
    }
}
