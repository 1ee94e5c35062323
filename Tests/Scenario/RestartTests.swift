// SPDX-License-Identifier: Apache-2.0
import BaseKit
import TestKit
import Testing

/// Goal: a cloud that is stopped at any moment loses nothing, leaves nothing and forgets nothing.
/// Method: ask for servers and for their end, cut everything off in the middle of it, start again on the same files
/// and hosts, several times over; then let it come to rest and compare what every part says.
@Suite("Stopped in the middle", .serialized)
struct RestartTests {
    /// What was asked for, and when it was acknowledged.
    private struct Asked: Sendable {
        var created: Set<String> = []
        var deleted: Set<String> = []
    }

    @Test("servers come up or go as asked, and hypervisor, placement and network agree")
    func restarts() async throws {
        try await withTemporaryDirectory { directory in
            let ground = TestCloud.Ground(directory: directory, database: directory + "/cloud.sqlite")
            let asked = Box(Asked())
            let flavor = Box("")
            try await TestCloud.run(on: ground) { cloud in
                let job = try await MainJob(cloud)
                flavor.value = job.flavor
                try await cloud.call(
                    .put, "/compute/v2.1/os-quota-sets/\(cloud.a.project)", cloud.admin,
                    ["quota_set": ["instances": -1, "cores": -1, "ram": -1]], expecting: 200)
            }
            for round in 1...6 {
                try await TestCloud.run(on: ground) { cloud in
                    try await Self.ask(cloud, asked, flavor.value, round: round)
                }
            }
            try await TestCloud.run(on: ground) { cloud in
                let wanted = asked.value.created.subtracting(asked.value.deleted)
                for server in wanted.sorted() { try await cloud.waitUntil(server, is: "ACTIVE", cloud.a.member) }
                for server in asked.value.deleted.sorted() { try await cloud.waitUntil(server, is: nil, cloud.a.member) }
                try await cloud.settle()
                #expect(Set(cloud.hypervisor.inventory.keys.map(\.rawValue)) == wanted)
                #expect(try await cloud.usedVCPUs() == Int64(wanted.count))
                let ports = try await cloud.call(.get, "/network/v2.0/ports", cloud.a.member, expecting: 200)
                let owners = (ports["ports"]?.array ?? []).filter {
                    $0["device_owner"]?.string?.hasPrefix("compute:") == true
                }
                #expect(Set(owners.compactMap { $0["device_id"]?.string }) == wanted)
                #expect(owners.count == wanted.count)
                let runs = try await cloud.database.read { try $0.count("SELECT count(*) FROM saga_runs WHERE state = 'running'") }
                #expect(runs == 0)
            }
        }
    }

    /// Creates some, deletes some of them, and goes before it is done. The later the round, the later the cut.
    private static func ask(_ cloud: TestCloud, _ asked: Box<Asked>, _ flavor: String, round: Int) async throws {
        let a = cloud.a.member
        let images = try await cloud.call(.get, "/image/v2/images", a, expecting: 200)
        let networks = try await cloud.call(.get, "/network/v2.0/networks?name=net", a, expecting: 200)
        let image = try #require(images["images", "0", "id"])
        let network = try #require(networks["networks", "0", "id"])
        for number in 0..<5 {
            let server = try await cloud.make(
                "/compute/v2.1/servers", "server",
                [
                    "name": .string("r\(round)-\(number)"), "flavorRef": .string(flavor), "imageRef": image,
                    "networks": [["uuid": network]],
                ], a)
            asked.value.created.insert(server)
            if number % 2 == 1 {
                try await cloud.call(.delete, "/compute/v2.1/servers/\(server)", a, expecting: 204)
                asked.value.deleted.insert(server)
            }
        }
        let calls = cloud.hypervisor.calls.count
        try await eventually("The hypervisor works") { cloud.hypervisor.calls.count >= calls + round }
    }

    @Test("volumes come, are attached, copied or go as asked, and storage, servers and quotas agree")
    func volumes() async throws {
        try await withTemporaryDirectory { directory in
            let ground = TestCloud.Ground(directory: directory, database: directory + "/cloud.sqlite")
            let (asked, server) = (Box(Asked()), Box(""))
            try await TestCloud.run(on: ground) { cloud in
                let job = try await MainJob(cloud)
                server.value = try await job.create()
                try await cloud.waitUntil(server.value, is: "ACTIVE", cloud.a.member)
                try await cloud.call(
                    .put, "/volume/v3/os-quota-sets/\(cloud.a.project)", cloud.admin,
                    ["quota_set": ["volumes": -1, "snapshots": -1, "backups": -1]], expecting: 200)
            }
            for round in 1...6 {
                try await TestCloud.run(on: ground) { cloud in
                    try await Self.askForVolumes(cloud, asked, server.value, round: round)
                }
            }
            try await TestCloud.run(on: ground) { cloud in
                let a = cloud.a.member
                for volume in asked.value.deleted.sorted() { try await cloud.waitUntil(volume: volume, is: nil, a) }
                for collection in ["volumes", "snapshots", "backups"] { try await cloud.settled(collection, a) }
                let wanted = asked.value.created.subtracting(asked.value.deleted)
                let list = try await cloud.call(.get, "/volume/v3/volumes/detail", a, expecting: 200)
                let volumes = list["volumes"]?.array ?? []
                #expect(Set(volumes.compactMap { $0["id"]?.string }) == wanted)
                for volume in volumes {
                    #expect(["available", "in-use"].contains(volume["status"]?.string), "\(volume.text().prefix(300))")
                }
                try await eventually("No run is left") {
                    try await cloud.database.read {
                        try $0.count("SELECT count(*) FROM saga_runs WHERE state = 'running'")
                    } == 0
                }
                #expect(Set(cloud.storage.volumes.keys.map(\.rawValue)) == wanted)
                let used = Set(volumes.filter { $0["status"] == "in-use" }.compactMap { $0["id"]?.string })
                #expect(Set(cloud.storage.connections.keys.map(\.rawValue)) == used)
                let attached = try await cloud.call(
                    .get, "/compute/v2.1/servers/\(server.value)/os-volume_attachments", a, expecting: 200)
                #expect(Set((attached["volumeAttachments"]?.array ?? []).compactMap { $0["volumeId"]?.string }) == used)
                let quota = try await cloud.call(
                    .get, "/volume/v3/os-quota-sets/\(cloud.a.project)?usage=true", a, expecting: 200)
                #expect(quota["quota_set", "volumes", "in_use"]?.int == Int64(wanted.count))
            }
        }
    }

    private static func askForVolumes(_ cloud: TestCloud, _ asked: Box<Asked>, _ server: String, round: Int) async throws {
        let a = cloud.a.member
        for number in 0..<4 {
            let volume = try await cloud.make(
                "/volume/v3/volumes", "volume", ["size": 1, "name": .string("r\(round)-\(number)")], a)
            asked.value.created.insert(volume)
            guard number > 0 else { continue }
            try await cloud.waitUntil(volume: volume, is: "available", a)
            if number == 1 {
                try await cloud.call(.delete, "/volume/v3/volumes/\(volume)", a, expecting: 202)
                asked.value.deleted.insert(volume)
            } else if number == 2 {
                try await cloud.call(
                    .post, "/compute/v2.1/servers/\(server)/os-volume_attachments", a,
                    ["volumeAttachment": ["volumeId": .string(volume)]], expecting: 200)
            } else {
                _ = try await cloud.make(
                    "/volume/v3/snapshots", "snapshot", ["volume_id": .string(volume)], a)
            }
        }
    }
}
