// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import TaskKit
import TestKit
import Testing

/// Goal: work on volumes ends, whatever the backend does and whoever works beside it. Method: calls through the real
/// router, with a fake driver that fails when it is told to.
@Suite("Work on volumes")
struct VolumeWorkTests {
    @Test("a type that the backend is fit for is taken in place; another moves the volume, when it may")
    func retype() async throws {
        let world = try await BlockStorageWorld()
        try await world.addType("here", ["volume_backend_name": "fake"])
        try await world.addType("there", ["pool_name": "pool", "free_capacity_gb": "<= 40"])
        try await world.run {
            let id = try await world.make()
            try await world.action(id, "os-retype", ["new_type": "nonsense"], expecting: 404)
            try await world.action(id, "os-retype", ["new_type": "here"])
            let shown = try await world.call(.get, "/volumes/\(id)")
            #expect(shown["volume", "volume_type"] == "here")
            #expect(try await world.status(id) == "available")
            try await world.action(id, "os-retype", ["new_type": "here"], expecting: 400)
            try await world.action(id, "os-retype", ["new_type": "there"], expecting: 400)
            try await world.action(id, "os-retype", ["new_type": "there", "migration_policy": "on-demand"])
            await world.sagas.idle()
            #expect(try await world.parts.volume(id)?.host == "node-1@two#pool")
            #expect(world.driver.volumes[id] == nil)
            #expect(world.other.volumes[id] != nil)
        }
    }

