// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ComputeCore
import TestKit
import Testing

/// Goal: `os-volume_attachments` has the fields of each version, and refuses what nova refuses, with its words.
@Suite("Volumes of servers")
struct ServerVolumeRoutesTests {
    @Test("a volume is attached, shown in each version as it was then, and detached")
    func life() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = try await world.boot()
            let path = "/servers/\(id)/os-volume_attachments"
            let answer = try await world.call(
                .post, path, ["volumeAttachment": ["volumeId": .string(volume.rawValue), "tag": "data"]],
                version: "2.70", expecting: 200)
            #expect(answer["volumeAttachment", "device"] == "/dev/vdb")
            #expect(answer["volumeAttachment", "tag"] == "data")
            await world.sagas.idle()
            #expect(try await keys(world, path, "2.1") == ["device", "id", "serverId", "volumeId"])
            #expect(try await keys(world, path, "2.70") == ["device", "id", "serverId", "tag", "volumeId"])
            #expect(
                try await keys(world, path, "2.79") == [
                    "delete_on_termination", "device", "id", "serverId", "tag", "volumeId",
                ])
            #expect(
                try await keys(world, path, "2.89") == [
                    "attachment_id", "bdm_uuid", "delete_on_termination", "device", "serverId", "tag", "volumeId",
                ])
            let server = try await world.call(.get, "/servers/\(id)", version: "2.3")
            #expect(
                server["server", "os-extended-volumes:volumes_attached"] == [
                    ["id": .string(volume.rawValue), "delete_on_termination": false]
                ])
            try await world.call(.get, "\(path)/\(volume)", expecting: 200)
            try await world.call(.delete, "\(path)/\(volume)", expecting: 202)
            await world.sagas.idle()
            try await world.call(.get, "\(path)/\(volume)", expecting: 404)
            #expect(world.volumes.leases == [])
            let actions = try await world.call(.get, "/servers/\(id)/os-instance-actions")
            let names = (actions["instanceActions"]?.array ?? []).compactMap { $0["action"]?.string }
            #expect(Set(names) == ["create", "attach_volume", "detach_volume"])
        }
    }

    private func keys(_ world: ComputeWorld, _ path: String, _ version: String) async throws -> [String] {
        let list = try await world.call(.get, path, version: version, expecting: 200)
        let all = try #require(list["volumeAttachments"]?.array)
        return try #require(all.first?.object, "\(list.body.text())").keys.sorted()
    }

    @Test("from 2.101 the answer has no body")
    func accepted() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = try await world.boot()
            let answer = try await world.call(
                .post, "/servers/\(id)/os-volume_attachments", attach(volume), version: "2.101", expecting: 202)
            #expect(answer.body == .null)
        }
    }

    private func attach(_ volume: VolumeID, _ more: [String: JSON] = [:]) -> JSON {
        var fields: [String: JSON] = ["volumeId": .string(volume.rawValue)]
        fields.merge(more) { _, new in new }
        return ["volumeAttachment": .object(fields)]
    }

    @Test("what cannot be is refused, and leaves no lease")
    func refusals() async throws {
        let world = try await ComputeWorld()
        let (volume, foreign) = (world.volumes.add(), world.volumes.add(project: "project-other"))
        let shared = world.volumes.add(isMultiattach: true)
        try await world.run {
            let (id, other) = (try await world.boot(), try await world.boot("two"))
            let path = "/servers/\(id)/os-volume_attachments"
            try await world.call(.post, path, attach(ID("not-an-id")), expecting: 400)
            try await world.call(.post, path, attach(IDSource.random.next()), expecting: 404)
            try await world.call(.post, path, attach(foreign), expecting: 404)
            try await world.call(.post, path, attach(volume), as: "reader", expecting: 403)
            try await world.call(.post, path, attach(volume), as: "other", expecting: 404)
            try await world.call(.post, path, attach(volume, ["device": "vdb"]), expecting: 400)
            try await world.call(.post, path, attach(volume, ["tag": "x"]), version: "2.48", expecting: 400)
            try await world.call(.post, path, attach(shared), version: "2.59", expecting: 400)
            #expect(world.volumes.leases == [])
            try await world.call(.post, path, attach(volume), expecting: 200)
            await world.sagas.idle()
            let twice = try await world.call(.post, path, attach(volume), expecting: 400)
            #expect(twice.body.text().contains("already attached to instances: \(id)"))
            try await world.call(.post, "/servers/\(other)/os-volume_attachments", attach(volume), expecting: 400)
            for server in [id, other] {
                try await world.call(
                    .post, "/servers/\(server)/os-volume_attachments", attach(shared), version: "2.60", expecting: 200)
                await world.sagas.idle()
            }
            #expect(world.volumes.leases.count { $0.volume == shared } == 2)
            #expect(world.hypervisor.inventory[ServerID(id)]?.volumes.last?.isShared == true)
            try await world.call(.post, "/servers/\(id)/action", ["lock": nil], expecting: 202)
            try await world.call(.delete, "\(path)/\(volume)", expecting: 409)
            try await world.call(.post, "/servers/\(id)/action", ["unlock": nil], expecting: 202)
            try await world.call(.post, "/servers/\(id)/action", ["suspend": nil], expecting: 202)
            try await world.settled(id)
            let suspended = try await world.call(.delete, "\(path)/\(volume)", expecting: 409)
            #expect(suspended.body.text().contains("Cannot 'detach_volume' instance"))
            try await world.call(.delete, "\(path)/\(foreign)", expecting: 404)
        }
    }

    @Test("what Block Storage refuses is the answer, and the row is gone")
    func refusedReservation() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = try await world.boot()
            world.volumes.setFailing("reserve")
            let path = "/servers/\(id)/os-volume_attachments"
            let answer = try await world.call(.post, path, attach(volume))
            #expect(answer.status == 503)
            #expect(try await world.call(.get, path)["volumeAttachments"] == [])
        }
    }

    @Test("delete_on_termination changes from 2.85 on; a swap is for a Block Storage that migrates")
    func update() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = try await world.boot("one", world.attached(volume))
            let path = "/servers/\(id)/os-volume_attachments/\(volume)"
            let body = attach(volume, ["delete_on_termination": true])
            try await world.call(.put, path, body, version: "2.85", expecting: 202)
            let shown = try await world.call(.get, path, version: "2.85")
            #expect(shown["volumeAttachment", "delete_on_termination"] == true)
            let moved = try await world.call(
                .put, path, attach(volume, ["device": "/dev/vdz"]), version: "2.85", expecting: 400)
            #expect(moved.body.text().contains("The device property is not mutable"))
            try await world.call(.put, path, attach(world.volumes.add()), version: "2.84", expecting: 403)
            let swap = try await world.call(
                .put, path, attach(world.volumes.add()), as: "admin", version: "2.84", expecting: 409)
            #expect(swap.body.text().contains("is not migrating"))
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { world.volumes.volumes[volume] == nil }
        }
    }
}
