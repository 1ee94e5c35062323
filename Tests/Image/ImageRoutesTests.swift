// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Images through the API: shapes, filters, patches, and who may see and do what.
@Suite struct ImageRoutesTests {
    private func patch(_ world: ImageWorld, _ id: String, as token: String = "member@one", _ body: JSON) async throws
        -> ImageWorld.Answer
    {
        try await world.call(
            .patch, "/v2/images/\(id)", as: token, body,
            headers: ["Content-Type": "application/openstack-images-v2.1-json-patch"])
    }

    @Test func createShowsWhatWasAsked() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let answer = try await world.call(
                .post, "/v2/images",
                [
                    "id": "11111111-2222-3333-4444-555555555555", "name": "a", "disk_format": "qcow2",
                    "container_format": "bare", "min_disk": 1, "tags": ["x", "y", "x"], "os_distro": "debian",
                ])
            #expect(answer.status == 201)
            #expect(answer.headers["OpenStack-image-import-methods"] == "glance-direct")
            #expect(answer.headers["OpenStack-image-store-ids"] == "file")
            #expect(answer.headers["Location"] == "/v2/images/11111111-2222-3333-4444-555555555555")
            let image = answer.json
            #expect(image["status"] == "queued" && image["visibility"] == "shared" && image["owner"] == "one")
            #expect(image["tags"] == ["x", "y"] && image["os_distro"] == "debian" && image["size"] == .null)
            #expect(image["self"] == "/v2/images/11111111-2222-3333-4444-555555555555")
            let again = try await world.call(.post, "/v2/images", ["id": "11111111-2222-3333-4444-555555555555"])
            #expect(again.status == 409)
            #expect(again.text.contains("<title>409 Conflict</title>"))
        }
    }

    @Test func targetsThatAreNoTextAreRefused() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            for target in ["/v2/images?name=%ff", "/v2/images?name=%zz", "/v2/images/%ff"] {
                #expect(try await world.call(.get, target).status == 400, "\(target)")
            }
        }
    }

    @Test(
        arguments: [
            (["name": 1], 400), (["disk_format": "exe"], 400), (["id": "x"], 400), (["min_disk": -1], 400),
            (["min_ram": "1"], 400), (["tags": "a"], 400), (["protected": "yes"], 400), (["custom": 5], 400),
            (["status": "active"], 403), (["checksum": "x"], 403), (["self": "x"], 403), (["deleted": "x"], 403),
            (["os_glance_x": "x"], 403), (["locations": []], 403), (["visibility": "public"], 403),
            (["owner": "two"], 403),
            (["visibility": "secret"], 400),
        ] as [(JSON, Int)])
    func badCreatesAreRefused(body: JSON, status: Int) async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let answer = try await world.call(.post, "/v2/images", body)
            #expect(answer.status == status, "\(answer.text)")
        }
    }

    @Test func othersSeeOnlyWhatIsMeantForThem() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let mine = try await world.create(["visibility": "private"])
            let open = try await world.create(["visibility": "public"], as: "admin@root")
            let community = try await world.create(["visibility": "community"])
            let other = "member@two"
            #expect(try await world.call(.get, "/v2/images/\(mine)", as: other).status == 404)
            #expect(try await world.call(.get, "/v2/images/\(open)", as: other).status == 200)
            #expect(try await world.call(.get, "/v2/images/\(community)", as: other).status == 200)
            #expect(try await world.call(.delete, "/v2/images/\(mine)", as: other).status == 404)
            #expect(try await world.call(.delete, "/v2/images/\(open)", as: other).status == 403)
            #expect(try await world.call(.delete, "/v2/images/\(mine)", as: "reader@one").status == 403)
            #expect(try await world.call(.post, "/v2/images", as: "reader@one", ["name": "x"]).status == 403)
            #expect(try await world.call(.get, "/v2/images/\(mine)", as: "none@one").status == 404)
            #expect(try await world.call(.get, "/v2/images", as: "nobody").status == 401)
            let ids = { (answer: ImageWorld.Answer) in
                Set((answer.json["images"]?.array ?? []).compactMap { $0["id"]?.string })
            }
            #expect(ids(try await world.call(.get, "/v2/images", as: other)) == [open])
            #expect(ids(try await world.call(.get, "/v2/images?visibility=community", as: other)) == [community])
            #expect(ids(try await world.call(.get, "/v2/images")) == [mine, open, community])
            #expect(ids(try await world.call(.get, "/v2/images", as: "admin@root")) == [mine, open])
        }
    }

    @Test func sharingNeedsBothSides() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create()
            let path = "/v2/images/\(id)/members"
            #expect(try await world.call(.get, "/v2/images/\(id)", as: "member@two").status == 404)
            let added = try await world.call(.post, path, ["member": "two"])
            #expect(added.status == 200 && added.json["status"] == "pending")
            #expect(try await world.call(.post, path, ["member": "two"]).status == 409)
            #expect(try await world.call(.post, path, as: "member@two", ["member": "three"]).status == 403)
            #expect(try await world.call(.get, "/v2/images/\(id)", as: "member@two").status == 200)
            #expect(try await world.call(.get, "/v2/images", as: "member@two").json["images"] == [])
            #expect(try await world.call(.put, path + "/two", ["status": "accepted"]).status == 403)
            #expect(try await world.call(.put, path + "/two", as: "member@two", ["status": "maybe"]).status == 400)
            #expect(try await world.call(.put, path + "/two", as: "member@two", ["status": "accepted"]).status == 200)
            #expect(try await world.call(.get, "/v2/images", as: "member@two").json["images"]?.array?.count == 1)
            #expect(try await world.call(.get, path + "/two", as: "member@three").status == 404)
            #expect(try await world.call(.delete, path + "/two", as: "member@two").status == 403)
            #expect(try await world.call(.delete, path + "/two").status == 204)
            #expect(try await world.call(.get, "/v2/images/\(id)", as: "member@two").status == 404)
        }
    }

    @Test func patchesKeepTheRules() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create(["color": "red"])
            let done = try await patch(
                world, id,
                [
                    ["op": "replace", "path": "/name", "value": "new"],
                    ["op": "add", "path": "/size~1x", "value": "9"],
                    ["op": "remove", "path": "/color"], ["op": "replace", "path": "/tags", "value": ["b", "a"]],
                ])
            #expect(done.status == 200)
            #expect(done.json["name"] == "new" && done.json["size/x"] == "9" && done.json["color"] == nil)
            #expect(done.json["tags"] == ["a", "b"])
            let refused: [(JSON, Int)] = [
                (["op": "replace", "path": "/missing", "value": "x"], 409),
                (["op": "remove", "path": "/missing"], 409),
                (["op": "remove", "path": "/name"], 403),
                (["op": "replace", "path": "/status", "value": "active"], 403),
                (["op": "replace", "path": "/id", "value": "x"], 403),
                (["op": "replace", "path": "/owner", "value": "two"], 403),
                (["op": "add", "path": "/owner", "value": "two"], 403),
                (["op": "replace", "path": "/visibility", "value": "public"], 403),
                (["op": "move", "path": "/name", "value": "x"], 400),
                (["op": "replace", "path": "name", "value": "x"], 400),
                (["op": "replace", "path": "/name"], 400), (["op": "replace", "path": "/name", "value": 5], 400),
                (["op": "add", "path": "/a/b", "value": "x"], 400), (["op": "add", "path": "/a~2", "value": "x"], 400),
                (["path": "/name", "value": "x"], 400), ("text", 400),
                (["op": "replace", "path": "/locations", "value": []], 403),
            ]
            for (change, status) in refused {
                let answer = try await patch(world, id, [change])
                #expect(answer.status == status, "\(change.text()): \(answer.text)")
            }
            let wrong = try await world.call(.patch, "/v2/images/\(id)", [])
            #expect(wrong.status == 415)
            #expect(wrong.headers["Accept-Patch"]?.contains("v2.1-json-patch") ?? false)
            #expect(try await patch(world, id, as: "member@two", []).status == 404)
            #expect(try await patch(world, id, []).status == 200)
        }
    }

    @Test func listsFilterSortAndPage() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            for index in 0..<5 {
                _ = try await world.create([
                    "name": .string("n\(index)"), "min_ram": .int(Int64(index)), "kind": index < 2 ? "a" : "b",
                ])
                world.clock.advance(by: .seconds(1))
            }
            func names(_ query: String) async throws -> [String] {
                let answer = try await world.call(.get, "/v2/images?\(query)")
                #expect(answer.status == 200, "\(query): \(answer.text)")
                return (answer.json["images"]?.array ?? []).compactMap { $0["name"]?.string }
            }
            #expect(try await names("") == ["n4", "n3", "n2", "n1", "n0"])
            #expect(try await names("sort=name:asc") == ["n0", "n1", "n2", "n3", "n4"])
            #expect(try await names("sort_key=name&sort_dir=asc&limit=2") == ["n0", "n1"])
            #expect(try await names("name=n3") == ["n3"])
            #expect(try await names("name=in:n1,%22n2%22&sort=name:asc") == ["n1", "n2"])
            #expect(try await names("kind=a&sort=name:asc") == ["n0", "n1"])
            #expect(try await names("min_ram=3") == ["n3"])
            #expect(try await names("created_at=gte:2023-11-14T22:13:23Z&sort=name:asc") == ["n3", "n4"])
            #expect(try await names("owner=two") == [])
            #expect(try await names("protected=true") == [])
            #expect(try await names("size_min=1") == [])
            var seen: [String] = []
            var next: String? = "/v2/images?limit=2&sort=name:asc"
            while let link = next {
                let answer = try await world.call(.get, link)
                seen += (answer.json["images"]?.array ?? []).compactMap { $0["name"]?.string }
                next = answer.json["next"]?.string
            }
            #expect(seen == ["n0", "n1", "n2", "n3", "n4"])
            for bad in [
                "limit=x", "limit=-1", "marker=none", "sort=color", "sort=name:up", "visibility=x", "os_hidden=1",
                "protected=1",
                "created_at=x", "created_at=after:2023-11-14T22:13:23Z", "size_min=x", "name=like:x", "member_status=x",
                "sort=name&sort_key=name", "changes-since=x",
            ] {
                #expect(try await world.call(.get, "/v2/images?\(bad)").status == 400, "\(bad)")
            }
        }
    }

    @Test func protectedAndDeactivatedImagesAreGuarded() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create(["protected": true])
            #expect(try await world.call(.delete, "/v2/images/\(id)").status == 403)
            #expect(try await world.call(.post, "/v2/images/\(id)/actions/deactivate").status == 403)
            let file = "/v2/images/\(id)/file"
            #expect(try await world.call(.get, file).status == 204)
            #expect(try await world.call(.put, file, bytes: Pieces([[1, 2, 3]])).status == 204)
            #expect(try await world.call(.post, "/v2/images/\(id)/actions/deactivate").status == 204)
            #expect(try await world.call(.get, file).status == 403)
            #expect(try await world.call(.get, file, as: "admin@root").status == 200)
            #expect(try await world.call(.post, "/v2/images/\(id)/actions/reactivate").status == 204)
            #expect(try await world.call(.get, file).bytes == [1, 2, 3])
        }
    }

    @Test func tagsComeAndGo() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create()
            #expect(try await world.call(.put, "/v2/images/\(id)/tags/blue").status == 204)
            #expect(try await world.call(.put, "/v2/images/\(id)/tags/blue").status == 204)
            #expect(try await world.call(.get, "/v2/images?tag=blue").json["images"]?.array?.count == 1)
            #expect(try await world.call(.get, "/v2/images?tag=blue&tag=red").json["images"]?.array?.count == 0)
            #expect(try await world.call(.delete, "/v2/images/\(id)/tags/blue").status == 204)
            #expect(try await world.call(.delete, "/v2/images/\(id)/tags/blue").status == 404)
            let long = String(repeating: "a", count: 256)
            #expect(try await world.call(.put, "/v2/images/\(id)/tags/\(long)").status == 400)
        }
    }

    @Test("filters take as many values as a caller names")
    func manyValues() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create()
            _ = try await world.create()
            try await world.database.write { tx in
                for number in 0..<2000 {
                    try tx.execute("INSERT INTO image_tags (image_id, tag) VALUES (\(id), \("t\(number)"))")
                    try tx.execute(
                        """
                        INSERT INTO image_properties (image_id, name, value)
                        VALUES (\(id), \("p\(number)"), \("v\(number)"))
                        """)
                }
            }
            let tags = (0..<2000).map { "tag=t\($0)" }.joined(separator: "&")
            let properties = (0..<2000).map { "p\($0)=v\($0)" }.joined(separator: "&")
            let status = [String](repeating: "status=queued", count: 2000).joined(separator: "&")
            let cases: [(String, Int)] = [
                (tags, 1), (tags + "&tag=other", 0), (properties, 1), (properties + "&p=v", 0),
                (properties + "&p1=v", 0),
                ("p1=v1", 1), ("p1=v2", 0), ("p1=v1&p2=v2&" + tags, 1), (status, 2),
            ]
            for (query, count) in cases {
                let answer = try await world.call(.get, "/v2/images?\(query)")
                #expect(answer.status == 200 && answer.json["images"]?.array?.count == count, "\(query.suffix(16))")
            }
        }
    }

    @Test func discoveryAnswers() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            #expect(try await world.call(.get, "/").status == 300)
            let versions = try await world.call(.get, "/versions")
            #expect(versions.status == 200)
            #expect(
                versions.json["versions"]?.array?.first?["links"]?.array?.first?["href"] == "http://cloud/image/v2/")
            for name in [
                "schemas/image", "schemas/images", "schemas/member", "schemas/members", "schemas/task", "schemas/tasks",
                "info/import", "info/stores", "info/usage", "schemas/metadefs/namespace", "schemas/metadefs/namespaces",
                "schemas/metadefs/resource_type", "schemas/metadefs/resource_types", "schemas/metadefs/property",
                "schemas/metadefs/properties", "schemas/metadefs/object", "schemas/metadefs/objects",
                "schemas/metadefs/tag", "schemas/metadefs/tags",
            ] {
                #expect(try await world.call(.get, "/v2/\(name)").status == 200, "\(name)")
            }
        }
    }
}
