// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Goal: nothing of one tenant's can be built into another's things.
/// Method: tenant B has objects of its own, and changes each so that it names a part of tenant A's.
@Suite("Parts of another tenant's")
struct ForeignPartTests {
    /// What B owns.
    private struct Own: Sendable {
        var network = ""
        var subnet = ""
        var port = ""
        var router = ""
        var floatingIP = ""
        var group = ""
        var image = ""
    }

    private static func own(_ cloud: TestCloud) async throws -> Own {
        let b = cloud.b.member
        func make(_ collection: String, _ key: String, _ fields: JSON) async throws -> String {
            try await cloud.make("/network/v2.0/\(collection)", key, fields, b)
        }
        var own = Own()
        own.network = try await make("networks", "network", ["name": "beta"])
        own.subnet = try await make(
            "subnets", "subnet", ["network_id": .string(own.network), "ip_version": 4, "cidr": "10.50.0.0/24"])
        own.router = try await make(
            "routers", "router", ["external_gateway_info": ["network_id": .string(cloud.external)]])
        try await cloud.call(
            .put, "/network/v2.0/routers/\(own.router)/add_router_interface", b, ["subnet_id": .string(own.subnet)],
            expecting: 200)
        own.port = try await make("ports", "port", ["network_id": .string(own.network)])
        own.floatingIP = try await make("floatingips", "floatingip", ["floating_network_id": .string(cloud.external)])
        own.group = try await make("security-groups", "security_group", ["name": "beta"])
        own.image = try await cloud.make(
            "/image/v2/images", "", ["name": "beta", "disk_format": "raw", "container_format": "bare"], b)
        try await cloud.send(
            .put, "/image/v2/images/\(own.image)/file", b, [1, 2, 3],
            headers: ["Content-Type": "application/octet-stream"], expecting: 204)
        return own
    }

