// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import PolicyKit
import TaskKit
import TestKit
import Testing

/// Goal: whatever goes wrong at whatever step, a volume ends as asked or as it was, says why, and nothing is left behind:
/// no transitional status, no lock, no bytes that no row names. Method: every walk of every saga.
@Suite("Sagas of volumes")
struct VolumeSagaTests {
    private let enforcer: PolicyEnforcer

    init() throws {
        enforcer = try PolicyEnforcer(
            [
                "any", "volume:create_from_image", "volume:get", "volume:get_snapshot", "volume:create_snapshot",
                "volume:extend_attached_volume",
            ].map { PolicyRule($0, "@") })
    }

    private var context: CallContext {
        CallContext(
            principal: TestCallers.principal("demo", roles: ["admin", "member"], project: "project-demo"),
            requestID: "req-1", policy: "any", enforcer: enforcer)
    }

    private func volume(_ world: BlockStorageWorld, _ draft: VolumeDraft = VolumeDraft(sizeGiB: 2)) async throws
        -> VolumeID
    {
        try await world.prepare { runner in
            try await VolumeEngine(world.parts, sagas: runner).create(draft, for: context).id
        }
    }

    private func snapshot(_ world: BlockStorageWorld, of volume: VolumeID) async throws -> VolumeSnapshotID {
        try await world.prepare { runner in
            try await SnapshotEngine(world.parts, sagas: runner)
                .create(.init(volume: volume, allowsInUse: true), for: context).id
        }
    }

    private func run(_ world: BlockStorageWorld, of id: VolumeID) async throws -> SagaRunID {
        try #require(try await world.parts.volume(id)?.sagaRun)
    }

    // MARK: Create

    @Test(
        "a creation ends available, or in error with a message and nothing left",
        arguments: SagaWalk.all(CreateVolumeSaga.self))
    func create(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld()
        try await world.run(runsSagas: false) {
            let source = try await volume(world)
            world.driver.write(7, to: source)
            var draft = VolumeDraft(source: .volume(source))
            draft.id = world.parts.ids.next()
            let id = try #require(draft.id)
            let final = draft
            let record = try await walk.run(on: world.database, world.registry) { runner in
                _ = try await VolumeEngine(world.parts, sagas: runner).create(final, for: context)
                return try await run(world, of: id)
            }
            #expect(record.state == walk.expectedState)
            let made = try #require(try await world.parts.volume(id))
            #expect(made.sagaRun == nil)
            if record.state == .finished {
                #expect(made.status == .available)
                #expect(world.driver.volumes[id] == .init(content: .written(7), sizeGiB: 2))
            } else {
                #expect(made.status == .error)
                #expect(made.host == nil)
                #expect(world.driver.volumes[id] == nil)
                #expect(try await world.messages() == 1)
            }
            #expect(try await world.locks() == 0)
        }
    }

    // MARK: Delete

