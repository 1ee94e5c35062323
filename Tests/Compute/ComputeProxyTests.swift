// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import HTTPKit
import TestKit
import Testing

/// Goal: what Compute once offered of other services is there in the versions that had it, as they had it, and never
/// with more rights than the caller's own. Method: calls through the router against neighbours that a test speaks
/// for.
@Suite("Proxies of Compute")
struct ComputeProxyTests {
    private static let id = "77777777-7777-4777-8777-777777777777"
    private static let image: JSON = [
        "id": .string(id), "name": "shot", "status": "active", "min_ram": 64, "min_disk": 1, "size": 512,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z", "visibility": "private",
        "owner": "project-demo", "checksum": .null, "tags": [], "instance_uuid": "s", "os_distro": "debian",
        "os_hash_algo": "sha512", "schema": "/v2/schemas/image",
    ]

    @Test("images in the words of the first API, with the caller's token")
    func images() async throws {
        let world = try await ComputeWorld()
        let one = "/image/v2/images/\(Self.id)"
        world.neighbours.answer("GET \(one)", 200, Self.image)
        world.neighbours.answer("GET /image/v2/images", 200, ["images": [Self.image]])
        world.neighbours.answer("DELETE \(one)", 204, .null)
        let shown = try await world.call(.get, "/images/\(Self.id)", version: "2.35", expecting: 200)
        #expect(shown["image", "status"] == "ACTIVE")
        #expect(shown["image", "progress"] == 100)
        #expect(shown["image", "OS-EXT-IMG-SIZE:size"] == 512)
        #expect(shown["image", "metadata"] == ["instance_uuid": "s", "os_distro": "debian"])
        #expect(shown["image", "server", "id"] == "s")
        #expect(shown["image", "links", "2", "rel"] == "alternate")
        #expect(world.neighbours.calls.allSatisfy { $0.token == "demo" })
        // A property named as what pages through the list would page through it.
        let list = try await world.call(
            .get, "/images?property-limit=5&status=ACTIVE&server=http://x/servers/s&minRam=1&limit=1", version: "2.1",
            expecting: 200)
        #expect(list["images", "0", "name"] == "shot")
        #expect(list["images", "0", "status"] == nil)
        #expect(list["images_links", "0", "rel"] == "next")
        let query = try #require(world.neighbours.calls.last?.query)
        #expect(query == ["status": "active", "instance_uuid": "s", "min_ram": "1", "limit": "1"])
        try await world.call(.delete, "/images/\(Self.id)", expecting: 204)
        try await world.call(.get, "/images/nothing", expecting: 404)
        try await world.call(.get, "/images", version: "2.36", expecting: 404)
        try await world.call(.get, "/images/\(Self.id)/metadata", version: "2.38", expecting: 200)
        try await world.call(.get, "/images/\(Self.id)/metadata", version: "2.39", expecting: 404)
    }

