// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import PolicyKit
import TaskKit
import TestKit
import Testing

/// Goal: whatever goes wrong at whatever step, a backup, a restoration and a group end as asked or say that they did
/// not, and the volume is at rest: no transitional status, no lock, no fragment. Method: every walk of every saga.
@Suite("Sagas of backups and groups")
struct BackupSagaTests {
    private let enforcer: PolicyEnforcer

    init() throws {
        enforcer = try PolicyEnforcer(
            ["any", "volume:get", "group:get", "group:get_group_snapshot", "volume:get_snapshot"].map {
                PolicyRule($0, "@")
            })
    }

    private var context: CallContext {
        CallContext(
            principal: TestCallers.principal("demo", roles: ["admin", "member"], project: "project-demo"),
            requestID: "req-1", policy: "any", enforcer: enforcer)
    }

    private func with(_ body: @escaping @Sendable (BlockStorageWorld) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let world = try await BlockStorageWorld { config in
                config.scratchDirectory = directory + "/scratch"
                config.backupDirectory = directory + "/backups"
            }
            try await world.run(runsSagas: false) { try await body(world) }
        }
    }

    private func volume(_ world: BlockStorageWorld) async throws -> VolumeID {
        let id = try await world.prepare { runner in
            try await VolumeEngine(world.parts, sagas: runner).create(VolumeDraft(sizeGiB: 1), for: context).id
        }
        world.driver.write(9, to: id)
        return id
    }

    private func backup(_ world: BlockStorageWorld, _ id: VolumeBackupID) async throws -> VolumeBackup? {
        let stores = world.parts.stores
        return try await world.database.read { try stores.backups.backup(id, $0) }
    }

    private func isClean(_ world: BlockStorageWorld) async throws {
        #expect(try await world.locks() == 0)
        #expect(try await world.parts.backupStore.fragments(olderThan: .seconds(-5)).isEmpty)
    }

    @Test("a backup ends available, or in error with a message", arguments: SagaWalk.all(CreateBackupSaga.self))
    func create(_ walk: SagaWalk) async throws {
        try await with { world in
            let volume = try await volume(world)
            let made = Once<VolumeBackupID>()
            let record = try await walk.run(on: world.database, world.registry) { runner in
                let backup = try await VolumeBackupEngine(world.parts, sagas: runner)
                    .create(.init(volume: volume), for: context)
                made.set(backup.id)
                return try #require(backup.sagaRun)
            }
            let id = try #require(made.value)
            let backup = try #require(try await backup(world, id))
            #expect(record.state == walk.expectedState)
            #expect(backup.sagaRun == nil)
            #expect(try await world.status(volume) == "available")
            // A failure after the last step has done everything finds the backup done.
            let isDone = backup.status == .available
            #expect(isDone || record.state == .failed && backup.status == .error)
            #expect(record.state == .failed || isDone)
            #expect(try await world.parts.backupStore.content(id) != nil || !isDone)
            if !isDone {
                #expect(try await world.parts.backupStore.content(id) == nil)
                #expect(try await world.messages() == 1)
            }
            try await isClean(world)
        }
    }

    @Test("a guest's volume comes to rest, and its snapshot goes", arguments: SagaWalk.all(CreateBackupSaga.self))
    func createInUse(_ walk: SagaWalk) async throws {
        try await with { world in
            let volume = try await volume(world)
            try await world.attach(volume)
            let made = Once<VolumeBackupID>()
            let record = try await walk.run(on: world.database, world.registry) { runner in
                var draft = VolumeBackupEngine.Draft(volume: volume)
                draft.isForced = true
                let backup = try await VolumeBackupEngine(world.parts, sagas: runner).create(draft, for: context)
                made.set(backup.id)
                return try #require(backup.sagaRun)
            }
            // The walk's trap may have caught the run of the snapshot, too; it goes on with a runner of its own.
            try await world.prepare { _ in }
            let id = try #require(made.value)
            let backup = try #require(try await backup(world, id))
            #expect(backup.status == .available || record.state == .failed)
            #expect(backup.sagaRun == nil)
            #expect(try await world.status(volume) == "in-use")
            #expect(world.driver.volumes[volume]?.content == .written(9))
            #expect(world.driver.snapshots.isEmpty)
            #expect(try await world.database.read { try $0.count("SELECT COUNT(*) FROM volume_snapshots") } == 0)
            try await isClean(world)
        }
    }

    @Test("a restoration ends with the bytes, or in error", arguments: SagaWalk.all(RestoreBackupSaga.self))
    func restore(_ walk: SagaWalk) async throws {
        try await with { world in
            let (source, target) = (try await volume(world), try await volume(world))
            let id = try await world.prepare { runner in
                try await VolumeBackupEngine(world.parts, sagas: runner)
                    .create(.init(volume: source), for: context).id
            }
            world.driver.write(1, to: target)
            let record = try await walk.run(on: world.database, world.registry) { runner in
                _ = try await VolumeBackupEngine(world.parts, sagas: runner)
                    .restore(id, into: target, name: nil, for: context)
                return try #require(try await world.parts.volume(target)?.sagaRun)
            }
            #expect(record.state == walk.expectedState)
            #expect(try await backup(world, id)?.status == .available)
            #expect(try await backup(world, id)?.sagaRun == nil)
            let status = try await world.status(target)
            if record.state == .finished {
                #expect(status == "available")
                #expect(world.driver.volumes[target]?.content == .written(9))
            } else {
                // `finish` had done everything when the last failure came.
                #expect(status == "error_restoring" || status == "available")
            }
            try await isClean(world)
        }
    }

    @Test("a deletion ends, and nothing is left", arguments: SagaWalk.all(DeleteBackupSaga.self))
    func delete(_ walk: SagaWalk) async throws {
        try await with { world in
            let volume = try await volume(world)
            let id = try await world.prepare { runner in
                try await VolumeBackupEngine(world.parts, sagas: runner)
                    .create(.init(volume: volume), for: context).id
            }
            let record = try await walk.run(on: world.database, world.registry) { runner in
                try await VolumeBackupEngine(world.parts, sagas: runner).delete(id, isForced: false, for: context)
                return try #require(try await backup(world, id)?.sagaRun)
            }
            #expect(record.state == walk.expectedState)
            if let left = try await backup(world, id) {
                #expect(record.state == .failed)
                #expect(left.status == .errorDeleting)
                #expect(left.sagaRun == nil)
            } else {
                #expect(try await world.parts.backupStore.content(id) == nil)
            }
            try await isClean(world)
        }
    }

    // MARK: Groups

    /// A group with two volumes.
    private func group(_ world: BlockStorageWorld) async throws -> VolumeGroupID {
        let (stores, now) = (world.parts.stores, world.parts.clock.now())
        let group: VolumeGroupID = try await world.database.write { transaction in
            let type = GroupType(
                id: GroupTypeID("crew"), name: "crew", description: nil, isPublic: true, specs: [:], createdAt: now)
            try stores.groupTypes.insert(type, transaction)
            let types = try stores.types.all(transaction).map(\.id)
            var group = VolumeGroup(
                id: world.parts.ids.next(), projectID: ProjectID("project-demo"), userID: UserID("user-demo"),
                typeID: type.id, volumeTypeIDs: types, zone: "nova", createdAt: now)
            group.status = .available
            group.host = "node-1@one#pool"
            try stores.groups.insert(group, transaction)
            return group.id
        }
        try await world.prepare { runner in
            for _ in 0..<2 {
                var draft = VolumeDraft(sizeGiB: 1)
                draft.groupID = group
                _ = try await VolumeEngine(world.parts, sagas: runner).create(draft, for: context)
            }
        }
        return group
    }

    /// The trap of the walk catches the runs of the volumes, too: a crash hits one of theirs, a failure all of them.
    /// What that leaves is an end.
    private func checkRest(_ world: BlockStorageWorld) async throws {
        try await world.prepare { _ in }
        let stores = world.parts.stores
        let busy = try await world.database.read { transaction in
            let never = Timestamp(seconds: 1 << 40)
            return try stores.groups.transitional(before: never, transaction).count
                + stores.groupSnapshots.transitional(before: never, transaction).count
                + stores.volumes.unattended(since: never, transaction).count
                + stores.snapshots.unattended(since: never, transaction).count
        }
        #expect(busy == 0)
        #expect(try await world.locks() == 0)
    }

    @Test("a group's snapshot comes to rest", arguments: SagaWalk.all(CreateGroupSnapshotSaga.self))
    func groupSnapshot(_ walk: SagaWalk) async throws {
        try await with { world in
            let (group, stores) = (try await group(world), world.parts.stores)
            let made = Once<GroupSnapshotID>()
            _ = try await walk.run(on: world.database, world.registry) { runner in
                let snapshot = try await GroupSnapshotEngine(world.parts, sagas: runner)
                    .create(of: group, name: nil, description: nil, for: context)
                made.set(snapshot.id)
                return try #require(snapshot.sagaRun)
            }
            try await checkRest(world)
            let id = try #require(made.value)
            let (row, snapshots) = try await world.database.read {
                (try stores.groupSnapshots.snapshot(id, $0), try stores.snapshots.snapshots(ofGroupSnapshot: id, $0))
            }
            let isDone = walk.expectedState == .finished
            #expect(row?.status == (isDone ? .available : .error))
            #expect(snapshots.map(\.status) == (isDone ? [.available, .available] : [.error, .error]))
            #expect(world.driver.snapshots.count == (isDone ? 2 : 0))
        }
    }

    @Test("a group snapshot's deletion comes to rest", arguments: SagaWalk.all(DeleteGroupSnapshotSaga.self))
    func deleteGroupSnapshot(_ walk: SagaWalk) async throws {
        try await with { world in
            let group = try await group(world)
            let id = try await world.prepare { runner in
                try await GroupSnapshotEngine(world.parts, sagas: runner)
                    .create(of: group, name: nil, description: nil, for: context).id
            }
            let stores = world.parts.stores
            _ = try await walk.run(on: world.database, world.registry) { runner in
                try await GroupSnapshotEngine(world.parts, sagas: runner).delete(id, for: context)
                let row = try await world.database.read { try stores.groupSnapshots.snapshot(id, $0) }
                return try #require(row?.sagaRun)
            }
            try await checkRest(world)
            let row = try await world.database.read { try stores.groupSnapshots.snapshot(id, $0) }
            let isDone = walk.expectedState == .finished
            #expect(row?.status == (isDone ? nil : .error))
            #expect(world.driver.snapshots.isEmpty == isDone)
        }
    }

    @Test("a group's copy comes to rest", arguments: SagaWalk.all(CreateGroupSaga.self))
    func groupCopy(_ walk: SagaWalk) async throws {
        try await with { world in
            let (group, stores) = (try await group(world), world.parts.stores)
            let made = Once<VolumeGroupID>()
            _ = try await walk.run(on: world.database, world.registry) { runner in
                let copy = try await VolumeGroupEngine(world.parts, sagas: runner)
                    .create(from: .group(group), name: nil, description: nil, for: context)
                made.set(copy.id)
                return try #require(copy.sagaRun)
            }
            try await checkRest(world)
            let id = try #require(made.value)
            let (row, volumes) = try await world.database.read {
                (try stores.groups.group(id, $0), try stores.volumes.volumes(inGroup: id, $0))
            }
            let isDone = walk.expectedState == .finished
            #expect(row?.status == (isDone ? .available : .error))
            #expect(volumes.map(\.status) == (isDone ? [.available, .available] : [.error, .error]))
        }
    }

    @Test("a group's deletion comes to rest", arguments: SagaWalk.all(DeleteGroupSaga.self))
    func deleteGroup(_ walk: SagaWalk) async throws {
        try await with { world in
            let (id, stores) = (try await group(world), world.parts.stores)
            _ = try await walk.run(on: world.database, world.registry) { runner in
                try await VolumeGroupEngine(world.parts, sagas: runner)
                    .delete(id, deletesVolumes: true, for: context, as: "any")
                let row = try await world.database.read { try stores.groups.group(id, $0) }
                return try #require(row?.sagaRun)
            }
            try await checkRest(world)
            let row = try await world.database.read { try stores.groups.group(id, $0) }
            let isDone = walk.expectedState == .finished
            #expect(row?.status == (isDone ? nil : .error))
            #expect(world.driver.volumes.isEmpty == isDone)
        }
    }

    @Test("statuses that no run holds end by themselves")
    func reconciler() async throws {
        try await with { world in
            let volume = try await volume(world)
            let id = try await world.prepare { runner in
                try await VolumeBackupEngine(world.parts, sagas: runner)
                    .create(.init(volume: volume), for: context).id
            }
            let (stores, past) = (world.parts.stores, world.parts.clock.now() - .seconds(600))
            for status in [VolumeBackupStatus.creating, .deleting, .restoring] {
                try await world.database.write { try stores.backups.setStatus(id, status, run: nil, at: past, $0) }
                #expect(try await BackupReconciler(world.parts, sagas: world.sagas).reconcile() == 1)
                let ended = try #require(try await backup(world, id)).status
                #expect(ended == (status == .restoring ? .available : .error))
            }
            #expect(try await BackupReconciler(world.parts, sagas: world.sagas).reconcile() == 0)
        }
    }
}
