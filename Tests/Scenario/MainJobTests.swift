// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import HTTPKit
import LinuxKit
import TestKit
import Testing

/// Goal: the main job works from end to end, and leaves nothing behind.
/// Method: as a member of a project, through the APIs alone; then look into hypervisor, data plane, placement and disk.
@Suite("The main job", .serialized)
struct MainJobTests {
    @Test("a server with a network, a router and a floating IP comes, stops, starts and goes without a trace")
    func wholeLife() async throws {
        try await TestCloud.run { cloud in
            // The project's default group comes with its first network, and stays.
            _ = try await cloud.call(.get, "/network/v2.0/security-groups", cloud.a.member, expecting: 200)
            try await cloud.settle()
            let before = Set(cloud.network.objects.keys)
            let world = try await MainJob(cloud)
            try await world.boot()
            try await world.reach()
            try await world.power()
            try await world.remove()

            #expect(cloud.hypervisor.inventory.isEmpty)
            try await cloud.settle()
            #expect(Set(cloud.network.objects.keys) == before)
            #expect(try await cloud.usedVCPUs() == 0)
            #expect(try FileSystem.list(cloud.imageDirectory).allSatisfy { !$0.contains(world.image) })
            #expect(try await world.left().isEmpty)
        }
    }

    @Test("a server boots from a volume, takes another, and its bytes outlive it in snapshot and backup; all goes")
    func volumes() async throws {
        try await TestCloud.run { cloud in
            let world = try await MainJob(cloud)
            let a = cloud.a.member
            func make(_ collection: String, _ key: String, _ fields: JSON) async throws -> String {
                let id = try await cloud.make(
                    "/volume/v3/\(collection)", key, fields, a, headers: Estate.newestVolumes)
                try await cloud.settled(collection, a)
                return id
            }
            let root = try await make("volumes", "volume", ["size": 1, "imageRef": .string(world.image)])
            let data = try await make("volumes", "volume", ["size": 2, "name": "data"])
            #expect(try await cloud.status(ofVolume: root, a) == "available")
            let server = try await cloud.make(
                "/compute/v2.1/servers", "server",
                [
                    "name": "server", "flavorRef": .string(world.flavor), "networks": [["uuid": .string(world.network)]],
                    "block_device_mapping_v2": [
                        ["boot_index": 0, "source_type": "volume", "destination_type": "volume", "uuid": .string(root)]
                    ],
                ], a)
            try await cloud.waitUntil(server, is: "ACTIVE", a)
            try await cloud.waitUntil(volume: root, is: "in-use", a)
            let attachments = "/compute/v2.1/servers/\(server)/os-volume_attachments"
            try await cloud.call(
                .post, attachments, a, ["volumeAttachment": ["volumeId": .string(data)]], expecting: 200)
            try await cloud.waitUntil(volume: data, is: "in-use", a)
            #expect(Set(cloud.storage.connections.keys.map(\.rawValue)) == [root, data])
            let shown = try await cloud.call(.get, "/volume/v3/volumes/\(data)", a, expecting: 200)
            #expect(shown["volume", "attachments", "0", "server_id"]?.string == server)
            try await cloud.call(.delete, "/volume/v3/volumes/\(data)", a, expecting: 400)

            let snapshot = try await make("snapshots", "snapshot", ["volume_id": .string(data)])
            try await cloud.call(.delete, "\(attachments)/\(data)", a, expecting: 202)
            try await cloud.waitUntil(volume: data, is: "available", a)
            try await cloud.call(
                .post, "/volume/v3/volumes/\(data)/action", a, ["os-extend": ["new_size": 3]], expecting: 202)
            try await cloud.settled("volumes", a)
            #expect(cloud.storage.volumes[VolumeID(data)]?.sizeGiB == 3)
            let backup = try await make("backups", "backup", ["volume_id": .string(data)])
            let copy = try await make("volumes", "volume", ["snapshot_id": .string(snapshot)])
            try await cloud.call(
                .post, "/volume/v3/backups/\(backup)/restore", a, ["restore": ["volume_id": .string(data)]], expecting: 202)
            try await cloud.settled("volumes", a)
            try await cloud.settled("backups", a)

            try await cloud.call(.delete, "/compute/v2.1/servers/\(server)", a, expecting: 204)
            try await cloud.waitUntil(server, is: nil, a)
            try await cloud.waitUntil(volume: root, is: "available", a)
            try await cloud.call(.delete, "/volume/v3/snapshots/\(snapshot)", a, expecting: 202)
            try await cloud.call(.delete, "/volume/v3/backups/\(backup)", a, expecting: 202)
            try await eventually("The snapshot goes") { cloud.storage.snapshots.isEmpty }
            for volume in [root, data, copy] {
                try await cloud.call(.delete, "/volume/v3/volumes/\(volume)", a, expecting: 202)
                try await cloud.waitUntil(volume: volume, is: nil, a)
            }
            try await cloud.expectNoStorageUsed()
        }
    }