    @Test("a deletion ends, and nothing is left", arguments: SagaWalk.all(DeleteVolumeSaga.self))
    func delete(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld()
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            let copy = try await snapshot(world, of: id)
            let record = try await walk.run(on: world.database, world.registry) { runner in
                try await VolumeEngine(world.parts, sagas: runner)
                    .delete(id, .init(deletesSnapshots: true), for: context)
                return try await run(world, of: id)
            }
            if let volume = try await world.parts.volume(id) {
                #expect(record.state == .failed)
                #expect(volume.status == .errorDeleting)
                #expect(volume.sagaRun == nil)
            } else {
                #expect(world.driver.volumes[id] == nil)
                #expect(world.driver.snapshots[copy] == nil)
            }
            #expect(try await world.locks() == 0)
        }
    }

    // MARK: Extend

    @Test(
        "an extension ends with the new size, or with what was and a message",
        arguments: SagaWalk.all(ExtendVolumeSaga.self))
    func extend(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld()
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            try await world.attach(id)
            _ = try await walk.run(on: world.database, world.registry) { runner in
                try await VolumeEngine(world.parts, sagas: runner).extend(id, to: 5, allowsInUse: true, for: context)
                return try await run(world, of: id)
            }
            let volume = try #require(try await world.parts.volume(id))
            #expect(volume.status == .inUse)
            #expect(volume.sagaRun == nil)
            #expect(volume.pendingSizeGiB == nil)
            if walk.expectedState == .finished {
                #expect(volume.sizeGiB == 5)
                #expect(world.driver.volumes[id]?.sizeGiB == 5)
                #expect(world.compute.sizes[id.rawValue] == 5 << 30)
            }
            #expect(try await world.locks() == 0)
        }
    }

    // MARK: Snapshots

    @Test(
        "a snapshot ends available, or in error; the guest writes where the volume is",
        arguments: SagaWalk.all(CreateSnapshotSaga.self))
    func createSnapshot(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld(movesOnSnapshot: true)
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            world.driver.write(3, to: id)
            try await world.attach(id)
            let copy: VolumeSnapshotID = world.parts.ids.next()
            var draft = SnapshotEngine.Draft(volume: id, allowsInUse: true)
            draft.id = copy
            let final = draft
            let record = try await walk.run(on: world.database, world.registry) { runner in
                _ = try await SnapshotEngine(world.parts, sagas: runner).create(final, for: context)
                return try #require(try await world.snapshot(copy)?.sagaRun)
            }
            #expect(record.state == walk.expectedState)
            let snapshot = try #require(try await world.snapshot(copy))
            let volume = try #require(try await world.parts.volume(id))
            #expect(snapshot.sagaRun == nil)
            #expect(volume.status == .inUse)
            if record.state == .finished {
                #expect(snapshot.status == .available)
                #expect(world.driver.snapshots[copy]?.content == .written(3))
                #expect(volume.location == "/fake/volume-\(id).1")
                #expect(world.compute.moves.last == volume.location)
            } else {
                #expect(snapshot.status == .error)
                #expect(world.driver.snapshots[copy] == nil)
                if let moved = world.compute.moves.last { #expect(volume.location == moved) }
            }
            #expect(try await world.locks() == 0)
        }
    }

    @Test("a snapshot's deletion ends, and nothing is left", arguments: SagaWalk.all(DeleteSnapshotSaga.self))
    func deleteSnapshot(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld()
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            let copy = try await snapshot(world, of: id)
            let record = try await walk.run(on: world.database, world.registry) { runner in
                try await SnapshotEngine(world.parts, sagas: runner).delete(copy, isForced: false, for: context)
                return try #require(try await world.snapshot(copy)?.sagaRun)
            }
            if let snapshot = try await world.snapshot(copy) {
                #expect(record.state == .failed)
                #expect(snapshot.status == .errorDeleting)
                #expect(snapshot.sagaRun == nil)
            } else {
                #expect(world.driver.snapshots[copy] == nil)
            }
            #expect(try await world.locks() == 0)
        }
    }

    // MARK: Other bytes and places

    @Test("a volume reads as its snapshot, or is in error", arguments: SagaWalk.all(RewriteVolumeSaga.self))
    func revert(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld()
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            world.driver.write(1, to: id)
            let copy = try await snapshot(world, of: id)
            world.driver.write(2, to: id)
            let record = try await walk.run(on: world.database, world.registry) { runner in
                try await VolumeEngine(world.parts, sagas: runner).revert(id, to: copy, for: context)
                return try await run(world, of: id)
            }
            let volume = try #require(try await world.parts.volume(id))
            #expect(volume.sagaRun == nil)
            #expect(try await world.snapshot(copy)?.status == .available)
            if record.state == .finished {
                #expect(volume.status == .available)
                #expect(world.driver.volumes[id]?.content == .written(1))
            } else {
                #expect(volume.status == .error || volume.status == .available)
            }
            #expect(try await world.locks() == 0)
        }
    }

    @Test("a volume reads as an image, and its snapshot stays", arguments: SagaWalk.all(RewriteVolumeSaga.self))
    func reimage(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld()
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            world.driver.write(1, to: id)
            let copy = try await snapshot(world, of: id)
            let record = try await walk.run(on: world.database, world.registry) { runner in
                try await VolumeEngine(world.parts, sagas: runner)
                    .reimage(id, from: BlockStorageWorld.image, allowsReserved: false, for: context)
                return try await run(world, of: id)
            }
            let volume = try #require(try await world.parts.volume(id))
            #expect(volume.sagaRun == nil)
            // At no moment is there no volume.
            #expect(!world.driver.calls.contains("delete"))
            #expect(world.driver.snapshots[copy]?.content == .written(1))
            if record.state == .finished {
                #expect(volume.status == .available)
                #expect(world.driver.volumes[id]?.content == .image(BlockStorageWorld.image))
            } else {
                #expect(volume.status == .error || volume.status == .available)
            }
            #expect(try await world.locks() == 0)
        }
    }

    @Test("an image has the volume's bytes, or there is none", arguments: SagaWalk.all(UploadVolumeSaga.self))
    func upload(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld()
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            let image = Once<String>()
            let record = try await walk.run(on: world.database, world.registry) { runner in
                let options = VolumeEngine.UploadOptions(image: .init(name: "i"), isForced: false)
                image.set(
                    try await VolumeEngine(world.parts, sagas: runner).upload(id, options, for: context).image.id
                        .rawValue)
                return try await run(world, of: id)
            }
            let volume = try #require(try await world.parts.volume(id))
            #expect(volume.status == .available)
            #expect(volume.sagaRun == nil)
            let made = world.images[ID(try #require(image.value))]
            if record.state == .finished { #expect(made?.status == "active") } else { #expect(made == nil) }
            #expect(try await world.locks() == 0)
        }
    }

    @Test("an image of what a guest uses has the bytes of one moment", arguments: SagaWalk.all(UploadVolumeSaga.self))
    func uploadInUse(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld(movesOnSnapshot: true)
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            world.driver.write(9, to: id)
            try await world.attach(id)
            let image = Once<String>()
            let record = try await walk.run(on: world.database, world.registry) { runner in
                let options = VolumeEngine.UploadOptions(image: .init(name: "i"), isForced: true)
                image.set(
                    try await VolumeEngine(world.parts, sagas: runner).upload(id, options, for: context).image.id
                        .rawValue)
                return try await run(world, of: id)
            }
            // The walk's trap may have caught the run of the snapshot, too; it goes on with a runner of its own.
            try await world.prepare { _ in }
            let volume = try #require(try await world.parts.volume(id))
            #expect(volume.status == .inUse)
            #expect(volume.sagaRun == nil)
            #expect(world.driver.volumes[id]?.content == .written(9))
            let made = world.images[ID(try #require(image.value))]
            if record.state == .finished {
                #expect(made?.status == "active")
                let calls = world.driver.calls
                let frozen = try #require(calls.firstIndex(of: "createSnapshot"))
                #expect(try #require(calls.firstIndex(of: "export")) > frozen)
            } else {
                #expect(made == nil)
            }
            // The snapshot was for the image alone.
            #expect(world.driver.snapshots.isEmpty)
            #expect(try await world.database.read { try $0.count("SELECT COUNT(*) FROM volume_snapshots") } == 0)
            #expect(try await world.locks() == 0)
        }
    }

    @Test("a volume is on one backend, with its bytes", arguments: SagaWalk.all(MigrateVolumeSaga.self))
    func migrate(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld()
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            #expect(try await world.parts.volume(id)?.host == "node-1@one#pool")
            _ = try await walk.run(on: world.database, world.registry) { runner in
                try await VolumeEngine(world.parts, sagas: runner).migrate(id, to: "node-1@two#pool", for: context)
                return try await run(world, of: id)
            }
            let volume = try #require(try await world.parts.volume(id))
            #expect(volume.status == .available)
            #expect(volume.sagaRun == nil)
            let isThere = volume.host == "node-1@two#pool"
            #expect((world.other.volumes[id] != nil) == isThere)
            if !isThere { #expect(world.driver.volumes[id] != nil) }
            if walk.expectedState == .finished {
                #expect(isThere)
                #expect(world.driver.volumes[id] == nil)
            }
            #expect(try await world.locks() == 0)
        }
    }

    @Test(
        "a volume that a guest has open is where the guest has it, and nowhere else",
        arguments: SagaWalk.all(MigrateAttachedVolumeSaga.self))
    func migrateAttached(_ walk: SagaWalk) async throws {
        let world = try await BlockStorageWorld()
        try await world.run(runsSagas: false) {
            let id = try await volume(world)
            let lease = try await world.attach(id)
            world.driver.write(7, to: id)
            _ = try await walk.run(on: world.database, world.registry) { runner in
                try await VolumeEngine(world.parts, sagas: runner).migrate(id, to: "node-1@two#pool", for: context)
                #expect(try await world.status(id) == "in-use")
                return try await run(world, of: id)
            }
            let volume = try #require(try await world.parts.volume(id))
            #expect(volume.status == .inUse)
            #expect(volume.sagaRun == nil)
            let hasMoved = world.compute.place(of: id) != nil
            if walk.expectedState == .finished { #expect(hasMoved) }
            #expect(volume.host == (hasMoved ? "node-1@two#pool" : "node-1@one#pool"))
            #expect(volume.migration == (hasMoved ? "success" : "error"))
            let (here, there) = hasMoved ? (world.other, world.driver) : (world.driver, world.other)
            #expect(here.volumes[id]?.content == .written(7))
            #expect(here.connections[id] == ["node-1"])
            #expect(there.volumes[id] == nil)
            #expect(there.connections[id] == nil)
            #expect(world.compute.copies == 0)
            let stores = world.parts.stores
            let (attachment, arriving) = try await world.database.read { transaction in
                (
                    try stores.attachments.attachment(lease, transaction),
                    try stores.volumes.volumes(movingTo: "node-1@two", transaction)
                )
            }
            let path = "\(hasMoved ? "/two" : "/fake")/volume-\(id)"
            #expect(attachment?.connection?.source == .file(path: path, format: .qcow2))
            #expect(arriving.isEmpty)
            #expect(try await world.locks() == 0)
        }
    }
}
