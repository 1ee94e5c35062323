// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import TaskKit
import TestKit
import Testing

/// Goal: volumes, snapshots and attachments behave over the API as upstream's. Method: calls through the real router,
/// with an agent and the fake driver behind the bus.
@Suite("Routes of volumes")
struct VolumeRoutesTests {
    @Test("the version document is open, at both places")
    func versions() async throws {
        let world = try await BlockStorageWorld()
        let root = try await world.router.call(.get, "/volume/")
        #expect(root.status == 300)
        #expect(root["versions", "0", "id"] == "v3.0")
        let v3 = try await world.router.call(.get, "/volume/v3/")
        #expect(v3.status == 200)
        #expect(v3["versions", "0", "version"] == "3.71")
        #expect(v3["versions", "0", "min_version"] == "3.0")
    }

    @Test("the project may be left out of the path, but not be another's")
    func project() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let plain = try await world.router.call(
                .get, "/volume/v3/volumes/\(id)",
                headers: ["X-Auth-Token": "demo", "OpenStack-API-Version": "volume 3.67"])
            #expect(plain.status == 200)
            let foreign = try await world.router.call(
                .get, "/volume/v3/project-other/volumes/\(id)", headers: ["X-Auth-Token": "demo"])
            #expect(foreign.status == 400)
            #expect(foreign["badRequest", "message"] == "Malformed request url")
            try await world.call(.get, "/volumes/\(id)", as: "other", expecting: 404)
        }
    }

    @Test("a path that ends where the id should be names nothing")
    func trailingSlash() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            _ = try await world.make()
            try await world.call(.get, "/volumes/", expecting: 404)
            try await world.call(.delete, "/volumes/", expecting: 404)
            try await world.call(.put, "/volumes/", ["volume": ["name": "x"]], expecting: 404)
            try await world.call(.get, "/snapshots/", expecting: 404)
        }
    }

    @Test("a snapshot's extended attributes are in what is read alone")
    func snapshotAttributes() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let volume = try await world.make()
            let made = try await world.call(
                .post, "/snapshots", ["snapshot": ["volume_id": .string(volume.rawValue)]], as: "demo", expecting: 202)
            let id = VolumeSnapshotID(try #require(made["snapshot", "id"]?.string))
            try await world.settled(id)
            let key = "os-extended-snapshot-attributes:project_id"
            let changed = try await world.call(.put, "/snapshots/\(id)", ["snapshot": ["name": "s"]], expecting: 200)
            for answer in [made, changed] {
                #expect(answer["snapshot", key] == nil)
                #expect(answer["snapshot", "user_id"] == "user-demo")
            }
            let shown = try await world.call(.get, "/snapshots/\(id)", expecting: 200)
            #expect(shown["snapshot", key] == "project-demo")
            #expect(shown["snapshot", "os-extended-snapshot-attributes:progress"] == "100%")
            let list = try await world.call(.get, "/snapshots/detail", expecting: 200)
            #expect(list["snapshots", "0", key] == "project-demo")
        }
    }

    @Test("a volume in error is available again when it is detached by force")
    func forceDetach() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            try await world.action(
                id, "os-attach", ["instance_uuid": .string(BlockStorageWorld.server), "mountpoint": "/dev/vdb"])
            try await world.action(id, "os-reset_status", ["status": "error"], as: "admin")
            let shown = try await world.call(.get, "/volumes/\(id)", expecting: 200)
            let attachment = try #require(shown["volume", "attachments", "0", "attachment_id"])
            try await world.action(
                id, "os-force_detach", ["attachment_id": attachment, "connector": .null], as: "admin")
            #expect(try await world.status(id) == "available")
            #expect(try await world.call(.get, "/volumes/\(id)")["volume", "attachments"] == [])
        }
    }

    @Test("a blank volume is made, shown, changed, listed and deleted")
    func life() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make(["size": 2, "name": " one ", "metadata": ["a": "b"]])
            let shown = try await world.call(.get, "/volumes/\(id)", expecting: 200)
            #expect(shown["volume", "name"] == "one")
            #expect(shown["volume", "size"] == 2)
            #expect(shown["volume", "bootable"] == "false")
            #expect(shown["volume", "volume_type"] == "__DEFAULT__")
            #expect(shown["volume", "metadata"] == ["a": "b"])
            #expect(shown["volume", "os-vol-host-attr:host"] == nil)
            #expect(shown["volume", "os-vol-tenant-attr:tenant_id"] == "project-demo")
            let seen = try await world.call(.get, "/volumes/\(id)", as: "admin", expecting: 200)
            #expect(seen["volume", "os-vol-host-attr:host"] == "node-1@one#pool")

            try await world.call(.put, "/volumes/\(id)", ["volume": ["name": "two"]], expecting: 200)
            try await world.call(.put, "/volumes/\(id)", ["volume": ["name": "x"]], as: "reader", expecting: 403)
            let list = try await world.call(.get, "/volumes/detail?name=two&with_count=true", expecting: 200)
            #expect(list["volumes", "0", "id"]?.string == id.rawValue)
            #expect(list["count"] == 1)
            #expect(try await world.call(.get, "/volumes?name=none")["volumes"] == [])
            #expect(try await world.call(.get, "/volumes", as: "other")["volumes"] == [])
            try await world.call(.get, "/volumes?host=x", expecting: 400)
            let summary = try await world.call(.get, "/volumes/summary", expecting: 200)
            #expect(summary["volume-summary", "total_size"] == 2)

            try await world.call(.delete, "/volumes/\(id)", expecting: 202)
            try await eventually { try await world.parts.volume(id) == nil }
            try await world.call(.get, "/volumes/\(id)", expecting: 404)
            #expect(world.driver.volumes.isEmpty)
        }
    }

    @Test("lists have pages, in the order that is asked for")
    func pages() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            for name in ["c", "a", "b"] { _ = try await world.make(["size": 1, "name": .string(name)]) }
            let first = try await world.call(.get, "/volumes?sort=name:asc&limit=2", expecting: 200)
            #expect(first["volumes", "0", "name"] == "a")
            #expect(first["volumes", "1", "name"] == "b")
            #expect(first["volumes_links", "0", "rel"] == "next")
            let marker = try #require(first["volumes", "1", "id"]?.string)
            let second = try await world.call(.get, "/volumes?sort=name:asc&limit=2&marker=\(marker)", expecting: 200)
            #expect(second["volumes", "0", "name"] == "c")
            #expect(second["volumes_links"] == nil)
            try await world.call(.get, "/volumes?limit=-1", expecting: 400)
            try await world.call(.get, "/volumes?sort=nonsense", expecting: 400)
        }
    }

    @Test("a volume of an image boots, and remembers the image")
    func fromImage() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make(["size": 1, "imageRef": .string(BlockStorageWorld.image)])
            #expect(world.driver.volumes[id]?.content == .image(BlockStorageWorld.image))
            let shown = try await world.call(.get, "/volumes/\(id)", expecting: 200)
            #expect(shown["volume", "bootable"] == "true")
            #expect(shown["volume", "volume_image_metadata", "image_id"]?.string == BlockStorageWorld.image)
            #expect(shown["volume", "volume_image_metadata", "hw_disk_bus"] == "virtio")
            try await world.call(
                .post, "/volumes", ["volume": ["size": 1, "imageRef": .string(world.parts.ids.uuid())]], expecting: 400)
        }
    }

    @Test("copies have the bytes of their source, and are no smaller")
    func copies() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make(["size": 2])
            world.driver.write(5, to: id)
            let snapshot = try await world.makeSnapshot(of: id)
            world.driver.write(6, to: id)
            let old = try await world.make(["snapshot_id": .string(snapshot.rawValue)])
            let new = try await world.make(["source_volid": .string(id.rawValue), "size": 3])
            #expect(world.driver.volumes[old] == .init(content: .written(5), sizeGiB: 2))
            #expect(world.driver.volumes[new] == .init(content: .written(6), sizeGiB: 3))
            let small = try await world.call(
                .post, "/volumes", ["volume": ["snapshot_id": .string(snapshot.rawValue), "size": 1]], expecting: 400)
            #expect(small["badRequest", "message"]?.string?.contains("cannot be smaller than") == true)
            let busy = try await world.call(.delete, "/volumes/\(id)", expecting: 400)
            #expect(busy["badRequest", "message"]?.string?.hasPrefix("Invalid volume: ") == true)
            try await world.call(.delete, "/volumes/\(id)?cascade=true", expecting: 202)
            try await eventually { try await world.parts.volume(id) == nil }
            #expect(world.driver.snapshots.isEmpty)
        }
    }

    @Test("quotas are counted from what is there")
    func quotas() async throws {
        let world = try await BlockStorageWorld { $0.quota.volumes = 2; $0.quota.gigabytes = 10 }
        try await world.run {
            let id = try await world.make(["size": 4])
            let large = try await world.call(.post, "/volumes", ["volume": ["size": 7]], expecting: 413)
            #expect(
                large["overLimit", "message"]
                    == "Requested volume or snapshot exceeds allowed gigabytes quota. Requested 7G, quota is 10G and "
                    .jsonPlus("4G has been consumed."))
            _ = try await world.make(["size": 1])
            try await world.call(.post, "/volumes", ["volume": ["size": 1]], expecting: 413)
            try await world.action(id, "os-extend", ["new_size": 10], expecting: 413)
            try await world.action(id, "os-extend", ["new_size": 9])
            try await world.settled(id)
            #expect(try await world.parts.volume(id)?.sizeGiB == 9)
        }
    }

    @Test("a volume that no backend has room for is in error, with a message")
    func noBackend() async throws {
        let world = try await BlockStorageWorld { $0.quota.gigabytes = -1 }
        try await world.run {
            _ = try await world.make(["size": 100_000], status: "error")
            #expect(try await world.messages() == 1)
        }
    }

    @Test("a forced deletion overtakes a creation that hangs")
    func forced() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            try await world.action(id, "os-reset_status", ["status": "creating"], as: "admin")
            try await world.call(.delete, "/volumes/\(id)", expecting: 400)
            try await world.action(id, "os-force_delete", as: "demo", expecting: 403)
            try await world.call(.delete, "/volumes/\(id)?force=true", as: "admin", expecting: 202)
            try await eventually { try await world.parts.volume(id) == nil }
            #expect(world.driver.volumes.isEmpty)
        }
    }

    // MARK: Attachments

    @Test("an attachment is a lease: reserved, connected, complete, gone")
    func attachments() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let made = try await world.call(
                .post, "/attachments",
                ["attachment": ["volume_uuid": .string(id.rawValue), "instance_uuid": .string(BlockStorageWorld.server)]],
                expecting: 200)
            #expect(made["attachment", "status"] == "reserved")
            let attachment = try #require(made["attachment", "id"]?.string)
            #expect(try await world.status(id) == "reserved")
            try await world.call(
                .post, "/attachments", ["attachment": ["volume_uuid": .string(id.rawValue)]], expecting: 400)
            let connected = try await world.call(
                .put, "/attachments/\(attachment)",
                ["attachment": ["connector": ["host": "h", "ip": "10.0.0.2", "mountpoint": "/dev/vdc"]]], expecting: 200)
            #expect(connected["attachment", "connection_info", "driver_volume_type"] == "local")
            #expect(world.driver.connections[id] == ["h"])
            #expect(try await world.status(id) == "attaching")
            try await world.call(
                .post, "/attachments/\(attachment)/action", ["os-complete": nil], expecting: 204)
            #expect(try await world.status(id) == "in-use")
            let shown = try await world.call(.get, "/volumes/\(id)", expecting: 200)
            #expect(shown["volume", "attachments", "0", "attachment_id"]?.string == attachment)
            #expect(shown["volume", "attachments", "0", "device"] == "/dev/vdc")
            try await world.call(.delete, "/volumes/\(id)", expecting: 400)
            try await world.call(.get, "/attachments/\(attachment)", as: "other", expecting: 404)
            #expect(try await world.call(.get, "/attachments")["attachments", "0", "id"]?.string == attachment)
            try await world.call(.delete, "/attachments/\(attachment)", expecting: 200)
            #expect(try await world.status(id) == "available")
            #expect(world.driver.connections.isEmpty)
        }
    }

    @Test("what a guest uses ends through Compute alone")
    func guarded() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let attachment = try await world.attach(id)
            let refused = try await world.call(.delete, "/attachments/\(attachment)", expecting: 409)
            #expect(refused["conflictingRequest", "message"]?.string?.contains("Compute API") == true)
            try await world.action(id, "os-detach", [:], expecting: 409)
            try await world.action(id, "os-force_detach", [:], as: "admin", expecting: 409)
            try await world.action(id, "os-reset_status", ["attach_status": "detached"], as: "admin", expecting: 409)
            try await world.action(id, "os-terminate_connection", ["connector": [:]], expecting: 409)
            let other = try await world.make()
            let mismatched: JSON = ["attachment_id": .string(attachment.rawValue)]
            try await world.action(other, "os-detach", mismatched, expecting: 400)
            try await world.action(
                other, "os-detach", ["attachment_id": .string(world.parts.ids.uuid())], expecting: 404)
            // Nor is it connected elsewhere, or again.
            let elsewhere: JSON = ["attachment": ["connector": ["host": "h", "ip": "10.0.0.2"]]]
            try await world.call(.put, "/attachments/\(attachment)", elsewhere, expecting: 409)
            try await world.action(
                id, "os-initialize_connection", ["connector": ["host": "node-1", "ip": "10.0.0.2"]], expecting: 409)
            #expect(world.driver.connections[id] == ["node-1"])
            let hidden = try await world.call(.get, "/attachments/\(attachment)", expecting: 200)
            #expect(hidden["attachment", "connection_info"] == [:])
            try await world.storage.beginDetaching(attachment, for: TestCallers.demo)
            #expect(try await world.status(id) == "detaching")
            await #expect(throws: CloudError.self) {
                try await world.storage.beginDetaching(attachment, for: TestCallers.demo)
            }
            try await world.storage.abortDetaching(attachment)
            #expect(try await world.status(id) == "in-use")
            try await world.storage.release(attachment)
            try await world.storage.release(attachment)
            #expect(try await world.status(id) == "available")
        }
    }

    @Test("a volume that Compute has made goes when its lease ends")
    func doomed() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id: VolumeID = world.parts.ids.next()
            let draft = ServerVolumeDraft(source: .image(BlockStorageWorld.image), sizeGiB: 1)
            for _ in 0..<2 { _ = try await world.storage.ensureVolume(id, draft, name: "root", for: TestCallers.demo) }
            let info = try await world.storage.waitUntilAvailable(id, limit: .seconds(120))
            #expect(info.isBootable)
            let attachment = try await world.attach(id)
            try await world.storage.deleteServerVolume(id)
            #expect(try await world.status(id) == "in-use")
            try await world.storage.release(attachment)
            try await eventually { try await world.parts.volume(id) == nil }
            #expect(world.driver.volumes.isEmpty)
        }
    }

    @Test("a lease without a host keeps the volume for its server, and lets it be made anew")
    func reimagedRoot() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let attachment = try await world.attach(id)
            await #expect(throws: CloudError.self) {
                try await world.storage.reimage(
                    id, from: BlockStorageWorld.image, limit: .seconds(60), for: TestCallers.demo)
            }
            for _ in 0..<2 {
                try await world.storage.disconnect(attachment)
                #expect(try await world.status(id) == "reserved")
                #expect(world.driver.connections[id, default: []].isEmpty)
            }
            for _ in 0..<2 {
                try await world.storage.reimage(
                    id, from: BlockStorageWorld.image, limit: .seconds(60), for: TestCallers.demo)
                #expect(try await world.status(id) == "reserved")
            }
            #expect(world.driver.volumes[id]?.content == .image(BlockStorageWorld.image))
            let info = try await world.storage.volume(id, for: TestCallers.demo)
            #expect(info?.imageMetadata["image_id"] == BlockStorageWorld.image && info?.isBootable == true)
            _ = try await world.storage.connect(attachment, to: .init(host: "node-2", ip: "10.0.0.2"))
            try await world.storage.complete(attachment, device: "/dev/vda")
            #expect(try await world.status(id) == "in-use")
            try await world.storage.release(attachment)
            try await world.storage.disconnect(attachment)
            #expect(try await world.status(id) == "available")
        }
    }

    @Test("the classic actions reach the same ends")
    func classic() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            try await world.action(id, "os-reserve")
            #expect(try await world.status(id) == "attaching")
            try await world.action(id, "os-unreserve")
            #expect(try await world.status(id) == "available")
            try await world.action(id, "os-reserve")
            let answer = try await world.call(
                .post, "/volumes/\(id)/action", ["os-initialize_connection": ["connector": ["host": "h", "ip": "1.2.3.4"]]],
                expecting: 200)
            #expect(answer["connection_info", "driver_volume_type"] == "local")
            try await world.action(id, "os-attach", ["mountpoint": "/dev/sdb", "host_name": "h"])
            #expect(try await world.status(id) == "in-use")
            try await world.action(id, "os-begin_detaching")
            #expect(try await world.status(id) == "detaching")
            try await world.action(id, "os-roll_detaching")
            try await world.action(id, "os-begin_detaching")
            try await world.action(id, "os-terminate_connection", ["connector": ["host": "h"]])
            try await world.action(id, "os-detach", [:])
            #expect(try await world.status(id) == "available")
            #expect(world.driver.connections.isEmpty)
        }
    }

    // MARK: Actions

    @Test("small actions change what they say")
    func actions() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            try await world.action(id, "os-set_bootable", ["bootable": true], expecting: 200)
            try await world.action(id, "os-update_readonly_flag", ["readonly": true])
            let shown = try await world.call(.get, "/volumes/\(id)")
            #expect(shown["volume", "bootable"] == "true")
            #expect(shown["volume", "metadata", "readonly"] == "True")
            try await world.action(id, "os-set_image_metadata", ["metadata": ["a": "b"]], expecting: 200)
            try await world.action(id, "os-unset_image_metadata", ["key": "a"], expecting: 200)
            try await world.action(id, "os-unset_image_metadata", ["key": "a"], expecting: 404)
            try await world.action(id, "os-nonsense", [:], expecting: 400)
            try await world.action(id, "os-reset_status", ["status": "error"], as: "demo", expecting: 403)
            try await world.action(id, "os-reset_status", ["status": "error"], as: "admin")
            #expect(try await world.status(id) == "error")
            try await world.call(
                .post, "/volumes/\(id)/metadata", ["metadata": ["k": "v", "l": "w"]], expecting: 200)
            try await world.call(.put, "/volumes/\(id)/metadata/k", ["meta": ["k": "x"]], expecting: 200)
            try await world.call(.put, "/volumes/\(id)/metadata/k", ["meta": ["z": "x"]], expecting: 400)
            try await world.call(.delete, "/volumes/\(id)/metadata/l", expecting: 200)
            #expect(try await world.call(.get, "/volumes/\(id)/metadata")["metadata"] == ["k": "x"])
        }
    }

    @Test("an image is made of a volume")
    func upload() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let id = try await world.make()
            let answer = try await world.call(
                .post, "/volumes/\(id)/action", ["os-volume_upload_image": ["image_name": "i", "disk_format": "qcow2"]],
                expecting: 202)
            #expect(answer["os-volume_upload_image", "status"] == "uploading")
            let image = try #require(answer["os-volume_upload_image", "image_id"]?.string)
            try await world.settled(id)
            #expect(world.images[ID(image)]?.status == "active")
            #expect(try await world.status(id) == "available")
        }
    }

    @Test("what a backend has already is taken over, and let go of again")
    func manage() async throws {
        let world = try await BlockStorageWorld()
        world.driver.addForeign("old", sizeGiB: 3)
        try await world.run {
            let list = try await world.call(
                .get, "/manageable_volumes?host=node-1@one%23pool", as: "admin", expecting: 200)
            #expect(list["manageable-volumes", "0", "reference", "source-name"] == "old")
            let answer = try await world.call(
                .post, "/manageable_volumes",
                ["volume": ["host": "node-1@one#pool", "ref": ["source-name": "old"], "name": "kept"]], as: "admin",
                expecting: 202)
            let id = VolumeID(try #require(answer["volume", "id"]?.string))
            try await world.settled(id)
            #expect(try await world.status(id) == "available")
            #expect(try await world.parts.volume(id)?.sizeGiB == 3)
            try await world.action(id, "os-unmanage", [:], as: "admin")
            try await eventually { try await world.parts.volume(id) == nil }
            #expect(try await world.driver.foreignVolumes().map(\.reference) == ["old"])
            try await world.call(
                .get, "/manageable_volumes?host=node-1@one%23pool", as: "demo", expecting: 403)
        }
    }

    @Test("an encrypted volume's key opens it, and goes with the last copy")
    func encrypted() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            try await world.addType("luks", isEncrypted: true)
            let stores = world.parts.stores
            let id = try await world.make(["size": 1, "volume_type": "luks"])
            let copy = try await world.make(["source_volid": .string(id.rawValue)])
            let attachment: VolumeAttachmentID = world.parts.ids.next()
            try await world.storage.reserve(
                attachment, volume: copy, server: BlockStorageWorld.server, for: TestCallers.demo)
            let connection = try await world.storage.connect(attachment, to: .init(host: "h", ip: "10.0.0.1"))
            let original = try await world.parts.handle(try #require(try await world.parts.volume(id)))
            #expect(connection.passphrase != nil)
            #expect(connection.passphrase == original.passphrase)
            let stored = try await world.database.read { try stores.attachments.attachment(attachment, $0) }
            #expect(stored?.connection?.passphrase == nil)
            try await world.storage.release(attachment)
            for volume in [id, copy] {
                try await world.call(.delete, "/volumes/\(volume)", expecting: 202)
                try await eventually { try await world.parts.volume(volume) == nil }
            }
            #expect(try await world.database.read { try $0.count("SELECT COUNT(*) FROM volume_keys") } == 0)
        }
    }

    // MARK: Repair

    @Test("a reservation of a client that never comes back ends")
    func reservations() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let (forgotten, fresh) = (try await world.make(), try await world.make())
            for id in [forgotten, fresh] { try await world.action(id, "os-reserve") }
            let long = world.parts.clock.now() - .seconds(3700)
            try await world.database.write {
                try $0.execute("UPDATE volumes SET updated_at = \(long) WHERE id = \(forgotten)")
            }
            #expect(try await BlockStorageReconciler(world.parts, sagas: world.sagas).reconcile() == 1)
            #expect(try await world.status(forgotten) == "available")
            #expect(try await world.status(fresh) == "attaching")
        }
    }

    @Test("rows and leases that nobody cares for come to rest")
    func reconciles() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let (lost, leased) = (try await world.make(), try await world.make())
            let attachment = try await world.attach(leased)
            world.compute.forget(attachment.rawValue)
            let long = world.parts.clock.now() - .seconds(3600)
            try await world.database.write { transaction in
                try transaction.execute(
                    "UPDATE volumes SET status = 'extending', previous_status = 'available', updated_at = \(long) WHERE id = \(lost)"
                )
                try transaction.execute("UPDATE volume_attachments SET created_at = \(long)")
                try transaction.execute(
                    "INSERT INTO volume_locks (volume_id, holder, is_run, locked_at) VALUES (\(lost), 'x', 1, \(long))")
            }
            #expect(try await BlockStorageReconciler(world.parts, sagas: world.sagas).reconcile() >= 3)
            #expect(try await world.status(lost) == "error_extending")
            #expect(try await world.status(leased) == "available")
            #expect(world.driver.connections.isEmpty)
            #expect(try await world.locks() == 0)
        }
    }
}

extension String {
    /// For messages that are longer than a line.
    fileprivate func jsonPlus(_ rest: String) -> JSON { .string(self + rest) }
}
