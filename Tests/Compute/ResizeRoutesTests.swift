// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import TestKit
import Testing

/// Goal: resizes, migrations and evacuations answer a stock client as upstream's do, and their records are shown as each
/// version shows them.
/// Method: calls through the router against a fake hypervisor.
@Suite("Moves over the API")
struct ResizeRoutesTests {
    private func act(
        _ world: ComputeWorld, _ id: String, _ action: JSON, as token: String = "demo", version: String = "2.1",
        _ status: Int, at location: SourceLocation = #_sourceLocation
    ) async throws -> ComputeWorld.Answer {
        try await world.call(
            .post, "/servers/\(id)/action", action, as: token, version: version, expecting: status, at: location)
    }

    private func message(_ answer: ComputeWorld.Answer, _ name: String = "badRequest") -> String? {
        answer[name, "message"]?.string
    }

    @Test("resize, show, confirm; resize, revert; with a timeline")
    func life() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            _ = try await act(world, id, ["resize": ["flavorRef": "2"]], 202)
            try await world.settled(id)
            var server = try await world.call(.get, "/servers/\(id)")
            #expect(server["server", "status"] == "VERIFY_RESIZE")
            #expect(server["server", "OS-EXT-STS:vm_state"] == "resized")
            #expect(server["server", "flavor", "id"] == "2")
            let listed = try await world.call(.get, "/servers?status=VERIFY_RESIZE")
            #expect(listed["servers"]?.array?.count == 1)
            _ = try await act(world, id, ["os-stop": nil], 409)
            _ = try await act(world, id, ["resize": ["flavorRef": "3"]], 409)
            _ = try await act(world, id, ["confirmResize": nil], 204)
            try await world.settled(id)
            #expect(try await world.status(id) == "ACTIVE")
            // Down again is refused by the host, and up again is taken back.
            _ = try await act(world, id, ["resize": ["flavorRef": "1"]], 202)
            try await world.settled(id)
            #expect(try await world.status(id) == "ACTIVE")
            _ = try await act(world, id, ["resize": ["flavorRef": 3, "OS-DCF:diskConfig": "AUTO"]], 202)
            try await world.settled(id)
            server = try await world.call(.get, "/servers/\(id)")
            #expect(server["server", "flavor", "id"] == "3")
            #expect(server["server", "OS-DCF:diskConfig"] == "AUTO")
            _ = try await act(world, id, ["revertResize": nil], 202)
            try await world.settled(id)
            server = try await world.call(.get, "/servers/\(id)")
            #expect(server["server", "flavor", "id"] == "2" && server["server", "status"] == "ACTIVE")
            let actions = try await world.call(.get, "/servers/\(id)/os-instance-actions", version: "2.58")
            let names = (actions["instanceActions"]?.array ?? []).compactMap { $0["action"]?.string }
            #expect(names == ["revertResize", "resize", "resize", "confirmResize", "resize", "create"])
            let failed = (actions["instanceActions"]?.array ?? []).filter { $0["message"] == "Error" }
            #expect(failed.count == 1)
        }
    }

    @Test("a server that is off stays off")
    func stopped() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            for end in ["revertResize", "confirmResize"] {
                _ = try await act(world, id, ["os-stop": nil], end == "revertResize" ? 202 : 409)
                try await world.settled(id)
                _ = try await act(world, id, ["resize": ["flavorRef": "2"]], 202)
                try await world.settled(id)
                #expect(try await world.status(id) == "VERIFY_RESIZE")
                #expect(world.hypervisor.inventory[ServerID(id)]?.powerState == .shutdown)
                _ = try await world.call(.post, "/servers/\(id)/action", .object([end: nil]))
                try await world.settled(id)
                #expect(try await world.status(id) == "SHUTOFF")
            }
        }
    }

    @Test("what cannot be resized is refused with upstream's words")
    func refusals() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let same = try await act(world, id, ["resize": ["flavorRef": "1"]], 400)
            #expect(message(same) == "When resizing, instances must change flavor!")
            let unknown = try await act(world, id, ["resize": ["flavorRef": "nonsense"]], 400)
            #expect(message(unknown) == "Flavor nonsense could not be found.")
            _ = try await act(world, id, ["resize": ["flavorRef": ""]], 400)
            _ = try await act(world, id, ["resize": ["flavorRef": nil]], 400)
            _ = try await act(world, id, ["resize": [:]], 400)
            _ = try await act(world, id, ["resize": ["flavorRef": "2", "OS-DCF:diskConfig": "SOME"]], 400)
            _ = try await act(world, id, ["resize": ["flavorRef": "2"]], as: "other", 404)
            _ = try await act(world, id, ["resize": ["flavorRef": "2"]], as: "reader", 403)
            for (name, extra) in [
                ("zero", ["disk": 0, "ram": 512, "vcpus": 1]), ("huge", ["disk": 2, "ram": 512, "vcpus": 5000]),
                ("full", ["disk": 9000, "ram": 512, "vcpus": 1]),
            ] as [(String, [String: JSON])] {
                var flavor = extra
                flavor["id"] = .string(name)
                flavor["name"] = .string(name)
                try await world.call(.post, "/flavors", ["flavor": .object(flavor)], as: "admin", expecting: 200)
            }
            let zero = try await act(world, id, ["resize": ["flavorRef": "zero"]], 400)
            #expect(
                message(zero)
                    == "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.")
            _ = try await act(world, id, ["resize": ["flavorRef": "huge"]], 403)
            // No host has room: accepted, and the server is what it was.
            _ = try await act(world, id, ["resize": ["flavorRef": "full"]], 202)
            try await world.settled(id)
            #expect(try await world.status(id) == "ACTIVE")
            #expect(world.placement.consumers == [id])
            let early = try await act(world, id, ["confirmResize": nil], 409)
            #expect(
                message(early, "conflictingRequest")
                    == "Cannot 'confirmResize' instance \(id) while it is in vm_state active")
            _ = try await act(world, id, ["revertResize": nil], 409)
            _ = try await act(world, id, ["lock": nil], 202)
            _ = try await act(world, id, ["resize": ["flavorRef": "2"]], 409)
            _ = try await act(world, id, ["unlock": nil], 202)
            try await world.setSilent("node-1")
            let silent = try await act(world, id, ["resize": ["flavorRef": "2"]], 409)
            #expect(message(silent, "conflictingRequest") == "Service is unavailable at this time.")
        }
    }

    @Test("on one host nobody migrates, and the record says so")
    func migrate() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            _ = try await act(world, id, ["migrate": nil], 403)
            _ = try await act(world, id, ["migrate": nil], as: "admin", 202)
            try await world.settled(id)
            #expect(try await world.status(id) == "ACTIVE")
            let own = try await act(world, id, ["migrate": ["host": "node-1"]], as: "admin", version: "2.56", 400)
            #expect(message(own) == "Cannot migrate to the host where the server exists.")
            let none = try await act(world, id, ["migrate": ["host": "node-9"]], as: "admin", version: "2.56", 400)
            #expect(message(none) == "Compute host node-9 could not be found.")
            _ = try await act(world, id, ["migrate": ["hosts": "x"]], as: "admin", version: "2.56", 400)

            let old: JSON = ["os-migrateLive": ["host": nil, "block_migration": false, "disk_over_commit": false]]
            let refused = try await act(world, id, old, as: "admin", 400)
            #expect(message(refused) == "No valid host was found. There are not enough hosts available.")
            let fault = try await world.call(.get, "/servers/\(id)", as: "admin")
            #expect(fault["server", "status"] == "ACTIVE" && fault["server", "OS-EXT-STS:task_state"]?.isNull == true)
            let itself: JSON = [
                "os-migrateLive": ["host": "node-1", "block_migration": "auto"]
            ]
            let own2 = try await act(world, id, itself, as: "admin", version: "2.25", 400)
            #expect(message(own2) == "Unable to migrate instance (\(id)) to current host (node-1).")
            _ = try await act(world, id, itself, as: "admin", version: "2.34", 202)
            try await world.settled(id)
            let forced: JSON = ["os-migrateLive": ["host": nil, "block_migration": "auto", "force": true]]
            let noHost = try await act(world, id, forced, as: "admin", version: "2.30", 400)
            #expect(message(noHost) == "Can't force to a non-provided destination")
            _ = try await act(world, id, forced, as: "admin", version: "2.68", 400)
            let nowhere: JSON = ["os-migrateLive": ["host": "node-9", "block_migration": "auto"]]
            _ = try await act(world, id, nowhere, as: "admin", version: "2.34", 400)
            _ = try await act(world, id, ["os-migrateLive": ["host": nil, "block_migration": "x"]], as: "admin", 400)
            #expect(try await world.status(id) == "ACTIVE")
            let list = try await world.call(.get, "/os-migrations", as: "admin", version: "2.23", expecting: 200)
            let kinds = (list["migrations"]?.array ?? []).compactMap { $0["migration_type"]?.string }
            #expect(kinds == ["live-migration", "live-migration", "live-migration", "migration"])
            #expect((list["migrations"]?.array ?? []).allSatisfy { $0["status"] == "error" })

            _ = try await act(world, id, ["suspend": nil], 202)
            try await world.settled(id)
            _ = try await act(world, id, old, as: "admin", 409)
            _ = try await act(world, id, ["migrate": nil], as: "admin", 409)
        }
    }

    @Test("evacuation wants a host that is down, and another one")
    func evacuate() async throws {
        let world = try await ComputeWorld()
        let second = SecondHost(world)
        try await world.run {
            let id = try await world.boot()
            let early = try await act(world, id, ["evacuate": [:]], as: "admin", version: "2.14", 400)
            #expect(message(early) == "Compute service of node-1 is still in use.")
            _ = try await act(world, id, ["evacuate": ["host": "node-9"]], as: "admin", version: "2.14", 404)
            let same = try await act(world, id, ["evacuate": ["host": "node-1"]], as: "admin", version: "2.14", 400)
            #expect(message(same) == "The target host can't be the same one.")
            _ = try await act(world, id, ["evacuate": [:]], as: "admin", 400)
            _ = try await act(world, id, ["evacuate": [:]], version: "2.14", 403)
            try await second.run {
                try await world.setSilent("node-1")
                let answer = try await act(
                    world, id, ["evacuate": ["onSharedStorage": false, "adminPass": "secret"]], as: "admin", 200)
                #expect(answer["adminPass"] == "secret")
                try await world.settled(id)
                let server = try await world.call(.get, "/servers/\(id)", as: "admin")
                #expect(server["server", "status"] == "ACTIVE")
                #expect(server["server", "OS-EXT-SRV-ATTR:host"] == "node-2")
                #expect(second.hypervisor.inventory.count == 1)
                try await world.setSilent("node-1", false)
                _ = try await ComputeReconciler(world.parts, sagas: world.sagas).reconcile()
                #expect(world.placement.consumers == [id])
            }
        }
    }

    @Test("migrations are filtered and paged, and show what each version shows")
    func list() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let ids = [try await world.boot("a"), try await world.boot("b")]
            for id in ids {
                for _ in 1...2 {
                    _ = try await act(world, id, ["resize": ["flavorRef": "2"]], 202)
                    try await world.settled(id)
                    _ = try await act(world, id, ["revertResize": nil], 202)
                    try await world.settled(id)
                }
            }
            func list(_ query: String, _ version: String = "2.1", as token: String = "admin", _ status: Int = 200)
                async throws -> [JSON]
            {
                let answer = try await world.call(
                    .get, "/os-migrations" + query, as: token, version: version, expecting: status)
                return answer["migrations"]?.array ?? []
            }
            _ = try await list("", as: "demo", 403)
            let all = try await list("")
            #expect(all.count == 4)
            #expect(
                Set(all[0].object?.keys.map(\.self) ?? []) == [
                    "id", "status", "instance_uuid", "source_node", "source_compute", "dest_node", "dest_compute",
                    "dest_host", "old_instance_type_id", "new_instance_type_id", "created_at", "updated_at",
                ])
            #expect(all[0]["status"] == "reverted" && all[0]["new_instance_type_id"] == 2)
            let newest = try await list("", "2.80")
            #expect(newest[0]["project_id"] == "project-demo" && newest[0]["user_id"] == "user-demo")
            #expect(newest[0]["migration_type"] == "resize" && newest[0]["uuid"] != nil && newest[0]["links"] == nil)
            #expect(try await list("?instance_uuid=\(ids[0])").count == 2)
            #expect(try await list("?status=reverted&host=node-1&migration_type=resize").count == 4)
            #expect(try await list("?source_compute=node-2").isEmpty)
            #expect(try await list("?hidden=1").isEmpty)
            #expect(try await list("?nonsense=1").count == 4)
            _ = try await list("?nonsense=1", "2.59", 400)
            _ = try await list("?changes-before=2020-01-01T00:00:00Z", "2.59", 400)
            _ = try await list("?project_id=project-demo", "2.79", 400)
            #expect(try await list("?project_id=project-demo", "2.80").count == 4)
            #expect(try await list("?user_id=nobody", "2.80").isEmpty)
            #expect(try await list("?changes-before=2020-01-01T00:00:00Z", "2.66").isEmpty)
            #expect(try await list("?changes-since=2020-01-01T00:00:00Z", "2.59").count == 4)
            _ = try await list(
                "?changes-since=2020-01-02T00:00:00Z&changes-before=2020-01-01T00:00:00Z", "2.66", 400)
            _ = try await list("?marker=11111111-1111-4111-8111-111111111111", "2.59", 400)
            #expect(try await list("?limit=0", "2.59").isEmpty)
            var seen: [String] = []
            var marker = ""
            while true {
                let page = try await list("?limit=3" + marker, "2.59")
                guard let last = page.last?["uuid"]?.string else { break }
                seen += page.compactMap { $0["uuid"]?.string }
                marker = "&marker=\(last)"
            }
            #expect(seen == newest.compactMap { $0["uuid"]?.string })

            let path = "/servers/\(ids[0])/migrations"
            try await world.call(.get, path, as: "admin", version: "2.22", expecting: 404)
            let live = try await world.call(.get, path, as: "admin", version: "2.23", expecting: 200)
            #expect(live["migrations"]?.array?.isEmpty == true)
            try await world.call(.get, path + "/1", as: "admin", version: "2.23", expecting: 404)
            try await world.call(.get, path + "/99", as: "admin", version: "2.23", expecting: 404)
            try await world.call(.delete, path + "/1", as: "admin", version: "2.24", expecting: 409)
            try await world.call(
                .post, path + "/1/action", ["force_complete": nil], as: "admin", version: "2.22", expecting: 409)
            try await world.call(
                .post, path + "/1/action", ["other": nil], as: "admin", version: "2.22", expecting: 400)
        }
    }

    @Test("live migrations under way are shown, aborted and forced by their state")
    func inProgress() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let stores = world.parts.stores
            // As a live migration between two hosts has it.
            try await world.database.write { transaction in
                let server = try #require(try stores.servers.server(ServerID(id), transaction))
                try stores.migrations.insert(
                    ServerMigration(
                        id: IDSource.random.next(), number: 7, of: server, kind: .live, status: .queued,
                        by: "user-admin", at: world.parts.clock.now()), transaction)
                try transaction.execute(
                    "UPDATE servers SET task_state = 'migrating', saga_run = 'x' WHERE id = \(id)")
            }
            #expect(try await world.status(id) == "MIGRATING")
            let path = "/servers/\(id)/migrations"
            let list = try await world.call(.get, path, as: "admin", version: "2.80", expecting: 200)
            #expect(list["migrations"]?.array?.first?["server_uuid"] == .string(id))
            #expect(list["migrations"]?.array?.first?["memory_total_bytes"]?.isNull == true)
            let one = try await world.call(.get, path + "/7", as: "admin", version: "2.23", expecting: 200)
            #expect(one["migration", "status"] == "queued" && one["migration", "source_compute"] == "node-1")
            let all = try await world.call(.get, "/os-migrations", as: "admin", version: "2.23")
            #expect(all["migrations"]?.array?.first?["links"]?.array?.count == 2)
            let forced = try await world.call(
                .post, path + "/7/action", ["force_complete": nil], as: "admin", version: "2.22", expecting: 400)
            #expect(
                message(forced)
                    == "Migration 7 state of instance \(id) is queued. Cannot force complete while the migration is in "
                    + "this state.")
            try await world.call(.delete, path + "/7", as: "admin", version: "2.24", expecting: 400)
            try await world.call(.delete, path + "/8", as: "admin", version: "2.65", expecting: 404)
            try await world.call(.delete, path + "/7", as: "admin", version: "2.65", expecting: 202)
            try await world.call(.get, path + "/7", as: "admin", version: "2.23", expecting: 404)
        }
    }

    @Test("a new flavor brings its ephemeral and swap disks, and a volume comes along")
    func disks() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            try await world.call(
                .post, "/flavors",
                [
                    "flavor": [
                        "id": "rich", "name": "rich", "ram": 512, "vcpus": 1, "disk": 1, "swap": 64,
                        "OS-FLV-EXT-DATA:ephemeral": 2,
                    ]
                ], as: "admin", expecting: 200)
            let volume = world.volumes.add()
            let id = try await world.boot("one", world.attached(volume))
            _ = try await act(world, id, ["resize": ["flavorRef": "rich"]], 202)
            try await world.settled(id)
            #expect(try await world.status(id) == "VERIFY_RESIZE")
            let guest = try #require(world.hypervisor.inventory[ServerID(id)])
            #expect(guest.specification.localDisks?.map(\.sizeMiB).sorted() == [64, 2048])
            #expect(guest.volumes.map(\.id) == [volume])
            let names = (guest.specification.localDisks ?? []).map(\.device) + guest.volumes.map(\.device)
            #expect(Set(names).count == 3)
            _ = try await act(world, id, ["revertResize": nil], 202)
            try await world.settled(id)
            #expect(world.hypervisor.inventory[ServerID(id)]?.specification.localDisks ?? [] == [])
            let server = try await world.call(.get, "/servers/\(id)")
            #expect(server["server", "os-extended-volumes:volumes_attached"]?.array?.count == 1)
        }
    }
}
