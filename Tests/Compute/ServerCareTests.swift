// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ComputeCore
import ImageContract
import Synchronization
import TestKit
import Testing

/// Goal: servers are made anew, rescued, put on the shelf and taken from it as upstream's are, in each version.
/// Method: calls through the router against a fake hypervisor.
@Suite("Care for servers over the API")
struct ServerCareTests {
    private static let other = "33333333-3333-4333-8333-333333333333"

    private func addImage(_ world: ComputeWorld, _ id: String = other, _ properties: [String: String] = [:]) throws {
        var image = try #require(world.images[ID(ComputeWorld.image)])
        image.id = ID(id)
        image.properties = properties
        world.images.set(image)
    }

    private func act(
        _ world: ComputeWorld, _ id: String, _ body: JSON, as token: String = "demo", version: String = "2.1",
        expecting status: Int = 202, at location: SourceLocation = #_sourceLocation
    ) async throws -> TestAnswer {
        let answer = try await world.call(
            .post, "/servers/\(id)/action", body, as: token, version: version, expecting: status, at: location)
        try await world.settled(id)
        return answer
    }

    private func rootVolume(_ volume: VolumeID) -> [String: JSON] {
        [
            "imageRef": "",
            "block_device_mapping_v2": [
                [
                    "boot_index": 0, "source_type": "volume", "destination_type": "volume",
                    "uuid": .string(volume.rawValue),
                ]
            ],
        ]
    }

    // MARK: Rebuild

    @Test("a rebuild gives a server another image, and what else was asked for")
    func rebuild() async throws {
        let world = try await ComputeWorld()
        try addImage(world)
        try await world.run {
            let id = try await world.boot("one", ["config_drive": true])
            let ports = world.networks.ports.keys.sorted()
            let isHeld = Held()
            world.hypervisor.setGate { call, _ in
                guard call == "spawn" else { return }
                try await eventually { !isHeld.value }
            }
            let answer = try await world.call(
                .post, "/servers/\(id)/action",
                [
                    "rebuild": [
                        "imageRef": .string(Self.other), "name": "new", "metadata": ["a": "b"], "adminPass": "secret",
                        "accessIPv4": "10.1.2.3", "description": "said", "user_data": "aGVsbG8=",
                        "hostname": "named",
                    ]
                ], version: "2.90", expecting: 202)
            #expect(answer["server", "status"] == "REBUILD")
            #expect(answer["server", "image", "id"]?.string == Self.other)
            #expect(answer["server", "adminPass"] == "secret" && answer["server", "user_data"] == "aGVsbG8=")
            isHeld.release()
            #expect(answer.headers["Location"]?.hasSuffix("/servers/\(id)") == true)
            try await world.settled(id)
            let server = try await world.call(.get, "/servers/\(id)", version: "2.90")["server"]
            #expect(server?["status"] == "ACTIVE" && server?["name"] == "new" && server?["description"] == "said")
            #expect(server?["metadata"] == ["a": "b"] && server?["accessIPv4"] == "10.1.2.3")
            #expect(server?["OS-EXT-SRV-ATTR:hostname"] == "named")
            let guest = try #require(world.hypervisor.inventory[ServerID(id)])
            #expect(guest.specification.rootImage?.imageID == Self.other && guest.powerState == .running)
            #expect(guest.specification.keepsEphemeral == nil)
            #expect(world.networks.ports.keys.sorted() == ports)
            let actions = try await world.call(.get, "/servers/\(id)/os-instance-actions")["instanceActions"]
            #expect(actions?.array?.first?["action"] == "rebuild" && actions?.array?.first?["message"]?.isNull == true)
        }
    }

    @Test("a server that is off stays off when it is rebuilt")
    func rebuildStopped() async throws {
        let world = try await ComputeWorld()
        try addImage(world)
        try await world.run {
            let id = try await world.boot()
            _ = try await act(world, id, ["os-stop": nil])
            let answer = try await act(
                world, id, ["rebuild": ["imageRef": .string(Self.other), "preserve_ephemeral": true]])
            #expect(answer["server", "adminPass"]?.string?.utf8.count == 12)
            #expect(answer["server", "OS-EXT-STS:vm_state"] == nil)
            #expect(try await world.status(id) == "SHUTOFF")
            let guest = try #require(world.hypervisor.inventory[ServerID(id)])
            #expect(guest.powerState == .shutdown && guest.specification.keepsEphemeral == true)
        }
    }

