// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import NetworkContract
import TestKit
import Testing

/// Flavors, keys, hosts, zones, groups, quotas over the API.
@Suite("Compute beside servers")
struct ComputeAdministrationTests {
    private static let publicKey =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here"

    @Test("the classic flavors are there; others come and go, and private ones are for whom they are")
    func flavors() async throws {
        let world = try await ComputeWorld()
        let list = try await world.call(.get, "/flavors/detail", expecting: 200)
        #expect(
            (list["flavors"]?.array ?? []).compactMap { $0["name"]?.string } == [
                "m1.tiny", "m1.small", "m1.medium", "m1.large", "m1.xlarge",
            ])
        let body: JSON = [
            "flavor": [
                "id": "p", "name": "private", "ram": "64", "vcpus": 1, "disk": 0, "os-flavor-access:is_public": false,
            ]
        ]
        try await world.call(.post, "/flavors", body, expecting: 403)
        let made = try await world.call(.post, "/flavors", body, as: "admin", expecting: 200)
        #expect(made["flavor", "swap"] == "")
        #expect(try await world.call(.get, "/flavors/p", as: "admin", version: "2.75")["flavor", "swap"] == 0)
        try await world.call(.post, "/flavors", body, as: "admin", expecting: 409)
        try await world.call(.get, "/flavors/p", expecting: 404)
        let access: JSON = ["addTenantAccess": ["tenant": "project-demo"]]
        try await world.call(.post, "/flavors/p/action", access, expecting: 403)
        try await world.call(.post, "/flavors/p/action", access, as: "admin", expecting: 200)
        try await world.call(.post, "/flavors/p/action", access, as: "admin", expecting: 409)
        try await world.call(.get, "/flavors/p", expecting: 200)
        try await world.call(.get, "/flavors/p", as: "other", expecting: 404)
        let specs: JSON = ["extra_specs": ["hw:cpu_policy": "shared", "n": 1]]
        try await world.call(.post, "/flavors/p/os-extra_specs", specs, as: "admin", expecting: 200)
        #expect(try await world.call(.get, "/flavors/p/os-extra_specs")["extra_specs", "n"] == "1")
        #expect(try await world.call(.get, "/flavors/p")["flavor", "extra_specs"] == nil)
        #expect(try await world.call(.get, "/flavors/p", version: "2.61")["flavor", "extra_specs", "n"] == "1")
        try await world.call(.put, "/flavors/p", ["flavor": ["description": "d"]], as: "admin", expecting: 404)
        try await world.call(
            .put, "/flavors/p", ["flavor": ["description": "d"]], as: "admin", version: "2.55", expecting: 200)
        try await world.call(.delete, "/flavors/p", as: "admin", expecting: 202)
        try await world.call(.delete, "/flavors/p", as: "admin", expecting: 404)
        #expect(try await world.call(.get, "/flavors?minRam=5000")["flavors"]?.array?.count == 2)
        #expect(try await world.call(.get, "/flavors?limit=1")["flavors_links", "0", "rel"] == "next")
        try await world.call(.get, "/flavors?minRam=x", expecting: 400)
    }

    @Test("key pairs belong to users")
    func keyPairs() async throws {
        let world = try await ComputeWorld()
        let body: JSON = ["keypair": ["name": "mine", "public_key": .string(Self.publicKey)]]
        let made = try await world.call(.post, "/os-keypairs", body, expecting: 200)
        #expect(made["keypair", "fingerprint"]?.string?.count == 47)
        try await world.call(.post, "/os-keypairs", body, expecting: 409)
        let generated = try await world.call(
            .post, "/os-keypairs", ["keypair": ["name": "made"]], version: "2.2", expecting: 201)
        #expect(generated["keypair", "private_key"]?.string?.hasPrefix("-----BEGIN RSA PRIVATE KEY") == true)
        try await world.call(.post, "/os-keypairs", ["keypair": ["name": "made2"]], version: "2.92", expecting: 400)
        #expect(try await world.call(.get, "/os-keypairs")["keypairs"]?.array?.count == 2)
        #expect(try await world.call(.get, "/os-keypairs", as: "other")["keypairs"] == [])
        try await world.call(.get, "/os-keypairs/mine", as: "other", expecting: 404)
        try await world.call(.get, "/os-keypairs/mine?user_id=user-demo", as: "other", version: "2.10", expecting: 403)
        try await world.call(.get, "/os-keypairs/mine?user_id=user-demo", as: "admin", version: "2.10", expecting: 200)
        for bad in ["a/b", "a!", ""] {
            let body: JSON = ["keypair": ["name": .string(bad), "public_key": .string(Self.publicKey)]]
            try await world.call(.post, "/os-keypairs", body, expecting: 400)
        }
        try await world.call(
            .post, "/os-keypairs", ["keypair": ["name": "x", "public_key": "nonsense"]], expecting: 400)
        try await world.call(.delete, "/os-keypairs/mine", expecting: 202)
        try await world.call(.delete, "/os-keypairs/made", version: "2.2", expecting: 204)
    }

    @Test("hypervisors, services and zones show the host that reported")
    func hosts() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            try await world.call(.get, "/os-hypervisors", expecting: 403)
            let old = try await world.call(.get, "/os-hypervisors/detail", as: "admin", expecting: 200)
            #expect(old["hypervisors", "0", "id"] == 1)
            #expect(old["hypervisors", "0", "vcpus"] == 64)
            let new = try await world.call(.get, "/os-hypervisors/detail", as: "admin", version: "2.88", expecting: 200)
            #expect(new["hypervisors", "0", "vcpus"] == nil)
            let id = try #require(new["hypervisors", "0", "id"]?.string)
            try await world.call(.get, "/os-hypervisors/\(id)", as: "admin", version: "2.53", expecting: 200)
            try await world.call(.get, "/os-hypervisors/statistics", as: "admin", version: "2.87", expecting: 200)
            try await world.call(.get, "/os-hypervisors/1/servers", as: "admin", version: "2.53", expecting: 404)
            let services = try await world.call(.get, "/os-services", as: "admin", version: "2.53", expecting: 200)
            #expect(services["services", "0", "state"] == "up")
            let service = try #require(services["services", "0", "id"]?.string)
            try await world.call(
                .put, "/os-services/\(service)", ["status": "disabled", "disabled_reason": "work"], as: "admin",
                version: "2.53", expecting: 200)
            let id2 = try await world.boot()
            #expect(try await world.status(id2) == "ERROR")
            try await world.call(
                .put, "/os-services/enable", ["host": "node-1", "binary": "nova-compute"], as: "admin", expecting: 200)
            let zones = try await world.call(.get, "/os-availability-zone", expecting: 200)
            #expect(zones["availabilityZoneInfo", "0", "zoneName"] == "nova")
            #expect(zones["availabilityZoneInfo", "0", "zoneState", "available"] == true)
            #expect(zones["availabilityZoneInfo"]?.array?.count == 1)
            try await world.call(.get, "/os-availability-zone/detail", expecting: 403)
            let whole = try await world.call(.get, "/os-availability-zone/detail", as: "admin", expecting: 200)
            #expect(whole["availabilityZoneInfo", "0", "zoneName"] == "internal")
            let parts = whole["availabilityZoneInfo", "0", "hosts", "controller"]
            #expect(Set((parts?.object ?? [:]).keys) == ["nova-conductor", "nova-scheduler"])
            #expect(whole["availabilityZoneInfo", "1", "hosts", "node-1", "nova-compute", "active"] == true)
        }
    }

    @Test("what runs beside the API is listed as a service, and cannot be changed")
    func controllerServices() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let old = try await world.call(.get, "/os-services", as: "admin", expecting: 200)
            #expect(
                old["services"]?.array?.compactMap { $0["binary"]?.string } == [
                    "nova-compute", "nova-conductor", "nova-scheduler",
                ])
            #expect(old["services", "1", "forced_down"] == nil && old["services", "1", "id"]?.int != nil)
            let new = try await world.call(
                .get, "/os-services?binary=nova-scheduler", as: "admin", version: "2.53", expecting: 200)
            #expect(new["services"]?.array?.count == 1)
            #expect(new["services", "0", "zone"] == "internal" && new["services", "0", "state"] == "up")
            #expect(new["services", "0", "forced_down"] == false)
            let none = try await world.call(.get, "/os-services?host=node-1&binary=nova-scheduler", as: "admin")
            #expect(none["services"] == [])
            let id = try #require(new["services", "0", "id"]?.string)
            let refused = try await world.call(
                .put, "/os-services/\(id)", ["status": "disabled"], as: "admin", version: "2.53", expecting: 400)
            let reason =
                "Updating a nova-scheduler service is not supported. Only nova-compute services can be updated."
            #expect(refused["badRequest", "message"]?.string == reason)
            let legacy = try await world.call(
                .put, "/os-services/disable", ["host": "controller", "binary": "nova-scheduler"], as: "admin",
                expecting: 400)
            #expect(legacy["badRequest", "message"]?.string == reason)
            try await world.call(.delete, "/os-services/\(id)", as: "admin", version: "2.53", expecting: 400)
        }
    }

    @Test("what a host says of its hypervisor is kept")
    func hypervisor() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let kept = try #require(try await world.hosts.hosts().first?.hypervisor)
            var info = try await world.hypervisor.info()
            #expect(info.initiator != nil && info.traits?.isEmpty == false)
            info.loadAverage = try #require(kept.loadAverage)  // The agent adds it.
            info.traits = nil  // Placement keeps them.
            #expect(kept == info)
        }
    }

    @Test("an aggregate with a zone moves its hosts there, and servers follow the zone")
    func aggregates() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let made = try await world.call(
                .post, "/os-aggregates", ["aggregate": ["name": "rack", "availability_zone": "east"]], as: "admin",
                expecting: 200)
            let id = try #require(made["aggregate", "id"]?.int)
            let path = "/os-aggregates/\(id)/action"
            try await world.call(.post, path, ["add_host": ["host": "none"]], as: "admin", expecting: 404)
            try await world.call(.post, path, ["add_host": ["host": "node-1"]], as: "admin", expecting: 200)
            try await world.call(.post, path, ["add_host": ["host": "node-1"]], as: "admin", expecting: 409)
            let server = try await world.boot("one", ["availability_zone": "east"])
            #expect(try await world.call(.get, "/servers/\(server)")["server", "OS-EXT-AZ:availability_zone"] == "east")
            let shown = try await world.call(
                .post, path, ["set_metadata": ["metadata": ["ssd": "yes"]]], as: "admin", expecting: 200)
            #expect(shown["aggregate", "metadata"] == ["availability_zone": "east", "ssd": "yes"])
            try await world.call(.delete, "/os-aggregates/\(id)", as: "admin", expecting: 400)
        }
    }

    @Test("anti-affinity keeps two servers off one host")
    func groups() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let made = try await world.call(
                .post, "/os-server-groups", ["server_group": ["name": "apart", "policy": "anti-affinity"]],
                version: "2.64", expecting: 200)
            let group = try #require(made["server_group", "id"]?.string)
            func body(_ name: String) -> JSON {
                guard case .object(var fields) = ComputeWorld.server(name) else { return nil }
                fields["os:scheduler_hints"] = ["group": .string(group)]
                return .object(fields)
            }
            var ids: [String] = []
            for name in ["a", "b"] {
                let answer = try await world.call(.post, "/servers", body(name), expecting: 202)
                ids.append(try #require(answer["server", "id"]?.string))
                try await world.settled(ids[ids.count - 1])
            }
            #expect(try await world.status(ids[0]) == "ACTIVE")
            #expect(try await world.status(ids[1]) == "ERROR")
            let shown = try await world.call(.get, "/servers/\(ids[0])", version: "2.71")
            #expect(shown["server", "server_groups", "0"]?.string == group)
            try await world.call(.get, "/os-server-groups/\(group)", as: "other", expecting: 404)
            try await world.call(.delete, "/os-server-groups/\(group)", expecting: 204)
        }
    }

    @Test("limits count what is used; quotas are set by administrators")
    func quotas() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            _ = try await world.boot()
            let limits = try await world.call(.get, "/limits", expecting: 200)
            #expect(limits["limits", "absolute", "totalInstancesUsed"] == 1)
            #expect(limits["limits", "absolute", "totalRAMUsed"] == 512)
            let path = "/os-quota-sets/project-demo"
            try await world.call(.get, path, as: "other", expecting: 403)
            try await world.call(.put, path, ["quota_set": ["instances": 1]], expecting: 403)
            try await world.call(.put, path, ["quota_set": ["instances": 0]], as: "admin", expecting: 400)
            try await world.call(.put, path, ["quota_set": ["instances": 1]], as: "admin", expecting: 200)
            #expect(
                try await world.call(.get, path + "/detail")["quota_set", "instances"] == [
                    "in_use": 1, "limit": 1, "reserved": 0,
                ])
            let refused = try await world.call(.post, "/servers", ComputeWorld.server(), expecting: 403)
            #expect(refused["forbidden", "message"]?.string?.hasPrefix("Quota exceeded for instances") == true)
            try await world.call(.put, path, ["quota_set": ["instances": 3]], as: "admin", expecting: 200)
            try await world.call(
                .post, "/servers", ComputeWorld.server("many", ["min_count": 1, "max_count": 10_000]), expecting: 202)
            #expect(try await world.call(.get, path + "/detail")["quota_set", "instances", "in_use"] == 3)
            try await world.call(.delete, path, as: "admin", expecting: 202)
            #expect(try await world.call(.get, path)["quota_set", "instances"] == 100)
            #expect(try await world.call(.get, path)["quota_set", "floating_ips"] == -1)
            #expect(try await world.call(.get, path, version: "2.57")["quota_set", "injected_files"] == nil)
            try await world.call(.get, "/os-simple-tenant-usage/project-demo", expecting: 200)
            try await world.call(.get, "/extensions", expecting: 200)
        }
    }
}

