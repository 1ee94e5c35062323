// SPDX-License-Identifier: Apache-2.0
import BaseKit
import TestKit
import Testing

/// Goal: clients of three ages get what upstream documents for each, no field more and none less.
/// Method: the keys of one object of each kind in 2.1, 2.60 and the newest version, as member and as administrator.
@Suite("Microversions of Compute")
struct ComputeVersionTests {
    private static let newest = "2.104"

    private func keys(_ json: JSON?) -> Set<String> { Set((json?.object ?? [:]).keys) }

    private static let server: Set<String> = [
        "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
        "addresses", "accessIPv4", "accessIPv6", "links", "OS-DCF:diskConfig", "progress",
        "OS-EXT-AZ:availability_zone", "config_drive", "key_name", "OS-SRV-USG:launched_at",
        "OS-SRV-USG:terminated_at", "security_groups", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state",
        "OS-EXT-STS:power_state", "os-extended-volumes:volumes_attached",
    ]
    private static let serverSince60: Set<String> = ["locked", "description", "tags"]
    private static let serverSince104: Set<String> = [
        "trusted_image_certificates", "locked_reason", "OS-EXT-SRV-ATTR:hostname", "pinned_availability_zone",
        "scheduler_hints",
    ]
    private static let administrator: Set<String> = [
        "OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:instance_name", "OS-EXT-SRV-ATTR:hypervisor_hostname",
    ]
    private static let administratorSince60: Set<String> = [
        "OS-EXT-SRV-ATTR:hostname", "OS-EXT-SRV-ATTR:reservation_id", "OS-EXT-SRV-ATTR:launch_index",
        "OS-EXT-SRV-ATTR:kernel_id", "OS-EXT-SRV-ATTR:ramdisk_id", "OS-EXT-SRV-ATTR:root_device_name",
        "OS-EXT-SRV-ATTR:user_data", "host_status",
    ]

