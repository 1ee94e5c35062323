// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import TestKit
import Testing

/// Goal: groups hold volumes, are snapshotted in one go, copied and deleted with all they have. Method: calls through
/// the router and the fake backend.
@Suite("Volume groups")
struct VolumeGroupTests {
    private struct Setup: Sendable {
        var groupType: String
        var type: String
        var group: String
    }

    private static func setUp(_ world: BlockStorageWorld) async throws -> Setup {
        let groupType = try await world.call(
            .post, "/group_types", ["group_type": ["name": "crew"]], as: "admin", expecting: 202)
        let type = try #require(try await world.call(.get, "/types/default")["volume_type", "id"]?.string)
        let id = try #require(groupType["group_type", "id"]?.string)
        let group = try await world.call(
            .post, "/groups",
            ["group": ["name": " g ", "group_type": .string(id), "volume_types": [.string(type)]]], expecting: 202)
        #expect(group["group", "name"] == "g")
        return Setup(groupType: id, type: type, group: try #require(group["group", "id"]?.string))
    }

    private static func status(_ world: BlockStorageWorld, _ path: String, _ key: String) async throws -> String? {
        try await world.call(.get, path)[key, "status"]?.string
    }

    @Test("volumes are made in a group, join and leave it")
    func members() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let setup = try await Self.setUp(world)
            let path = "/groups/\(setup.group)"
            #expect(try await Self.status(world, path, "group") == "available")
            let inside = try await world.make(["size": 1, "group_id": .string(setup.group)])
            let outside = try await world.make()
            let shown = try await world.call(.get, path + "?list_volume=True", expecting: 200)
            #expect(shown["group", "volumes"] == [.string(inside.rawValue)])
            #expect(shown["group", "volume_types"] == [.string(setup.type)])
            try await world.call(
                .put, path, ["group": ["add_volumes": .string(outside.rawValue)]], expecting: 202)
            try await world.call(
                .put, path, ["group": ["remove_volumes": .string(inside.rawValue), "name": "h"]], expecting: 202)
            let changed = try await world.call(.get, "/groups/detail?list_volume=True", expecting: 200)
            #expect(changed["groups", "0", "volumes"] == [.string(outside.rawValue)])
            #expect(changed["groups", "0", "name"] == "h")
            try await world.call(
                .put, path, ["group": ["remove_volumes": .string(inside.rawValue)]], expecting: 400)
            try await world.call(.put, path, ["group": ["name": "h"]], expecting: 400)
            try await world.call(.get, path, as: "other", expecting: 404)
            try await world.call(.delete, "/group_types/\(setup.groupType)", as: "admin", expecting: 400)
            try await world.call(.delete, "/volumes/\(outside)", expecting: 400)
        }
    }

    @Test("a group with volumes goes only with them")
    func delete() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let setup = try await Self.setUp(world)
            let volumes = [
                try await world.make(["size": 1, "group_id": .string(setup.group)]),
                try await world.make(["size": 1, "group_id": .string(setup.group)]),
            ]
            let path = "/groups/\(setup.group)"
            let refused = try await world.call(.post, path + "/action", ["delete": [:]], expecting: 400)
            #expect(refused["badRequest", "message"]?.string?.contains("still contains volumes") == true)
            try await world.call(.post, path + "/action", ["delete": ["delete-volumes": true]], expecting: 202)
            try await eventually { try await world.call(.get, path).status == 404 }
            for volume in volumes { #expect(try await world.parts.volume(volume) == nil) }
            #expect(world.driver.volumes.isEmpty)
        }
    }

    @Test("a group snapshot has every volume, becomes a group, and goes whole")
    func snapshots() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let setup = try await Self.setUp(world)
            for number in 1...2 {
                let id = try await world.make(["size": 1, "group_id": .string(setup.group)])
                world.driver.write(number, to: id)
            }
            let made = try await world.call(
                .post, "/group_snapshots", ["group_snapshot": ["group_id": .string(setup.group), "name": "s"]],
                expecting: 202)
            let id = try #require(made["group_snapshot", "id"]?.string)
            let path = "/group_snapshots/\(id)"
            try await eventually { try await Self.status(world, path, "group_snapshot") == "available" }
            let frozen = world.driver.snapshots.values.map(\.content)
            #expect(frozen.count == 2 && frozen.contains(.written(1)) && frozen.contains(.written(2)))
            try await world.call(
                .post, "/groups/\(setup.group)/action", ["delete": ["delete-volumes": true]], expecting: 400)

            let copied = try await world.call(
                .post, "/groups/action", ["create-from-src": ["group_snapshot_id": .string(id), "name": "c"]],
                expecting: 202)
            let copy = try #require(copied["group", "id"]?.string)
            try await eventually { try await Self.status(world, "/groups/\(copy)", "group") == "available" }
            let shown = try await world.call(.get, "/groups/\(copy)?list_volume=true", expecting: 200)
            let volumes = try #require(shown["group", "volumes"]?.array).compactMap(\.string).map { VolumeID($0) }
            #expect(shown["group", "group_snapshot_id"]?.string == id)
            let copies = volumes.compactMap { world.driver.volumes[$0]?.content }
            #expect(copies.count == 2 && copies.contains(.written(1)) && copies.contains(.written(2)))

            let twin = try await world.call(
                .post, "/groups/action", ["create-from-src": ["source_group_id": .string(copy)]], expecting: 202)
            let twinID = try #require(twin["group", "id"]?.string)
            try await eventually { try await Self.status(world, "/groups/\(twinID)", "group") == "available" }
            #expect(world.driver.volumes.count == 6)

            try await world.call(.delete, path, expecting: 202)
            try await eventually { try await world.call(.get, path).status == 404 }
            #expect(world.driver.snapshots.isEmpty)
        }
    }

    @Test("a failed copy leaves a group in error, which can be deleted")
    func failure() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let setup = try await Self.setUp(world)
            _ = try await world.make(["size": 1, "group_id": .string(setup.group)])
            world.driver.fail()
            let copied = try await world.call(
                .post, "/groups/action", ["create-from-src": ["source_group_id": .string(setup.group)]],
                expecting: 202)
            let copy = try #require(copied["group", "id"]?.string)
            try await eventually { try await Self.status(world, "/groups/\(copy)", "group") == "error" }
            try await world.call(
                .post, "/groups/\(copy)/action", ["delete": ["delete-volumes": true]], expecting: 202)
            try await eventually { try await world.call(.get, "/groups/\(copy)").status == 404 }
        }
    }

    @Test("what cannot be is refused")
    func refusals() async throws {
        let world = try await BlockStorageWorld { $0.quota.groups = 1 }
        try await world.run {
            let setup = try await Self.setUp(world)
            let body: [String: JSON] = [
                "group_type": .string(setup.groupType), "volume_types": [.string(setup.type)],
            ]
            let full = try await world.call(.post, "/groups", ["group": .object(body)], expecting: 413)
            #expect(full["overLimit", "message"] == "Maximum number of groups allowed (1) exceeded")
            try await world.call(
                .post, "/groups", ["group": ["group_type": "none", "volume_types": ["__DEFAULT__"]]], expecting: 404)
            try await world.call(
                .post, "/groups", ["group": ["group_type": "crew", "volume_types": []]], expecting: 400)
            try await world.call(
                .post, "/groups/action", ["create-from-src": ["source_group_id": .string(setup.group)]],
                expecting: 400)
            try await world.call(.post, "/groups/action", ["create-from-src": [:]], expecting: 400)
            let reset: JSON = ["reset_status": ["status": "error"]]
            try await world.call(.post, "/groups/\(setup.group)/action", reset, expecting: 403)
            try await world.call(.post, "/groups/\(setup.group)/action", reset, as: "admin", expecting: 202)
            #expect(try await Self.status(world, "/groups/\(setup.group)", "group") == "error")
            try await world.call(
                .post, "/groups/\(setup.group)/action", ["enable_replication": [:]], expecting: 400)
            try await world.call(.post, "/groups/\(setup.group)/action", ["delete": [:]], expecting: 202)
        }
    }
}