    @Test("volumes go where their type says, and beside or away from others")
    func placement() async throws {
        let world = try await BlockStorageWorld()
        try await world.addType("small", ["capabilities:total_capacity_gb": "<= 40"])
        try await world.run {
            let first = try await world.make()
            #expect(try await world.parts.volume(first)?.host == "node-1@one#pool")
            let small = try await world.make(["size": 1, "volume_type": "small"])
            #expect(try await world.parts.volume(small)?.host == "node-1@two#pool")
            let answer = try await world.call(
                .post, "/volumes",
                [
                    "volume": ["size": 1],
                    "OS-SCH-HNT:scheduler_hints": ["different_host": [.string(first.rawValue)]],
                ], expecting: 202)
            let away = VolumeID(try #require(answer["volume", "id"]?.string))
            try await world.settled(away)
            #expect(try await world.parts.volume(away)?.host == "node-1@two#pool")
            try await world.call(
                .post, "/volumes", ["volume": ["size": 1, "availability_zone": "moon"]], expecting: 400)
        }
    }

    @Test("a volume moves to another backend, and back")
    func migrate() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            try await world.action(id, "os-migrate_volume", ["host": "node-1@two#pool"], expecting: 403)
            try await world.action(id, "os-migrate_volume", ["host": "nowhere@x#y"], as: "admin", expecting: 400)
            for host in ["node-1@two#pool", "node-1@one#pool"] {
                try await world.action(id, "os-migrate_volume", ["host": .string(host)], as: "admin")
                try await eventually { try await world.parts.volume(id)?.host == host }
                await world.sagas.idle()
            }
            #expect(world.driver.volumes[id] != nil)
            #expect(world.other.volumes[id] == nil)
            let shown = try await world.call(.get, "/volumes/\(id)", as: "admin")
            #expect(shown["volume", "migration_status"] == "success")
        }
    }

    @Test("a volume that a guest has open moves below it, keeps its status, and belongs to its run meanwhile")
    func migrateAttached() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let lease = try await world.attach(id)
            world.driver.write(3, to: id)
            world.compute.setStarting([BlockStorageWorld.server])
            try await world.action(id, "os-migrate_volume", ["host": "node-1@two#pool"], as: "admin")
            try await eventually { world.compute.copies == 1 }
            let shown = try await world.call(.get, "/volumes/\(id)", as: "admin")
            #expect(shown["volume", "status"] == "in-use")
            #expect(shown["volume", "migration_status"] == "migrating")
            try await world.action(id, "os-extend", ["new_size": 3], expecting: 400)
            try await world.action(id, "os-migrate_volume", ["host": "node-1@two#pool"], as: "admin", expecting: 400)
            try await world.call(
                .post, "/snapshots", ["snapshot": ["volume_id": .string(id.rawValue), "force": true]],
                version: "3.0", expecting: 400)
            try await world.call(
                .post, "/volumes", ["volume": ["source_volid": .string(id.rawValue), "size": 1]], expecting: 400)
            await #expect(throws: CloudError.self) {
                try await world.storage.beginDetaching(lease, for: TestCallers.demo)
            }
            // What is being written there belongs to nobody's row yet, and stays.
            _ = try await BlockStorageReconciler(world.parts, sagas: world.sagas).reconcile()
            #expect(world.other.volumes[id] != nil)
            world.compute.setStarting([])
            try await world.settled(id)
            #expect(try await world.parts.volume(id)?.host == "node-1@two#pool")
            #expect(world.other.volumes[id]?.content == .written(3))
            #expect(world.driver.volumes[id] == nil)
            #expect(try await world.status(id) == "in-use")
            try await world.storage.beginDetaching(lease, for: TestCallers.demo)
            try await world.storage.release(lease)
            #expect(world.other.connections[id] == nil)
        }
    }

    @Test("a type elsewhere takes the volume there below its guest")
    func retypeAttached() async throws {
        let world = try await BlockStorageWorld()
        try await world.addType("there", ["pool_name": "pool", "free_capacity_gb": "<= 40"])
        try await world.run {
            let id = try await world.make()
            try await world.attach(id)
            world.compute.setStarting([BlockStorageWorld.server])
            try await world.action(id, "os-retype", ["new_type": "there"], expecting: 400)
            try await world.action(id, "os-retype", ["new_type": "there", "migration_policy": "on-demand"])
            #expect(try await world.status(id) == "retyping")
            world.compute.setStarting([])
            try await world.settled(id)
            let shown = try await world.call(.get, "/volumes/\(id)", as: "admin")
            #expect(shown["volume", "status"] == "in-use")
            #expect(shown["volume", "volume_type"] == "there")
            #expect(shown["volume", "os-vol-host-attr:host"] == "node-1@two#pool")
        }
    }

    @Test("a guest that goes off, or lets go, leaves the volume where it was; a silent host is asked until it answers")
    func migrateAttachedFails() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let lease = try await world.attach(id)
            func migrates() async throws {
                world.compute.setStarting([BlockStorageWorld.server])
                try await world.action(id, "os-migrate_volume", ["host": "node-1@two#pool"], as: "admin")
                try await eventually { world.compute.copies == 1 }
            }
            func staysWhereItWas() async throws {
                world.compute.setStarting([])
                try await world.settled(id)
                let volume = try #require(try await world.parts.volume(id))
                #expect(volume.host == "node-1@one#pool")
                #expect(volume.migration == "error")
                #expect(world.other.volumes[id] == nil)
                #expect(world.other.connections[id] == nil)
                #expect(world.compute.copies == 0)
            }
            try await migrates()
            world.compute.setGuestOff(true)
            try await staysWhereItWas()
            #expect(try await world.status(id) == "in-use")
            world.compute.setGuestOff(false)
            try await migrates()
            world.compute.silence(9)
            try await world.storage.release(lease)
            try await staysWhereItWas()
            #expect(try await world.status(id) == "available")
        }
    }

    @Test("only what one server of this cloud can write, and nothing encrypted, moves below its guest")
    func immovable() async throws {
        let world = try await BlockStorageWorld()
        try await world.addType("shared", ["multiattach": "<is> True"])
        try await world.run {
            let id = try await world.make(["size": 1, "volume_type": "shared"])
            try await world.attach(id)
            try await world.attach(id, to: "44444444-4444-4444-8444-444444444444", host: "node-2")
            try await world.action(id, "os-migrate_volume", ["host": "node-1@two#pool"], as: "admin", expecting: 400)
            #expect(try await world.status(id) == "in-use")
            #expect(try await world.parts.volume(id)?.migration == nil)
        }
    }

    @Test("an attached volume grows from 3.42 on")
    func extendAttached() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            try await world.attach(id)
            try await world.call(
                .post, "/volumes/\(id)/action", ["os-extend": ["new_size": 3]], version: "3.41", expecting: 400)
            try await world.action(id, "os-extend", ["new_size": 1], expecting: 400)
            try await world.action(id, "os-extend", ["new_size": 3])
            try await world.settled(id)
            #expect(try await world.status(id) == "in-use")
            #expect(world.compute.sizes[id.rawValue] == 3 << 30)
        }
    }

    @Test("work that the backend refuses leaves the volume usable, or in an error that can be left")
    func refusals() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            world.driver.fail()
            try await world.action(id, "os-extend", ["new_size": 3])
            try await world.settled(id)
            #expect(try await world.status(id) == "error_extending")
            try await world.action(id, "os-reset_status", ["status": "available"], as: "admin")
            world.driver.fail()
            let answer = try await world.call(
                .post, "/snapshots", ["snapshot": ["volume_id": .string(id.rawValue)]], expecting: 202)
            let snapshot = VolumeSnapshotID(try #require(answer["snapshot", "id"]?.string))
            try await world.settled(snapshot)
            #expect(try await world.snapshot(snapshot)?.status == .error)
            world.driver.fail()
            try await world.call(.delete, "/snapshots/\(snapshot)", expecting: 202)
            try await world.settled(snapshot)
            #expect(try await world.snapshot(snapshot)?.status == .errorDeleting)
            try await world.call(.delete, "/snapshots/\(snapshot)", expecting: 202)
            try await eventually { try await world.snapshot(snapshot) == nil }
            world.driver.fail()
            try await world.call(.delete, "/volumes/\(id)", expecting: 202)
            try await world.settled(id)
            #expect(try await world.status(id) == "error_deleting")
            try await world.call(.delete, "/volumes/\(id)", expecting: 202)
            try await eventually { try await world.parts.volume(id) == nil }
            #expect(try await world.locks() == 0)
            #expect(try await world.messages() == 3)
        }
    }

    @Test("snapshots and attachments of one volume at once come one after the other")
    func concurrent() async throws {
        let world = try await BlockStorageWorld(movesOnSnapshot: true)
        try await world.run {
            let id = try await world.make()
            var snapshots: [VolumeSnapshotID] = []
            for _ in 0..<6 {
                let answer = try await world.call(
                    .post, "/snapshots", ["snapshot": ["volume_id": .string(id.rawValue)]], expecting: 202)
                snapshots.append(VolumeSnapshotID(try #require(answer["snapshot", "id"]?.string)))
            }
            try await world.attach(id)
            for snapshot in snapshots { try await world.settled(snapshot) }
            for snapshot in snapshots {
                #expect(try await world.snapshot(snapshot)?.status == .available)
            }
            #expect(try await world.parts.volume(id)?.location == "/fake/volume-\(id).6")
            #expect(try await world.locks() == 0)
        }
    }

    @Test("a shared volume has several leases, each with its own end")
    func multiattach() async throws {
        let world = try await BlockStorageWorld()
        try await world.addType("shared", ["multiattach": "<is> True"])
        try await world.run {
            let id = try await world.make(["size": 1, "volume_type": "shared"])
            let one = try await world.attach(id)
            let two = try await world.attach(id, to: "44444444-4444-4444-8444-444444444444", host: "node-2")
            #expect(world.driver.connections[id] == ["node-1", "node-2"])
            let shown = try await world.call(.get, "/volumes/\(id)")
            #expect(shown["volume", "attachments"]?.array?.count == 2)
            #expect(shown["volume", "multiattach"] == true)
            try await world.storage.release(one)
            #expect(try await world.status(id) == "in-use")
            #expect(world.driver.connections[id] == ["node-2"])
            try await world.storage.release(two)
            #expect(try await world.status(id) == "available")
        }
    }

    @Test("snapshots are shown, changed and listed")
    func snapshots() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let snapshot = try await world.makeSnapshot(of: id)
            let shown = try await world.call(.get, "/snapshots/\(snapshot)", expecting: 200)
            #expect(shown["snapshot", "volume_id"]?.string == id.rawValue)
            #expect(shown["snapshot", "os-extended-snapshot-attributes:progress"] == "100%")
            try await world.call(.get, "/snapshots/\(snapshot)", as: "other", expecting: 404)
            try await world.call(.put, "/snapshots/\(snapshot)", ["snapshot": ["name": "t"]], expecting: 200)
            try await world.call(
                .post, "/snapshots/\(snapshot)/metadata", ["metadata": ["a": "b"]], expecting: 200)
            let list = try await world.call(
                .get, "/snapshots/detail?name=t&metadata=%7B'a':%20'b'%7D&with_count=true", expecting: 200)
            #expect(list["count"] == 1)
            #expect(list["snapshots", "0", "metadata"] == ["a": "b"])
            #expect(try await world.call(.get, "/snapshots?status=error")["snapshots"] == [])
            try await world.call(
                .post, "/snapshots", ["snapshot": ["volume_id": .string(id.rawValue), "force": false]], expecting: 400)
            try await world.call(
                .post, "/snapshots/\(snapshot)/action", ["os-reset_status": ["status": "error"]], as: "admin",
                expecting: 202)
            try await world.call(.delete, "/snapshots/\(snapshot)", expecting: 202)
            try await eventually { try await world.snapshot(snapshot) == nil }
        }
    }

    @Test("entity tags keep two writers of metadata apart")
    func entityTags() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make(["size": 1, "metadata": ["a": "b"]])
            let tag = try #require(try await world.call(.get, "/volumes/\(id)/metadata").headers["Etag"])
            let path = "/volume/v3/project-demo/volumes/\(id)/metadata"
            for status in [200, 412] {
                let answer = try await world.router.call(
                    .put, path, ["metadata": ["a": "c"]],
                    headers: [
                        "X-Auth-Token": "demo", "OpenStack-API-Version": "volume 3.15", "If-Match": "\"\(tag)\"",
                    ])
                #expect(answer.status == status)
            }
        }
    }

    @Test("a snapshot waits for a host that is about to open the volume")
    func waitsForAttachment() async throws {
        let world = try await BlockStorageWorld(movesOnSnapshot: true)
        try await world.run {
            let id = try await world.make()
            let attachment: VolumeAttachmentID = world.parts.ids.next()
            let lock = world.parts.ids.uuid()
            let (stores, now) = (world.parts.stores, world.parts.clock.now())
            // The snapshot is accepted, and held up until the volume has been promised to a server.
            try await world.database.write { _ = try stores.locks.take(id, for: lock, isRun: true, at: now, $0) }
            let answer = try await world.call(
                .post, "/snapshots", ["snapshot": ["volume_id": .string(id.rawValue)]], expecting: 202)
            let snapshot = VolumeSnapshotID(try #require(answer["snapshot", "id"]?.string))
            try await world.storage.reserve(
                attachment, volume: id, server: BlockStorageWorld.server, for: TestCallers.demo)
            try await world.database.write { try stores.locks.release(id, of: lock, $0) }
            let connection = try await world.storage.connect(attachment, to: .init(host: "node-1", ip: "10.0.0.1"))
            if try await world.snapshot(snapshot)?.status == .creating {
                #expect(connection.source == .file(path: "/fake/volume-\(id)", format: .qcow2))
                #expect(try await world.parts.volume(id)?.location == "/fake/volume-\(id)")
            }
            try await world.storage.complete(attachment, device: "/dev/vdb")
            try await world.settled(snapshot)
            #expect(try await world.snapshot(snapshot)?.status == .available)
            let location = try await world.parts.volume(id)?.location
            #expect(
                world.compute.moves.last == location || connection.source == .file(path: location ?? "", format: .qcow2)
            )
        }
    }

    @Test("a snapshot waits for a guest that is about to start, and the key is in no row")
    func waitsForStart() async throws {
        let world = try await BlockStorageWorld(movesOnSnapshot: true)
        try await world.run {
            try await world.addType("luks", isEncrypted: true)
            let stores = world.parts.stores
            let id = try await world.make(["size": 1, "volume_type": "luks"])
            let attachment = try await world.attach(id)
            world.compute.setStarting([BlockStorageWorld.server])
            let answer = try await world.call(
                .post, "/snapshots", ["snapshot": ["volume_id": .string(id.rawValue), "force": true]], expecting: 202)
            let snapshot = VolumeSnapshotID(try #require(answer["snapshot", "id"]?.string))
            // The run has looked at the server, and asked to be repeated.
            let run = try #require(try await world.snapshot(snapshot)?.sagaRun)
            try await eventually("the run waits") {
                try await world.database.read {
                    try $0.count("SELECT COUNT(*) FROM saga_runs WHERE id = \(run) AND attempts > 0")
                } == 1
            }
            #expect(try await world.parts.volume(id)?.location == "/fake/volume-\(id)")
            #expect(try await world.snapshot(snapshot)?.status == .creating)
            world.compute.setStarting([])
            try await world.settled(snapshot)
            #expect(try await world.snapshot(snapshot)?.status == .available)
            let row = try await world.database.read { try stores.attachments.attachment(attachment, $0) }
            #expect(row?.connection?.source == .file(path: "/fake/volume-\(id).1", format: .qcow2))
            #expect(row?.connection?.passphrase == nil)
        }
    }

    @Test("a deletion that an administrator has taken the volume from deletes nothing more")
    func rescued() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let copy = try await world.makeSnapshot(of: id)
            let away = CloudError(.unavailable, "away")
            world.driver.fail(1_000_000, with: away)
            try await world.call(.delete, "/snapshots/\(copy)", expecting: 202)
            try await world.call(
                .post, "/snapshots/\(copy)/action", ["os-reset_status": ["status": "available"]], as: "admin",
                expecting: 202)
            try await world.call(.delete, "/volumes/\(id)?cascade=true", expecting: 202)
            try await world.action(id, "os-reset_status", ["status": "available"], as: "admin")
            world.driver.fail(0, with: away)
            await world.sagas.idle()
            #expect(try await world.status(id) == "available")
            #expect(world.driver.volumes[id] != nil)
            #expect(world.driver.snapshots[copy] != nil)
            #expect(try await world.locks() == 0)
            try await world.call(.delete, "/volumes/\(id)?cascade=true", expecting: 202)
            try await eventually { try await world.parts.volume(id) == nil }
        }
    }

    @Test("a run that lost its volume leaves no size and no migration behind")
    func lostWork() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let stores = world.parts.stores
            try await world.database.write { transaction in
                try transaction.execute(
                    "UPDATE volumes SET status = 'extending', pending_size_gib = 9, migration = 'starting' WHERE id = \(id)"
                )
            }
            try await world.action(id, "os-reset_status", ["status": "available"], as: "admin")
            let volume = try #require(try await world.parts.volume(id))
            #expect(volume.pendingSizeGiB == nil)
            #expect(volume.migration == "error")
            try await world.database.read { _ = try stores.volumes.volume(id, $0) }
        }
    }

    @Test("a volume is made of a backup's bytes only when there is one")
    func noBackup() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            try await world.call(
                .post, "/volumes", ["volume": ["size": 1, "backup_id": .string(world.parts.ids.uuid())]], expecting: 404
            )
        }
    }
}
