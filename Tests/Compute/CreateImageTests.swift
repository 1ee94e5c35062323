// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ComputeCore
import ImageContract
import PolicyKit
import TaskKit
import TestKit
import Testing

/// Goal: an image is made of a server that runs on; of one with volumes it names their snapshots, and boots again.
@Suite("Images of servers")
struct CreateImageTests {
    private let enforcer: PolicyEnforcer

    init() throws {
        enforcer = try PolicyEnforcer([
            PolicyRule("any", "@"), PolicyRule("os_compute_api:servers:create_image", "@"),
            PolicyRule("os_compute_api:servers:create_image:allow_volume_backed", "@"),
        ])
    }

    private func context() -> CallContext {
        CallContext(
            principal: TestCallers.demo, requestID: "req-2", policy: "any",
            enforcer: enforcer)
    }

    private func create(_ world: ComputeWorld, _ id: String, version: String = "2.45") async throws -> ImageID {
        let answer = try await world.call(
            .post, "/servers/\(id)/action", ["createImage": ["name": "shot", "metadata": ["a": "b"]]],
            version: version, expecting: 202)
        return ImageID(try #require(answer["image_id"]?.string))
    }

    @Test("the disk of a running server becomes an image with what its own image said")
    func disk() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let image = try await create(world, id)
            try await world.settled(id)
            let info = try #require(world.images[image])
            #expect(info.status == "active" && info.name == "shot" && info.diskFormat == "qcow2")
            #expect(info.properties["hw_disk_bus"] == "virtio" && info.properties["a"] == "b")
            #expect(info.properties["instance_uuid"] == id && info.properties["image_type"] == "snapshot")
            #expect(info.minDiskGiB == 1)
            #expect(world.hypervisor.inventory[ServerID(id)]?.copies == [])
            #expect(try await world.status(id) == "ACTIVE")
            let old = try await world.call(
                .post, "/servers/\(id)/action", ["createImage": ["name": "again"]], expecting: 202)
            #expect(old.headers["Location"]?.contains("/image/v2/images/") == true)
            try await world.settled(id)
        }
    }

    @Test("the image of a server with volumes boots another one")
    func volumes() async throws {
        let world = try await ComputeWorld()
        let (root, data) = (world.volumes.add(sizeGiB: 2, isBootable: true), world.volumes.add())
        try await world.run {
            func device(_ volume: VolumeID, _ index: Int64) -> JSON {
                [
                    "boot_index": .int(index), "source_type": "volume", "destination_type": "volume",
                    "uuid": .string(volume.rawValue),
                ]
            }
            let answer = try await world.call(
                .post, "/servers",
                [
                    "server": [
                        "name": "one", "flavorRef": "1",
                        "block_device_mapping_v2": [device(root, 0), device(data, -1)],
                    ]
                ], expecting: 202)
            let id = try #require(answer["server", "id"]?.string)
            try await world.settled(id)
            let image = try await create(world, id)
            await world.sagas.idle()
            #expect(world.images[image]?.status == "active")
            #expect(Set(world.volumes.snapshots.map(\.volume)) == [root, data])
            let second = try await world.boot("two", ["imageRef": .string(image.rawValue)])
            let guest = try #require(world.hypervisor.inventory[ServerID(second)])
            #expect(guest.volumes.map(\.device) == ["vda", "vdb"])
            #expect(guest.volumes.map(\.connection.sizeBytes) == [2 << 30, 1 << 30])
            #expect(world.volumes.volumes.count == 4)
        }
    }

    @Test(
        "an image is whole or gone, and the server is what it was", arguments: SagaWalk.all(CreateImageSaga.self))
    func diskWalk(_ walk: SagaWalk) async throws {
        try await self.walk(walk, volume: false)
    }

    @Test(
        "an image of volumes is whole or gone, and the server is what it was",
        arguments: SagaWalk.all(CreateVolumeImageSaga.self))
    func volumeWalk(_ walk: SagaWalk) async throws {
        try await self.walk(walk, volume: true)
    }

    private func walk(_ walk: SagaWalk, volume: Bool) async throws {
        let world = try await ComputeWorld()
        let root = world.volumes.add(isBootable: true)
        let devices: JSON = [
            ["boot_index": 0, "source_type": "volume", "destination_type": "volume", "uuid": .string(root.rawValue)]
        ]
        try await world.run(runsSagas: false) {
            let id = ServerID(
                try await withServices([world.sagas]) {
                    try await world.boot("one", volume ? ["imageRef": "", "block_device_mapping_v2": devices] : [:])
                })
            _ = try await walk.run(on: world.database, world.registry) { runner in
                _ = try await ServerEngine(world.parts, sagas: runner).createImage(
                    id, name: "shot", metadata: [:], for: context())
                return try #require(
                    try await world.database.read {
                        try $0.first("SELECT id FROM saga_runs ORDER BY created_at DESC") { SagaRunID($0.text(0)) }
                    })
            }
            let images = world.images.all.filter { $0.name == "shot" }
            if walk.expectedState == .finished {
                #expect(images.map(\.status) == ["active"])
            } else {
                // One whose bytes came before the failure stays.
                #expect(images.isEmpty || images.map(\.status) == ["active"])
            }
            if walk.kind == .failsBeforeStep(0) { #expect(images.isEmpty) }
            let server = try #require(try await world.database.read { try world.parts.stores.servers.server(id, $0) })
            #expect(server.state == ServerState(.active))
            #expect(server.sagaRun == nil)
            #expect(world.hypervisor.inventory[id]?.copies == [])
        }
    }
}
