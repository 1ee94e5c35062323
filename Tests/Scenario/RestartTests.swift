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
        print("DBG left", try await cloud.database.read { try $0.count("SELECT count(*) FROM saga_runs WHERE state = 'running'") })
    }
}