    @Test("servers")
    func servers() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let path = "/servers/\(try await world.boot())"
            func shown(_ version: String, as token: String = "demo") async throws -> JSON? {
                try await world.call(.get, path, as: token, version: version, expecting: 200)["server"]
            }
            var (known, admin) = (Self.server, Self.administrator)
            let old = try await shown("2.1")
            #expect(keys(old) == known)
            #expect(keys(try await shown("2.1", as: "admin")) == known.union(admin))
            #expect(keys(old?["flavor"]) == ["id", "links"])
            #expect(keys(old?["image"]) == ["id", "links"])
            known.formUnion(Self.serverSince60)
            admin.formUnion(Self.administratorSince60)
            let middle = try await shown("2.60")
            #expect(keys(middle) == known)
            #expect(keys(try await shown("2.60", as: "admin")) == known.union(admin))
            #expect(
                keys(middle?["flavor"]) == [
                    "vcpus", "ram", "disk", "ephemeral", "swap", "original_name", "extra_specs",
                ])
            known.formUnion(Self.serverSince104)
            let new = try await shown(Self.newest)
            #expect(keys(new) == known.union(["server_groups"]))
            #expect(keys(try await shown(Self.newest, as: "admin")) == known.union(admin).union(["server_groups"]))
            #expect(keys(new?["image"]) == ["id", "links", "properties"])
            // Lists show the same, but for the groups; names alone are the same in all.
            for (version, fields) in [
                ("2.1", Self.server), ("2.60", Self.server.union(Self.serverSince60)), (Self.newest, known),
            ] {
                let list = try await world.call(.get, "/servers/detail", version: version, expecting: 200)
                #expect(keys(list["servers", "0"]) == fields, "\(version)")
                let names = try await world.call(.get, "/servers", version: version, expecting: 200)
                #expect(keys(names["servers", "0"]) == ["id", "name", "links"], "\(version)")
            }
            // What an older version does not know, it refuses.
            for (field, value, minor) in [
                ("description", "d", 18), ("hostname", "host", 89), ("pinned_availability_zone", "nova", 103),
            ] as [(String, JSON, Int)] {
                let body: JSON = ["server": .object([field: value])]
                try await world.call(.put, path, body, version: "2.\(minor)", expecting: 400)
                try await world.call(.put, path, body, version: "2.\(minor + 1)", expecting: 200)
            }
            let changed = try await world.call(
                .put, path, ["server": ["name": "two"]], version: "2.74", expecting: 200)
            #expect(changed["server", "OS-EXT-STS:vm_state"] == nil)
            let whole = try await world.call(
                .put, path, ["server": ["name": "two"]], version: Self.newest, expecting: 200)
            #expect(keys(whole["server"]) == known.union(["server_groups"]))
        }
    }

    @Test("flavors")
    func flavors() async throws {
        let world = try await ComputeWorld()
        var known: Set<String> = [
            "id", "name", "ram", "disk", "swap", "OS-FLV-EXT-DATA:ephemeral", "vcpus", "os-flavor-access:is_public",
            "OS-FLV-DISABLED:disabled", "rxtx_factor", "links",
        ]
        func check(_ version: String, _ fields: Set<String>, _ brief: Set<String>) async throws {
            let one = try await world.call(.get, "/flavors/1", version: version, expecting: 200)
            #expect(keys(one["flavor"]) == fields, "\(version)")
            let list = try await world.call(.get, "/flavors/detail", version: version, expecting: 200)
            #expect(keys(list["flavors", "0"]) == fields, "\(version)")
            let names = try await world.call(.get, "/flavors", version: version, expecting: 200)
            #expect(keys(names["flavors", "0"]) == brief, "\(version)")
        }
        try await check("2.1", known, ["id", "name", "links"])
        known.insert("description")
        try await check("2.60", known, ["id", "name", "links", "description"])
        known.subtract(["OS-FLV-DISABLED:disabled", "rxtx_factor"])
        known.insert("extra_specs")
        try await check(Self.newest, known, ["id", "name", "links", "description"])
        let old = try await world.call(.get, "/flavors/1", version: "2.74", expecting: 200)
        #expect(old["flavor", "swap"] == "")
        let body: JSON = ["flavor": ["name": "n", "ram": 1, "vcpus": 1, "disk": 1, "rxtx_factor": 2]]
        try await world.call(.post, "/flavors", body, as: "admin", version: "2.102", expecting: 400)
        try await world.call(.post, "/flavors", body, as: "admin", version: "2.101", expecting: 200)
    }

    @Test("key pairs")
    func keyPairs() async throws {
        let world = try await ComputeWorld()
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here"
        let listed: Set<String> = ["name", "public_key", "fingerprint"]
        let shown = listed.union(["user_id", "id", "created_at", "deleted", "deleted_at", "updated_at"])
        for (version, made, gone, more) in [
            ("2.1", 200, 202, []), ("2.60", 201, 204, ["type"]), (Self.newest, 201, 204, ["type"]),
        ]
            as [(String, Int, Int, Set<String>)]
        {
            let body: JSON = ["keypair": ["name": "k", "public_key": .string(key)]]
            let answer = try await world.call(.post, "/os-keypairs", body, version: version, expecting: made)
            #expect(keys(answer["keypair"]) == listed.union(more).union(["user_id"]), "\(version)")
            let one = try await world.call(.get, "/os-keypairs/k", version: version, expecting: 200)
            #expect(keys(one["keypair"]) == shown.union(more), "\(version)")
            let list = try await world.call(.get, "/os-keypairs", version: version, expecting: 200)
            #expect(keys(list["keypairs", "0", "keypair"]) == listed.union(more), "\(version)")
            try await world.call(.delete, "/os-keypairs/k", version: version, expecting: gone)
        }
        // The newest makes none, and takes more names.
        try await world.call(
            .post, "/os-keypairs", ["keypair": ["name": "k"]], version: Self.newest, expecting: 400)
        let mail: JSON = ["keypair": ["name": "a@b.c", "public_key": .string(key)]]
        try await world.call(.post, "/os-keypairs", mail, version: "2.91", expecting: 400)
        try await world.call(.post, "/os-keypairs", mail, version: "2.92", expecting: 201)
    }

    @Test("server groups")
    func serverGroups() async throws {
        let world = try await ComputeWorld()
        let old: Set<String> = ["id", "name", "policies", "members", "metadata"]
        let middle = old.union(["project_id", "user_id"])
        let new: Set<String> = ["id", "name", "policy", "rules", "members", "project_id", "user_id"]
        let before: JSON = ["server_group": ["name": "g", "policies": ["anti-affinity"]]]
        let after: JSON = [
            "server_group": ["name": "g", "policy": "anti-affinity", "rules": ["max_server_per_host": 2]]
        ]
        for (version, body, other, fields) in [
            ("2.1", before, after, old), ("2.60", before, after, middle), (Self.newest, after, before, new),
        ] {
            try await world.call(.post, "/os-server-groups", other, version: version, expecting: 400)
            let made = try await world.call(.post, "/os-server-groups", body, version: version, expecting: 200)
            #expect(keys(made["server_group"]) == fields, "\(version)")
            let list = try await world.call(.get, "/os-server-groups", version: version, expecting: 200)
            #expect(keys(list["server_groups", "0"]) == fields, "\(version)")
        }
        let soft: JSON = ["server_group": ["name": "s", "policies": ["soft-affinity"]]]
        try await world.call(.post, "/os-server-groups", soft, version: "2.14", expecting: 400)
        try await world.call(.post, "/os-server-groups", soft, version: "2.15", expecting: 200)
        try await world.call(
            .post, "/os-server-groups",
            ["server_group": ["name": "a", "policy": "affinity", "rules": ["max_server_per_host": 2]]],
            version: "2.64", expecting: 400)
    }
}