    @Test("fifty servers of one request are all ACTIVE, and all go")
    func fifty() async throws {
        try await TestCloud.run { cloud in
            try await cloud.call(
                .put, "/compute/v2.1/os-quota-sets/\(cloud.a.project)", cloud.admin,
                ["quota_set": ["instances": 50, "cores": 50, "ram": -1]], expecting: 200)
            try await cloud.call(
                .put, "/network/v2.0/quotas/\(cloud.a.project)", cloud.admin, ["quota": ["port": -1]], expecting: 200)
            let world = try await MainJob(cloud)
            try await world.boot(count: 50)
            #expect(cloud.hypervisor.inventory.count == 50)
            #expect(try await cloud.usedVCPUs() == 50)
            let list = try await cloud.call(.get, "/compute/v2.1/servers/detail", cloud.a.member, expecting: 200)
            let servers = list["servers"]?.array ?? []
            #expect(servers.count == 50)
            #expect(Set(servers.compactMap { $0["addresses"]?["net"]?.array?.first?["addr"]?.string }).count == 50)
            for server in servers {
                let id = try #require(server["id"]?.string)
                try await cloud.call(.delete, "/compute/v2.1/servers/\(id)", cloud.a.member, expecting: 204)
            }
            try await eventually("All are gone") {
                try await cloud.call(.get, "/compute/v2.1/servers", cloud.a.member)["servers"] == []
            }
            #expect(cloud.hypervisor.inventory.isEmpty)
            #expect(try await cloud.usedVCPUs() == 0)
        }
    }

    @Test("a server that no host can hold says why, leaves no port and no claim, and can be deleted")
    func noHost() async throws {
        try await TestCloud.run { cloud in
            let world = try await MainJob(cloud)
            try await cloud.call(
                .put, "/compute/v2.1/os-quota-sets/\(cloud.a.project)", cloud.admin,
                ["quota_set": ["cores": -1, "ram": -1]], expecting: 200)
            let huge = try await cloud.make(
                "/compute/v2.1/flavors", "flavor",
                ["name": "huge", "ram": 512, "vcpus": 100_000, "disk": 1, "id": "huge"], cloud.admin)
            let server = try await world.create(flavor: huge)
            try await cloud.waitUntil(server, is: "ERROR", cloud.a.member)
            let shown = try await cloud.call(.get, "/compute/v2.1/servers/\(server)", cloud.a.member, expecting: 200)
            #expect(shown["server", "fault", "message"]?.string?.contains("No valid host") == true, "\(shown)")
            #expect(try await cloud.usedVCPUs() == 0)
            let ports = try await cloud.call(.get, "/network/v2.0/ports?device_id=\(server)", cloud.a.member)
            #expect(ports["ports"] == [])
            try await cloud.call(.delete, "/compute/v2.1/servers/\(server)", cloud.a.member, expecting: 204)
            try await cloud.waitUntil(server, is: nil, cloud.a.member)
        }
    }
}

