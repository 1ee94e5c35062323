// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Definitions of metadata through the API: administrators write, projects read what they see.
@Suite struct MetadataDefinitionTests {
    private static let admin = "admin@root"
    private static let root = "/v2/metadefs/namespaces"
    private static let property: JSON = ["title": "Cores", "type": "integer", "minimum": 1, "enum": [1, 2]]

    private func withWorld(_ body: (ImageWorld) async throws -> Void) async throws {
        try await withTemporaryDirectory { try await body(try await ImageWorld(directory: $0)) }
    }

    private func status(
        _ world: ImageWorld, _ method: HTTPMethod, _ path: String, as token: String = admin, _ body: JSON? = nil
    ) async throws -> Int {
        try await world.call(method, Self.root + path, as: token, body).status
    }

    private static let whole: JSON = [
        "namespace": "CPU", "display_name": "Processors", "description": "d", "visibility": "public", "protected": true,
        "owner": "one", "resource_type_associations": [["name": "OS::Nova::Flavor", "prefix": "hw:"]],
        "properties": ["cores": property],
        "objects": [["name": "topology", "required": ["cores"], "properties": ["cores": property]]],
        "tags": [["name": "fast"]],
    ]

    @Test func aWholeNamespaceComesBack() async throws {
        try await withWorld { world in
            #expect(try await status(world, .post, "", as: "member@one", Self.whole) == 403)
            let made = try await world.call(.post, Self.root, as: Self.admin, Self.whole)
            #expect(made.status == 201 && made.headers["Location"] == "\(Self.root)/CPU")
            #expect(try await status(world, .post, "", Self.whole) == 409)
            let shown = try await world.call(.get, Self.root + "/CPU", as: "reader@two").json
            #expect(shown["protected"] == true && shown["owner"] == "one" && shown["display_name"] == "Processors")
            #expect(shown["properties"] == ["cores": Self.property])
            #expect(shown["objects"]?.array?.first?["properties"] == ["cores": Self.property])
            #expect(shown["tags"] == [["name": "fast"]])
            #expect(shown["resource_type_associations"]?.array?.first?["prefix"] == "hw:")
            #expect(shown["schema"] == "/v2/schemas/metadefs/namespace" && shown["self"] == "/v2/metadefs/namespaces/CPU")
            let prefixed = try await world.call(.get, Self.root + "/CPU?resource_type=OS::Nova::Flavor", as: Self.admin).json
            #expect(prefixed["properties"] == ["hw:cores": Self.property])
            #expect(prefixed["objects"]?.array?.first?["required"] == ["hw:cores"])
            for path in ["/CPU", "/CPU/objects/topology", "/CPU/properties/cores", "/CPU/tags/fast", "/CPU/objects"] {
                #expect(try await status(world, .delete, path) == 403, "\(path) is protected")
            }
            let open: JSON = ["namespace": "CPUs"]
            let changed = try await world.call(.put, Self.root + "/CPU", as: Self.admin, open).json
            #expect(changed["namespace"] == "CPUs" && changed["visibility"] == "private" && changed["protected"] == false)
            #expect(try await status(world, .get, "/CPU") == 404)
            #expect(try await status(world, .get, "/CPUs", as: "reader@two") == 404)
            #expect(try await status(world, .delete, "/CPUs", as: "member@root") == 403)
            #expect(try await status(world, .delete, "/CPUs") == 204)
            #expect(try await status(world, .get, "/CPUs/tags") == 404)
        }
    }

    @Test func listsShowWhatOneSees() async throws {
        try await withWorld { world in
            for (name, visibility, owner, type) in [
                ("a", "public", "one", "OS::Nova::Flavor"), ("b", "private", "one", "OS::Glance::Image"),
                ("c", "private", "two", "OS::Glance::Image"),
            ] {
                let body: JSON = [
                    "namespace": .string(name), "visibility": .string(visibility), "owner": .string(owner),
                    "resource_type_associations": [["name": .string(type)]],
                ]
                #expect(try await status(world, .post, "", body) == 201)
                world.clock.advance(by: .seconds(1))
            }
            func names(_ query: String, as token: String = Self.admin) async throws -> [String] {
                let answer = try await world.call(.get, Self.root + query, as: token)
                #expect(answer.status == 200, "\(answer.text)")
                return (answer.json["namespaces"]?.array ?? []).compactMap { $0["namespace"]?.string }
            }
            #expect(try await names("") == ["c", "b", "a"])
            #expect(try await names("", as: "reader@one") == ["b", "a"])
            #expect(try await names("", as: "reader@three") == ["a"])
            #expect(try await names("?visibility=private") == ["c", "b"])
            #expect(try await names("?resource_types=OS::Glance::Image,x&sort_key=namespace&sort_dir=asc") == ["b", "c"])
            let page = try await world.call(.get, Self.root + "?limit=2", as: Self.admin).json
            #expect(page["next"]?.string == "\(Self.root)?limit=2&marker=b")
            #expect(try await names("?limit=2&marker=b") == ["a"])
            for bad in ["?limit=x", "?limit=-1", "?sort_dir=x", "?sort_key=x", "?visibility=shared"] {
                #expect(try await status(world, .get, bad) == 400, "\(bad)")
            }
            #expect(try await status(world, .get, "?marker=none") == 404)
            #expect(try await status(world, .get, "", as: "none@one") == 403)
            #expect(try await status(world, .get, "/c", as: "reader@one") == 404)
        }
    }

