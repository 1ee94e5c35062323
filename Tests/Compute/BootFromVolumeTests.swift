// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ComputeCore
import ImageContract
import TestKit
import Testing

/// Goal: servers boot from volumes of every source, have the disks that were asked for, and are refused with nova's words
/// where nova refuses them.
@Suite("Boot from volume")
struct BootFromVolumeTests {
    private static let root: JSON = [
        "boot_index": 0, "source_type": "image", "destination_type": "volume", "volume_size": 2,
        "uuid": .string(ComputeWorld.image), "delete_on_termination": true,
    ]

    /// The body of a server without an image.
    private func body(_ devices: [JSON], _ extra: [String: JSON] = [:]) -> JSON {
        var fields: [String: JSON] = [
            "name": "one", "flavorRef": "1", "networks": [["uuid": .string(ComputeWorld.network)]],
            "block_device_mapping_v2": .array(devices),
        ]
        for (key, value) in extra { fields[key] = value }
        return ["server": .object(fields)]
    }

    private func create(
        _ world: ComputeWorld, _ devices: [JSON], _ extra: [String: JSON] = [:], version: String = "2.67"
    ) async throws -> ServerID {
        let answer = try await world.call(
            .post, "/servers", body(devices, extra), version: version, expecting: 202)
        let id = try #require(answer["server", "id"]?.string)
        try await world.settled(id)
        return ServerID(id)
    }

