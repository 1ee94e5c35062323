// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Goal: what a microversion brought is absent one version before, and what it took away is there until then.
/// Method: tables of paths, fields and values, each with its first or last version; one call on either side.
@Suite("Each microversion of Compute")
struct ComputeMicroversionTests {
    private static let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me"

    /// `{server}` stands for a server that is there.
    private func path(_ template: String, _ server: String) -> String {
        template.split(separator: "{server}", omittingEmptySubsequences: false).joined(separator: server)
    }

    @Test("paths come")
    func newPaths() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            for (method, template, minor) in [
                (.post, "/servers/{server}/remote-consoles", 6), (.get, "/servers/{server}/migrations", 23),
                (.get, "/servers/{server}/tags", 26), (.put, "/flavors/1", 55),
                (.get, "/servers/{server}/topology", 78),
                (.get, "/servers/{server}/shares", 97), (.put, "/os-services/force-down", 11),
            ] as [(HTTPMethod, String, Int)] {
                let path = path(template, id)
                let before = try await world.call(method, path, [:], as: "admin", version: "2.\(minor - 1)")
                #expect(before.status == 404, "\(template) in 2.\(minor - 1)")
                let after = try await world.call(method, path, [:], as: "admin", version: "2.\(minor)")
                #expect(after.status != 404, "\(template) in 2.\(minor)")
            }
        }
    }

    @Test("paths go")
    func oldPaths() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            for (path, last) in [
                ("/os-baremetal-nodes", 35), ("/os-hosts", 42), ("/os-hypervisors/node-1/search", 52),
                ("/os-hypervisors/node-1/servers", 52), ("/os-hypervisors/statistics", 87),
                ("/os-hypervisors/1/uptime", 87), ("/os-volumes_boot", 102),
            ] {
                let before = try await world.call(.get, path, as: "admin", version: "2.\(last)")
                #expect(before.status != 404, "\(path) in 2.\(last)")
                let after = try await world.call(.get, path, as: "admin", version: "2.\(last + 1)")
                #expect(after.status == 404, "\(path) in 2.\(last + 1)")
            }
        }
    }

    @Test("fields of requests come")
    func newFields() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let update = { (field: String, value: JSON) in JSON.object(["server": .object([field: value])]) }
            let flavor: JSON = [
                "flavor": ["name": "n", "ram": 1, "vcpus": 1, "disk": 1, "description": "d"]
            ]
            func event(_ name: String) -> JSON {
                ["events": [["name": .string(name), "server_uuid": .string(id), "tag": "t"]]]
            }
            let keyPair = { (field: String, value: JSON) in
                JSON.object([
                    "keypair": .object(["name": .string(field), "public_key": .string(Self.key), field: value])
                ])
            }
            for (method, path, body, minor) in [
                (.post, "/os-keypairs", keyPair("type", "ssh"), 2),
                (.post, "/os-keypairs", keyPair("user_id", "user-admin"), 10),
                (.put, "/servers/\(id)", update("description", "d"), 19), (.post, "/flavors", flavor, 55),
                (.put, "/servers/\(id)", update("hostname", "host"), 90),
                (.put, "/servers/\(id)", update("hostname", "h.example.org"), 94),
                (.put, "/servers/\(id)", update("pinned_availability_zone", "nova"), 104),
                (.post, "/servers", ComputeWorld.server("a", ["description": "d"]), 19),
                (.post, "/servers", ComputeWorld.server("b", ["networks": "none"]), 37),
                (.post, "/servers", ComputeWorld.server("c", ["tags": ["t"]]), 52),
                (.post, "/servers", ComputeWorld.server("d", ["host": "node-1"]), 74),
                (.post, "/servers", ComputeWorld.server("e", ["hostname": "host"]), 90),
                (.post, "/os-server-external-events", event("volume-extended"), 51),
                (.post, "/os-server-external-events", event("power-update"), 76),
                (.post, "/os-server-external-events", event("accelerator-request-bound"), 82),
                (.post, "/os-server-external-events", event("volume-reimaged"), 93),
                (.put, "/os-quota-class-sets/default", ["quota_class_set": ["server_groups": 5]], 50),
            ] as [(HTTPMethod, String, JSON, Int)] {
                let before = try await world.call(method, path, body, as: "admin", version: "2.\(minor - 1)")
                #expect(before.status == 400, "\(method) \(path) \(body.text()) in 2.\(minor - 1)")
                let after = try await world.call(method, path, body, as: "admin", version: "2.\(minor)")
                #expect(after.status < 300, "\(method) \(path) \(body.text()) in 2.\(minor): \(after.body.text())")
            }
            await world.sagas.idle()
        }
    }

    @Test("fields of requests go")
    func oldFields() async throws {
        let world = try await ComputeWorld()
        func quota(_ field: String) -> JSON { ["quota_set": .object([field: 5])] }
        func quotas(_ field: String) -> JSON { ["quota_class_set": .object([field: 5])] }
        for (method, path, body, last) in [
            (.put, "/os-quota-sets/project-demo", quota("fixed_ips"), 35),
            (.put, "/os-quota-sets/project-demo", quota("security_groups"), 35),
            (.put, "/os-quota-sets/project-demo", quota("injected_files"), 56),
            (.put, "/os-quota-class-sets/default", quotas("floating_ips"), 49),
            (.put, "/os-quota-class-sets/default", quotas("injected_files"), 56),
            (
                .post, "/flavors", ["flavor": ["name": "n", "ram": 1, "vcpus": 1, "disk": 1, "rxtx_factor": 2]], 101
            ),
            (.post, "/os-keypairs", ["keypair": ["name": "made"]], 91),
        ] as [(HTTPMethod, String, JSON, Int)] {
            let before = try await world.call(method, path, body, as: "admin", version: "2.\(last)")
            #expect(before.status < 300, "\(path) \(body.text()) in 2.\(last): \(before.body.text())")
            let after = try await world.call(method, path, body, as: "admin", version: "2.\(last + 1)")
            #expect(after.status == 400, "\(path) \(body.text()) in 2.\(last + 1)")
        }
    }

    @Test("fields of answers come and go")
    func answers() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            try await world.call(.post, "/os-aggregates", ["aggregate": ["name": "a"]], as: "admin", expecting: 200)
            try await world.call(
                .post, "/os-keypairs", ["keypair": ["name": "k", "public_key": .string(Self.key)]], as: "admin",
                expecting: 200)
            let actions = "/servers/\(id)/os-instance-actions"
            let request = try #require(
                try await world.call(.get, actions, as: "admin")["instanceActions", "0", "request_id"]?.string)
            let quotas = "/os-quota-sets/project-demo"
            for (path, keys, first) in [
                ("/os-keypairs", ["keypairs", "0", "keypair", "type"], 2),
                ("/os-services", ["services", "0", "forced_down"], 11),
                ("/os-aggregates", ["aggregates", "0", "uuid"], 41), ("/flavors", ["flavors", "0", "description"], 55),
                ("/flavors/detail", ["flavors", "0", "extra_specs"], 61),
                (actions, ["instanceActions", "0", "updated_at"], 58),
                ("\(actions)/\(request)", ["instanceAction", "events", "0", "hostId"], 62),
                ("\(actions)/\(request)", ["instanceAction", "events", "0", "details"], 84),
                ("/os-quota-class-sets/default", ["quota_class_set", "server_groups"], 50),
                ("/os-hypervisors/detail", ["hypervisors", "0", "uptime"], 88),
                ("/os-hypervisors/detail", ["hypervisors", "0", "cpu_info", "arch"], 28),
            ] as [(String, [String], Int)] {
                let before = try await shown(world, path, keys, first - 1)
                let after = try await shown(world, path, keys, first)
                #expect(before == nil && after != nil, "\(path) \(keys) from 2.\(first)")
            }
            for (path, keys, last) in [
                (quotas, ["quota_set", "fixed_ips"], 35), (quotas, ["quota_set", "injected_files"], 56),
                ("\(quotas)/detail", ["quota_set", "security_groups"], 35),
                ("\(quotas)/defaults", ["quota_set", "floating_ips"], 35),
                ("/os-quota-class-sets/default", ["quota_class_set", "fixed_ips"], 49),
                ("/limits", ["limits", "absolute", "maxSecurityGroups"], 35),
                ("/limits", ["limits", "absolute", "maxImageMeta"], 38),
                ("/limits", ["limits", "absolute", "maxPersonality"], 56),
                ("/os-hypervisors/detail", ["hypervisors", "0", "vcpus"], 87),
                ("/flavors/1", ["flavor", "rxtx_factor"], 101),
            ] as [(String, [String], Int)] {
                let before = try await shown(world, path, keys, last)
                let after = try await shown(world, path, keys, last + 1)
                #expect(before != nil && after == nil, "\(path) \(keys) until 2.\(last)")
            }
        }
    }

    private func shown(_ world: ComputeWorld, _ path: String, _ keys: [String], _ minor: Int) async throws -> JSON? {
        let answer = try await world.call(.get, path, as: "admin", version: "2.\(minor)", expecting: 200)
        return keys.reduce(Optional(answer.body)) { json, key in
            if let index = Int(key), let elements = json?.array {
                return elements.indices.contains(index) ? elements[index] : nil
            }
            return json?[key]
        }
    }

    @Test("what nobody knows in a query is refused from some version on")
    func queries() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            for (path, first) in [
                ("/os-hypervisors", 53), ("/servers/\(id)/os-instance-actions", 58), ("/os-migrations", 59),
                ("/servers", 75), ("/servers/detail", 75), ("/flavors", 75), ("/os-keypairs", 75), ("/limits", 75),
                ("/os-services", 75), ("/os-server-groups", 75), ("/os-simple-tenant-usage", 75),
                ("/os-quota-sets/project-demo", 75), ("/servers/\(id)/os-volume_attachments", 75),
                ("/servers/\(id)", 102), ("/os-aggregates", 102), ("/os-availability-zone", 102),
                ("/servers/\(id)/ips", 102), ("/servers/\(id)/metadata", 102), ("/servers/\(id)/os-interface", 102),
                ("/os-quota-class-sets/default", 102), ("/flavors/1/os-extra_specs", 102),
            ] {
                try await world.call(
                    .get, path + "?unknown=1", as: "admin", version: "2.\(first - 1)", expecting: 200)
                try await world.call(.get, path + "?unknown=1", as: "admin", version: "2.\(first)", expecting: 400)
            }
            for (query, first) in [("changes-before=2020-01-01T00:00:00Z", 66), ("user_id=u", 80)] {
                try await world.call(
                    .get, "/os-migrations?\(query)", as: "admin", version: "2.\(first - 1)", expecting: 400)
                try await world.call(
                    .get, "/os-migrations?\(query)", as: "admin", version: "2.\(first)", expecting: 200)
            }
            let reversed = "?changes-since=2020-01-02T00:00:00Z&changes-before=2020-01-01T00:00:00Z"
            for path in ["/servers", "/os-migrations", "/servers/\(id)/os-instance-actions"] {
                try await world.call(.get, path + reversed, as: "admin", version: "2.66", expecting: 400)
            }
        }
    }

    @Test("actions that a version has not are not found; a server is pinned to its own zone alone")
    func actions() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            func act(_ name: String, _ value: JSON, _ minor: Int, _ status: Int) async throws {
                try await world.call(
                    .post, "/servers/\(id)/action", .object([name: value]), as: "admin", version: "2.\(minor)",
                    expecting: status)
            }
            try await act("os-getSPICEConsole", ["type": "spice-html5"], 5, 400)
            try await act("os-getRDPConsole", ["type": "rdp-html5"], 5, 410)
            for name in ["os-getVNCConsole", "os-getSerialConsole", "os-getSPICEConsole", "os-getRDPConsole"] {
                try await act(name, ["type": "novnc"], 6, 404)
            }
            try await act("trigger_crash_dump", nil, 16, 404)
            try await act("addFixedIp", ["networkId": "n"], 44, 404)
            func pin(_ zone: JSON, _ status: Int) async throws {
                try await world.call(
                    .put, "/servers/\(id)", ["server": ["pinned_availability_zone": zone]], version: "2.104",
                    expecting: status)
            }
            try await pin("elsewhere", 409)
            try await pin("nova", 200)
            try await pin("elsewhere", 409)
            try await pin(nil, 200)
        }
    }
}
