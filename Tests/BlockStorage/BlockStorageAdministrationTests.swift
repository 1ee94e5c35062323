// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import TestKit
import Testing

/// Goal: transfers, quotas, limits, services, pools and the rest answer as upstream does. Method: calls through the
/// router.
@Suite("Administration of block storage")
struct BlockStorageAdministrationTests {
    // MARK: Transfers

    @Test(
        "a volume goes with its snapshots to whoever has the key",
        arguments: ["os-volume-transfer", "volume-transfers"])
    func transfer(path: String) async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let volume = try await world.make()
            let snapshot = try await world.makeSnapshot(of: volume)
            let body: JSON = ["transfer": ["volume_id": .string(volume.rawValue), "name": "t"]]
            let made = try await world.call(.post, "/\(path)", body, expecting: 202)
            let id = try #require(made["transfer", "id"]?.string)
            let key = try #require(made["transfer", "auth_key"]?.string)
            #expect(key.count == 16)
            #expect(try await world.status(volume) == "awaiting-transfer")
            try await world.call(.post, "/\(path)", body, expecting: 400)
            #expect(try await world.call(.get, "/\(path)", expecting: 200)["transfers"]?.array?.count == 1)
            let shown = try await world.call(.get, "/\(path)/\(id)", expecting: 200)
            #expect(shown["transfer"]?["auth_key"] == nil)
            #expect(shown["transfer", "source_project_id"] == "project-demo")
            try await world.call(.get, "/\(path)/\(id)", as: "other", expecting: 404)
            try await world.call(
                .post, "/\(path)/\(id)/accept", ["accept": ["auth_key": "0000000000000000"]], as: "other",
                expecting: 400)
            let accepted = try await world.call(
                .post, "/\(path)/\(id)/accept", ["accept": ["auth_key": .string(key)]], as: "other", expecting: 202)
            #expect(accepted["transfer", "volume_id"]?.string == volume.rawValue)
            #expect(try await world.parts.volume(volume)?.projectID == ProjectID("project-other"))
            #expect(try await world.snapshot(snapshot)?.projectID == ProjectID("project-other"))
            #expect(try await world.status(volume) == "available")
            try await world.call(
                .post, "/\(path)/\(id)/accept", ["accept": ["auth_key": .string(key)]], as: "other", expecting: 404)
        }
    }

    @Test("an offer is taken back, and a full project takes none")
    func transferRefused() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let volume = try await world.make()
            let body: JSON = ["transfer": ["volume_id": .string(volume.rawValue)]]
            let first = try await world.call(.post, "/volume-transfers", body, expecting: 202)
            let id = try #require(first["transfer", "id"]?.string)
            try await world.call(.delete, "/volume-transfers/\(id)", as: "other", expecting: 404)
            try await world.call(.delete, "/volume-transfers/\(id)", expecting: 202)
            #expect(try await world.status(volume) == "available")
            try await world.call(.get, "/volume-transfers", version: "3.54", expecting: 404)
            try await world.call(
                .put, "/os-quota-sets/project-other", ["quota_set": ["volumes": 0]], as: "admin", expecting: 200)
            let second = try await world.call(.post, "/volume-transfers", body, expecting: 202)
            let offer = try #require(second["transfer", "id"]?.string)
            let key = try #require(second["transfer", "auth_key"])
            try await world.call(
                .post, "/volume-transfers/\(offer)/accept", ["accept": ["auth_key": key]], as: "other",
                expecting: 413)
            #expect(try await world.status(volume) == "awaiting-transfer")
        }
    }

    // MARK: Quotas

    @Test("quotas have defaults, names of types, and count what is used")
    func quotas() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let one = "/os-quota-sets/project-demo"
            let shown = try await world.call(.get, one, expecting: 200)
            #expect(shown["quota_set", "volumes"] == 10)
            #expect(shown["quota_set", "id"] == "project-demo")
            #expect(shown["quota_set", "volumes___DEFAULT__"] == -1)
            try await world.call(.get, one, as: "other", expecting: 403)
            _ = try await world.make(["size": 3])
            let used = try await world.call(.get, one + "?usage=True", expecting: 200)
            #expect(used["quota_set", "gigabytes"] == ["limit": 1000, "in_use": 3, "reserved": 0])
            #expect(used["quota_set", "volumes___DEFAULT__", "in_use"] == 1)
            let body: JSON = ["quota_set": ["volumes": 5, "gigabytes___DEFAULT__": 100]]
            try await world.call(.put, one, body, expecting: 403)
            let changed = try await world.call(.put, one, body, as: "admin", expecting: 200)
            #expect(changed["quota_set", "volumes"] == 5)
            #expect(changed["quota_set", "gigabytes___DEFAULT__"] == 100)
            for bad: JSON in [["volumes": 0], ["volumes": -2], ["nothing": 1], ["volumes": "x"], [:]] {
                try await world.call(.put, one, ["quota_set": bad], as: "admin", expecting: 400)
            }
            #expect(try await world.call(.get, one + "/defaults", expecting: 200)["quota_set", "volumes"] == 10)
            try await world.call(.delete, one, as: "admin", expecting: 200)
            #expect(try await world.call(.get, one)["quota_set", "volumes"] == 10)
            let set = try await world.call(
                .put, "/os-quota-class-sets/default", ["quota_class_set": ["volumes": 7]], as: "admin",
                expecting: 200)
            #expect(set["quota_class_set", "volumes"] == 7)
            #expect(
                try await world.call(.get, "/os-quota-class-sets/default", as: "admin")["quota_class_set", "id"]
                    == "default")
            #expect(try await world.call(.get, one)["quota_set", "volumes"] == 7)
        }
    }

    @Test("a type's quota follows its name, and is enforced")
    func typeQuota() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            let type = try await world.call(
                .post, "/types", ["volume_type": ["name": "fast"]], as: "admin", expecting: 200)
            let id = try #require(type["volume_type", "id"]?.string)
            let one = "/os-quota-sets/project-demo"
            try await world.call(.put, one, ["quota_set": ["volumes_fast": 0]], as: "admin", expecting: 200)
            try await world.call(
                .put, "/types/\(id)", ["volume_type": ["name": "faster"]], as: "admin", expecting: 200)
            let shown = try await world.call(.get, one)
            #expect(shown["quota_set", "volumes_faster"] == 0)
            #expect(shown["quota_set"]?["volumes_fast"] == nil)
            try await world.call(
                .post, "/volumes", ["volume": ["size": 1, "volume_type": "faster"]], expecting: 413)
            try await world.call(.delete, "/types/\(id)", as: "admin", expecting: 202)
            #expect(try await world.call(.get, one)["quota_set"]?["volumes_faster"] == nil)
        }
    }

    @Test("limits say what a project may have and has")
    func limits() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            _ = try await world.make(["size": 2])
            let shown = try await world.call(.get, "/limits", expecting: 200)
            #expect(shown["limits", "rate"] == [])
            #expect(shown["limits", "absolute", "totalGigabytesUsed"] == 2)
            #expect(shown["limits", "absolute", "maxTotalVolumeGigabytes"] == 1000)
            let other = try await world.call(.get, "/limits?project_id=project-demo", as: "admin", expecting: 200)
            #expect(other["limits", "absolute", "totalVolumesUsed"] == 1)
            let ignored = try await world.call(.get, "/limits?project_id=project-demo", as: "other", expecting: 200)
            #expect(ignored["limits", "absolute", "totalVolumesUsed"] == 0)
        }
    }

    // MARK: Services

    @Test("services are listed, disabled, frozen, and volumes go elsewhere meanwhile")
    func services() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            try await world.call(.get, "/os-services", expecting: 403)
            let list = try await world.call(.get, "/os-services?binary=cinder-volume", as: "admin", expecting: 200)
            #expect(list["services"]?.array?.compactMap { $0["host"]?.string } == ["node-1@one", "node-1@two"])
            #expect(list["services", "0", "state"] == "up")
            #expect(list["services", "0", "backend_state"] == "up")
            #expect(
                try await world.call(.get, "/os-services", as: "admin")["services"]?.array?
                    .compactMap { $0["binary"]?.string }.sorted()
                    == ["cinder-backup", "cinder-scheduler", "cinder-volume", "cinder-volume"])
            let disabled = try await world.call(
                .put, "/os-services/disable-log-reason",
                ["host": "node-1@one", "binary": "cinder-volume", "disabled_reason": "work"], as: "admin",
                expecting: 200)
            #expect(disabled["status"] == "disabled")
            let id = try await world.make()
            #expect(try await world.parts.volume(id)?.host == "node-1@two#pool")
            let shown = try await world.call(.get, "/os-services?host=node-1@one", as: "admin")
            #expect(shown["services", "0", "disabled_reason"] == "work")
            try await world.call(
                .put, "/os-services/enable", ["host": "node-1@one", "binary": "cinder-volume"], as: "admin",
                expecting: 200)
            try await world.call(
                .put, "/os-services/enable", ["host": "nowhere", "binary": "cinder-volume"], as: "admin",
                expecting: 404)
            try await world.call(.put, "/os-services/freeze", ["host": "node-1@one"], as: "admin", expecting: 200)
            let frozen = try await world.call(.get, "/os-services?host=node-1@one", as: "admin")
            #expect(frozen["services", "0", "frozen"] == true)
            try await world.call(.put, "/os-services/thaw", ["host": "node-1@one"], as: "admin", expecting: 200)
            try await world.call(
                .put, "/os-services/failover_host", ["host": "node-1@one"], as: "admin", expecting: 400)
            let levels = try await world.call(
                .put, "/os-services/get-log", ["binary": "cinder-volume"], as: "admin", expecting: 200)
            #expect(levels["log_levels"]?.array?.count == 2)
            try await world.call(
                .put, "/os-services/set-log", ["level": "LOUD"], as: "admin", expecting: 400)
        }
    }

    @Test("pools, capabilities, hosts and zones")
    func pools() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            _ = try await world.make(["size": 2])
            try await world.call(.get, "/scheduler-stats/get_pools", expecting: 403)
            let names = try await world.call(.get, "/scheduler-stats/get_pools", as: "admin", expecting: 200)
            #expect(names["pools"] == [["name": "node-1@one#pool"], ["name": "node-1@two#pool"]])
            let pool = try await world.call(
                .get, "/scheduler-stats/get_pools?detail=true&name=node-1@one%23pool", as: "admin", expecting: 200)
            #expect(pool["pools"]?.array?.count == 1)
            #expect(pool["pools", "0", "capabilities", "allocated_capacity_gb"] == 2)
            #expect(pool["pools", "0", "capabilities", "storage_protocol"] == "iSCSI")
            #expect(pool["pools", "0", "capabilities", "vendor_name"] == "Open Source")
            for (protocolName, count) in [("iscsi", 2), ("<in> iSC", 2), ("nfs", 0)] {
                let type = try await world.addType("of \(protocolName)", ["storage_protocol": protocolName])
                let found = try await world.call(
                    .get, "/scheduler-stats/get_pools?volume_type=\(type.id)", as: "admin", expecting: 200)
                #expect(found["pools"]?.array?.count == count)
            }
            let capabilities = try await world.call(
                .get, "/capabilities/node-1@one", as: "admin", expecting: 200)
            #expect(capabilities["namespace"] == "OS::Storage::Capabilities::node-1@one")
            try await world.call(.get, "/capabilities/nowhere", as: "admin", expecting: 404)
            let zones = try await world.call(.get, "/os-availability-zone", expecting: 200)
            #expect(zones["availabilityZoneInfo"] == [["zoneName": "nova", "zoneState": ["available": true]]])
            let hosts = try await world.call(.get, "/os-hosts", as: "admin", expecting: 200)
            #expect(hosts["hosts"]?.array?.count == 4)
            let host = try await world.call(.get, "/os-hosts/node-1@one", as: "admin", expecting: 200)
            #expect(host["host", "0", "resource", "total_volume_gb"] == "2")
            #expect(host["host", "1", "resource", "project"] == "project-demo")
            try await world.call(.put, "/os-hosts/node-1@one", ["status": "disable"], as: "admin", expecting: 200)
            try await world.call(.put, "/os-hosts/node-1@one", ["status": "maybe"], as: "admin", expecting: 400)
        }
    }

    // MARK: Messages and the rest

    @Test("messages are read by their project and deleted")
    func messages() async throws {
        let world = try await BlockStorageWorld()
        try await world.run {
            try await world.call(
                .put, "/os-quota-class-sets/default", ["quota_class_set": ["gigabytes": -1]], as: "admin",
                expecting: 200)
            _ = try await world.make(["size": 100_000], as: "other", status: "error")
            let id = try await world.make(["size": 100_000], status: "error")
            let list = try await world.call(.get, "/messages", expecting: 200)
            #expect(list["messages"]?.array?.count == 1)
            #expect(list["messages", "0", "event_id"] == "VOLUME_VOLUME_001_003")
            #expect(
                list["messages", "0", "user_message"]
                    == "schedule allocate volume:Could not find any available weighted backend.")
            #expect(list["messages", "0", "resource_uuid"]?.string == id.rawValue)
            let message = try #require(list["messages", "0", "id"]?.string)
            try await world.call(.get, "/messages/\(message)", as: "other", expecting: 404)
            let shown = try await world.call(.get, "/messages/\(message)", expecting: 200)
            #expect(shown["message", "message_level"] == "ERROR")
            try await world.call(.get, "/messages?bad=1", expecting: 400)
            try await world.call(.get, "/messages", version: "3.2", expecting: 404)
            try await world.call(.delete, "/messages/\(message)", expecting: 204)
            try await world.call(.get, "/messages/\(message)", expecting: 404)
        }
    }

    @Test("filters, extensions and clusters are what every client may ask for")
    func others() async throws {
        let world = try await BlockStorageWorld()
        let filters = try await world.call(.get, "/resource_filters?resource=backup", expecting: 200)
        #expect(filters["resource_filters"] == [["resource": "backup", "filters": ["name", "status", "volume_id"]]])
        #expect(try await world.call(.get, "/resource_filters")["resource_filters"]?.array?.count == 9)
        #expect(try await world.call(.get, "/extensions/backups", expecting: 200)["extension", "name"] == "Backups")
        try await world.call(.get, "/extensions/none", expecting: 404)
        #expect(try await world.call(.get, "/clusters", as: "admin", expecting: 200)["clusters"] == [])
        try await world.call(.get, "/clusters/none", as: "admin", expecting: 404)
        let cleaned = try await world.call(.post, "/workers/cleanup", [:], as: "admin", expecting: 202)
        #expect(cleaned["cleaning"] == [])
    }
}