    @Test("a volume is made of an image, and the server shows no image")
    func image() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await create(world, [Self.root])
            let server = try await world.call(.get, "/servers/\(id)", as: "admin", version: "2.3")
            #expect(server["server", "status"] == "ACTIVE")
            #expect(server["server", "image"] == "")
            #expect(server["server", "OS-EXT-SRV-ATTR:root_device_name"] == "/dev/vda")
            #expect(server["server", "os-extended-volumes:volumes_attached"]?.array?.count == 1)
            let guest = try #require(world.hypervisor.inventory[id])
            #expect(guest.specification.rootImage == nil)
            #expect(guest.specification.properties["hw_disk_bus"] == "virtio")
            #expect(guest.volumes.map(\.bootIndex) == [0])
            #expect(world.placement.resources(of: id.rawValue)["DISK_GB"] == nil)
            let list = try await world.call(.get, "/servers/detail")
            #expect(list.body.text().contains("volumes_attached\":[{\"id\""))
            // The root stays.
            let volume = try #require(guest.volumes.first?.id)
            let refused = try await world.call(
                .delete, "/servers/\(id)/os-volume_attachments/\(volume)", expecting: 400)
            #expect(refused.body.text().contains("Cannot detach a root device volume"))
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { world.volumes.volumes.isEmpty }
        }
    }

    @Test("a volume outlives its server and boots another")
    func volume() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add(isBootable: true, metadata: ["hw_disk_bus": "scsi", "min_ram": "64"])
        try await world.run {
            for _ in 1...2 {
                let id = try await create(
                    world,
                    [
                        [
                            "boot_index": 0, "source_type": "volume", "destination_type": "volume",
                            "uuid": .string(volume.rawValue),
                        ]
                    ])
                #expect(world.hypervisor.inventory[id]?.volumes.map(\.device) == ["sda"])
                try await world.call(.delete, "/servers/\(id)", expecting: 204)
                try await eventually { world.volumes.leases.isEmpty }
            }
            #expect(world.volumes.volumes.keys.sorted() == [volume])
        }
    }

    @Test("every disk is there: a snapshot's, a blank one, ephemeral ones and swap, with names and tags")
    func disks() async throws {
        let world = try await ComputeWorld()
        let snapshot = world.volumes.addSnapshot(of: world.volumes.add(sizeGiB: 3, isBootable: true))
        try await world.run {
            try await world.call(
                .post, "/flavors",
                ["flavor": ["id": "f", "name": "f", "ram": 64, "vcpus": 1, "disk": 0,
                    "OS-FLV-EXT-DATA:ephemeral": 2, "swap": 64]], as: "admin", expecting: 200)
            let id = try await create(
                world,
                [
                    [
                        "boot_index": 0, "source_type": "snapshot", "destination_type": "volume",
                        "uuid": .string(snapshot.rawValue), "tag": "system",
                    ],
                    ["source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": -1],
                    [
                        "source_type": "blank", "destination_type": "local", "volume_size": 1,
                        "guest_format": "ext3", "boot_index": nil,
                    ],
                    ["source_type": "blank", "destination_type": "local", "guest_format": "swap", "volume_size": 32],
                ], ["flavorRef": "f"])
            let guest = try #require(world.hypervisor.inventory[id])
            #expect(guest.volumes.map(\.device) == ["vda", "vdb"])
            let local = guest.specification.localDisks ?? []
            #expect(local.map(\.device) == ["vdc", "vdd"])
            #expect(local.map(\.sizeMiB) == [1024, 32])
            #expect(local.map(\.format) == ["ext3", nil])
            #expect(world.volumes.volumes.values.map(\.sizeGiB).sorted() == [1, 3, 3])
            let metadata = try await MetadataEngine(world.parts).metadata(
                of: id, in: ProjectID("project-demo"), path: "/openstack/latest/meta_data.json")
            let devices = try JSONReader.read(metadata?.body ?? [])["devices"]?.array ?? []
            #expect(devices.map { $0["tags"] } == [["system"]])
            #expect(devices.first?["path"] == "/dev/vda")
        }
    }

    @Test("the older syntax finds its root disk by name")
    func legacy() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add(isBootable: true)
        try await world.run {
            let answer = try await world.call(
                .post, "/servers",
                [
                    "server": [
                        "name": "one", "flavorRef": "1", "networks": "none",
                        "block_device_mapping": [
                            ["device_name": "/dev/vda", "volume_id": .string(volume.rawValue)]
                        ],
                    ]
                ], version: "2.37", expecting: 202)
            let id = try #require(answer["server", "id"]?.string)
            try await world.settled(id)
            #expect(world.hypervisor.inventory[ServerID(id)]?.volumes.map(\.bootIndex) == [0])
        }
    }

    @Test("an image that describes its disks boots from the snapshot it names")
    func imageMapping() async throws {
        let world = try await ComputeWorld()
        let snapshot = world.volumes.addSnapshot(of: world.volumes.add(sizeGiB: 3, isBootable: true))
        var image = try #require(world.images[ImageID(ComputeWorld.image)])
        image.id = ID("33333333-3333-4333-8333-333333333333")
        image.virtualSizeBytes = 0
        image.properties = [
            "bdm_v2": "True",
            "block_device_mapping":
                #"[{"source_type":"snapshot","destination_type":"volume","snapshot_id":"\#(snapshot)","#
                + #""boot_index":0,"device_name":"/dev/vda","volume_size":3,"delete_on_termination":true}]"#,
        ]
        world.images.set(image)
        let id = image.id.rawValue
        try await world.run {
            let server = ServerID(try await world.boot("one", ["imageRef": .string(id)]))
            #expect(world.hypervisor.inventory[server]?.volumes.map(\.bootIndex) == [0])
            #expect(try await world.call(.get, "/servers/\(server)")["server", "image", "id"] == .string(id))
        }
    }

    @Test("a storage that does not make the volume ends the server in ERROR with its reason, and nothing is left")
    func failure() async throws {
        let world = try await ComputeWorld()
        world.volumes.setFailing("waitUntilAvailable")
        try await world.run {
            let id = try await create(world, [Self.root])
            let server = try await world.call(.get, "/servers/\(id)")
            #expect(server["server", "status"] == "ERROR")
            #expect(server["server", "fault", "message"] == "The storage did not answer.")
            #expect(server["server", "os-extended-volumes:volumes_attached"] == [])
            await world.sagas.idle()
            #expect(world.volumes.volumes.isEmpty && world.volumes.leases.isEmpty && world.isClean)
        }
    }

    struct Refusal: Sendable, CustomStringConvertible {
        var devices: [JSON]
        var extra: [String: JSON] = [:]
        var message: String
        var description: String { message }
    }

    private static let missing = "99999999-9999-4999-8999-999999999999"

    static let refusals: [Refusal] = [
        .init(devices: [], message: "Missing imageRef attribute"),
        .init(
            devices: [["source_type": "blank", "destination_type": "volume", "volume_size": 1]],
            message: "Boot sequence for the instance"),
        .init(
            devices: [["boot_index": 1, "source_type": "blank", "destination_type": "volume", "volume_size": 1]],
            message: "Boot sequence for the instance"),
        .init(
            devices: [["boot_index": 0, "source_type": "image", "destination_type": "volume", "uuid": .string(image)]],
            message: "need to have a non-zero size"),
        .init(
            devices: [root, ["source_type": "blank", "destination_type": "volume"]],
            message: "Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size"),
        .init(
            devices: [["boot_index": 0, "source_type": "volume", "destination_type": "volume"]],
            message: "Missing device UUID."),
        .init(
            devices: [
                ["boot_index": 0, "source_type": "volume", "destination_type": "volume", "uuid": .string(missing)]
            ], message: "failed to get volume \(missing)."),
        .init(
            devices: [
                ["boot_index": 0, "source_type": "snapshot", "destination_type": "volume", "uuid": .string(missing)]
            ], message: "failed to get snapshot \(missing)."),
        .init(
            devices: [
                root, ["source_type": "image", "destination_type": "local", "uuid": .string(image), "boot_index": -1],
            ], message: "Mapping image to local is not supported."),
        .init(
            devices: [root, ["source_type": "blank", "destination_type": "local", "volume_size": 1]],
            message: "Ephemeral disks requested are larger"),
        .init(
            devices: [
                root, ["source_type": "blank", "destination_type": "local", "guest_format": "swap", "volume_size": 1],
            ], message: "Swap drive requested is larger"),
        .init(
            devices: [
                root, [
                    "source_type": "blank", "destination_type": "volume", "volume_size": 1, "disk_bus": "floppy",
                ],
            ], message: "The provided disk bus floppy is not valid."),
        .init(
            devices: [root], extra: ["block_device_mapping": [["volume_id": .string(missing)]]],
            message: "Using different block_device_mapping syntaxes"),
        .init(
            devices: [
                [
                    "boot_index": 0, "source_type": "volume", "destination_type": "volume", "uuid": .string(missing),
                    "volume_type": "fast",
                ]
            ], message: "Specifying volume type to existing volume is not supported."),
    ]
    private static let image = ComputeWorld.image

    @Test("what cannot be is refused with nova's words", arguments: refusals)
    func refused(_ refusal: Refusal) async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let answer = try await world.call(
                .post, "/servers", body(refusal.devices, refusal.extra), version: "2.67", expecting: 400)
            #expect(answer["badRequest", "message"]?.string?.contains(refusal.message) == true, "\(answer.body.text())")
        }
    }

    @Test("a volume that does not boot, and one for many servers, are refused")
    func unusable() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        let device: JSON = [
            "boot_index": 0, "source_type": "volume", "destination_type": "volume", "uuid": .string(volume.rawValue),
        ]
        try await world.run {
            let notBootable = try await world.call(.post, "/servers", body([device]), expecting: 400)
            #expect(notBootable.body.text().contains("Block Device \(volume) is not bootable."))
            let data: JSON = ["source_type": "volume", "destination_type": "volume", "uuid": .string(volume.rawValue)]
            let many = try await world.call(
                .post, "/servers", body([Self.root, data], ["min_count": 2]), expecting: 400)
            #expect(many.body.text().contains("Cannot attach one or more volumes to multiple instances"))
            try await world.call(.post, "/servers", body([Self.root, data]), expecting: 202)
            try await eventually { world.volumes.leases.count == 2 }
            let taken = try await world.call(.post, "/servers", body([Self.root, data]), expecting: 400)
            #expect(taken.body.text().contains("Invalid volume"))
        }
    }

    @Test("a flavor without a disk is for volumes")
    func zeroDisk() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            try await world.call(
                .post, "/flavors", ["flavor": ["id": "z", "name": "z", "ram": 64, "vcpus": 1, "disk": 0]],
                as: "admin", expecting: 200)
            try await world.call(
                .post, "/servers", ComputeWorld.server("no", ["flavorRef": "z"]), expecting: 403)
            _ = try await create(world, [Self.root], ["flavorRef": "z"])
        }
    }
}
