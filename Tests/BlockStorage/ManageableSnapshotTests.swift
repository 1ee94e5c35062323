// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import TaskKit
import TestKit
import Testing

/// Goal: a snapshot that was given back can be found and taken over again, under upstream's requests and answers; what
/// is this cloud's already, or none of the volume's, cannot.
/// Method: requests to the API, with fake backends.
@Suite("Manageable snapshots")
struct ManageableSnapshotTests {
    private static let host = "node-1@one%23pool"

    private static func list(
        _ world: BlockStorageWorld, _ query: String = "", detail: Bool = true
    ) async throws -> [JSON] {
        let answer = try await world.call(
            .get, "/manageable_snapshots\(detail ? "/detail" : "")?host=\(host)\(query)", as: "admin", expecting: 200)
        return answer["manageable-snapshots"]?.array ?? []
    }

    private static func unmanage(_ id: VolumeSnapshotID, _ world: BlockStorageWorld) async throws {
        try await world.call(
            .post, "/snapshots/\(id)/action", ["os-unmanage": .null], as: "admin", expecting: 202)
        try await eventually { try await world.snapshot(id) == nil }
    }

    private static func manage(
        _ volume: VolumeID, _ reference: JSON, _ world: BlockStorageWorld, as token: String = "admin",
        expecting status: Int
    ) async throws -> TestAnswer {
        try await world.call(
            .post, "/manageable_snapshots",
            [
                "snapshot": [
                    "volume_id": .string(volume.rawValue), "ref": reference, "name": "kept",
                    "description": "words", "metadata": ["a": "b"],
                ]
            ], as: token, expecting: status)
    }

