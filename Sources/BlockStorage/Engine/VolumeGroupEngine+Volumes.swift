// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

extension VolumeGroupEngine {
    // MARK: Copy

    package enum Source: Sendable {
        case group(VolumeGroupID)
        case snapshot(GroupSnapshotID)
    }

    /// A group with a copy of each volume. All of them begin, or none.
    package func create(
        from source: Source, name: String?, description: String?, for context: CallContext
    ) async throws -> VolumeGroup {
        let project = try context.requireProject()
        let (engine, id, run, now): (Self, VolumeGroupID, SagaRunID, Timestamp) = (
            self, parts.ids.next(), parts.ids.next(), parts.clock.now()
        )
        return try await parts.database.write { transaction in
            let stores = engine.stores
            let origin: VolumeGroup
            var drafts: [VolumeDraft] = []
            switch source {
            case .group(let sourceID):
                origin = try Self.load(sourceID, context, "group:get", stores, transaction)
                drafts = try stores.volumes.volumes(inGroup: sourceID, transaction).map {
                    var draft = VolumeDraft(source: .volume($0.id), sizeGiB: $0.sizeGiB)
                    draft.type = $0.typeID.rawValue
                    return draft
                }
                guard !drafts.isEmpty else {
                    throw Self.invalid("Source Group is empty. No group will be created.")
                }
            case .snapshot(let snapshotID):
                let snapshot = try GroupSnapshotEngine.load(
                    snapshotID, context, "group:get_group_snapshot", stores, transaction)
                guard let group = try stores.groups.group(snapshot.groupID, transaction) else {
                    throw Self.notFound(snapshot.groupID)
                }
                origin = group
                drafts = try stores.snapshots.snapshots(ofGroupSnapshot: snapshotID, transaction).map {
                    var draft = VolumeDraft(source: .snapshot($0.id), sizeGiB: $0.sizeGiB)
                    draft.type = $0.typeID.rawValue
                    draft.groupSnapshotID = snapshotID
                    return draft
                }
                guard !drafts.isEmpty else {
                    throw Self.invalid("Group snapshot is empty. No group will be created.")
                }
            }
            try BlockStorageQuotas(engine.parts).checkGroup(of: project, transaction)
            var group = VolumeGroup(
                id: id, projectID: project, userID: context.principal.userID, typeID: origin.typeID,
                volumeTypeIDs: origin.volumeTypeIDs, zone: origin.zone, createdAt: now)
            group.name = name
            group.description = description
            group.host = origin.host
            group.sagaRun = run
            switch source {
            case .group(let sourceID): group.sourceGroupID = sourceID
            case .snapshot(let snapshotID): group.groupSnapshotID = snapshotID
            }
            try stores.groups.insert(group, transaction)
            let volumes = VolumeEngine(engine.parts, sagas: engine.sagas)
            for var draft in drafts {
                draft.groupID = id
                _ = try volumes.createCopy(draft, for: context, transaction)
            }
            try engine.sagas.start(CreateGroupSaga.self, id: run, ledger: .init(group: id), in: transaction)
            return group
        }
    }

    // MARK: Delete

    /// With `deletesVolumes` the volumes go, too; else a group that has some stays.
    package func delete(
        _ id: VolumeGroupID, deletesVolumes: Bool, for context: CallContext, as policy: PolicyName
    ) async throws {
        let (engine, run, now, request): (Self, SagaRunID, Timestamp, String) = (
            self, parts.ids.next(), parts.clock.now(), context.requestID
        )
        try await parts.database.write { transaction in
            let stores = engine.stores
            let group = try Self.load(id, context, policy, stores, transaction)
            guard deletesVolumes || group.status == .available || group.status == .error
                || group.status == .errorDeleting
            else {
                throw Self.invalid(
                    "Group status must be available or error, but current status is: \(group.status.rawValue)")
            }
            guard try !stores.groupSnapshots.exists(of: id, transaction) else {
                throw Self.invalid("Group has existing snapshots.")
            }
            let volumes = try stores.volumes.volumes(inGroup: id, transaction)
            guard volumes.isEmpty || deletesVolumes else {
                throw Self.invalid(
                    "Group \(id) still contains volumes. The delete-volumes flag is required to delete it.")
            }
            guard group.status != .deleting, try !stores.groups.isSource(id, transaction) else {
                throw Self.invalid(
                    "Cannot delete group \(id). Group status must be available or error and must not have dependent "
                        + "group snapshots, and it cannot be the source for an ongoing group or group snapshot "
                        + "creation.")
            }
            for volume in volumes { try engine.beginDeletion(of: volume, in: group, request, transaction) }
            try stores.groups.setStatus(id, .deleting, run: run, at: now, transaction)
            try engine.sagas.start(DeleteGroupSaga.self, id: run, ledger: .init(group: id), in: transaction)
        }
    }

    private func beginDeletion(
        of volume: Volume, in group: VolumeGroup, _ request: String, _ transaction: any Transaction
    ) throws {
        let attachments = try stores.attachments.attachments(of: volume.id, transaction)
        guard attachments.isEmpty, volume.status != .inUse else {
            throw Self.invalid("Volume in group \(group.id) is attached. Need to detach first.")
        }
        guard try stores.snapshots.count(of: volume.id, transaction) == 0 else {
            throw Self.invalid("Volume in group still has dependent snapshots.")
        }
        guard volume.status != .deleting else { return }
        try VolumeEngine.begin(
            deletionOf: volume, .init(), isAdministrator: false, request: request, allowsGroup: true, parts, sagas,
            transaction)
    }
}