/// What the main job makes, as tenant A.
struct MainJob: Sendable {
    let cloud: TestCloud
    let flavor: String
    let image: String
    let network: String
    let subnet: String
    let router: String
    private let servers = Box<[String]>([])
    private let floatingIP = Box<String>("")

    init(_ cloud: TestCloud) async throws {
        self.cloud = cloud
        let a = cloud.a.member
        flavor = try await cloud.make(
            "/compute/v2.1/flavors", "flavor", ["name": "small", "ram": 64, "vcpus": 1, "disk": 1], cloud.admin)
        image = try await cloud.make(
            "/image/v2/images", "", ["name": "image", "disk_format": "raw", "container_format": "bare"], a)
        try await cloud.send(
            .put, "/image/v2/images/\(image)/file", a, Array(repeating: 1, count: 200_000),
            headers: ["Content-Type": "application/octet-stream"], expecting: 204)
        let copy = try await cloud.call(.get, "/image/v2/images/\(image)/file", a, expecting: 200)
        #expect(copy.bytes == Array(repeating: 1, count: 200_000))
        network = try await cloud.make("/network/v2.0/networks", "network", ["name": "net"], a)
        subnet = try await cloud.make(
            "/network/v2.0/subnets", "subnet",
            ["network_id": .string(network), "ip_version": 4, "cidr": "10.9.0.0/24"], a)
        router = try await cloud.make("/network/v2.0/routers", "router", ["name": "router"], a)
        try await cloud.call(
            .put, "/network/v2.0/routers/\(router)/add_router_interface", a, ["subnet_id": .string(subnet)],
            expecting: 200)
        try await cloud.call(
            .put, "/network/v2.0/routers/\(router)", a,
            ["router": ["external_gateway_info": ["network_id": .string(cloud.external)]]], expecting: 200)
    }

    func create(flavor: String? = nil, count: Int = 1) async throws -> String {
        try await cloud.make(
            "/compute/v2.1/servers", "server",
            [
                "name": "server", "flavorRef": .string(flavor ?? self.flavor), "imageRef": .string(image),
                "min_count": .int(Int64(count)), "networks": [["uuid": .string(network)]],
            ], cloud.a.member)
    }

    func boot(count: Int = 1) async throws {
        let first = try await create(count: count)
        let list = try await cloud.call(.get, "/compute/v2.1/servers", cloud.a.member, expecting: 200)
        let ids = (list["servers"]?.array ?? []).compactMap { $0["id"]?.string }
        #expect(ids.count == count && ids.contains(first))
        for id in ids { try await cloud.waitUntil(id, is: "ACTIVE", cloud.a.member) }
        servers.value = ids
    }

    private var server: String { servers.value.first ?? "" }

    func reach() async throws {
        let a = cloud.a.member
        let ports = try await cloud.call(.get, "/network/v2.0/ports?device_id=\(server)", a, expecting: 200)
        let port = try #require(ports["ports", "0", "id"]?.string)
        #expect(ports["ports", "0", "status"] == "ACTIVE")
        #expect(ports["ports", "0", "device_owner"]?.string?.hasPrefix("compute:") == true)
        let made = try await cloud.call(
            .post, "/network/v2.0/floatingips", a,
            ["floatingip": ["floating_network_id": .string(cloud.external), "port_id": .string(port)]], expecting: 201)
        floatingIP.value = try #require(made["floatingip", "id"]?.string)
        let address = try #require(made["floatingip", "floating_ip_address"]?.string)
        let shown = try await cloud.call(.get, "/compute/v2.1/servers/\(server)", a, expecting: 200)
        let addresses = (shown["server", "addresses", "net"]?.array ?? []).map { $0["addr"]?.string }
        #expect(addresses.contains(address), "\(shown)")
        let console = try await cloud.call(
            .post, "/compute/v2.1/servers/\(server)/action", a, ["os-getConsoleOutput": [:]], expecting: 200)
        #expect(console["output"]?.string?.contains("login:") == true)
    }