    @Test("given back, listed and taken over, with its bytes", arguments: [false, true])
    func roundTrip(movesOnSnapshot: Bool) async throws {
        let world = try await BlockStorageWorld(movesOnSnapshot: movesOnSnapshot)
        try await world.run {
            let volume = try await world.make()
            world.driver.write(5, to: volume)
            let id = try await world.makeSnapshot(of: volume)
            let location = try await world.snapshot(id)?.location
            var known = try await Self.list(world)
            try #require(known.count == 1)
            #expect(known[0]["cinder_id"]?.string == id.rawValue)
            #expect(known[0]["safe_to_manage"]?.bool == false)
            #expect(known[0]["reason_not_safe"]?.string == "already managed")
            #expect(known[0]["reference"]?["source-name"]?.string == location)
            _ = try await Self.manage(
                volume, ["source-name": .string(location ?? "")], world, expecting: 400)

            try await Self.unmanage(id, world)
            world.driver.write(6, to: volume)
            known = try await Self.list(world)
            let name = "_snapshot-\(id)"
            #expect(known.count == 1 && known[0]["reference"]?["source-name"]?.string == name)
            #expect(known[0]["safe_to_manage"]?.bool == true && known[0]["size"]?.int == 1)
            let source = try await world.parts.volume(volume)?.location
            #expect(known[0]["source_reference"]?["source-name"]?.string == source)
            #expect(try await Self.list(world, detail: false).first?["cinder_id"] == nil)

            let answer = try await Self.manage(volume, ["source-name": .string(name)], world, expecting: 202)
            #expect(answer["snapshot", "name"]?.string == "kept" && answer["snapshot", "status"]?.string == "creating")
            let taken = VolumeSnapshotID(try #require(answer["snapshot", "id"]?.string))
            try await world.settled(taken)
            let row = try #require(try await world.snapshot(taken))
            #expect(row.status == .available && row.volumeID == volume && row.metadata == ["a": "b"])
            #expect(world.driver.snapshots[taken]?.content == .written(5))
            #expect(try await Self.list(world).allSatisfy { $0["safe_to_manage"]?.bool == false })
            #expect(try await world.locks() == 0)
        }
    }

    @Test("refused: what is not there, another volume's, a reference without a name, and who is no administrator")
    func refusals() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let (volume, other) = (try await world.make(), try await world.make())
            let id = try await world.makeSnapshot(of: volume)
            try await world.call(.post, "/snapshots/\(id)/action", ["os-unmanage": .null], expecting: 403)
            try await Self.unmanage(id, world)
            let reference: JSON = ["source-name": .string("_snapshot-\(id)")]
            for wrong: JSON in [["source-name": "none"], ["source-name": "../x"], ["size": 1], [:], "none"] {
                _ = try await Self.manage(volume, wrong, world, expecting: 400)
            }
            _ = try await Self.manage(other, reference, world, expecting: 400)
            _ = try await Self.manage(VolumeID(IDSource.random.uuid()), reference, world, expecting: 404)
            _ = try await Self.manage(volume, reference, world, as: "demo", expecting: 403)
            try await world.call(.get, "/manageable_snapshots?host=\(Self.host)", as: "demo", expecting: 403)
            try await world.call(.get, "/manageable_snapshots", as: "admin", expecting: 400)
            try await world.call(.get, "/manageable_snapshots?host=none", as: "admin", expecting: 400)
            try await world.call(.get, "/manageable_snapshots?host=x", as: "admin", version: "3.7", expecting: 404)
            try await world.call(
                .get, "/os-snapshot-manage?host=\(Self.host)", as: "admin", version: "3.0", expecting: 200)
            #expect(try await world.locks() == 0)
        }
    }

    @Test("lists are sorted and paged as upstream's, whose markers are references")
    func paging() async throws {
        let world = try await BlockStorageWorld()
        for (name, size) in [("a", 3), ("b", 1), ("c", 2)] { world.driver.addForeign(name, sizeGiB: size) }
        try await world.run {
            let list: @Sendable (String, Int) async throws -> [String] = { query, status in
                let answer = try await world.call(
                    .get, "/manageable_volumes?host=\(Self.host)&\(query)", as: "admin", expecting: status)
                return answer["manageable-volumes"]?.array?
                    .compactMap { $0["reference"]?["source-name"]?.string } ?? []
            }
            #expect(try await list("", 200) == ["c", "b", "a"])
            #expect(try await list("sort=size:asc", 200) == ["b", "c", "a"])
            #expect(try await list("sort_dir=asc", 200) == ["a", "b", "c"])
            #expect(try await list("sort=reference:asc&limit=1&marker=a", 200) == ["b"])
            #expect(try await list("sort=reference:asc&marker=%7B%27source-name%27%3A%20%27b%27%7D", 200) == ["c"])
            #expect(try await list("limit=1&offset=1", 200) == ["b"])
            _ = try await list("marker=none", 400)
            _ = try await list("sort=name", 400)
        }
    }

    @Test("at every step that fails, it is a snapshot of this cloud or still the operator's")
    func failures() async throws {
        for failed in 1...2 {
            let world = try await BlockStorageWorld()
            try await world.run {
                let volume = try await world.make()
                let id = try await world.makeSnapshot(of: volume)
                if failed == 1 {
                    world.driver.fail(with: CloudError(.conflict, "busy"))
                    try await world.call(
                        .post, "/snapshots/\(id)/action", ["os-unmanage": .null], as: "admin", expecting: 202)
                    try await world.settled(id)
                    #expect(try await world.snapshot(id)?.status == .error)
                    #expect(world.driver.snapshots[id] != nil)
                    try await Self.unmanage(id, world)
                } else {
                    try await Self.unmanage(id, world)
                    world.driver.fail(with: CloudError(.conflict, "busy"))
                    let reference: JSON = ["source-name": .string("_snapshot-\(id)")]
                    let answer = try await Self.manage(volume, reference, world, expecting: 202)
                    let taken = VolumeSnapshotID(try #require(answer["snapshot", "id"]?.string))
                    try await world.settled(taken)
                    #expect(try await world.snapshot(taken)?.status == .error)
                }
                #expect(try await Self.list(world).count { $0["safe_to_manage"]?.bool == true } == 1)
                #expect(try await world.locks() == 0)
            }
        }
    }
}