    @Test func definitionsComeChangeAndGo() async throws {
        try await withWorld { world in
            #expect(try await status(world, .post, "", ["namespace": "n", "visibility": "public"]) == 201)
            let types = try await world.call(.get, "/v2/metadefs/resource_types", as: "reader@one").json["resource_types"]
            #expect(types?.array?.contains { $0["name"] == "OS::Nova::Server" } == true)
            // One of each: made, shown, refused twice, renamed, deleted.
            let named = { (fields: JSON, name: String) -> JSON in
                .object((fields.object ?? [:]).merging(["name": .string(name)]) { $1 })
            }
            for (noun, fields) in [("objects", ["description": "d"]), ("properties", Self.property)] as [(String, JSON)] {
                let path = "/n/\(noun)"
                #expect(try await status(world, .post, path, as: "member@root", named(fields, "x")) == 403)
                #expect(try await status(world, .post, path, named(fields, "x")) == 201)
                #expect(try await status(world, .post, path, named(fields, "x")) == 409)
                #expect(try await status(world, .get, "\(path)/x", as: "reader@one") == 200)
                let changed = try await world.call(.put, "\(Self.root)\(path)/x", as: Self.admin, named(fields, "y"))
                #expect(changed.status == 200 && changed.json["name"] == "y")
                #expect(try await status(world, .get, "\(path)/x") == 404)
                #expect(try await status(world, .put, "\(path)/x", named(fields, "x")) == 404)
                #expect(try await status(world, .delete, "\(path)/y") == 204)
                #expect(try await status(world, .post, path, named(fields, "z")) == 201)
                #expect(try await status(world, .delete, path) == 204)
            }
            #expect(try await world.call(.get, Self.root + "/n/properties", as: Self.admin).json == ["properties": [:]])
            #expect(try await status(world, .post, "/n/tags/one") == 201)
            #expect(try await status(world, .post, "/n/tags/one") == 409)
            let tags: JSON = ["tags": [["name": "two"], ["name": "three"]]]
            let appended = try await world.call(
                .post, Self.root + "/n/tags", as: Self.admin, tags, headers: ["X-Openstack-Append": "True"])
            #expect(appended.status == 201)
            let list = Self.root + "/n/tags?sort_key=name&sort_dir=asc"
            #expect(
                try await world.call(.get, list, as: Self.admin).json["tags"]
                    == [["name": "one"], ["name": "three"], ["name": "two"]])
            #expect(try await status(world, .post, "/n/tags", ["tags": [["name": "four"]]]) == 201)
            #expect(try await world.call(.get, list, as: Self.admin).json["tags"] == [["name": "four"]])
            #expect(try await status(world, .put, "/n/tags/four", ["name": "five"]) == 200)
            #expect(try await status(world, .delete, "/n/tags") == 204)
            let association: JSON = ["name": "OS::Own::Thing", "prefix": "p:"]
            #expect(try await status(world, .post, "/n/resource_types", association) == 201)
            #expect(try await status(world, .post, "/n/resource_types", association) == 409)
            #expect(try await status(world, .post, "/n/properties", named(Self.property, "x")) == 201)
            #expect(try await status(world, .get, "/n/properties/p:x?resource_type=OS::Own::Thing") == 200)
            #expect(try await status(world, .get, "/n/properties/x?resource_type=OS::Own::Thing") == 404)
            #expect(try await status(world, .delete, "/n/resource_types/OS::Own::Thing") == 204)
            #expect(try await status(world, .delete, "/n/resource_types/OS::Own::Thing") == 404)
        }
    }

    @Test(
        arguments: [
            ("", ["display_name": "x"], 400), ("", ["namespace": 5], 400), ("", ["namespace": "a/b"], 400),
            ("", ["namespace": "a", "color": "x"], 400), ("", ["namespace": "a", "self": "x"], 403),
            ("", ["namespace": "a", "visibility": "shared"], 400), ("", ["namespace": "a", "protected": "yes"], 400),
            ("", ["namespace": "a", "tags": [["name": "x"], ["name": "x"]]], 409),
            ("/n/objects", ["description": "x"], 400), ("/n/objects", ["name": "x", "schema": "x"], 403),
            ("/n/objects", ["name": "x", "properties": ["p": ["title": "x"]]], 400),
            ("/n/objects", ["name": "x", "required": ["a", "a"]], 400),
            ("/n/properties", ["name": "x", "title": "x"], 400), ("/n/properties", ["title": "x", "type": "string"], 400),
            ("/n/properties", ["name": "x", "title": "x", "type": "date"], 400),
            ("/n/properties", ["name": "x", "title": "x", "type": "string", "maxLength": -1], 400),
            ("/n/tags", ["tags": ["x"]], 400), ("/n/tags", ["tags": [["name": "x", "color": "y"]]], 400),
            ("/n/resource_types", ["prefix": "x"], 400), ("/none/objects", ["name": "x"], 404),
        ] as [(String, JSON, Int)])
    func badBodiesAreRefused(path: String, body: JSON, status wanted: Int) async throws {
        try await withWorld { world in
            #expect(try await status(world, .post, "", ["namespace": "n"]) == 201)
            let answer = try await world.call(.post, Self.root + path, as: Self.admin, body)
            #expect(answer.status == wanted, "\(answer.text)")
        }
    }
}
