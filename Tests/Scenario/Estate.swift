// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// One of everything that a tenant can have, all of it tenant A's and named `alpha…`; and, made by the administrator,
/// one of everything else that a path can name. Routes take their samples from here.
struct Estate: Sendable {
    static let tag = "alpha-tag"
    /// Of the network service.
    static let taggedCollections = [
        "networks", "subnets", "ports", "routers", "floatingips", "security-groups", "subnetpools",
    ]
    static let latest: HTTPHeaders = ["OpenStack-API-Version": "compute latest"]
    static let newest: HTTPHeaders = ["OpenStack-API-Version": "placement latest"]

    let cloud: TestCloud
    /// What stands for a path's parameter: by the path up to and with it, by `whole path {parameter}`, or by
    /// `/service {parameter}`.
    var samples: [String: String] = [:]
    /// Everything of A's that B must never read. Ids alone: names begin with `alpha`.
    var secrets: Set<String> = []
    /// Of the administrator's, for bodies.
    var others: [String: String] = [:]

    /// Of A's access key.
    private(set) var accessKeySecret = ""
    /// Of A's network, with no router.
    private(set) var spareSubnet = ""

    init(_ cloud: TestCloud) async throws {
        self.cloud = cloud
        secrets = [cloud.a.project, cloud.a.memberID, cloud.a.readerID]
        try await fillIdentity()
        try await fillImage()
        try await fillNetwork()
        try await fillCompute()
        try await fillPlacement()
        try await fillVolumes()
    }

    subscript(path: String) -> String { samples[path] ?? "no sample" }

    /// A's own thing.
    mutating func own(_ path: String, _ id: String) {
        samples[path] = id
        secrets.insert(id)
    }

    // MARK: Identity