    @Test("a rebuild is refused in upstream's words")
    func refusedRebuild() async throws {
        let world = try await ComputeWorld()
        try addImage(world)
        let rebuild: JSON = ["rebuild": ["imageRef": .string(Self.other)]]
        try await world.run {
            let id = try await world.boot()
            _ = try await act(world, id, ["rebuild": [:]], expecting: 400)
            _ = try await act(world, id, ["rebuild": ["imageRef": "no-uuid"]], expecting: 400)
            let absent: JSON = ["rebuild": ["imageRef": "44444444-4444-4444-8444-444444444444"]]
            let answer = try await act(world, id, absent, expecting: 400)
            #expect(answer.body.text().contains("Cannot find image for rebuild"))
            // Each version has its fields.
            for (field, value, version) in [
                ("description", "a", "2.18"), ("key_name", "a", "2.53"), ("user_data", "aGVsbG8=", "2.56"),
                ("trusted_image_certificates", ["a"], "2.62"), ("hostname", "a", "2.89"), ("personality", [], "2.57"),
            ] as [(String, JSON, String)] {
                let body: JSON = ["rebuild": .object(["imageRef": .string(Self.other), field: value])]
                _ = try await act(world, id, body, version: version, expecting: 400)
            }
            _ = try await act(
                world, id,
                ["rebuild": ["imageRef": .string(Self.other), "trusted_image_certificates": ["a"]]], version: "2.63",
                expecting: 400)
            _ = try await act(
                world, id, ["rebuild": ["imageRef": .string(Self.other), "key_name": "none"]], version: "2.54",
                expecting: 400)
            _ = try await act(world, id, rebuild, as: "other", expecting: 404)
            _ = try await act(world, id, rebuild, as: "reader", expecting: 403)
            _ = try await act(world, id, ["pause": nil])
            let paused = try await act(world, id, rebuild, expecting: 409)
            #expect(
                paused.body.text().contains("Cannot 'rebuild' instance \(id) while it is in vm_state paused"))
            _ = try await act(world, id, ["unpause": nil])
            _ = try await act(world, id, ["lock": nil])
            _ = try await act(world, id, rebuild, expecting: 409)
        }
    }

    @Test("a root volume keeps its image until 2.93, and gets the new one's bytes from then on")
    func rebuildVolume() async throws {
        let world = try await ComputeWorld()
        try addImage(world)
        let root = world.volumes.add(isBootable: true, metadata: ["image_id": ComputeWorld.image])
        try await world.run {
            let id = try await world.boot("one", rootVolume(root))
            let rebuild: JSON = ["rebuild": ["imageRef": .string(Self.other)]]
            let refused = try await act(world, id, rebuild, version: "2.92", expecting: 400)
            #expect(refused.body.text().contains("Unable to rebuild with a different image"))
            _ = try await act(world, id, ["rebuild": ["imageRef": .string(ComputeWorld.image)]], version: "2.92")
            #expect(world.volumes.volumes[root]?.imageMetadata["image_id"] == ComputeWorld.image)
            let answer = try await act(world, id, rebuild, version: "2.93")
            #expect(answer["server", "image"] == "")
            #expect(world.volumes.volumes[root]?.imageMetadata["image_id"] == Self.other)
            #expect(try await world.status(id) == "ACTIVE")
            let guest = try #require(world.hypervisor.inventory[ServerID(id)])
            #expect(guest.volumes.map(\.id) == [root] && guest.specification.rootImage == nil)
            #expect(world.volumes.leases.map(\.isComplete) == [true])
        }
    }

    // MARK: Rescue

    @Test("a server is rescued with its own image, and boots its own disk again")
    func rescue() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = try await world.boot("one", world.attached(volume))
            let answer = try await act(world, id, ["rescue": ["adminPass": "secret"]], expecting: 200)
            #expect(answer["adminPass"] == "secret")
            #expect(try await world.status(id) == "RESCUE")
            let rescued = try #require(world.hypervisor.inventory[ServerID(id)])
            #expect(rescued.rescue?.image.imageID == ComputeWorld.image && rescued.rescue?.isStable == false)
            for body: JSON in [
                ["reboot": ["type": "HARD"]], ["rebuild": ["imageRef": .string(ComputeWorld.image)]],
                ["rescue": nil], ["shelve": nil], ["os-stop": nil],
            ] { _ = try await act(world, id, body, expecting: 409) }
            try await world.call(
                .post, "/servers/\(id)/os-volume_attachments",
                ["volumeAttachment": ["volumeId": .string(world.volumes.add().rawValue)]], expecting: 409)
            _ = try await act(world, id, ["unrescue": nil])
            #expect(try await world.status(id) == "ACTIVE")
            let guest = try #require(world.hypervisor.inventory[ServerID(id)])
            #expect(guest.rescue == nil && guest.powerState == .running && guest.volumes.map(\.id) == [volume])
            _ = try await act(world, id, ["unrescue": nil], expecting: 409)
            _ = try await act(world, id, ["pause": nil])
            _ = try await act(world, id, ["rescue": nil], expecting: 409)
        }
    }

    @Test("an image that names its device rescues servers that boot from volumes, from 2.87 on")
    func stableRescue() async throws {
        let world = try await ComputeWorld()
        try addImage(world, Self.other, ["hw_rescue_device": "disk", "hw_rescue_bus": "virtio"])
        let root = world.volumes.add(isBootable: true)
        try await world.run {
            let id = try await world.boot("one", rootVolume(root))
            let rescue: JSON = ["rescue": ["rescue_image_ref": .string(Self.other)]]
            let refused = try await act(world, id, rescue, version: "2.86", expecting: 400)
            #expect(refused.body.text().contains("Cannot rescue a volume-backed instance"))
            _ = try await act(world, id, ["rescue": nil], version: "2.87", expecting: 400)
            let absent = "44444444-4444-4444-8444-444444444444"
            _ = try await act(
                world, id, ["rescue": ["rescue_image_ref": .string(absent)]], version: "2.87", expecting: 400)
            _ = try await act(world, id, rescue, version: "2.87", expecting: 200)
            let rescued = world.hypervisor.inventory[ServerID(id)]?.rescue
            #expect(rescued?.isStable == true && rescued?.bus == "virtio" && rescued?.image.imageID == Self.other)
            _ = try await act(world, id, ["unrescue": nil])
            #expect(try await world.status(id) == "ACTIVE")
        }
    }

    // MARK: Shelf

    @Test("a shelved server leaves its host, and comes back from its image")
    func shelve() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = try await world.boot("one", world.attached(volume))
            _ = try await act(world, id, ["shelve": nil])
            let server = try await world.call(.get, "/servers/\(id)", as: "admin")["server"]
            #expect(server?["status"] == "SHELVED_OFFLOADED" && server?["OS-EXT-SRV-ATTR:host"]?.isNull == true)
            let image = try #require(world.images.all.first { $0.name == "one-shelved" })
            #expect(image.status == "active" && image.properties["image_type"] == "snapshot")
            #expect(world.hypervisor.inventory.isEmpty && world.placement.consumers.isEmpty)
            #expect(world.networks.ports.count == 1 && world.networks.hosts.isEmpty)
            #expect(world.volumes.leases.map(\.host) == [nil])
            _ = try await act(world, id, ["shelve": nil], expecting: 409)
            _ = try await act(world, id, ["os-start": nil], expecting: 409)
            _ = try await act(world, id, ["shelveOffload": nil], as: "admin", expecting: 409)

            _ = try await act(world, id, ["unshelve": nil])
            await world.sagas.idle()
            #expect(try await world.status(id) == "ACTIVE")
            let guest = try #require(world.hypervisor.inventory[ServerID(id)])
            #expect(guest.specification.rootImage?.imageID == image.id.rawValue)
            #expect(guest.volumes.map(\.id) == [volume] && world.volumes.leases.map(\.isComplete) == [true])
            #expect(world.images[image.id] == nil && world.placement.consumers == [id])
            #expect(Array(world.networks.hosts.values) == ["node-1"])
            _ = try await act(world, id, ["unshelve": nil], expecting: 409)
        }
    }

    @Test("a shelved server may stay on its host until an administrator sends it away")
    func shelveOnHost() async throws {
        let world = try await ComputeWorld { $0.offloadsShelved = false }
        try await world.run {
            let id = try await world.boot()
            _ = try await act(world, id, ["shelve": nil])
            #expect(try await world.status(id) == "SHELVED")
            #expect(world.hypervisor.inventory[ServerID(id)]?.powerState == .shutdown)
            let zone: JSON = ["unshelve": ["availability_zone": "nova"]]
            let refused = try await act(world, id, zone, version: "2.77", expecting: 409)
            #expect(refused.body.text().contains("The server status must be SHELVED_OFFLOADED"))
            _ = try await act(world, id, ["unshelve": nil])
            await world.sagas.idle()
            #expect(try await world.status(id) == "ACTIVE")
            #expect(world.images.all.allSatisfy { $0.name != "one-shelved" })

            _ = try await act(world, id, ["shelve": nil])
            _ = try await act(world, id, ["shelveOffload": nil], expecting: 403)
            _ = try await act(world, id, ["shelveOffload": nil], as: "admin")
            #expect(try await world.status(id) == "SHELVED_OFFLOADED")
            #expect(world.hypervisor.inventory.isEmpty)
            _ = try await act(
                world, id, ["unshelve": ["availability_zone": "elsewhere"]], version: "2.77", expecting: 400)
            _ = try await act(world, id, ["unshelve": [:]], version: "2.77", expecting: 400)
            let host: JSON = ["unshelve": ["host": "node-1"]]
            _ = try await act(world, id, host, version: "2.91", expecting: 403)
            _ = try await act(
                world, id, ["unshelve": ["host": "nowhere"]], as: "admin", version: "2.91", expecting: 400)
            _ = try await act(world, id, host, as: "admin", version: "2.91")
            await world.sagas.idle()
            #expect(try await world.status(id) == "ACTIVE")
        }
    }

    @Test("a server that boots from a volume is shelved without an image")
    func shelveVolume() async throws {
        let world = try await ComputeWorld { $0.offloadsShelved = false }
        let root = world.volumes.add(isBootable: true)
        try await world.run {
            let id = try await world.boot("one", rootVolume(root))
            let images = world.images.all.count
            _ = try await act(world, id, ["shelve": nil])
            #expect(try await world.status(id) == "SHELVED_OFFLOADED")
            #expect(world.images.all.count == images && world.hypervisor.inventory.isEmpty)
            _ = try await act(world, id, ["unshelve": nil])
            #expect(world.hypervisor.inventory[ServerID(id)]?.volumes.map(\.id) == [root])
        }
    }

    @Test("volumes come and go while a server is on the shelf, and its image goes with it")
    func shelvedVolumes() async throws {
        let world = try await ComputeWorld()
        let (first, second) = (world.volumes.add(), world.volumes.add())
        try await world.run {
            let id = try await world.boot()
            _ = try await act(world, id, ["shelve": nil])
            for volume in [first, second] {
                let body: JSON = ["volumeAttachment": ["volumeId": .string(volume.rawValue)]]
                let path = "/servers/\(id)/os-volume_attachments"
                try await world.call(.post, path, body, version: "2.19", expecting: 409)
                try await world.call(.post, path, body, version: "2.20", expecting: 200)
            }
            #expect(world.volumes.leases.map(\.isComplete) == [true, true])
            let attachment = "/servers/\(id)/os-volume_attachments/\(first)"
            try await world.call(.delete, attachment, version: "2.19", expecting: 409)
            try await world.call(.delete, attachment, version: "2.20", expecting: 202)
            await world.sagas.idle()
            #expect(world.volumes.leases.map(\.volume) == [second])
            _ = try await act(world, id, ["unshelve": nil])
            #expect(world.hypervisor.inventory[ServerID(id)]?.volumes.map(\.id) == [second])

            _ = try await act(world, id, ["shelve": nil])
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { try await world.call(.get, "/servers/\(id)").status == 404 }
            await world.sagas.idle()
            #expect(world.isClean && world.images.all.allSatisfy { $0.name != "one-shelved" })
        }
    }

    // MARK: Backups

    @Test("of the backups of a server only the newest stay")
    func backups() async throws {
        let world = try await ComputeWorld()
        let root = world.volumes.add(isBootable: true)
        try await world.run {
            let id = try await world.boot()
            for number in 1...3 {
                let answer = try await act(
                    world, id,
                    [
                        "createBackup": [
                            "name": .string("backup-\(number)"), "backup_type": "daily", "rotation": 2,
                        ]
                    ], version: number == 1 ? "2.1" : "2.45")
                if number == 1 {
                    #expect(answer.headers["Location"]?.contains("/image/v2/images/") == true)
                } else {
                    #expect(answer["image_id"]?.string != nil)
                }
            }
            let kept = world.images.all.filter { $0.properties["image_type"] == "backup" }
            #expect(Set(kept.map(\.name)) == ["backup-2", "backup-3"])
            #expect(kept.allSatisfy { $0.properties["backup_type"] == "daily" && $0.status == "active" })
            _ = try await act(
                world, id, ["createBackup": ["name": "x", "backup_type": "daily", "rotation": -1]], expecting: 400)
            _ = try await act(world, id, ["createBackup": ["name": "x", "rotation": 1]], expecting: 400)
            let actions = try await world.call(.get, "/servers/\(id)/os-instance-actions")["instanceActions"]
            #expect(actions?.array?.first?["action"] == "createBackup")

            let second = try await world.boot("two", rootVolume(root))
            let answer = try await act(
                world, second, ["createBackup": ["name": "x", "backup_type": "daily", "rotation": 1]], expecting: 400)
            #expect(answer.body.text().contains("Backup is not supported for volume-backed instances."))
        }
    }

    // MARK: Inside the guest

    @Test("passwords are for guests with an agent, crashes for those that run")
    func inside() async throws {
        let world = try await ComputeWorld()
        try addImage(world, Self.other, ["hw_qemu_guest_agent": "yes", "os_admin_user": "boss"])
        try await world.run {
            let id = try await world.boot()
            let change: JSON = ["changePassword": ["adminPass": "new"]]
            let refused = try await act(world, id, change, expecting: 409)
            #expect(refused.body.text().contains("QEMU guest agent is not enabled"))
            _ = try await act(world, id, ["changePassword": [:]], expecting: 400)
            let second = try await world.boot("two", ["imageRef": .string(Self.other)])
            _ = try await act(world, second, change)
            #expect(world.hypervisor.inventory[ServerID(second)]?.passwords == ["boss": "new"])

            _ = try await act(world, id, ["trigger_crash_dump": nil], version: "2.16", expecting: 404)
            _ = try await act(world, id, ["trigger_crash_dump": nil], version: "2.17")
            #expect(world.hypervisor.inventory[ServerID(id)]?.crashDumps == 1)
            _ = try await act(world, id, ["os-stop": nil])
            _ = try await act(world, id, ["trigger_crash_dump": nil], version: "2.17", expecting: 409)
            _ = try await act(world, id, change, expecting: 409)
        }
    }

    // MARK: Soft deletion

    @Test("a deleted server can be restored until it is reclaimed")
    func softDelete() async throws {
        let world = try await ComputeWorld { $0.reclaimInterval = .seconds(3600) }
        try await world.run {
            let id = try await world.boot()
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await world.settled(id)
            #expect(try await world.status(id) == "SOFT_DELETED")
            #expect(world.hypervisor.inventory[ServerID(id)]?.powerState == .shutdown)
            #expect(try await world.call(.get, "/servers")["servers"]?.array?.isEmpty == true)
            _ = try await act(world, id, ["os-start": nil], expecting: 409)
            _ = try await act(world, id, ["restore": nil])
            #expect(try await world.status(id) == "ACTIVE")
            #expect(world.hypervisor.inventory[ServerID(id)]?.powerState == .running)
            _ = try await act(world, id, ["restore": nil], expecting: 409)

            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await world.settled(id)
            _ = try await act(world, id, ["forceDelete": nil])
            try await eventually { try await world.call(.get, "/servers/\(id)").status == 404 }
            await world.sagas.idle()
            #expect(world.isClean)
        }
    }

    @Test("the reconciler ends deleted servers, and sends shelved ones away, when their time has come")
    func reclaim() async throws {
        let world = try await ComputeWorld {
            $0.reclaimInterval = .seconds(3600)
            $0.shelvedOffloadDelay = .seconds(3600)
        }
        try await world.run {
            let (deleted, shelved) = (try await world.boot("one"), try await world.boot("two"))
            try await world.call(.delete, "/servers/\(deleted)", expecting: 204)
            _ = try await act(world, shelved, ["shelve": nil])
            try await world.settled(deleted)
            let reconciler = ComputeReconciler(world.parts, sagas: world.sagas)
            _ = try await reconciler.reconcile()
            #expect(try await world.status(deleted) == "SOFT_DELETED")
            #expect(try await world.status(shelved) == "SHELVED")
            try await world.database.write { transaction in
                try transaction.execute("UPDATE server_soft_deletions SET deleted_at = 0")
                try transaction.execute("UPDATE server_shelves SET shelved_at = 0")
            }
            _ = try await reconciler.reconcile()
            try await eventually { try await world.call(.get, "/servers/\(deleted)").status == 404 }
            try await eventually { try await world.status(shelved) == "SHELVED_OFFLOADED" }
            await world.sagas.idle()
            #expect(world.hypervisor.inventory.isEmpty)
        }
    }
}

/// Holds something up until a test lets it go.
private final class Held: Sendable {
    private let isHeld = Atomic<Bool>(true)
    var value: Bool { isHeld.load(ordering: .acquiring) }
    func release() { isHeld.store(false, ordering: .releasing) }
}