/// Goal: what a host reports becomes the truth of servers at rest; what is left over is removed.
@Suite("Reports of hosts")
struct HostReportTests {
    private func report(_ world: ComputeWorld, guests: [(ServerID, PowerState)], after: Duration = .seconds(60))
        async throws
    {
        try await world.hosts.report(
            HostReport(
                host: "node-1", hypervisor: try await world.hypervisor.info(),
                guests: guests.map { .init(server: $0.0, powerState: $0.1) }, diskOwners: guests.map(\.0),
                takenAt: WallClock.system.now() + after))
    }

    @Test("a guest that powered off stops its server; one that is gone puts it in ERROR")
    func follows() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = ServerID(try await world.boot())
            try await report(world, guests: [(id, .shutdown)])
            #expect(try await world.status(id.rawValue) == "SHUTOFF")
            try await report(world, guests: [(id, .running)])
            #expect(try await world.status(id.rawValue) == "ACTIVE")
            // Too early to know.
            try await report(world, guests: [], after: .seconds(-60))
            #expect(try await world.status(id.rawValue) == "ACTIVE")
            try await report(world, guests: [])
            #expect(try await world.status(id.rawValue) == "ERROR")
        }
    }

    @Test("an event is followed at once")
    func event() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            world.hypervisor.guestChanged(ServerID(id), to: .shutdown)
            try await eventually { try await world.status(id) == "SHUTOFF" }
        }
    }

    @Test("guests, resources and ports of ended servers are removed; guests that nobody knows are not")
    func orphans() async throws {
        let world = try await ComputeWorld { $0.orphanGrace = .zero }
        try await world.run {
            let id = ServerID(try await world.boot())
            let guest = try #require(world.hypervisor.inventory[id]?.specification)
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { world.isClean }
            await world.sagas.idle()
            // As if the host had been away meanwhile.
            var stranger = guest
            stranger.serverID = "99999999-9999-4999-8999-999999999999"
            try await world.hypervisor.spawn(guest)
            try await world.hypervisor.spawn(stranger)
            let node = try #require(try await world.hosts.hosts().first).nodeID
            try await world.placement.claim(
                consumer: id.rawValue, provider: ID(node.rawValue), resources: ["VCPU": 1], project: "p", user: "u")
            _ = try await world.networks.ensureServerPort(
                "port", ServerPortRequest(network: ID(ComputeWorld.network)), server: id.rawValue, zone: "nova",
                for: TestCallers.principal("demo", project: "p"))
            try await report(world, guests: [(id, .running), (stranger.serverID, .running)])
            let repaired = try await ComputeReconciler(world.parts, sagas: world.sagas).reconcile()
            #expect(repaired == 3)
            #expect(Array(world.hypervisor.inventory.keys) == [stranger.serverID])
            #expect(world.placement.consumers.isEmpty && world.networks.ports.isEmpty)
            #expect(try await ComputeReconciler(world.parts, sagas: world.sagas).reconcile() == 0)
        }
    }
}