    func power() async throws {
        for (action, status) in [("os-stop", "SHUTOFF"), ("os-start", "ACTIVE")] {
            try await cloud.call(
                .post, "/compute/v2.1/servers/\(server)/action", cloud.a.member, .object([action: .null]),
                expecting: 202)
            try await cloud.waitUntil(server, is: status, cloud.a.member)
        }
    }

    func remove() async throws {
        let a = cloud.a.member
        try await cloud.call(.delete, "/compute/v2.1/servers/\(server)", a, expecting: 204)
        try await cloud.waitUntil(server, is: nil, a)
        try await cloud.call(.delete, "/network/v2.0/floatingips/\(floatingIP.value)", a, expecting: 204)
        try await cloud.call(
            .put, "/network/v2.0/routers/\(router)/remove_router_interface", a, ["subnet_id": .string(subnet)],
            expecting: 200)
        try await cloud.call(.delete, "/network/v2.0/routers/\(router)", a, expecting: 204)
        try await cloud.call(.delete, "/network/v2.0/subnets/\(subnet)", a, expecting: 204)
        try await cloud.call(.delete, "/network/v2.0/networks/\(network)", a, expecting: 204)
        try await cloud.call(.delete, "/image/v2/images/\(image)", a, expecting: 204)
        try await cloud.call(.delete, "/compute/v2.1/flavors/\(flavor)", cloud.admin, expecting: 202)
    }

    /// What the tenant still sees of its own.
    func left() async throws -> [String] {
        var left: [String] = []
        for (path, key) in [
            ("/compute/v2.1/servers", "servers"), ("/image/v2/images", "images"),
            ("/network/v2.0/routers", "routers"), ("/network/v2.0/ports", "ports"),
            ("/network/v2.0/floatingips", "floatingips"),
        ] {
            left += (try await cloud.call(.get, path, cloud.a.member)[key]?.array ?? []).map { "\(key): \($0.text())" }
        }
        return left
    }
}

extension TestCloud {
    /// Nothing on the storage, nothing in A's lists, and nothing on A's account.
    func expectNoStorageUsed() async throws {
        #expect(storage.volumes.isEmpty && storage.snapshots.isEmpty && storage.connections.isEmpty)
        for collection in ["volumes", "snapshots", "backups", "attachments"] {
            try await eventually("No \(collection)") {
                try await call(.get, "/volume/v3/\(collection)", a.member, headers: Estate.newestVolumes)[collection] == []
            }
        }
        let quota = try await call(
            .get, "/volume/v3/os-quota-sets/\(a.project)?usage=true", a.member, expecting: 200)
        for name in ["volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes"] {
            #expect(quota["quota_set", name, "in_use"] == 0, "\(name): \(quota)")
        }
    }

    /// Waits until the data plane has heard of every change.
    func settle() async throws {
        try await eventually("The data plane is told of every change") {
            try await self.database.read { try $0.count("SELECT count(*) FROM network_dirty") } == 0
        }
    }

    /// Of all hosts together, as placement counts them.
    func usedVCPUs() async throws -> Int64 {
        let headers: HTTPHeaders = ["OpenStack-API-Version": "placement latest"]
        let providers = try await call(.get, "/placement/resource_providers", admin, headers: headers, expecting: 200)
        var sum: Int64 = 0
        for provider in providers["resource_providers"]?.array ?? [] {
            let id = try #require(provider["uuid"]?.string)
            let usages = try await call(
                .get, "/placement/resource_providers/\(id)/usages", admin, headers: headers, expecting: 200)
            sum += usages["usages", "VCPU"]?.int ?? 0
        }
        return sum
    }
}