    @Test("image metadata changes by what differs")
    func imageMetadata() async throws {
        let world = try await ComputeWorld()
        let (path, one) = ("/images/\(Self.id)/metadata", "/image/v2/images/\(Self.id)")
        world.neighbours.answer("GET \(one)", 200, Self.image)
        world.neighbours.answer("PATCH \(one)", 200, Self.image)
        try await world.call(.put, path, ["metadata": ["os_distro": "alpine", "a/b": "c"]], expecting: 400)
        let put = try await world.call(.put, path, ["metadata": ["os_distro": "alpine", "new": "n"]], expecting: 200)
        #expect(put["metadata"] == ["os_distro": "alpine", "new": "n"])
        let call = try #require(world.neighbours.calls.last)
        #expect(call.contentType == "application/openstack-images-v2.1-json-patch")
        #expect(
            call.body == [
                ["op": "remove", "path": "/instance_uuid"], ["op": "add", "path": "/new", "value": "n"],
                ["op": "replace", "path": "/os_distro", "value": "alpine"],
            ])
        try await world.call(.put, path + "/k", ["meta": ["other": "v"]], expecting: 400)
        try await world.call(.delete, path + "/none", expecting: 404)
        try await world.call(.delete, path + "/os_distro", expecting: 204)
        #expect(world.neighbours.calls.last?.body == [["op": "remove", "path": "/os_distro"]])
        world.neighbours.answer("PATCH \(one)", 403, ["forbidden": ["message": "not yours"]])
        try await world.call(.post, path, ["metadata": ["k": "v"]], expecting: 403)
    }

    @Test("volumes and snapshots in the words of the first API")
    func volumes() async throws {
        let world = try await ComputeWorld()
        let root = "/volume/v3/project-demo"
        let volume: JSON = [
            "id": .string(Self.id), "name": "v", "description": .null, "status": "in-use", "size": 1,
            "availability_zone": "nova", "created_at": "2026-01-01T00:00:00.000000", "volume_type": "fast",
            "snapshot_id": .null, "metadata": ["k": "v"],
            "attachments": [["server_id": "s", "device": "/dev/vdb", "attachment_id": "a"]],
        ]
        world.neighbours.answer("GET \(root)/volumes/detail", 200, ["volumes": [volume, volume]])
        world.neighbours.answer("GET \(root)/volumes/\(Self.id)", 200, ["volume": volume])
        world.neighbours.answer("POST \(root)/volumes", 202, ["volume": volume])
        let shown = try await world.call(.get, "/os-volumes/\(Self.id)", expecting: 200)
        #expect(shown["volume", "displayName"] == "v")
        #expect(
            shown["volume", "attachments"] == [
                ["device": "/dev/vdb", "id": .string(Self.id), "serverId": "s", "volumeId": .string(Self.id)]
            ])
        #expect(
            try await world.call(.get, "/os-volumes/detail?limit=1")["volumes"]?.array?.count == 1)
        try await world.call(
            .post, "/os-volumes", ["volume": ["size": "1", "display_name": "v"]], expecting: 200)
        #expect(world.neighbours.calls.last?.body == ["volume": ["name": "v", "size": 1]])
        for size in ["#$%", "", "0"] as [JSON] {
            try await world.call(.post, "/os-volumes", ["volume": ["size": size]], expecting: 400)
        }
        try await world.call(.post, "/os-volumes", ["volume": ["size": 1]], as: "reader", expecting: 403)
        try await world.call(.get, "/os-volumes/none", expecting: 404)
        try await world.call(.delete, "/os-volumes/none", expecting: 404)
        try await world.call(.get, "/os-volumes/", expecting: 404)
        try await world.call(.get, "/os-volumes", version: "2.36", expecting: 404)
        let snapshot: JSON = ["id": "n", "volume_id": "v", "name": "s", "status": "available", "size": 1]
        world.neighbours.answer("POST \(root)/snapshots", 202, ["snapshot": snapshot])
        let made = try await world.call(
            .post, "/os-snapshots", ["snapshot": ["volume_id": "v", "display_name": "s", "force": true]], expecting: 200
        )
        #expect(made["snapshot", "volumeId"] == "v")
        #expect(world.neighbours.calls.last?.body == ["snapshot": ["force": true, "name": "s", "volume_id": "v"]])
        try await world.call(.get, "/os-snapshots/none", expecting: 404)
    }

    @Test("networks, with what is left of their fields")
    func networks() async throws {
        let world = try await ComputeWorld()
        world.neighbours.answer("GET /network/v2.0/networks", 200, ["networks": [["id": "n", "name": "net"]]])
        world.neighbours.answer("GET /network/v2.0/networks/n", 200, ["network": ["id": "n", "name": "net"]])
        let old = try await world.call(.get, "/os-networks", version: "2.35", expecting: 200)
        #expect(old["networks", "0", "label"] == "net")
        #expect(old["networks", "0", "cidr"] == .null)
        #expect(old["networks", "0", "vlan"] == nil)
        #expect(try await world.call(.get, "/os-networks/n", as: "admin")["network", "vlan"] == .null)
        let brief = try await world.call(.get, "/os-tenant-networks/n", expecting: 200)
        #expect(brief["network"] == ["cidr": "None", "id": "n", "label": "net"])
        try await world.call(.get, "/os-networks/none", expecting: 404)
        try await world.call(.get, "/os-tenant-networks", version: "2.36", expecting: 404)
        try await world.call(.post, "/os-networks", ["network": [:]], expecting: 410)
        try await world.call(.delete, "/os-tenant-networks/n", version: "2.90", expecting: 410)
    }

    @Test("floating addresses with external networks as pools")
    func floatingIPs() async throws {
        let world = try await ComputeWorld()
        let floatingIP: JSON = [
            "id": "f", "floating_ip_address": "203.0.113.5", "fixed_ip_address": "10.0.0.5", "port_id": "p",
            "floating_network_id": "x",
        ]
        world.neighbours.answer("GET /network/v2.0/networks", 200, ["networks": [["id": "x", "name": "ext"]]])
        world.neighbours.answer("GET /network/v2.0/floatingips", 200, ["floatingips": [floatingIP]])
        world.neighbours.answer("GET /network/v2.0/floatingips/f", 200, ["floatingip": floatingIP])
        world.neighbours.answer("POST /network/v2.0/floatingips", 201, ["floatingip": floatingIP])
        world.neighbours.answer("DELETE /network/v2.0/floatingips/f", 204, .null)
        world.neighbours.answer("GET /network/v2.0/ports", 200, ["ports": [["id": "p", "device_id": "s"]]])
        let list = try await world.call(.get, "/os-floating-ips", expecting: 200)
        let shown: JSON = ["fixed_ip": "10.0.0.5", "id": "f", "instance_id": "s", "ip": "203.0.113.5", "pool": "ext"]
        #expect(list["floating_ips"] == [shown])
        #expect(try await world.call(.get, "/os-floating-ips/f")["floating_ip"] == shown)
        #expect(try await world.call(.get, "/os-floating-ip-pools")["floating_ip_pools"] == [["name": "ext"]])
        try await world.call(.post, "/os-floating-ips", ["pool": "none"], expecting: 404)
        try await world.call(.post, "/os-floating-ips", ["pool": "ext"], expecting: 200)
        try await world.call(.post, "/os-floating-ips", expecting: 200)
        try await world.call(.delete, "/os-floating-ips/f", expecting: 202)
        try await world.call(.delete, "/os-floating-ips/none", expecting: 404)
        world.neighbours.answer(
            "POST /network/v2.0/floatingips", 409, ["NeutronError": ["type": "OverQuota", "message": "m"]])
        try await world.call(.post, "/os-floating-ips", expecting: 403)
    }

    @Test("a server gets and gives back a floating address, until 2.43")
    func addressActions() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let port = try #require(world.networks.ports.values.first)
            let path = "/servers/\(id)/action"
            let add: JSON = ["addFloatingIp": ["address": "203.0.113.5"]]
            try await world.call(.post, path, add, expecting: 404)
            world.neighbours.answer(
                "GET /network/v2.0/floatingips", 200,
                ["floatingips": [["id": "f", "floating_ip_address": "203.0.113.5", "port_id": .null]]])
            world.neighbours.answer("PUT /network/v2.0/floatingips/f", 200, ["floatingip": [:]])
            try await world.call(.post, path, ["addFloatingIp": ["address": ""]], expecting: 400)
            try await world.call(
                .post, path, ["addFloatingIp": ["address": "203.0.113.5", "fixed_address": "192.0.2.1"]], expecting: 400
            )
            try await world.call(.post, path, add, expecting: 202)
            let sent = try #require(world.neighbours.calls.last?.body)
            #expect(sent["floatingip"]?["port_id"]?.string == port.id.rawValue)
            try await world.call(.post, path, add, as: "other", expecting: 404)
            try await world.call(.post, path, add, as: "reader", expecting: 403)
            try await world.call(
                .post, path, ["removeFloatingIp": ["address": "203.0.113.5"]], expecting: 409)
            world.neighbours.answer(
                "GET /network/v2.0/floatingips", 200,
                ["floatingips": [["id": "f", "port_id": .string(port.id.rawValue)]]])
            try await world.call(
                .post, path, ["removeFloatingIp": ["address": "203.0.113.5"]], expecting: 202)
            #expect(world.neighbours.calls.last?.body == ["floatingip": ["port_id": .null]])
            try await world.call(.post, path, add, version: "2.44", expecting: 404)
            try await world.call(.post, path, ["resetNetwork": .null], as: "admin", expecting: 410)
        }
    }

    @Test("security groups with their rules for what comes in")
    func securityGroups() async throws {
        let world = try await ComputeWorld()
        let other = "88888888-8888-4888-8888-888888888888"
        let group: JSON = [
            "id": .string(Self.id), "name": "web", "description": "d", "tenant_id": "project-demo",
            "security_group_rules": [
                ["id": "e", "direction": "egress", "security_group_id": .string(Self.id)],
                [
                    "id": "r", "direction": "ingress", "security_group_id": .string(Self.id), "protocol": "tcp",
                    "port_range_min": .null, "port_range_max": .null, "remote_group_id": .null,
                    "remote_ip_prefix": .null, "ethertype": "IPv4",
                ],
                [
                    "id": "q", "direction": "ingress", "security_group_id": .string(Self.id), "protocol": "icmp",
                    "remote_group_id": .string(Self.id),
                ],
            ],
        ]
        let groups = "/network/v2.0/security-groups"
        world.neighbours.answer("GET \(groups)", 200, ["security_groups": [group]])
        world.neighbours.answer("GET \(groups)/\(Self.id)", 200, ["security_group": group])
        let list = try await world.call(.get, "/os-security-groups", expecting: 200)
        #expect(
            list["security_groups", "0", "rules"] == [
                [
                    "id": "r", "parent_group_id": .string(Self.id), "ip_protocol": "tcp", "from_port": 1,
                    "to_port": 65535, "group": [:], "ip_range": ["cidr": "0.0.0.0/0"],
                ],
                [
                    "id": "q", "parent_group_id": .string(Self.id), "ip_protocol": "icmp", "from_port": -1,
                    "to_port": -1, "group": ["name": "web", "tenant_id": "project-demo"], "ip_range": [:],
                ],
            ])
        try await world.call(.get, "/os-security-groups/\(other)", expecting: 404)
        try await world.call(.get, "/os-security-groups/x", expecting: 400)
        try await world.call(.delete, "/os-security-groups/", expecting: 404)
        world.neighbours.answer(
            "DELETE \(groups)/\(Self.id)", 409, ["NeutronError": ["type": "SecurityGroupInUse", "message": "m"]])
        try await world.call(.delete, "/os-security-groups/\(Self.id)", expecting: 400)
        let rules = "/os-security-group-rules"
        func rule(_ fields: [String: JSON]) -> JSON {
            ["security_group_rule": .object(fields.merging(["parent_group_id": .string(Self.id)]) { $1 })]
        }
        world.neighbours.answer(
            "POST /network/v2.0/security-group-rules", 201,
            ["security_group_rule": ["id": "n", "security_group_id": .string(Self.id), "protocol": "tcp"]])
        try await world.call(
            .post, rules, rule(["ip_protocol": "tcp", "from_port": "22", "to_port": 22]), expecting: 200)
        #expect(
            world.neighbours.calls.last?.body == [
                "security_group_rule": [
                    "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
                    "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0", "security_group_id": .string(Self.id),
                ]
            ])
        for bad in [
            ["ip_protocol": "tcp", "from_port": 23, "to_port": 22], ["ip_protocol": "tcp"],
            ["ip_protocol": "gre", "from_port": 1, "to_port": 1],
            ["ip_protocol": "tcp", "from_port": 1, "to_port": 1, "cidr": "x"],
            ["ip_protocol": "icmp", "from_port": 256, "to_port": 1],
        ] as [[String: JSON]] {
            try await world.call(.post, rules, rule(bad), expecting: 400)
        }
        try await world.call(
            .post, rules, rule(["group_id": .string(other), "ip_protocol": "tcp"]), expecting: 404)
        try await world.call(.get, "/os-security-groups", version: "2.36", expecting: 404)
    }

    @Test("other groups that rules name are asked for in one go, and a rule whose group is gone is not shown")
    func remoteGroups() async throws {
        let world = try await ComputeWorld()
        let rules: [JSON] = (1...3).map { number in
            [
                "id": .string("r\(number)"), "direction": "ingress", "security_group_id": .string(Self.id),
                "remote_group_id": .string("88888888-8888-4888-8888-88888888888\(number)"),
            ]
        }
        let path = "/network/v2.0/security-groups"
        world.neighbours.answer(
            "GET \(path)", 200,
            ["security_groups": [["id": .string(Self.id), "name": "web", "security_group_rules": .array(rules)]]])
        let list = try await world.call(.get, "/os-security-groups", expecting: 200)
        #expect(list["security_groups", "0", "rules"] == [])
        #expect(world.neighbours.calls.map(\.path) == [path, path])
    }

    @Test(
        "what upstream has taken away is gone for good",
        arguments: [
            "/os-cells", "/os-cells/x/capacities", "/os-fping", "/os-cloudpipe", "/os-certificates/root", "/os-agents",
            "/os-fixed-ips/10.0.0.1", "/os-floating-ip-dns", "/os-floating-ips-bulk",
            "/servers/x/os-virtual-interfaces",
            "/servers/x/consoles", "/os-security-group-default-rules",
        ])
    func removed(_ path: String) async throws {
        let world = try await ComputeWorld()
        for version in ["2.1", "2.60", "2.104"] {
            try await world.call(.get, path, version: version, expecting: 410)
        }
    }
}
