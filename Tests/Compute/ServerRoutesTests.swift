// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import TestKit
import Testing

/// Goal: servers behave to a stock client as upstream's do, in each version it may ask for.
/// Method: calls through the router against a fake hypervisor.
@Suite("Servers over the API")
struct ServerRoutesTests {
    @Test("create, show, stop, start, pause, suspend, reboot, delete")
    func life() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            #expect(try await world.status(id) == "ACTIVE")
            let steps: [(JSON, String)] = [
                (["os-stop": nil], "SHUTOFF"), (["os-start": nil], "ACTIVE"), (["pause": nil], "PAUSED"),
                (["unpause": nil], "ACTIVE"), (["suspend": nil], "SUSPENDED"), (["resume": nil], "ACTIVE"),
                (["reboot": ["type": "SOFT"]], "ACTIVE"), (["reboot": ["type": "hard"]], "ACTIVE"),
            ]
            for (action, status) in steps {
                // Nine actions in one test: the timeline needs a request id for each.
                try await world.call(.post, "/servers/\(id)/action", action, expecting: 202)
                try await world.settled(id)
                #expect(try await world.status(id) == status, "\(action.text())")
            }
            try await world.call(.post, "/servers/\(id)/action", ["unpause": nil], expecting: 409)
            let actions = try await world.call(
                .get, "/servers/\(id)/os-instance-actions", version: "2.58", expecting: 200)
            #expect(actions["instanceActions"]?.array?.count == 9)
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { try await world.call(.get, "/servers/\(id)").status == 404 }
            #expect(world.isClean)
        }
    }

    @Test("what nobody has looked into is not booted", arguments: ["ova", "ovf", "docker", "compressed", nil])
    func unknownContainers(_ container: String?) async throws {
        let world = try await ComputeWorld()
        try await world.run {
            var image = try #require(world.images[ID(ComputeWorld.image)])
            image.containerFormat = container
            world.images.set(image)
            try await world.call(.post, "/servers", ComputeWorld.server(), expecting: 400)
            #expect(world.isClean)
        }
    }

    @Test("a server is absent for other projects, and read-only for readers")
    func tenants() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            try await world.call(.get, "/servers/\(id)", as: "other", expecting: 404)
            try await world.call(.delete, "/servers/\(id)", as: "other", expecting: 404)
            try await world.call(.post, "/servers/\(id)/action", ["os-stop": nil], as: "other", expecting: 404)
            try await world.call(.get, "/servers/\(id)", as: "reader", expecting: 200)
            try await world.call(.delete, "/servers/\(id)", as: "reader", expecting: 403)
            try await world.call(.post, "/servers/\(id)/action", ["os-stop": nil], as: "reader", expecting: 403)
            try await world.call(.post, "/servers", ComputeWorld.server(), as: "reader", expecting: 403)
            #expect(try await world.call(.get, "/servers", as: "other")["servers"] == [])
            try await world.call(.get, "/servers?all_tenants=1", as: "other", expecting: 403)
            #expect(
                try await world.call(.get, "/servers?all_tenants=1", as: "admin")["servers", "0", "id"]?.string == id)
            try await world.call(.post, "/servers/\(id)/action", ["os-resetState": ["state": "error"]], expecting: 403)
            try await world.call(.get, "/servers", as: "nobody", expecting: 401)
        }
    }

    @Test(
        "fields come with their version, and go without it",
        arguments: [
            ("locked", 9), ("description", 19), ("tags", 26), ("trusted_image_certificates", 63), ("server_groups", 71),
            ("locked_reason", 73), ("OS-EXT-SRV-ATTR:hostname", 90), ("pinned_availability_zone", 96),
            ("scheduler_hints", 100),
        ])
    func versions(_ field: String, _ minor: Int) async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let old = try await world.call(.get, "/servers/\(id)", version: "2.\(minor - 1)")
            let new = try await world.call(.get, "/servers/\(id)", version: "2.\(minor)")
            #expect(old["server"]?[field] == nil)
            #expect(new["server"]?[field] != nil)
        }
    }

    @Test("the flavor is a link, then a copy; the image's properties come with 2.98")
    func embedded() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            #expect(try await world.call(.get, "/servers/\(id)", version: "2.46")["server", "flavor", "id"] == "1")
            let new = try await world.call(.get, "/servers/\(id)", version: "2.98")
            #expect(new["server", "flavor", "original_name"] == "m1.tiny")
            #expect(new["server", "flavor", "id"] == nil)
            #expect(new["server", "image", "properties", "hw_disk_bus"] == "virtio")
            #expect(new["server", "image", "properties", "owner_note"] == nil)
            #expect(new["server", "addresses", "private", "0", "OS-EXT-IPS:type"] == "fixed")
            #expect(new["server", "security_groups", "0", "name"] == "default")
            #expect(new["server", "OS-EXT-SRV-ATTR:host"] == nil)
            let admins = try await world.call(.get, "/servers/\(id)", as: "admin", version: "2.3")
            #expect(admins["server", "OS-EXT-SRV-ATTR:host"] == "node-1")
            #expect(admins["server", "OS-EXT-SRV-ATTR:instance_name"] == "instance-00000001")
        }
    }

    @Test(
        "bad requests are refused before anything is made",
        arguments: [
            (["name": ""], 400), (["name": " x"], 400), (["imageRef": "x"], 400), (["flavorRef": "no"], 400),
            (["imageRef": "33333333-3333-4333-8333-333333333333"], 400), (["networks": [["uuid": "x"]]], 400),
            (["networks": [["uuid": "33333333-3333-4333-8333-333333333333"]]], 400), (["min_count": 0], 400),
            (["min_count": 3, "max_count": 2], 400), (["key_name": "none"], 400), (["user_data": "###"], 400),
            (["accessIPv4": "1.2.3"], 400), (["unknown": 1], 400), (["metadata": ["k": 1]], 400),
            (
                [
                    "block_device_mapping_v2": [
                        ["source_type": "volume", "uuid": "33333333-3333-4333-8333-333333333333"]
                    ]
                ], 400
            ),
            (["min_count": 1000], 403), (["availability_zone": "mars"], 400),
            (["availability_zone": "nova:node-1"], 403),
            (["tags": ["x"]], 400), (["description": "x"], 400), (["flavorRef": "2", "min_count": 101], 403),
        ] as [([String: JSON], Int)])
    func refused(_ extra: [String: JSON], _ status: Int) async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let answer = try await world.call(.post, "/servers", ComputeWorld.server("one", extra), expecting: status)
            let name = status == 403 ? "forbidden" : "badRequest"
            #expect(answer[name, "code"] == .int(Int64(status)))
            #expect(try await world.call(.get, "/servers")["servers"] == [])
        }
    }

    @Test("from 2.37 the caller says which networks; none is none")
    func networks() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let body = ComputeWorld.server("one", ["networks": "none"])
            try await world.call(.post, "/servers", body, expecting: 400)
            try await world.call(.post, "/servers", body, version: "2.37", expecting: 202)
            var fields = try #require(ComputeWorld.server()["server"]?.object)
            fields["networks"] = nil
            try await world.call(.post, "/servers", ["server": .object(fields)], version: "2.37", expecting: 400)
            let made = try await world.call(.post, "/servers", ["server": .object(fields)], expecting: 202)
            let id = try #require(made["server", "id"]?.string)
            try await world.settled(id)
            #expect(world.networks.ports.count == 1)
        }
    }

    @Test("who asks for any network, and has none, gets one, or the reason why there is none")
    func anyNetwork() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            world.networks.takeAway(hasDefaults: false)
            let wish = ComputeWorld.server("one", ["networks": "auto"])
            let refused = try await world.call(.post, "/servers", wish, version: "2.37", expecting: 400)
            #expect(refused.body.text().contains("No default subnetpools defined"))
            #expect(world.networks.ports.isEmpty)
            world.networks.takeAway(hasDefaults: true)
            let answer = try await world.call(.post, "/servers", wish, version: "2.37", expecting: 202)
            try await world.settled(try #require(answer["server", "id"]?.string))
            #expect(world.networks.ports.count == 1)
        }
    }

    @Test("lists filter, sort and page")
    func lists() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            for name in ["alpha", "beta", "gamma"] { _ = try await world.boot(name) }
            func names(_ query: String, version: String = "2.1") async throws -> [String] {
                let answer = try await world.call(.get, "/servers\(query)", version: version, expecting: 200)
                return (answer["servers"]?.array ?? []).compactMap { $0["name"]?.string }
            }
            #expect(try await names("") == ["gamma", "beta", "alpha"])
            #expect(try await names("?sort_key=display_name&sort_dir=asc") == ["alpha", "beta", "gamma"])
            #expect(try await names("?name=^b") == ["beta"])
            #expect(try await names("?name=am") == ["gamma"])
            #expect(try await names("?status=ACTIVE&flavor=1").count == 3)
            #expect(try await names("?status=SHUTOFF") == [])
            #expect(try await names("?status=nonsense") == [])
            #expect(try await names("?image=\(ComputeWorld.image)").count == 3)
            #expect(try await names("?ip=10.0.0.12").count == 1)
            #expect(try await names("?changes-since=2001-01-01T00:00:00Z").count == 3)
            #expect(try await names("?limit=0") == [])
            let first = try await world.call(.get, "/servers?limit=2", expecting: 200)
            #expect(first["servers_links", "0", "rel"] == "next")
            let marker = try #require(first["servers", "1", "id"]?.string)
            #expect(try await names("?limit=2&marker=\(marker)") == ["alpha"])
            for query in [
                "?limit=-1", "?limit=x", "?marker=none", "?changes-since=x", "?sort_key=nonsense", "?name=a(",
            ] {
                try await world.call(.get, "/servers\(query)", expecting: 400)
            }
            try await world.call(.get, "/servers?status=nonsense", version: "2.38", expecting: 400)
            try await world.call(.get, "/servers?nonsense=1", version: "2.75", expecting: 400)
            try await world.call(.get, "/servers?nonsense=1", version: "2.74", expecting: 200)
            let detail = try await world.call(.get, "/servers/detail?name=beta", expecting: 200)
            #expect(detail["servers", "0", "status"] == "ACTIVE")
            #expect(detail["servers", "0", "addresses", "private", "0", "version"] == 4)
        }
    }

    @Test("filters take as many values as a caller names")
    func manyValues() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot("one")
            _ = try await world.boot("two")
            let tags = (0..<2000).map { "t\($0)" }
            try await world.database.write { tx in
                for tag in tags {
                    try tx.execute("INSERT INTO server_tags (server_id, tag) VALUES (\(id), \(tag))")
                }
            }
            let (all, more) = (tags.joined(separator: ","), (tags + ["other"]).joined(separator: ","))
            let status = [String](repeating: "status=active", count: 2000).joined(separator: "&")
            let cases: [(String, [String])] = [
                ("tags=\(all)", ["one"]), ("tags=\(more)", []), ("tags-any=\(more)", ["one"]),
                ("not-tags=\(all)", ["two"]), ("not-tags=\(more)", ["one", "two"]), ("not-tags-any=\(more)", ["two"]),
                (status, ["one", "two"]),
            ]
            for (query, names) in cases {
                let list = try await world.call(.get, "/servers?\(query)", version: "2.26", expecting: 200)
                let found = list["servers"]?.array?.compactMap { $0["name"]?.string }.sorted()
                #expect(found == names, "\(query.prefix(16))")
            }
        }
    }

    @Test("metadata, tags, name, lock and address views")
    func edits() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot("one", ["metadata": ["a": "1"]])
            let path = "/servers/\(id)"
            try await world.call(.post, path + "/metadata", ["metadata": ["b": "2"]], expecting: 200)
            try await world.call(.put, path + "/metadata/a", ["meta": ["a": "3"]], expecting: 200)
            try await world.call(.put, path + "/metadata/a", ["meta": ["c": "3"]], expecting: 400)
            #expect(try await world.call(.get, path + "/metadata")["metadata"] == ["a": "3", "b": "2"])
            try await world.call(.delete, path + "/metadata/b", expecting: 204)
            try await world.call(.delete, path + "/metadata/b", expecting: 404)
            try await world.call(.put, path + "/tags", ["tags": ["x", "y"]], version: "2.26", expecting: 200)
            try await world.call(.put, path + "/tags/z", version: "2.26", expecting: 201)
            try await world.call(.get, path + "/tags/x", version: "2.26", expecting: 204)
            try await world.call(.get, path + "/tags", expecting: 404)
            #expect(try await world.call(.get, "/servers?tags=x,z", version: "2.26")["servers"]?.array?.count == 1)
            #expect(try await world.call(.get, "/servers?not-tags-any=x", version: "2.26")["servers"] == [])
            let renamed = try await world.call(
                .put, path, ["server": ["name": "two", "accessIPv4": "192.0.2.9"]], expecting: 200)
            #expect(renamed["server", "name"] == "two")
            #expect(renamed["server", "accessIPv4"] == "192.0.2.9")
            try await world.call(.put, path, ["server": ["name": ""]], expecting: 400)
            try await world.call(
                .post, path + "/action", ["lock": ["locked_reason": "mine"]], version: "2.73", expecting: 202)
            try await world.call(.post, path + "/action", ["os-stop": nil], as: "demo", expecting: 409)
            try await world.call(.delete, path, expecting: 409)
            #expect(try await world.call(.get, path, version: "2.73")["server", "locked_reason"] == "mine")
            try await world.call(.post, path + "/action", ["unlock": nil], expecting: 202)
            #expect(try await world.call(.get, path + "/ips")["addresses", "private", "0", "version"] == 4)
            #expect(
                try await world.call(.get, path + "/os-interface")["interfaceAttachments", "0", "port_state"] == "DOWN")
            world.neighbours.answer("GET /network/v2.0/ports", 200, ["ports": [["security_groups": ["group-1"]]]])
            world.neighbours.answer(
                "GET /network/v2.0/security-groups", 200,
                ["security_groups": [["id": "group-1", "name": "default", "tenant_id": "project-demo"]]])
            let groups = try await world.call(.get, path + "/os-security-groups", expecting: 200)
            #expect(groups["security_groups", "0", "name"] == "default")
            #expect(groups["security_groups", "0", "rules"] == [])
            try await world.call(.post, path + "/action", ["addSecurityGroup": ["name": "web"]], expecting: 202)
            #expect(try await world.call(.get, path)["server", "security_groups"]?.array?.count == 2)
            try await world.call(.post, path + "/action", ["removeSecurityGroup": ["name": "web"]], expecting: 202)
            try await world.call(.post, path + "/action", ["removeSecurityGroup": ["name": "web"]], expecting: 404)
            try await world.call(
                .post, path + "/action", ["addSecurityGroup": ["name": "web"]], as: "reader", expecting: 403)
            try await world.call(.post, path + "/action", ["nonsense": nil], expecting: 400)
        }
    }

    @Test("consoles: output, and an address with a token that opens the endpoint for a while")
    func consoles() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let output = try await world.call(
                .post, "/servers/\(id)/action", ["os-getConsoleOutput": ["length": 1]], expecting: 200)
            #expect(output["output"] == "login: ")
            let vnc: JSON = ["remote_console": ["protocol": "vnc", "type": "novnc"]]
            try await world.call(.post, "/servers/\(id)/remote-consoles", vnc, expecting: 404)
            let console = try await world.call(
                .post, "/servers/\(id)/remote-consoles", vnc, version: "2.6", expecting: 200)
            let url = try #require(console["remote_console", "url"]?.string)
            #expect(url.hasPrefix(ComputeWorld.origin + "/console/vnc_lite.html?path=console%2Fwebsockify%3Ftoken%3D"))
            let token = String(url.suffix(36))
            let info = try await world.call(
                .get, "/os-console-auth-tokens/\(token)", as: "admin", version: "2.31", expecting: 200)
            try await world.call(.get, "/os-console-auth-tokens/\(token)", as: "admin", version: "2.30", expecting: 400)
            #expect(info["console", "instance_uuid"]?.string == id)
            try await world.call(
                .get, "/os-console-auth-tokens/bad\(token)", as: "admin", version: "2.31", expecting: 404)
            try await world.call(.get, "/os-console-auth-tokens/\(token)", expecting: 403)
            let old = try await world.call(
                .post, "/servers/\(id)/action", ["os-getVNCConsole": ["type": "novnc"]], expecting: 200)
            #expect(old["console", "type"] == "novnc")
            try await world.call(
                .post, "/servers/\(id)/action", ["os-getVNCConsole": ["type": "novnc"]], version: "2.6", expecting: 404)
        }
    }
}