    @Test("networks: ports, routers, floating IPs, rules")
    func network() async throws {
        try await TestCloud.run { cloud in
            let estate = try await Estate(cloud)
            let own = try await Self.own(cloud)
            func a(_ collection: String) -> JSON { .string(estate["/network/v2.0/\(collection)/{id}"]) }
            let (network, subnet, port, group) = (a("networks"), a("subnets"), a("ports"), a("security-groups"))
            let external = JSON.string(cloud.external)
            let before = Set(cloud.network.objects.keys)
            let attempts: [(HTTPMethod, String, JSON)] = [
                (.put, "ports/\(own.port)", ["port": ["security_groups": [group]]]),
                (.put, "ports/\(own.port)", ["port": ["fixed_ips": [["subnet_id": subnet]]]]),
                (.post, "ports", ["port": ["network_id": network]]),
                (.post, "ports", ["port": ["network_id": .string(own.network), "security_groups": [group]]]),
                (.post, "ports", ["port": ["network_id": .string(own.network), "fixed_ips": [["subnet_id": subnet]]]]),
                (.post, "subnets", ["subnet": ["network_id": network, "ip_version": 4, "cidr": "10.51.0.0/24"]]),
                (.post, "subnets", ["subnet": ["network_id": .string(own.network), "ip_version": 4, "subnetpool_id": a("subnetpools")]]),
                (.put, "routers/\(own.router)/add_router_interface", ["subnet_id": .string(estate.spareSubnet)]),
                (.put, "routers/\(own.router)/add_router_interface", ["port_id": port]),
                (.put, "routers/\(own.router)/remove_router_interface", ["subnet_id": subnet]),
                (.put, "routers/\(own.router)", ["router": ["external_gateway_info": ["network_id": network]]]),
                (.post, "routers", ["router": ["external_gateway_info": ["network_id": network]]]),
                (.put, "floatingips/\(own.floatingIP)", ["floatingip": ["port_id": port]]),
                (.post, "floatingips", ["floatingip": ["floating_network_id": external, "port_id": port]]),
                (.post, "floatingips", ["floatingip": ["floating_network_id": network]]),
                (.post, "security-group-rules", ["security_group_rule": ["security_group_id": group, "direction": "ingress"]]),
                (.post, "security-group-rules", ["security_group_rule": ["security_group_id": .string(own.group), "direction": "ingress", "remote_group_id": group]]),
                (.post, "rbac-policies", ["rbac_policy": ["object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": .string(cloud.b.project)]]),
                (.post, "rbac-policies", ["rbac_policy": ["object_type": "security_group", "object_id": group, "action": "access_as_shared", "target_tenant": .string(cloud.b.project)]]),
                (.post, "security-group-rules", ["security_group_rule": ["security_group_id": .string(own.group), "direction": "ingress", "remote_address_group_id": a("address-groups")]]),
                (.put, "subnetpools/\(estate["/network/v2.0/subnetpools/{id}"])/onboard_network_subnets", ["network_id": .string(own.network)]),
                (.post, "rbac-policies", ["rbac_policy": ["object_type": "address_group", "object_id": a("address-groups"), "action": "access_as_shared", "target_tenant": .string(cloud.b.project)]]),
                (.post, "rbac-policies", ["rbac_policy": ["object_type": "subnetpool", "object_id": a("subnetpools"), "action": "access_as_shared", "target_tenant": .string(cloud.b.project)]]),
                (.post, "subnetpools", ["subnetpool": ["name": "x", "prefixes": ["10.80.0.0/16"], "address_scope_id": a("address-scopes")]]),
                // What is the administrators' to give.
                (.post, "networks", ["network": ["name": "x", "shared": true]]),
                (.post, "networks", ["network": ["name": "x", "router:external": true]]),
                (.post, "networks", ["network": ["name": "x", "provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 7]]),
                (.put, "networks/\(own.network)", ["network": ["shared": true]]),
                (.put, "networks/\(own.network)", ["network": ["router:external": true]]),
                (.put, "ports/\(own.port)", ["port": ["binding:host_id": "fake"]]),
                (.put, "ports/\(own.port)", ["port": ["binding:profile": ["x": "y"]]]),
                (.post, "ports", ["port": ["network_id": external, "fixed_ips": [["ip_address": "172.24.4.200"]]]]),
                (.post, "rbac-policies", ["rbac_policy": ["object_type": "network", "object_id": .string(own.network), "action": "access_as_shared", "target_tenant": "*"]]),
                (.post, "rbac-policies", ["rbac_policy": ["object_type": "network", "object_id": .string(own.network), "action": "access_as_external", "target_tenant": "*"]]),
            ]
            for (method, path, body) in attempts {
                let answer = try await cloud.call(method, "/network/v2.0/\(path)", cloud.b.member, body)
                #expect((400..<500).contains(answer.status), "\(path) with \(body.text()): \(answer)")
            }
            try await cloud.settle()
            #expect(Set(cloud.network.objects.keys) == before)
        }
    }

    @Test("servers: images, flavors, keys, networks, ports, groups")
    func server() async throws {
        try await TestCloud.run { cloud in
            let estate = try await Estate(cloud)
            let own = try await Self.own(cloud)
            let good: [String: JSON] = [
                "name": "beta", "flavorRef": "1", "imageRef": .string(own.image),
                "networks": [["uuid": .string(own.network)]],
            ]
            let foreign: [(String, JSON)] = [
                ("imageRef", .string(estate["/image {id}"])), ("flavorRef", "alpha-flavor"), ("key_name", "alpha-key"),
                ("networks", [["uuid": .string(estate["/network/v2.0/networks/{id}"])]]),
                ("networks", [["port": .string(estate["/network/v2.0/ports/{id}"])]]),
                ("security_groups", [["name": .string(estate["/network/v2.0/security-groups/{id}"])]]),
                ("security_groups", [["name": "alpha-group"]]),
                // The administrators': a host by name.
                ("availability_zone", "nova:fake"), ("host", "fake"), ("hypervisor_hostname", "fake"),
            ]
            for (key, value) in foreign {
                let fields = good.merging([key: value]) { $1 }
                let answer = try await cloud.call(
                    .post, "/compute/v2.1/servers", cloud.b.member, ["server": .object(fields)], headers: Estate.latest)
                #expect((400..<500).contains(answer.status), "\(key) = \(value.text()): \(answer)")
            }
            let answer = try await cloud.call(
                .post, "/compute/v2.1/servers", cloud.b.member,
                [
                    "server": .object(good),
                    "os:scheduler_hints": ["group": .string(estate["/compute/v2.1/os-server-groups/{id}"])],
                ], headers: Estate.latest)
            #expect((400..<500).contains(answer.status), "hint: \(answer)")
            let servers = try await cloud.call(.get, "/compute/v2.1/servers", cloud.b.member, expecting: 200)
            #expect(servers["servers"] == [])
            // And the good one is good, so that each was refused for its foreign part.
            _ = try await cloud.make(
                "/compute/v2.1/servers", "server", .object(good), cloud.b.member, headers: Estate.latest)
        }
    }

    @Test("block storage: copies, groups, kinds, connections")
    func volumes() async throws {
        try await TestCloud.run { cloud in
            let estate = try await Estate(cloud)
            let (own, b) = (try await Self.own(cloud), cloud.b.member)
            func make(_ collection: String, _ key: String, _ fields: JSON) async throws -> String {
                try await cloud.make("/volume/v3/\(collection)", key, fields, b, headers: Estate.newestVolumes)
            }
            let (volume, spare) = (
                try await make("volumes", "volume", ["size": 1]), try await make("volumes", "volume", ["size": 1])
            )
            let group = try await make(
                "groups", "group", ["group_type": .string(estate.others["group type"] ?? ""), "volume_types": ["__DEFAULT__"]])
            try await cloud.settled("volumes", b)
            let backup = try await make("backups", "backup", ["volume_id": .string(volume)])
            try await cloud.settled("backups", b)
            let server = try await cloud.make(
                "/compute/v2.1/servers", "server",
                ["name": "beta", "flavorRef": "1", "imageRef": .string(own.image), "networks": [["uuid": .string(own.network)]]],
                b, headers: Estate.latest)
            try await cloud.waitUntil(server, is: "ACTIVE", b)
            let attempts = Self.volumeAttempts(
                estate, volume: volume, group: group, backup: backup, server: server, network: own.network)
            let before = cloud.storage.volumes
            for (method, path, body) in attempts {
                let headers = path.hasPrefix("/compute") ? Estate.latest : Estate.newestVolumes
                let answer = try await cloud.call(method, path, b, body, headers: headers)
                #expect((400..<500).contains(answer.status), "\(path) with \(body.text()): \(answer)")
            }
            #expect(cloud.storage.volumes == before)
            // And good ones are good.
            _ = try await make("volumes", "volume", ["size": 1, "source_volid": .string(volume)])
            try await cloud.call(
                .post, "/compute/v2.1/servers/\(server)/os-volume_attachments", b,
                ["volumeAttachment": ["volumeId": .string(spare)]], expecting: 200)
        }
    }

    private static func volumeAttempts(
        _ estate: Estate, volume: String, group: String, backup: String, server: String, network: String
    ) -> [(HTTPMethod, String, JSON)] {
        func a(_ name: String) -> JSON { .string(estate["/volume {\(name)}"]) }
        let (root, own) = ("/volume/v3", JSON.string(volume))
        let kind = JSON.string(estate.others["group type"] ?? "")
        let image = JSON.string(estate["/image {id}"])
        func boot(_ type: String, _ id: JSON) -> (HTTPMethod, String, JSON) {
            (
                .post, "/compute/v2.1/servers",
                [
                    "server": [
                        "name": "x", "flavorRef": "1", "networks": [["uuid": .string(network)]],
                        "block_device_mapping_v2": [
                            ["boot_index": 0, "source_type": .string(type), "destination_type": "volume", "uuid": id, "volume_size": 1]
                        ],
                    ]
                ]
            )
        }
        let drafts: [[String: JSON]] = [
            ["snapshot_id": a("snapshot_id")], ["source_volid": a("volume_id")], ["backup_id": a("backup_id")],
            ["imageRef": image], ["group_id": a("group_id"), "volume_type": "__DEFAULT__"], ["volume_type": a("type_id")],
            ["volume_type": "alpha-type"],
        ]
        return drafts.map { draft -> (HTTPMethod, String, JSON) in
            (.post, "\(root)/volumes", ["volume": .object(draft.merging(["size": 1]) { $1 })])
        } + [
            (.post, "\(root)/snapshots", ["snapshot": ["volume_id": a("volume_id")]]),
            (.post, "\(root)/backups", ["backup": ["volume_id": a("volume_id")]]),
            (.post, "\(root)/backups", ["backup": ["volume_id": own, "snapshot_id": a("snapshot_id")]]),
            (.post, "\(root)/backups/\(backup)/restore", ["restore": ["volume_id": .string(estate.volume("next"))]]),
            (.post, "\(root)/attachments", ["attachment": ["volume_uuid": .string(estate.volume("free"))]]),
            (.post, "\(root)/volume-transfers", ["transfer": ["volume_id": .string(estate.volume("free"))]]),
            (.post, "\(root)/groups", ["group": ["group_type": a("group_type_id"), "volume_types": ["__DEFAULT__"]]]),
            (.post, "\(root)/groups", ["group": ["group_type": "alpha-kind", "volume_types": ["__DEFAULT__"]]]),
            (.post, "\(root)/groups", ["group": ["group_type": kind, "volume_types": [a("type_id")]]]),
            (.put, "\(root)/groups/\(group)", ["group": ["add_volumes": .string(estate.volume("free"))]]),
            (.post, "\(root)/groups/action", ["create-from-src": ["source_group_id": a("group_id")]]),
            (.post, "\(root)/groups/action", ["create-from-src": ["group_snapshot_id": a("group_snapshot_id")]]),
            (.post, "\(root)/group_snapshots", ["group_snapshot": ["group_id": a("group_id")]]),
            (.post, "\(root)/volumes/\(volume)/action", ["os-retype": ["new_type": a("type_id")]]),
            (.post, "\(root)/volumes/\(volume)/action", ["os-reimage": ["image_id": image]]),
            (.post, "\(root)/volumes/\(volume)/action", ["revert": ["snapshot_id": a("snapshot_id")]]),
            (.post, "\(root)/volumes/\(volume)/action", ["os-volume_upload_image": ["image_name": "x", "visibility": "public"]]),
            (.post, "\(root)/volumes/\(volume)/action", ["os-migrate_volume": ["host": .string(TestCloud.spareBackend)]]),
            (.post, "\(root)/volumes/\(volume)/action", ["os-reset_status": ["status": "available"]]),
            (.post, "\(root)/volumes/\(volume)/action", ["os-force_delete": .object([:])]),
            (.put, "\(root)/os-quota-sets/\(estate.cloud.b.project)", ["quota_set": ["volumes": 1000]]),
            (.put, "\(root)/default-types/\(estate.cloud.b.project)", ["default_type": ["volume_type": "__DEFAULT__"]]),
            (
                .post, "/compute/v2.1/servers/\(server)/os-volume_attachments",
                ["volumeAttachment": ["volumeId": .string(estate.volume("free"))]]
            ),
            (
                .post, "/compute/v2.1/servers/\(estate["/compute {server_id}"])/os-volume_attachments",
                ["volumeAttachment": ["volumeId": own]]
            ),
            boot("volume", .string(estate.volume("free"))), boot("snapshot", a("snapshot_id")), boot("image", image),
        ]
    }

    @Test("what A shares with nobody in particular B cannot take by patching its own")
    func image() async throws {
        try await TestCloud.run { cloud in
            let own = try await Self.own(cloud)
            for (field, value) in [("owner", cloud.a.project), ("visibility", "public")] {
                let patch: JSON = [["op": "replace", "path": .string("/" + field), "value": .string(value)]]
                let answer = try await cloud.call(
                    .patch, "/image/v2/images/\(own.image)", cloud.b.member, patch,
                    headers: ["Content-Type": "application/openstack-images-v2.1-json-patch"])
                #expect((400..<500).contains(answer.status), "\(field): \(answer)")
            }
            let image = try await cloud.call(.get, "/image/v2/images/\(own.image)", cloud.b.member, expecting: 200)
            #expect(image["owner"]?.string == cloud.b.project)
        }
    }

    @Test("an account makes itself no administrator")
    func escalation() async throws {
        try await TestCloud.run { cloud in
            let (b, id) = (cloud.b.member, cloud.b.memberID)
            let role = try await cloud.role(named: "admin")
            let attempts: [(HTTPMethod, String, JSON?)] = [
                (.put, "projects/\(cloud.b.project)/users/\(id)/roles/\(role)", nil),
                (.put, "system/users/\(id)/roles/\(role)", nil),
                (.put, "domains/default/users/\(id)/roles/\(role)", nil),
                (.put, "OS-INHERIT/domains/default/users/\(id)/roles/\(role)/inherited_to_projects", nil),
                (.post, "users/\(id)/application_credentials", ["application_credential": ["name": "x", "roles": [["id": .string(role)]]]]),
                (.patch, "users/\(id)", ["user": ["default_project_id": .string(cloud.a.project)]]),
                (.post, "credentials", ["credential": ["type": "ec2", "blob": "{\"access\":\"a\",\"secret\":\"s\"}", "user_id": .string(cloud.a.memberID), "project_id": .string(cloud.a.project)]]),
                (.post, "auth/tokens", ["auth": ["identity": ["methods": ["token"], "token": ["id": .string(b)]], "scope": ["project": ["id": .string(cloud.a.project)]]]]),
                (.post, "auth/tokens", ["auth": ["identity": ["methods": ["token"], "token": ["id": .string(b)]], "scope": ["system": ["all": true]]]]),
                (.post, "auth/tokens", ["auth": ["identity": ["methods": ["token"], "token": ["id": .string(b)]], "scope": ["domain": ["id": "default"]]]]),
                (.post, "auth/tokens", ["auth": ["identity": ["methods": []]]]),
                (.post, "auth/tokens", ["auth": ["identity": ["methods": ["password"], "password": ["user": ["id": .string(id), "password": ""]]]]]),
            ]
            for (method, path, body) in attempts {
                let answer = try await cloud.call(method, "/identity/v3/\(path)", b, body)
                #expect((400..<500).contains(answer.status), "\(path): \(answer)")
            }
        }
    }
}
