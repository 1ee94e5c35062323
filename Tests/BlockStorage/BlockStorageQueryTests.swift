// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import DatabaseKit
import HTTPKit
import TestKit
import Testing

/// Goal: lists and counts stay quick in a large cloud, and say what is true. Method: the router, the stores, and what
/// the database says of its plans.
@Suite("Queries of block storage")
struct BlockStorageQueryTests {
    @Test("signs of a filter by a part of a name stand for themselves")
    func partsOfNames() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            for name in ["a_b", "axb", "100%", "1000"] {
                let id = try await world.make(["size": 1, "name": .string(name)])
                let answer = try await world.call(
                    .post, "/snapshots", ["snapshot": ["volume_id": .string(id.rawValue), "name": .string(name)]],
                    expecting: 202)
                try await world.settled(VolumeSnapshotID(try #require(answer["snapshot", "id"]?.string)))
            }
            for (filter, name) in [("A_", "a_b"), ("0%25", "100%")] {
                for resource in ["volumes", "snapshots"] {
                    let list = try await world.call(.get, "/\(resource)?name~=\(filter)", expecting: 200)
                    #expect(list[resource]?.array?.map { $0["name"]?.string } == [name])
                }
            }
        }
    }

    @Test("pages of every order meet, and a marker of another project is none")
    func pages() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            for size in [1, 2, 2, 1] { _ = try await world.make(["size": .int(Int64(size))]) }
            let foreign = try await world.make(as: "other")
            for sort in ["size:asc", "size:desc,id:asc", "display_name:asc", "created_at:desc"] {
                var (seen, marker): ([String], String?) = ([], nil)
                for _ in 0..<4 {
                    let query = marker.map { "&marker=\($0)" } ?? ""
                    let page = try await world.call(.get, "/volumes?limit=1&sort=\(sort)\(query)", expecting: 200)
                    marker = page["volumes", "0", "id"]?.string
                    seen.append(try #require(marker))
                }
                let whole = try await world.call(.get, "/volumes?sort=\(sort)", expecting: 200)
                #expect(whole["volumes"]?.array?.compactMap { $0["id"]?.string } == seen)
            }
            try await world.call(.get, "/volumes?marker=\(foreign)", expecting: 404)
        }
    }

    /// The last row cannot be read, so who reads it fails.
    @Test("a page by metadata ends with the row that fills it")
    func metadata() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            var (volumes, snapshots): ([String], [String]) = ([], [])
            for index in 0..<4 {
                let volume = try await world.make(["size": 1, "metadata": ["a": .string(index == 0 ? "other" : "b")]])
                volumes.append(volume.rawValue)
                let answer = try await world.call(
                    .post, "/snapshots",
                    ["snapshot": ["volume_id": .string(volume.rawValue), "metadata": ["a": "b"]]], expecting: 202)
                let snapshot = VolumeSnapshotID(try #require(answer["snapshot", "id"]?.string))
                try await world.settled(snapshot)
                snapshots.append(snapshot.rawValue)
            }
            let matching = ["volumes": volumes.dropFirst().sorted(), "snapshots": snapshots.sorted()]
            for (resource, ids) in matching {
                let list = "/\(resource)?sort=id:asc&metadata=%7B'a':%20'b'%7D"
                let whole = try await world.call(.get, list, expecting: 200)
                #expect(whole[resource]?.array?.compactMap { $0["id"]?.string } == ids)
                let second = try await world.call(.get, list + "&limit=1&offset=1", expecting: 200)
                #expect(second[resource]?.array?.compactMap { $0["id"]?.string } == [ids[1]])
            }
            let (volume, snapshot) = (try #require(volumes.max()), try #require(snapshots.max()))
            try await world.database.write { transaction in
                try transaction.execute("UPDATE volumes SET status = 'lost' WHERE id = \(volume)")
                try transaction.execute("UPDATE volume_snapshots SET status = 'lost' WHERE id = \(snapshot)")
            }
            for resource in matching.keys {
                let list = "/\(resource)?sort=id:asc&metadata=%7B'a':%20'b'%7D"
                try await world.call(.get, list + "&limit=1", expecting: 200)
                try await world.call(.get, list, expecting: 500)
            }
        }
    }

    @Test("an administrator of no project lists nothing, and everybody's things when asking for them")
    func withoutProject() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            _ = try await world.make(["size": 1])
            let headers: HTTPHeaders = ["X-Auth-Token": "system", "OpenStack-API-Version": "volume 3.71"]
            func list(_ path: String) async throws -> TestAnswer {
                try await world.router.call(.get, "/volume/v3/" + path, nil, headers: headers)
            }
            for resource in ["volumes", "snapshots", "attachments"] {
                for path in [resource, "\(resource)/detail"] {
                    let answer = try await list(path)
                    #expect(answer.status == 200 && answer[resource] == [], "\(path): \(answer.body.text())")
                }
            }
            #expect(try await list("volumes/summary")["volume-summary", "total_count"] == 0)
            #expect(try await list("volumes?all_tenants=1")["volumes"]?.array?.count == 1)
        }
    }

    @Test("a pool has promised what its volumes are, and will be when they have grown")
    func pools() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let ids = [try await world.make(["size": 1]), try await world.make(["size": 3])]
            let stores = world.parts.stores
            try await world.database.write {
                try $0.execute("UPDATE volumes SET pending_size_gib = 5 WHERE id = \(ids[0])")
            }
            let usage = try await world.database.read { try stores.volumes.usageByPool($0) }
            #expect(usage.mapValues(\.volumes) == ["node-1@one#pool": 2])
            #expect(usage.mapValues(\.gigabytes) == ["node-1@one#pool": 8])
            let shown = try await world.call(
                .get, "/scheduler-stats/get_pools?detail=true", as: "admin", expecting: 200)
            let pool = shown["pools"]?.array?.first { $0["name"] == "node-1@one#pool" }
            #expect(pool?["capabilities"]?["total_volumes"] == 2)
            #expect(pool?["capabilities"]?["allocated_capacity_gb"] == 8)
        }
    }

    @Test("filters take as many bounds as a caller names")
    func manyBounds() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            _ = try await world.make(["size": 1])
            let bounds = [String](repeating: "gt:2001-01-01T00:00:00", count: 2000).joined(separator: ",")
            for (query, count) in [(bounds, 1), (bounds + ",lt:2001-01-02T00:00:00", 0)] {
                let list = try await world.call(.get, "/volumes?created_at=\(query)", expecting: 200)
                #expect(list["volumes"]?.array?.count == count)
            }
        }
    }

    @Test("connections come with the keys of their volumes, all at once")
    func connections() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            try await world.addType("luks", isEncrypted: true)
            let stores = world.parts.stores
            let volumes = [try await world.make(), try await world.make(["size": 1, "volume_type": "luks"])]
            for id in volumes { try await world.attach(id) }
            let attachments = try await world.database.read { try stores.attachments.all($0) }
            let connections = try await VolumeAttachmentEngine(world.parts, sagas: world.sagas)
                .connections(of: attachments)
            #expect(connections.count == 2)
            for attachment in attachments {
                let handle = try await world.parts.handle(
                    try #require(try await world.parts.volume(attachment.volumeID)))
                #expect(connections[attachment.id]?.passphrase == handle.passphrase)
                #expect((handle.passphrase == nil) == (attachment.volumeID == volumes[0]))
            }
        }
    }

    @Test("an encrypted volume becomes no image that is not")
    func encryptedUpload() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            try await world.addType("luks", isEncrypted: true)
            let id = try await world.make(["size": 1, "volume_type": "luks"])
            let answer = try await world.call(
                .post, "/volumes/\(id)/action", ["os-volume_upload_image": ["image_name": "i", "disk_format": "raw"]],
                expecting: 400)
            #expect(answer["badRequest", "message"]?.string?.contains("is encrypted") == true)
            #expect(try await world.status(id) == "available")
        }
    }

    @Test(
        "what is asked often is answered by an index",
        arguments: [
            (
                "SELECT host, COUNT(*), SUM(COALESCE(pending_size_gib, size_gib)) FROM volumes WHERE host IS NOT NULL "
                    + "GROUP BY host", "COVERING INDEX volumes_by_pool"
            ),
            ("SELECT * FROM volumes WHERE host = 'h' OR host >= 'h#' AND host < 'h$'", "volumes_by_pool"),
            ("SELECT * FROM volumes WHERE is_doomed = 1 AND status <> 'deleting' ORDER BY id", "volumes_doomed"),
            (
                "SELECT * FROM volume_attachments JOIN volumes ON volumes.id = volume_attachments.volume_id "
                    + "ORDER BY volume_attachments.created_at DESC, volume_attachments.id DESC LIMIT 9",
                "volume_attachments_by_age"
            ),
            ("SELECT * FROM volume_attachments WHERE host = 'h'", "volume_attachments_by_host"),
        ])
    func plans(_ sql: String, _ index: String) async throws {
        let world = try await BlockStorageWorld()
        let plan = try await world.database.read { transaction in
            try transaction.query(SQL(stringLiteral: "EXPLAIN QUERY PLAN " + sql)) { $0.text(3) }
        }
        #expect(plan.contains { $0.contains(index) }, "\(plan)")
    }
}
