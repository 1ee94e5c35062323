// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkCore
import Testing

/// Goal: no project sees or changes what is not its own, and attributes that only administrators set are refused.
/// Method: the same calls as owner, stranger, reader and a user without a role.
@Suite("Access")
struct AccessTests {
    @Test("what is foreign does not exist")
    func foreign() async throws {
        let world = try await NetworkWorld()
        let (network, subnet) = try await world.makeNetwork()
        let port = try await world.make("port", ["network_id": .string(network)]).id
        let router = try await world.make("router", [:]).id
        let group = try await world.make("security_group", ["name": "g"])
        let rule = try #require(group["security_group_rules"]?.array?.first).id
        let external = try await world.makeExternal()
        let floating = try await world.make("floatingip", ["floating_network_id": .string(external.network)]).id
        let paths = [
            "networks/\(network)", "subnets/\(subnet)", "ports/\(port)", "routers/\(router)",
            "security-groups/\(group.id)", "security-group-rules/\(rule)", "floatingips/\(floating)",
        ]
        for path in paths {
            let name = String(path.split(separator: "/")[0].dropLast()).replacing("-", with: "_")
            #expect(try await world.get(path).status == 200, "\(path)")
            #expect(try await world.get(path, as: .reader).status == 200, "\(path)")
            for user in [NetworkWorld.User.other, .nobody] {
                #expect(try await world.get(path, as: user).status == 404, "\(path) \(user)")
                #expect(try await world.call(.delete, path, as: user).status == 404, "\(path) \(user)")
            }
            #expect(try await world.call(.delete, path, as: .reader).status == 403, "\(path)")
            if name != "security_group_rule" {
                let change: JSON = .object([name: ["description": "x"]])
                #expect(try await world.call(.put, path, change, as: .other).status == 404, "\(path)")
                #expect(try await world.call(.put, path, change, as: .reader).status == 403, "\(path)")
                #expect(try await world.call(.put, path, change).status == 200, "\(path)")
            }
        }
        for collection in ["networks", "subnets", "ports", "routers", "floatingips"] {
            let seen = try await world.get(collection, as: .other)[collection]?.array ?? []
            #expect(seen.allSatisfy { $0["project_id"] != "p-demo" }, "\(collection)")
        }
        let attach = try await world.call(
            .put, "routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)], as: .other)
        #expect(attach.status == 404)
        let tag = try await world.call(.put, "networks/\(network)/tags/x", as: .other)
        #expect(tag.status == 404)
    }

    @Test("no port of one's own becomes an interface of a foreign router, in one request or two")
    func foreignRouter() async throws {
        let world = try await NetworkWorld()
        let router = try await world.make("router", [:]).id
        let network = try await world.makeNetwork(as: .other).network
        let owner: JSON = ["device_owner": "network:router_interface"]
        let device: JSON = ["device_id": .string(router)]
        for (first, second) in [(owner, device), (device, owner)] {
            var draft = try #require(first.object)
            draft["network_id"] = .string(network)
            let port = try await world.make("port", .object(draft), as: .other).id
            let plug = try await world.call(.put, "ports/\(port)", ["port": second], as: .other)
            #expect(plug.fault == "DeviceIDNotOwnedByTenant")
        }
        try await world.project()
        #expect(world.logicalRouter(router)?.interfaces.isEmpty ?? false)
    }

    @Test("no port of one's own passes for the metadata port of a foreign network")
    func foreignMetadata() async throws {
        let world = try await NetworkWorld()
        let own = try await world.makeNetwork("10.8.0.0/24", as: .other).network
        let bare = try await world.make("network", ["name": "bare"]).id
        _ = try await world.make(
            "port",
            [
                "network_id": .string(own), "device_owner": "network:distributed",
                "device_id": .string("ovnmeta-\(bare)"),
            ], as: .other)
        _ = try await world.make(
            "subnet", ["network_id": .string(bare), "cidr": "10.9.0.0/24", "ip_version": 4])
        let ports = try await world.get("ports?network_id=\(bare)", as: .admin)["ports"]?.array ?? []
        #expect(ports.contains { $0["device_owner"] == "network:distributed" })
    }

    @Test("attributes with a rule of their own")
    func attributes() async throws {
        let world = try await NetworkWorld()
        for attribute in ["shared", "router:external", "is_default"] {
            let answer = try await world.call(.post, "networks", ["network": .object([attribute: true])])
            #expect(answer.status == 403 && answer.fault == "PolicyNotAuthorized", "\(attribute)")
            #expect(try await world.call(.post, "networks", ["network": .object([attribute: false])]).status == 201)
        }
        let provider: JSON = ["network": ["provider:network_type": "vlan", "provider:physical_network": "physnet1"]]
        #expect(try await world.call(.post, "networks", provider).status == 403)
        #expect(try await world.call(.post, "networks", provider, as: .admin).status == 201)
        let foreign: JSON = ["network": ["project_id": "p-other"]]
        #expect(try await world.call(.post, "networks", foreign).status == 400)
        #expect(try await world.call(.post, "networks", foreign, as: .admin).status == 201)
        let own = try await world.make("network", ["name": "own"])
        #expect(own["provider:network_type"] == nil)
        #expect(try await world.get("networks/\(own.id)", as: .admin)["network", "provider:network_type"] == "geneve")

        let shared = try await world.make("network", ["name": "s", "shared": true], as: .admin).id
        _ = try await world.make(
            "subnet", ["network_id": .string(shared), "cidr": "10.9.0.0/24", "ip_version": 4], as: .admin)
        let port = try await world.make("port", ["network_id": .string(shared)])
        #expect(port["binding:host_id"] == nil)
        for (name, value): (String, JSON) in [
            ("mac_address", "fa:16:3e:01:02:03"), ("fixed_ips", [["ip_address": "10.9.0.9"]]),
            ("port_security_enabled", false), ("binding:host_id", "h"), ("device_owner", "network:dhcp"),
            ("allowed_address_pairs", [["ip_address": "10.9.0.9"]]),
        ] {
            let body: JSON = ["port": .object(["network_id": .string(shared), name: value])]
            #expect(try await world.call(.post, "ports", body).status == 403, "\(name)")
            #expect(
                try await world.call(.put, "ports/\(port.id)", ["port": .object([name: value])]).status == 403,
                "\(name)")
        }
        #expect(
            try await world.call(
                .post, "subnets", ["subnet": ["network_id": .string(shared), "cidr": "10.8.0.0/24", "ip_version": 4]]
            ).status == 403)
    }

    @Test("no token, bad bodies, unknown things: upstream's status, never 500")
    func badInput() async throws {
        let world = try await NetworkWorld()
        for collection in [
            "networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules",
            "rbac-policies", "subnetpools", "address-scopes",
        ] {
            for body: JSON? in [
                nil, [:], [], "x", ["wrong": [:]], ["network": 5], ["networks": []], ["port": ["network_id": 5]],
            ] {
                let answer = try await world.call(.post, collection, body)
                #expect((400..<500).contains(answer.status), "\(collection) \(answer.text)")
                #expect(answer.fault != nil)
            }
            #expect(try await world.get("\(collection)/nonsense").status == 404)
            #expect(try await world.get("\(collection)?nonsense=1").status == 400)
            #expect(try await world.get("\(collection)?sort_key=nonsense&sort_dir=asc").status == 400)
            #expect(try await world.get("\(collection)?sort_key=id").status == 400)
            #expect(try await world.get("\(collection)?limit=-1").status == 400)
            #expect(try await world.get("\(collection)?limit=1&marker=nonsense").status == 404)
            #expect(try await world.call(.patch, collection).status == 405)
        }
        for (name, value): (String, JSON) in [
            ("name", 5), ("name", .string(String(repeating: "x", count: 256))), ("admin_state_up", "maybe"),
            ("mtu", "x"),
            ("mtu", 100_000), ("tags", "x"), ("dns_domain", "-bad-"), ("id", "x"), ("status", "x"), ("nonsense", 1),
        ] {
            let answer = try await world.call(.post, "networks", ["network": .object([name: value])])
            #expect(answer.status == 400, "\(name): \(answer.text)")
        }
        let anonymous = await world.router.handle(HTTPRequest(method: .get, path: "/network/v2.0/networks"))
        #expect(anonymous.status == 401)
        let open = await world.router.handle(HTTPRequest(method: .get, path: "/network/"))
        #expect(open.status == 200)
    }

    @Test("sharing by RBAC: with one project, until it is in use")
    func rbac() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let policy = try await world.make(
            "rbac_policy",
            [
                "object_type": "network", "object_id": .string(network), "action": "access_as_shared",
                "target_tenant": "p-other",
            ]
        ).id
        #expect(try await world.get("networks/\(network)", as: .other)["network", "shared"] == true)
        #expect(try await world.get("networks/\(network)")["network", "shared"] == false)
        #expect(try await world.get("subnets", as: .other)["subnets"]?.array?.count == 1)
        let port = try await world.make("port", ["network_id": .string(network)], as: .other).id
        #expect(try await world.get("ports/\(port)").status == 200)
        #expect(try await world.call(.delete, "rbac-policies/\(policy)").fault == "RbacPolicyInUse")
        #expect(try await world.call(.delete, "ports/\(port)", as: .other).status == 204)
        #expect(try await world.call(.delete, "rbac-policies/\(policy)").status == 204)
        #expect(try await world.get("networks/\(network)", as: .other).status == 404)
        let everybody: JSON = [
            "rbac_policy": [
                "object_type": "network", "object_id": .string(network), "action": "access_as_shared",
                "target_tenant": "*",
            ]
        ]
        #expect(try await world.call(.post, "rbac-policies", everybody).status == 403)
        #expect(try await world.call(.post, "rbac-policies", everybody, as: .admin).status == 201)
    }

    @Test("an external network that one project was given is not there for others")
    func externalForOne() async throws {
        let world = try await NetworkWorld()
        let (network, subnet) = try await world.makeNetwork("172.30.0.0/24", as: .admin)
        func grant(_ target: String) async throws -> String {
            try await world.make(
                "rbac_policy",
                [
                    "object_type": "network", "object_id": .string(network), "action": "access_as_external",
                    "target_tenant": .string(target),
                ], as: .admin
            ).id
        }
        let own = try await grant("p-demo")
        for path in ["networks/\(network)", "subnets/\(subnet)"] {
            #expect(try await world.get(path).status == 200)
            #expect(try await world.get(path, as: .other).status == 404)
        }
        let body: JSON = ["floatingip": ["floating_network_id": .string(network)]]
        #expect(try await world.call(.post, "floatingips", body, as: .other).status == 404)
        #expect(try await world.call(.post, "floatingips", body).status == 201)
        _ = try await world.make("router", ["external_gateway_info": ["network_id": .string(network)]])
        #expect(try await world.call(.delete, "rbac-policies/\(own)", as: .admin).fault == "RbacPolicyInUse")
        let wildcard = try await grant("*")
        #expect(try await world.call(.delete, "rbac-policies/\(own)", as: .admin).status == 204)
        let narrowed = try await world.call(
            .put, "rbac-policies/\(wildcard)", ["rbac_policy": ["target_tenant": "p-other"]], as: .admin)
        #expect(narrowed.fault == "RbacPolicyInUse")
        let back = try await world.call(
            .put, "rbac-policies/\(wildcard)", ["rbac_policy": ["target_tenant": "p-demo"]], as: .admin)
        #expect(back.status == 200)
        #expect(try await world.get("networks/\(network)", as: .other).status == 404)
    }
}