    private mutating func fillIdentity() async throws {
        let (admin, a) = (cloud.admin, cloud.a)
        let v3 = "/identity/v3"
        samples["/identity {project_id}"] = a.project
        samples["/identity {user_id}"] = a.memberID
        samples["/identity {tag}"] = Self.tag
        samples["/identity {role_id}"] = try await cloud.role(named: "member")
        samples["/identity {implied_role_id}"] = try await cloud.role(named: "reader")
        samples["/identity {domain_id}"] = try await cloud.make(
            "\(v3)/domains", "domain", ["name": "alpha-domain"], admin)
        samples["/identity {group_id}"] = try await cloud.make(
            "\(v3)/groups", "group", ["name": "alpha-group", "domain_id": "default"], admin)
        samples["/identity {region_id}"] = "RegionOne"
        samples["/identity {service_id}"] = try await first("\(v3)/services?type=compute", "services")
        samples["/identity {endpoint_id}"] = try await first("\(v3)/endpoints", "endpoints")
        try await cloud.call(.put, "\(v3)/projects/\(a.project)/tags/\(Self.tag)", admin, expecting: 201)
        try await cloud.call(
            .put, "\(v3)/groups/\(self["/identity {group_id}"])/users/\(a.memberID)", admin, expecting: 204)
        own(
            "/identity {credential_id}",
            try await cloud.make(
                "\(v3)/credentials", "credential",
                ["type": "cert", "blob": "alpha blob", "user_id": .string(a.memberID)], a.member))
        let key = try await cloud.call(
            .post, "\(v3)/users/\(a.memberID)/credentials/OS-EC2", a.member, ["tenant_id": .string(a.project)],
            expecting: 201)
        own(
            "\(v3)/users/{user_id}/credentials/OS-EC2/{credential_id}",
            try #require(key["credential", "access"]?.string))
        accessKeySecret = try #require(key["credential", "secret"]?.string)
        let credential = try await cloud.call(
            .post, "\(v3)/users/\(a.memberID)/application_credentials", a.member,
            [
                "application_credential": [
                    "name": "alpha-appcred",
                    "access_rules": [["service": "compute", "method": "GET", "path": "/v2.1/servers"]],
                ]
            ], expecting: 201)
        own(
            "/identity {application_credential_id}",
            try #require(credential["application_credential", "id"]?.string))
        own(
            "/identity {access_rule_id}",
            try await first("\(v3)/users/\(a.memberID)/access_rules", "access_rules", cloud.a.member))
        try await fillGrants()
        try await fillLimits()
        try await fillIdentityExtensions()
    }

    /// In every form. What they give A beyond its project no token of A's asks for.
    private func fillGrants() async throws {
        let role = self["/identity {role_id}"]
        let targets = ["projects/\(cloud.a.project)", "domains/\(self["/identity {domain_id}"])", "system"]
        for target in targets {
            for actor in ["users/\(cloud.a.memberID)", "groups/\(self["/identity {group_id}"])"] {
                let grant = "\(target)/\(actor)/roles/\(role)"
                try await cloud.call(.put, "/identity/v3/\(grant)", cloud.system, expecting: 204)
                guard target != "system" else { continue }
                try await cloud.call(
                    .put, "/identity/v3/OS-INHERIT/\(grant)/inherited_to_projects", cloud.system, expecting: 204)
            }
        }
    }

    private mutating func fillLimits() async throws {
        let service = JSON.string(self["/identity {service_id}"])
        let registered = try await cloud.call(
            .post, "/identity/v3/registered_limits", cloud.system,
            [
                "registered_limits": [
                    ["service_id": service, "resource_name": "things", "default_limit": 10],
                    ["service_id": service, "resource_name": "other things", "default_limit": 10],
                ]
            ], expecting: 201)
        samples["/identity {registered_limit_id}"] = try #require(registered["registered_limits", "0", "id"]?.string)
        let limits = try await cloud.call(
            .post, "/identity/v3/limits", cloud.system,
            [
                "limits": [
                    [
                        "service_id": service, "project_id": .string(cloud.a.project), "resource_name": "things",
                        "resource_limit": 5,
                    ]
                ]
            ], expecting: 201)
        own("/identity {limit_id}", try #require(limits["limits", "0", "id"]?.string))
    }

    func first(_ path: String, _ key: String, _ token: String? = nil) async throws -> String {
        let answer = try await cloud.call(.get, path, token ?? cloud.admin, headers: Self.latest, expecting: 200)
        let id = answer[key, "0", "id"]
        return try #require(id?.string ?? id?.int.map { "\($0)" }, "\(path): \(answer)")
    }

    // MARK: Image

    private mutating func fillImage() async throws {
        let image = try await cloud.make(
            "/image/v2/images", "",
            [
                "name": "alpha-image", "disk_format": "raw", "container_format": "bare", "tags": [.string(Self.tag)],
                "alpha": "alpha",
            ],
            cloud.a.member)
        try await cloud.send(
            .put, "/image/v2/images/\(image)/file", cloud.a.member, Array(repeating: 7, count: 4096),
            headers: ["Content-Type": "application/octet-stream"], expecting: 204)
        let member = try await first("/identity/v3/projects?name=admin", "projects")
        try await cloud.call(
            .post, "/image/v2/images/\(image)/members", cloud.a.member, ["member": .string(member)], expecting: 200)
        own("/image {id}", image)
        samples["/image {member}"] = member
        samples["/image {tag}"] = Self.tag
        samples["/image {store_id}"] = "file"
        samples["/image {task_id}"] = try await cloud.make("/image/v2/tasks", "", SampleImages.task, cloud.admin)
        try await cloud.call(
            .post, "/image/v2/metadefs/namespaces", cloud.admin,
            [
                "namespace": "alpha-namespace", "owner": .string(cloud.a.project), "visibility": "private",
                "objects": [["name": "alpha-object"]], "tags": [["name": .string(Self.tag)]],
                "properties": ["alpha-property": ["title": "alpha", "type": "string"]],
                "resource_type_associations": [["name": "OS::Glance::Image"]],
            ], expecting: 201)
        samples["/image {namespace}"] = "alpha-namespace"
        samples["/image {object}"] = "alpha-object"
        samples["/image {property}"] = "alpha-property"
        samples["/image {resource_type}"] = "OS::Glance::Image"
        others["project"] = member
    }

    // MARK: Network

    private mutating func fillNetwork() async throws {
        let a = cloud.a.member
        func make(_ collection: String, _ key: String, _ fields: [String: JSON]) async throws -> String {
            try await cloud.make("/network/v2.0/\(collection)", key, .object(fields), a)
        }
        let network = try await make("networks", "network", ["name": "alpha-net", "description": "alpha"])
        let subnet = try await make(
            "subnets", "subnet",
            ["name": "alpha-subnet", "network_id": .string(network), "ip_version": 4, "cidr": "10.7.0.0/24"])
        let router = try await make(
            "routers", "router",
            ["name": "alpha-router", "external_gateway_info": ["network_id": .string(cloud.external)]])
        try await cloud.call(
            .put, "/network/v2.0/routers/\(router)/add_router_interface", a, ["subnet_id": .string(subnet)],
            expecting: 200)
        let port = try await make("ports", "port", ["name": "alpha-port", "network_id": .string(network)])
        let group = try await make("security-groups", "security_group", ["name": "alpha-group"])
        let rule = try await make(
            "security-group-rules", "security_group_rule",
            [
                "security_group_id": .string(group), "direction": "ingress", "protocol": "tcp", "port_range_min": 22,
                "port_range_max": 22,
            ])
        let floatingIP = try await make(
            "floatingips", "floatingip",
            ["floating_network_id": .string(cloud.external), "port_id": .string(port), "description": "alpha"])
        let policy = try await make(
            "rbac-policies", "rbac_policy",
            [
                "object_type": "network", "object_id": .string(network), "action": "access_as_shared",
                "target_tenant": .string(others["project"] ?? ""),
            ])
        let scope = try await make("address-scopes", "address_scope", ["name": "alpha-scope", "ip_version": 4])
        let pool = try await make(
            "subnetpools", "subnetpool",
            ["name": "alpha-pool", "prefixes": ["10.64.0.0/16"], "address_scope_id": .string(scope)])
        let addresses = try await make(
            "address-groups", "address_group", ["name": "alpha-addresses", "addresses": ["10.67.0.0/16"]])
        let made = [
            ("address-groups", addresses), ("address-scopes", scope), ("subnetpools", pool), ("networks", network), ("subnets", subnet), ("routers", router), ("ports", port),
            ("security-groups", group), ("security-group-rules", rule), ("floatingips", floatingIP),
            ("rbac-policies", policy), ("network-ip-availabilities", network),
        ]
        for (collection, id) in made { own("/network/v2.0/\(collection)/{id}", id) }
        for collection in Self.taggedCollections {
            try await cloud.call(
                .put, "/network/v2.0/\(collection)/\(self["/network/v2.0/\(collection)/{id}"])/tags/\(Self.tag)", a,
                expecting: 201)
        }
        spareSubnet = try await make(
            "subnets", "subnet",
            ["name": "alpha-spare", "network_id": .string(network), "ip_version": 4, "cidr": "10.6.0.0/24"])
        secrets.insert(spareSubnet)
        try await fillNetworkChoices()
        try await fillNetworkServices()
        samples["/network {tag}"] = Self.tag
        samples["/network {project}"] = cloud.a.project
        samples["/network {alias}"] = "router"
        samples["/network/v2.0/agents/{id}"] = try await first("/network/v2.0/agents", "agents")
    }

    /// What an administrator lays out for every project.
    private mutating func fillNetworkChoices() async throws {
        let (admin, v2) = (cloud.admin, "/network/v2.0")
        _ = try await cloud.make(
            "\(v2)/subnetpools", "subnetpool",
            [
                "name": "everybody's", "prefixes": ["10.68.0.0/16"], "is_default": true, "shared": true,
                "default_prefixlen": 24,
            ], admin)
        samples["\(v2)/default-security-group-rules/{id}"] = try await first(
            "\(v2)/default-security-group-rules", "default_security_group_rules")
        samples["\(v2)/security-groups-default-statefulness/{id}"] = try await cloud.make(
            "\(v2)/security-groups-default-statefulness", "security_groups_default_statefulness",
            ["stateful": true], admin)
        samples["\(v2)/segments/{id}"] = try await first("\(v2)/segments?network_id=\(cloud.external)", "segments")
        let flavor = try await cloud.make(
            "\(v2)/flavors", "flavor", ["name": "gold", "service_type": "L3_ROUTER_NAT"], admin)
        let profile = try await cloud.make(
            "\(v2)/service_profiles", "service_profile",
            ["driver": "neutron.services.ovn_l3.service_providers.ovn.OvnDriver"], admin)
        try await cloud.call(
            .post, "\(v2)/flavors/\(flavor)/service_profiles", admin, ["service_profile": ["id": .string(profile)]],
            expecting: 201)
        samples["\(v2)/flavors/{id}"] = flavor
        samples["\(v2)/service_profiles/{id}"] = profile
        samples["\(v2)/flavors/{id}/service_profiles/{profile_id}"] = profile
    }

    // MARK: Compute

    private mutating func fillCompute() async throws {
        let (admin, a) = (cloud.admin, cloud.a.member)
        let v21 = "/compute/v2.1"
        try await cloud.call(
            .post, "\(v21)/os-keypairs", a,
            ["keypair": ["name": "alpha-key", "public_key": .string(Self.publicKey)]], headers: Self.latest,
            expecting: 201)
        own(
            "/compute/v2.1/os-server-groups/{id}",
            try await cloud.make(
                "\(v21)/os-server-groups", "server_group", ["name": "alpha-servers", "policy": "soft-affinity"], a,
                headers: Self.latest))
        let flavor = try await cloud.make(
            "\(v21)/flavors", "flavor",
            [
                "name": "alpha-flavor", "ram": 64, "vcpus": 1, "disk": 1, "os-flavor-access:is_public": false,
                "id": "alpha-flavor",
            ], admin)
        try await cloud.call(
            .post, "\(v21)/flavors/\(flavor)/action", admin,
            ["addTenantAccess": ["tenant": .string(cloud.a.project)]], expecting: 200)
        try await cloud.call(
            .post, "\(v21)/flavors/\(flavor)/os-extra_specs", admin, ["extra_specs": ["alpha:alpha": "1"]], expecting: 200)
        let aggregate = try await cloud.make("\(v21)/os-aggregates", "aggregate", ["name": "alpha-hosts"], admin)
        try await cloud.call(
            .post, "\(v21)/os-aggregates/\(aggregate)/action", admin, ["add_host": ["host": .string(TestCloud.hostName)]],
            expecting: 200)
        let server = try await makeServer(flavor)
        own("/compute {server_id}", server)
        own("/compute {port_id}", try await first("/network/v2.0/ports?device_id=\(server)", "ports", a))
        let actions = try await cloud.call(
            .get, "\(v21)/servers/\(server)/os-instance-actions", a, headers: Self.latest, expecting: 200)
        own("/compute {request_id}", try #require(actions["instanceActions", "0", "request_id"]?.string))
        let console = try await cloud.call(
            .post, "\(v21)/servers/\(server)/remote-consoles", a,
            ["remote_console": ["protocol": "vnc", "type": "novnc"]], headers: Self.latest, expecting: 200)
        let url = try #require(console["remote_console", "url"]?.string)
        own("/compute {token}", String(url.suffix(36)))
        for (name, sample) in [
            ("{flavor_id}", flavor), ("/v2.1/os-aggregates/{id}", aggregate), ("{key}", "alpha"), ("{tag}", Self.tag),
            ("{network}", "alpha-net"), ("{keypair_name}", "alpha-key"), ("{project}", cloud.a.project),
            ("{alias}", "OS-DCF"), ("/v2.1/os-quota-class-sets/{id}", "default"),
            ("/v2.1/os-hypervisors/{id}", try await first("\(v21)/os-hypervisors", "hypervisors")),
            ("/v2.1/os-services/{id}", try await first("\(v21)/os-services", "services")),
        ] {
            samples[name.hasPrefix("/") ? "/compute\(name)" : "/compute \(name)"] = sample
        }
        samples["/compute/v2.1/flavors/{flavor_id}/os-extra_specs/{key}"] = "alpha:alpha"
        samples["/compute/v2.1/servers/{server_id}/migrations/{id}"] = "1"
        fillProxies()
        for name in ["search", "servers"] {
            samples["/compute/v2.1/os-hypervisors/{id}/\(name) {id}"] = TestCloud.hostName
        }
    }

    /// What Compute shows of its neighbours', what it has of hosts and times, and what was removed.
    private mutating func fillProxies() {
        for (name, path) in [
            ("{image_id}", "/image {id}"), ("{network_id}", "/network/v2.0/networks/{id}"),
            ("{floating_ip_id}", "/network/v2.0/floatingips/{id}"),
            ("{group_id}", "/network/v2.0/security-groups/{id}"),
            ("{rule_id}", "/network/v2.0/security-group-rules/{id}"),
        ] { samples["/compute \(name)"] = self[path] }
        for (name, sample) in [
            ("{host}", TestCloud.hostName), ("{before}", "2020-01-01 00:00:00"), ("{id}", "none"),
            ("{domain}", "none"), ("{console_id}", "none"), ("{share_id}", "00000000-0000-4000-8000-000000000000"),
        ] { samples["/compute \(name)"] = sample }
        samples["/compute/v2.1/images/{image_id}/metadata/{key}"] = "alpha"
    }

    private func makeServer(_ flavor: String) async throws -> String {
        let server = try await cloud.make(
            "/compute/v2.1/servers", "server",
            [
                "name": "alpha-server", "flavorRef": .string(flavor), "imageRef": .string(self["/image {id}"]),
                "key_name": "alpha-key", "metadata": ["alpha": "alpha"], "tags": [.string(Self.tag)],
                "networks": [["uuid": .string(self["/network/v2.0/networks/{id}"])]],
            ], cloud.a.member, headers: Self.latest)
        try await cloud.waitUntil(server, is: "ACTIVE", cloud.a.member)
        return server
    }

    static let publicKey =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtP2XwcgeD8hG4bX0kEX1vmaXq4w7oB0xwXDDqZcd7e alpha"

    // MARK: Placement

    private mutating func fillPlacement() async throws {
        let admin = cloud.admin
        try await cloud.call(.put, "/placement/traits/CUSTOM_ALPHA", admin, headers: Self.newest, expecting: 201)
        try await cloud.call(
            .put, "/placement/resource_classes/CUSTOM_ALPHA", admin, headers: Self.newest, expecting: 201)
        let provider = try await cloud.call(
            .post, "/placement/resource_providers", admin, ["name": "alpha-provider"], headers: Self.newest,
            expecting: 200)
        let uuid = try #require(provider["uuid"]?.string)
        try await cloud.call(
            .put, "/placement/resource_providers/\(uuid)/inventories", admin,
            ["resource_provider_generation": 0, "inventories": ["VCPU": ["total": 8]]], headers: Self.newest,
            expecting: 200)
        samples["/placement {uuid}"] = uuid
        // Whatever has no route of its own.
        samples["/placement {path*}"] = "nowhere"
        samples["/console {file*}"] = "vnc_lite.html"
        samples["/placement {name}"] = "CUSTOM_ALPHA"
        samples["/placement {resource_class}"] = "VCPU"
        // The store's first device.
        samples["/object-store {number}"] = "0"
        samples["/placement {consumer_uuid}"] = self["/compute {server_id}"]
    }
}

extension TestCloud {
    func status(of server: String, _ token: String) async throws -> String? {
        let answer = try await call(.get, "/compute/v2.1/servers/\(server)", token)
        return answer.status == 404 ? nil : answer["server", "status"]?.string
    }

    func waitUntil(
        _ server: String, is status: String?, _ token: String, at location: SourceLocation = #_sourceLocation
    ) async throws {
        try await eventually("Server \(server) \(status ?? "gone")") {
            let now = try await self.status(of: server, token)
            if now == "ERROR", let status, status != "ERROR" {
                let answer = try await call(.get, "/compute/v2.1/servers/\(server)", token)
                throw CloudError(.bug, "\(answer["server", "fault"]?.text() ?? "no fault")")
            }
            return now == status
        }
    }
}
