// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import SecurityKit
import TestKit
import Testing

/// Goal: backups are made of volumes, guests' volumes and snapshots, come back with the same bytes, and are refused
/// where upstream refuses. Method: calls through the router, the real store of files, the fake backend.
@Suite("Routes of backups")
struct BackupRoutesTests {
    private static func with(
        movesOnSnapshot: Bool = false, change: @escaping (inout BlockStorageConfig) -> Void = { _ in },
        _ body: @escaping @Sendable (BlockStorageWorld) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let world = try await BlockStorageWorld(movesOnSnapshot: movesOnSnapshot) { config in
                config.scratchDirectory = directory + "/scratch"
                config.backupDirectory = directory + "/backups"
                change(&config)
            }
            try await world.run { try await body(world) }
        }
    }

    private static func settled(_ world: BlockStorageWorld, _ id: VolumeBackupID) async throws -> VolumeBackup? {
        let stores = world.parts.stores
        try await eventually("backup \(id) at rest") {
            try await world.database.read { try stores.backups.backup(id, $0)?.sagaRun == nil }
        }
        return try await world.database.read { try stores.backups.backup(id, $0) }
    }

    private static func make(
        _ world: BlockStorageWorld, of volume: VolumeID, _ fields: [String: JSON] = [:]
    ) async throws -> VolumeBackupID {
        let body = fields.merging(["volume_id": .string(volume.rawValue)]) { first, _ in first }
        let answer = try await world.call(.post, "/backups", ["backup": .object(body)], expecting: 202)
        let id = VolumeBackupID(try #require(answer["backup", "id"]?.string))
        let backup = try #require(try await settled(world, id))
        #expect(backup.status == .available, "\(backup.failReason ?? "")")
        return id
    }

    private static func restore(
        _ world: BlockStorageWorld, _ id: VolumeBackupID, into volume: VolumeID? = nil
    ) async throws -> VolumeID {
        let body: JSON = volume.map { ["volume_id": .string($0.rawValue)] } ?? [:]
        let answer = try await world.call(.post, "/backups/\(id)/restore", ["restore": body], expecting: 202)
        #expect(answer["restore", "backup_id"]?.string == id.rawValue)
        let target = VolumeID(try #require(answer["restore", "volume_id"]?.string))
        try await world.settled(target)
        _ = try await settled(world, id)
        #expect(try await world.status(target) == "available")
        return target
    }

    @Test("a backup outlives its volume and becomes another one")
    func roundTrip() async throws {
        try await Self.with { world in
            let volume = try await world.make(["size": 1, "imageRef": .string(BlockStorageWorld.image)])
            world.driver.write(41, to: volume)
            let id = try await Self.make(world, of: volume, ["name": "b", "metadata": ["k": "v"]])
            #expect(try await world.status(volume) == "available")
            try await world.call(.delete, "/volumes/\(volume)", expecting: 202)
            try await eventually { try await world.parts.volume(volume) == nil }
            let shown = try await world.call(.get, "/backups/\(id)", expecting: 200)
            #expect(shown["backup", "status"] == "available")
            #expect(shown["backup", "size"] == 1)
            #expect(shown["backup", "is_incremental"] == false)
            #expect(shown["backup", "object_count"] == 1)
            #expect(shown["backup", "metadata", "k"] == "v")
            #expect(shown["backup"]?["os-backup-project-attr:project_id"] == nil)
            let copy = try await Self.restore(world, id)
            #expect(world.driver.volumes[copy]?.content == .written(41))
            let restored = try await world.call(.get, "/volumes/\(copy)", expecting: 200)
            #expect(restored["volume", "name"]?.string == "restore_backup_\(id)")
            #expect(restored["volume", "bootable"] == "true")
            #expect(restored["volume", "volume_image_metadata", "image_id"]?.string == BlockStorageWorld.image)
            try await world.call(.delete, "/backups/\(id)", expecting: 202)
            #expect(try await Self.settled(world, id) == nil)
            #expect(try await world.parts.backupStore.content(id) == nil)
            #expect(try await world.locks() == 0)
        }
    }

    @Test("incremental backups build on the latest one, which stays for as long")
    func incremental() async throws {
        try await Self.with { world in
            let volume = try await world.make()
            let refused = try await world.call(
                .post, "/backups", ["backup": ["volume_id": .string(volume.rawValue), "incremental": true]],
                expecting: 400)
            #expect(
                refused["badRequest", "message"]
                    == "Invalid backup: No backups available to do an incremental backup.")
            world.driver.write(1, to: volume)
            let full = try await Self.make(world, of: volume)
            world.driver.write(2, to: volume)
            let delta = try await Self.make(world, of: volume, ["incremental": true])
            #expect(try await world.call(.get, "/backups/\(full)")["backup", "has_dependent_backups"] == true)
            #expect(try await world.call(.get, "/backups/\(delta)")["backup", "is_incremental"] == true)
            let kept = try await world.call(.delete, "/backups/\(full)", expecting: 400)
            #expect(kept["badRequest", "message"] == "Invalid backup: Incremental backups exist for this backup.")
            for (id, number) in [(delta, 2), (full, 1)] {
                _ = try await Self.restore(world, id, into: volume)
                #expect(world.driver.volumes[volume]?.content == .written(number))
            }
            try await world.call(.delete, "/backups/\(delta)", expecting: 202)
            #expect(try await Self.settled(world, delta) == nil)
            try await world.call(.delete, "/backups/\(full)", expecting: 202)
            #expect(try await Self.settled(world, full) == nil)
        }
    }

    @Test("a guest's volume is frozen for its backup, and the snapshot goes afterwards", arguments: [false, true])
    func inUse(movesOnSnapshot: Bool) async throws {
        try await Self.with(movesOnSnapshot: movesOnSnapshot) { world in
            let volume = try await world.make()
            world.driver.write(5, to: volume)
            try await world.attach(volume)
            let body: JSON = ["backup": ["volume_id": .string(volume.rawValue)]]
            let refused = try await world.call(.post, "/backups", body, expecting: 400)
            #expect(
                refused["badRequest", "message"]
                    == "Invalid volume: Backing up an in-use volume must use the force flag.")
            let id = try await Self.make(world, of: volume, ["force": true])
            #expect(try await world.status(volume) == "in-use")
            #expect(world.driver.snapshots.isEmpty)
            #expect(try await world.call(.get, "/snapshots")["snapshots"] == [])
            #expect(world.compute.moves.count == (movesOnSnapshot ? 1 : 0))
            let copy = try await Self.restore(world, id)
            #expect(world.driver.volumes[copy]?.content == .written(5))
            #expect(try await world.locks() == 0)
        }
    }

    @Test("a snapshot is backed up as it was")
    func ofSnapshot() async throws {
        try await Self.with { world in
            let volume = try await world.make()
            world.driver.write(1, to: volume)
            let snapshot = try await world.makeSnapshot(of: volume)
            world.driver.write(2, to: volume)
            let id = try await Self.make(world, of: volume, ["snapshot_id": .string(snapshot.rawValue)])
            #expect(try await world.snapshot(snapshot)?.status == .available)
            let copy = try await Self.restore(world, id)
            #expect(world.driver.volumes[copy]?.content == .written(1))
            let other = try await world.make()
            let refused = try await world.call(
                .post, "/backups",
                ["backup": ["volume_id": .string(other.rawValue), "snapshot_id": .string(snapshot.rawValue)]],
                expecting: 400)
            #expect(refused["badRequest", "message"]?.string?.hasPrefix("Invalid volume: Volume") == true)
        }
    }

    @Test("an encrypted volume's backup is sealed, and opens to encrypted volumes alone")
    func encrypted() async throws {
        try await Self.with { world in
            let type = try await world.call(
                .post, "/types", ["volume_type": ["name": "sealed"]], as: "admin", expecting: 200)
            let typeID = try #require(type["volume_type", "id"]?.string)
            try await world.call(
                .post, "/types/\(typeID)/encryption",
                ["encryption": ["provider": "luks", "control_location": "front-end"]], as: "admin", expecting: 200)
            let volume = try await world.make(["size": 1, "volume_type": "sealed"])
            world.driver.write(77, to: volume)
            let id = try await Self.make(world, of: volume)
            let plain = try await world.make()
            try await world.call(
                .post, "/backups/\(id)/restore", ["restore": ["volume_id": .string(plain.rawValue)]], expecting: 400)
            // The key stays for as long as the backup.
            try await world.call(.delete, "/volumes/\(volume)", expecting: 202)
            try await eventually { try await world.parts.volume(volume) == nil }
            let copy = try await Self.restore(world, id)
            #expect(world.driver.volumes[copy]?.content == .written(77))
            #expect(try await world.parts.volume(copy)?.keyID != nil)
        }
    }

    @Test("a failed backup says why, and leaves the volume as it was")
    func failure() async throws {
        try await Self.with { world in
            let volume = try await world.make()
            world.driver.fail()
            let answer = try await world.call(
                .post, "/backups", ["backup": ["volume_id": .string(volume.rawValue)]], expecting: 202)
            let id = VolumeBackupID(try #require(answer["backup", "id"]?.string))
            let backup = try #require(try await Self.settled(world, id))
            #expect(backup.status == .error)
            #expect(try await world.status(volume) == "available")
            let messages = try await world.call(.get, "/messages?resource_uuid=\(id)", expecting: 200)
            #expect(messages["messages", "0", "event_id"] == "VOLUME_VOLUME_BACKUP_013_020")
            #expect(messages["messages", "0", "resource_type"] == "VOLUME_BACKUP")
            #expect(
                messages["messages", "0", "user_message"]
                    == "create backup:Backup driver failed to create backup.")
            try await world.call(.delete, "/backups/\(id)", expecting: 202)
            #expect(try await Self.settled(world, id) == nil)
        }
    }

    @Test("a record brings a backup back that the database has lost")
    func records() async throws {
        try await Self.with { world in
            let volume = try await world.make()
            world.driver.write(3, to: volume)
            let id = try await Self.make(world, of: volume)
            try await world.call(.get, "/backups/\(id)/export_record", expecting: 403)
            let record = try await world.call(.get, "/backups/\(id)/export_record", as: "admin", expecting: 200)
            try await world.call(.post, "/backups/import_record", record.body, as: "admin", expecting: 400)
            let stores = world.parts.stores
            try await world.database.write { try stores.backups.delete(id, $0) }
            try await world.call(.post, "/backups/import_record", record.body, expecting: 403)
            try await world.call(
                .post, "/backups/import_record",
                ["backup-record": ["backup_service": "cinder.backup.drivers.haneul", "backup_url": "bm9uZQ=="]],
                as: "admin", expecting: 400)
            let made = try await world.call(.post, "/backups/import_record", record.body, as: "admin", expecting: 201)
            #expect(made["backup", "id"]?.string == id.rawValue)
            let shown = try await world.call(.get, "/backups/\(id)", as: "admin", expecting: 200)
            #expect(shown["backup", "status"] == "available")
            #expect(shown["backup", "volume_id"] == "00000000-0000-0000-0000-000000000000")
        }
    }

    @Test("a record under another id makes a second backup of the same bytes, which go with the last of both")
    func copiedRecord() async throws {
        try await Self.with { world in
            let volume = try await world.make()
            world.driver.write(3, to: volume)
            let id = try await Self.make(world, of: volume)
            let record = try await world.call(.get, "/backups/\(id)/export_record", as: "admin", expecting: 200)
            let url = try #require(record["backup-record", "backup_url"]?.string)
            let text = String(decoding: try #require(Base64.decode(url)), as: UTF8.self)
            guard case .object(var fields) = try JSONReader.read(text) else { throw CloudError(.bug, "no record") }
            let copy = VolumeBackupID("22222222-2222-4222-8222-222222222222")
            fields["id"] = .string(copy.rawValue)
            let sent: JSON = [
                "backup-record": [
                    "backup_service": try #require(record["backup-record", "backup_service"]),
                    "backup_url": .string(Base64.encode(Array(JSON.object(fields).text().utf8))),
                ]
            ]
            let made = try await world.call(.post, "/backups/import_record", sent, as: "admin", expecting: 201)
            #expect(made["backup", "id"]?.string == copy.rawValue)
            try await world.call(.delete, "/backups/\(id)", expecting: 202)
            #expect(try await Self.settled(world, id) == nil)
            let restored = try await world.call(
                .post, "/backups/\(copy)/restore", ["restore": [:]], as: "admin", expecting: 202)
            let target = VolumeID(try #require(restored["restore", "volume_id"]?.string))
            try await world.settled(target)
            #expect(try await Self.settled(world, copy)?.status == .available)
            #expect(world.driver.volumes[target]?.content == .written(3))
            try await world.call(.delete, "/backups/\(copy)", as: "admin", expecting: 202)
            #expect(try await Self.settled(world, copy) == nil)
            #expect(try await world.parts.backupStore.content(id) == nil)
        }
    }

    @Test("a volume comes back from its backup with its name and metadata")
    func restoredMetadata() async throws {
        try await Self.with { world in
            let volume = try await world.make(
                ["size": 1, "name": "db", "description": "d", "metadata": ["a": "b"]])
            let id = try await Self.make(world, of: volume)
            let named = try await world.make(["size": 1, "name": "own", "metadata": ["c": "d"]])
            let answer = try await world.call(.post, "/backups/\(id)/restore", ["restore": [:]], expecting: 202)
            let made = VolumeID(try #require(answer["restore", "volume_id"]?.string))
            try await world.settled(made)
            _ = try await Self.settled(world, id)
            try await world.call(
                .post, "/backups/\(id)/restore", ["restore": ["volume_id": .string(named.rawValue)]], expecting: 202)
            try await world.settled(named)
            let first = try await world.call(.get, "/volumes/\(made)", expecting: 200)
            #expect(first["volume", "name"] == "db")
            #expect(first["volume", "description"] == "d")
            #expect(first["volume", "metadata"] == ["a": "b"])
            let second = try await world.call(.get, "/volumes/\(named)", expecting: 200)
            #expect(second["volume", "name"] == "own")
            #expect(second["volume", "metadata"] == ["a": "b"])
        }
    }

    @Test("lists, changes and what administrators may")
    func lists() async throws {
        try await Self.with { world in
            let volume = try await world.make()
            let first = try await Self.make(world, of: volume, ["name": "first"])
            let second = try await Self.make(world, of: volume, ["name": "second"])
            let list = try await world.call(.get, "/backups?sort=name:asc&with_count=true", expecting: 200)
            #expect(list["backups"]?.array?.compactMap { $0["name"]?.string } == ["first", "second"])
            #expect(list["count"] == 2)
            let found = try await world.call(.get, "/backups/detail?name=first", expecting: 200)
            #expect(found["backups"]?.array?.count == 1)
            #expect(try await world.call(.get, "/backups?name~=SEC", as: "admin")["backups"] == [])
            #expect(
                try await world.call(.get, "/backups/detail?all_tenants=1&name~=SEC", as: "admin")[
                    "backups", "0", "os-backup-project-attr:project_id"] == "project-demo")
            try await world.call(.get, "/backups/\(first)", as: "other", expecting: 404)
            let changed = try await world.call(
                .put, "/backups/\(first)", ["backup": ["name": "new", "description": "d"]], expecting: 200)
            #expect(changed["backup", "name"] == "new")
            try await world.call(
                .put, "/backups/\(first)", ["backup": ["name": "new"]], version: "3.8", expecting: 404)
            let reset: JSON = ["os-reset_status": ["status": "error"]]
            try await world.call(.post, "/backups/\(second)/action", reset, expecting: 403)
            try await world.call(.post, "/backups/\(second)/action", reset, as: "admin", expecting: 202)
            #expect(try await world.call(.get, "/backups/\(second)")["backup", "status"] == "error")
            try await world.call(
                .post, "/backups/\(second)/action", ["os-reset_status": ["status": "gone"]], as: "admin",
                expecting: 400)
            try await world.call(
                .post, "/backups/\(second)/action", ["os-force_delete": [:]], as: "admin", expecting: 202)
            #expect(try await Self.settled(world, second) == nil)
        }
    }

    @Test("quotas are counted from what is there")
    func quota() async throws {
        try await Self.with(change: { $0.quota.backups = 1 }) { world in
            let volume = try await world.make()
            let id = try await Self.make(world, of: volume)
            let body: JSON = ["backup": ["volume_id": .string(volume.rawValue)]]
            let refused = try await world.call(.post, "/backups", body, expecting: 413)
            #expect(refused["overLimit", "message"] == "Maximum number of backups allowed (1) exceeded")
            try await world.call(.delete, "/backups/\(id)", expecting: 202)
            #expect(try await Self.settled(world, id) == nil)
            try await world.call(.post, "/backups", body, expecting: 202)
        }
    }
}
