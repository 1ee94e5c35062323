// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// A good body for each route that takes one. It names the objects of the estate.
struct SampleBodies: Sendable {
    /// By what `APISite.description` says.
    let bodies: [String: JSON]
    /// Of routes whose body can ask for several things, the others. What takes an object away comes last.
    let others: [String: [JSON]]

    func all(of site: APISite) -> [JSON] {
        (bodies[site.description].map { [$0] } ?? []) + (others[site.description] ?? [])
    }

    /// Routes that change something and take no body, or one that is no JSON.
    static func takesNone(_ site: APISite) -> Bool {
        if [.delete, .options, .copy].contains(site.route.method) || site.route.path.hasSuffix("*}") { return true }
        // What ties two things together says it by its path.
        if site.template.contains("/OS-EP-FILTER/") && site.route.method == .put { return true }
        if site.template.contains("/OS-ENDPOINT-POLICY/") { return true }
        let last = site.template.split(separator: "/").last.map(String.init) ?? ""
        if site.route.method == .put, ["{tag}", "{role_id}", "inherited_to_projects", "{name}"].contains(last) {
            return true
        }
        return [
            "PUT /identity/v3/groups/{group_id}/users/{user_id}",
            "PUT /identity/v3/roles/{role_id}/implies/{implied_role_id}",
            "PUT /image/v2/images/{id}/file", "PUT /image/v2/images/{id}/stage",
            "POST /image/v2/images/{id}/actions/deactivate", "POST /image/v2/images/{id}/actions/reactivate",
            "PUT /image/v2/cache/{id}", "POST /image/v2/cache/clean", "POST /image/v2/cache/prune",
            "POST /image/v2/metadefs/namespaces/{namespace}/tags/{tag}",
            "POST /object-store/ring/repair",
        ].contains(site.description)
    }

    init(_ estate: Estate) {
        var bodies: [String: JSON] = [:]
        Self.identity(estate, &bodies)
        Self.identityExtensions(estate, &bodies)
        Self.image(estate, &bodies)
        Self.network(estate, &bodies)
        Self.networkServices(estate, &bodies)
        Self.compute(estate, &bodies)
        Self.placement(estate, &bodies)
        Self.volumes(estate, &bodies)
        Self.volumeParts(estate, &bodies)
        Self.volumeAdministration(estate, &bodies)
        bodies["POST /object-store/ring/devices"] = ["path": "/new", "zone": "2", "weight": 50, "class": "ssd"]
        bodies["PATCH /object-store/ring/devices/{number}"] = ["zone": "1", "weight": 100, "class": "ssd"]
        self.bodies = bodies
        others = Self.actions(estate)
    }

    // MARK: Identity

    private static func identity(_ estate: Estate, _ bodies: inout [String: JSON]) {
        func sample(_ name: String) -> JSON { .string(estate["/identity {\(name)}"]) }
        let v3 = "/identity/v3"
        let keys = "\(v3)/users/{user_id}/credentials/OS-EC2"
        bodies["POST \(keys)"] = ["tenant_id": sample("project_id")]
        let (access, secret) = (JSON.string(estate["\(keys)/{credential_id}"]), Array(estate.accessKeySecret.utf8))
        let text = "GET\n\n\n\n/bucket"
        bodies["POST \(v3)/s3tokens"] = [
            "credentials": [
                "access": access, "token": .string(Base64.encode(Array(text.utf8), .urlSafe)),
                "signature": .string(Base64.encode(HMAC.sha1(key: secret, Array(text.utf8)))),
            ]
        ]
        let parameters = "Action=Test&SignatureMethod=HmacSHA256&SignatureVersion=2"
        let request = Array("GET\ncloud.test\n/\n\(parameters)".utf8)
        bodies["POST \(v3)/ec2tokens"] = [
            "ec2Credentials": [
                "access": access, "verb": "GET", "host": "cloud.test", "path": "/",
                "params": ["Action": "Test", "SignatureVersion": "2"],
                "signature": .string(Base64.encode(HMAC.sha256(key: secret, request))),
            ]
        ]
        let plain: [(String, String, JSON)] = [
            ("users", "user", ["name": "new user", "domain_id": "default", "password": "pw", "enabled": true, "email": "x@y", "default_project_id": sample("project_id"), "description": "d", "options": ["ignore_password_expiry": true]]),
            ("groups", "group", ["name": "new group", "domain_id": "default", "description": "d"]),
            ("projects", "project", ["name": "new project", "domain_id": "default", "description": "d", "enabled": true, "is_domain": false, "parent_id": "default", "tags": ["t"], "options": ["immutable": false]]),
            ("domains", "domain", ["name": "new domain", "description": "d", "enabled": true, "tags": ["t"]]),
            ("roles", "role", ["name": "new role", "description": "d", "options": ["immutable": false]]),
            ("regions", "region", ["id": "new-region", "description": "d", "parent_region_id": "RegionOne"]),
            ("services", "service", ["type": "new", "name": "new service", "enabled": true, "description": "d"]),
            ("endpoints", "endpoint", ["interface": "public", "service_id": sample("service_id"), "region_id": "RegionOne", "url": "http://new.test/$(project_id)s", "enabled": true]),
            ("credentials", "credential", ["type": "cert", "blob": "b", "user_id": sample("user_id"), "project_id": sample("project_id")]),
        ]
        for (collection, key, fields) in plain { bodies["POST \(v3)/\(collection)"] = .object([key: fields]) }
        bodies["PUT \(v3)/regions/{region_id}"] = ["region": ["description": "d"]]
        bodies["PATCH \(v3)/users/{user_id}"] = ["user": ["description": "d", "email": "x@y", "default_project_id": sample("project_id")]]
        bodies["PATCH \(v3)/groups/{group_id}"] = ["group": ["name": "alpha-group", "description": "d"]]
        bodies["PATCH \(v3)/projects/{project_id}"] = ["project": ["name": "alpha", "description": "d", "tags": [.string(Estate.tag)]]]
        bodies["PATCH \(v3)/domains/{domain_id}"] = ["domain": ["name": "alpha-domain", "description": "d", "enabled": true]]
        bodies["PATCH \(v3)/roles/{role_id}"] = ["role": ["options": ["immutable": false]]]
        bodies["PATCH \(v3)/regions/{region_id}"] = ["region": ["description": "d"]]
        bodies["PATCH \(v3)/services/{service_id}"] = ["service": ["name": "nova", "enabled": true, "description": "d"]]
        bodies["PATCH \(v3)/endpoints/{endpoint_id}"] = ["endpoint": ["enabled": true, "region_id": "RegionOne"]]
        bodies["PATCH \(v3)/credentials/{credential_id}"] = ["credential": ["type": "cert", "blob": "c"]]
        bodies["PUT \(v3)/projects/{project_id}/tags"] = ["tags": [.string(Estate.tag)]]
        bodies["POST \(v3)/users/{user_id}/password"] = ["user": ["original_password": "pw", "password": "pw"]]
        bodies["POST \(v3)/users/{user_id}/application_credentials"] = [
            "application_credential": [
                "name": "new", "description": "d", "secret": "s", "expires_at": "2099-01-01T00:00:00Z",
                "unrestricted": false, "roles": [["name": "member"]],
                "access_rules": [["service": "compute", "method": "GET", "path": "/v2.1/servers"]],
            ]
        ]
        let registered: JSON = ["service_id": sample("service_id"), "region_id": "RegionOne", "resource_name": "new things", "default_limit": 3, "description": "d"]
        bodies["POST \(v3)/registered_limits"] = ["registered_limits": [registered]]
        bodies["PATCH \(v3)/registered_limits/{registered_limit_id}"] = ["registered_limit": ["default_limit": 11, "description": "d"]]
        bodies["POST \(v3)/limits"] = [
            "limits": [["service_id": sample("service_id"), "project_id": sample("project_id"), "resource_name": "other things", "resource_limit": 5, "description": "d"]]
        ]
        bodies["PATCH \(v3)/limits/{limit_id}"] = ["limit": ["resource_limit": 6, "description": "d"]]
        bodies["POST \(v3)/auth/tokens"] = TestCloud.passwordRequest(
            "alpha-member", "pw", scope: ["project": ["name": "alpha", "domain": ["id": "default"]]])
    }

    // MARK: Image

    private static func image(_ estate: Estate, _ bodies: inout [String: JSON]) {
        bodies["POST /image/v2/images"] = [
            "name": "new", "disk_format": "raw", "container_format": "bare", "visibility": "private", "protected": false,
            "min_disk": 0, "min_ram": 0, "tags": ["t"], "os_hidden": false, "color": "blue",
        ]
        bodies["PATCH /image/v2/images/{id}"] = [
            ["op": "replace", "path": "/name", "value": "alpha-image"], ["op": "add", "path": "/color", "value": "blue"],
        ]
        bodies["POST /image/v2/images/{id}/members"] = ["member": .string(estate.others["project"] ?? "")]
        bodies["PUT /image/v2/images/{id}/members/{member}"] = ["status": "accepted"]
        bodies["POST /image/v2/images/{id}/import"] = ["method": ["name": "glance-direct"]]
        bodies["POST /image/v2/images/{id}/locations"] = ["url": .string(SampleImages.url)]
        bodies["POST /image/v2/tasks"] = SampleImages.task
        let namespaces = "/image/v2/metadefs/namespaces"
        let property: JSON = ["name": "new", "title": "new", "type": "string", "operators": ["<in>"], "readonly": true]
        bodies["POST \(namespaces)"] = [
            "namespace": "new", "display_name": "new", "description": "new", "visibility": "private",
            "protected": false,
        ]
        bodies["PUT \(namespaces)/{namespace}"] = [
            "namespace": "alpha-namespace", "visibility": "private", "owner": .string(estate.cloud.a.project),
        ]
        bodies["POST \(namespaces)/{namespace}/objects"] = ["name": "new", "description": "new", "required": []]
        bodies["PUT \(namespaces)/{namespace}/objects/{object}"] = ["name": "alpha-object", "description": "new"]
        bodies["POST \(namespaces)/{namespace}/properties"] = property
        bodies["PUT \(namespaces)/{namespace}/properties/{property}"] = [
            "name": "alpha-property", "title": "new", "type": "string",
        ]
        bodies["POST \(namespaces)/{namespace}/tags"] = ["tags": [["name": .string(Estate.tag)]]]
        bodies["PUT \(namespaces)/{namespace}/tags/{tag}"] = ["name": .string(Estate.tag)]
        bodies["POST \(namespaces)/{namespace}/resource_types"] = ["name": "OS::Nova::Server", "prefix": "p:"]
    }

    // MARK: Network

    private static func network(_ estate: Estate, _ bodies: inout [String: JSON]) {
        func sample(_ collection: String) -> JSON { .string(estate["/network/v2.0/\(collection)/{id}"]) }
        let v2 = "/network/v2.0"
        let (network, subnet, group) = (sample("networks"), sample("subnets"), sample("security-groups"))
        let external = JSON.string(estate.cloud.external)
        func both(_ collection: String, _ key: String, new: [String: JSON], change: [String: JSON]) {
            bodies["POST \(v2)/\(collection)"] = .object([key: .object(new)])
            bodies["PUT \(v2)/\(collection)/{id}"] = .object([key: .object(change)])
        }
        let common: [String: JSON] = ["description": "alpha", "admin_state_up": true]
        both(
            "networks", "network",
            new: common.merging(["name": "new", "mtu": 1400, "port_security_enabled": true, "dns_domain": "a.test.", "availability_zone_hints": ["nova"]]) { $1 },
            change: common.merging(["name": "alpha-net"]) { $1 })
        both(
            "subnets", "subnet",
            new: [
                "name": "new", "network_id": network, "ip_version": 4, "cidr": "10.8.0.0/24", "gateway_ip": "10.8.0.1",
                "enable_dhcp": true, "dns_nameservers": ["10.8.0.2"],
                "allocation_pools": [["start": "10.8.0.10", "end": "10.8.0.20"]],
                "host_routes": [["destination": "10.99.0.0/24", "nexthop": "10.8.0.9"]],
            ],
            change: [
                "name": "alpha-subnet", "dns_nameservers": ["10.7.0.2"],
                "host_routes": [["destination": "10.99.0.0/24", "nexthop": "10.7.0.9"]],
            ])
        both(
            "ports", "port",
            new: common.merging([
                "name": "new", "network_id": network, "fixed_ips": [["subnet_id": subnet]], "security_groups": [group],
                "allowed_address_pairs": [["ip_address": "10.7.0.77"]], "device_id": "", "device_owner": "",
                "dns_name": "new", "binding:vnic_type": "normal",
                "extra_dhcp_opts": [["opt_name": "domain-name", "opt_value": "x"]],
            ]) { $1 },
            change: common.merging(["name": "alpha-port", "security_groups": [group], "allowed_address_pairs": [["ip_address": "10.7.0.77"]]]) { $1 })
        both(
            "routers", "router",
            new: common.merging(["name": "new", "external_gateway_info": ["network_id": external], "availability_zone_hints": ["nova"]]) { $1 },
            change: common.merging(["name": "alpha-router", "external_gateway_info": ["network_id": external], "routes": [["destination": "10.98.0.0/24", "nexthop": "10.7.0.9"]]]) { $1 })
        both(
            "floatingips", "floatingip",
            new: ["floating_network_id": external, "description": "alpha"],
            change: ["port_id": sample("ports"), "description": "alpha"])
        both(
            "security-groups", "security_group", new: ["name": "new", "description": "d", "stateful": true],
            change: ["name": "alpha-group", "description": "alpha"])
        bodies["POST \(v2)/security-group-rules"] = [
            "security_group_rule": [
                "security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
                "port_range_min": 80, "port_range_max": 90, "remote_ip_prefix": "10.0.0.0/8", "description": "d",
            ]
        ]
        both(
            "rbac-policies", "rbac_policy",
            new: ["object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": "nobody"],
            change: ["target_tenant": .string(estate.others["project"] ?? "")])
        for verb in ["add", "remove"] {
            bodies["PUT \(v2)/routers/{id}/\(verb)_router_interface"] = ["subnet_id": .string(estate.spareSubnet)]
            bodies["PUT \(v2)/routers/{id}/\(verb)_extraroutes"] = [
                "router": ["routes": [["destination": "10.97.0.0/24", "nexthop": "10.7.0.9"]]]
            ]
        }
        both(
            "address-scopes", "address_scope", new: ["name": "new", "ip_version": 4, "shared": false],
            change: ["name": "alpha-scope"])
        both(
            "subnetpools", "subnetpool",
            new: [
                "name": "new", "description": "d", "prefixes": ["10.65.0.0/16"], "default_prefixlen": 24,
                "min_prefixlen": 20, "max_prefixlen": 28, "default_quota": 100, "shared": false, "is_default": false,
                "address_scope_id": sample("address-scopes"),
            ],
            change: ["name": "alpha-pool", "prefixes": ["10.64.0.0/16"], "default_prefixlen": 24])
        for (verb, prefix) in [("add", "10.66.0.0/16"), ("remove", "10.66.0.0/16")] {
            bodies["PUT \(v2)/subnetpools/{id}/\(verb)_prefixes"] = ["prefixes": [.string(prefix)]]
        }
        for collection in Estate.taggedCollections {
            for method in ["PUT", "POST"] {
                bodies["\(method) \(v2)/\(collection)/{id}/tags"] = ["tags": [.string(Estate.tag)]]
            }
        }
        both(
            "address-groups", "address_group",
            new: ["name": "new", "description": "d", "addresses": ["10.69.0.0/16"]],
            change: ["name": "alpha-addresses", "description": "alpha"])
        for verb in ["add", "remove"] {
            bodies["PUT \(v2)/address-groups/{id}/\(verb)_addresses"] = ["addresses": ["10.66.0.0/16"]]
        }
        bodies["PUT \(v2)/subnetpools/{id}/onboard_network_subnets"] = ["network_id": external]
        bodies["POST \(v2)/default-security-group-rules"] = [
            "default_security_group_rule": [
                "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 80,
                "port_range_max": 90, "remote_ip_prefix": "10.0.0.0/8", "description": "d",
                "used_in_default_sg": false, "used_in_non_default_sg": true,
            ]
        ]
        both(
            "security-groups-default-statefulness", "security_groups_default_statefulness", new: ["stateful": true],
            change: ["stateful": true])
        both(
            "segments", "segment",
            new: [
                "network_id": external, "network_type": "vlan", "physical_network": "physnet1",
                "segmentation_id": 77, "name": "new", "description": "d",
            ],
            change: ["name": "first", "description": "d"])
        both(
            "flavors", "flavor",
            new: ["name": "new", "description": "d", "service_type": "FLAVORS", "enabled": true],
            change: ["name": "gold", "description": "d", "enabled": true])
        both(
            "service_profiles", "service_profile",
            new: ["description": "d", "metainfo": "{}", "enabled": true],
            change: ["description": "d", "enabled": true])
        bodies["POST \(v2)/flavors/{id}/service_profiles"] = [
            "service_profile": ["id": sample("service_profiles")]
        ]
        bodies["PUT \(v2)/agents/{id}"] = ["agent": ["admin_state_up": true, "description": "d"]]
        bodies["PUT \(v2)/quotas/{project}"] = ["quota": ["network": 100, "port": 500]]
    }

    // MARK: Compute

    private static func compute(_ estate: Estate, _ bodies: inout [String: JSON]) {
        func sample(_ name: String) -> JSON { .string(estate["/compute {\(name)}"]) }
        let v21 = "/compute/v2.1"
        let flavor = sample("flavor_id")
        let server = v21 + "/servers/{server_id}"
        bodies["POST \(v21)/servers"] = [
            "server": [
                "name": "new", "flavorRef": flavor, "imageRef": .string(estate["/image {id}"]), "key_name": "alpha-key",
                "networks": [["uuid": .string(estate["/network/v2.0/networks/{id}"])]], "metadata": ["k": "v"],
                "tags": ["t"], "config_drive": false, "description": "d", "hostname": "new", "min_count": 1,
                "max_count": 1, "user_data": "aGk=", "security_groups": [["name": "alpha-group"]],
                "availability_zone": "nova", "OS-DCF:diskConfig": "AUTO",
            ],
            "os:scheduler_hints": ["group": .string(estate["/compute/v2.1/os-server-groups/{id}"])],
        ]
        bodies["PUT \(server)"] = ["server": ["name": "alpha-server", "description": "alpha", "hostname": "alpha", "accessIPv4": "10.0.0.1"]]
        bodies["POST \(server)/action"] = ["lock": ["locked_reason": "d"]]
        bodies["POST \(server)/migrations/{id}/action"] = ["force_complete": nil]
        bodies["POST \(server)/remote-consoles"] = ["remote_console": ["protocol": "vnc", "type": "novnc"]]
        bodies["POST \(server)/os-interface"] = [
            "interfaceAttachment": ["net_id": .string(estate["/network/v2.0/networks/{id}"]), "tag": "t"]
        ]
        bodies["POST \(server)/metadata"] = ["metadata": ["alpha": "alpha"]]
        bodies["PUT \(server)/metadata"] = ["metadata": ["alpha": "alpha"]]
        bodies["PUT \(server)/metadata/{key}"] = ["meta": ["alpha": "alpha"]]
        bodies["PUT \(server)/tags"] = ["tags": [.string(Estate.tag)]]
        bodies["POST \(v21)/flavors"] = [
            "flavor": [
                "name": "new", "id": "new", "ram": 64, "vcpus": 1, "disk": 1, "swap": 0,
                "OS-FLV-EXT-DATA:ephemeral": 0, "os-flavor-access:is_public": true, "description": "d",
            ]
        ]
        bodies["PUT \(v21)/flavors/{flavor_id}"] = ["flavor": ["description": "d"]]
        bodies["POST \(v21)/flavors/{flavor_id}/os-extra_specs"] = ["extra_specs": ["alpha:alpha": "1"]]
        bodies["PUT \(v21)/flavors/{flavor_id}/os-extra_specs/{key}"] = ["alpha:alpha": "1"]
        bodies["POST \(v21)/flavors/{flavor_id}/action"] = ["addTenantAccess": ["tenant": .string(estate.others["project"] ?? "")]]
        bodies["POST \(v21)/os-keypairs"] = ["keypair": ["name": "new", "type": "ssh", "public_key": .string(Estate.publicKey)]]
        bodies["POST \(v21)/os-server-groups"] = ["server_group": ["name": "new", "policy": "anti-affinity", "rules": ["max_server_per_host": 2]]]
        bodies["POST \(v21)/os-aggregates"] = ["aggregate": ["name": "new", "availability_zone": "zone"]]
        bodies["PUT \(v21)/os-aggregates/{id}"] = ["aggregate": ["name": "alpha-hosts"]]
        bodies["POST \(v21)/os-aggregates/{id}/action"] = ["set_metadata": ["metadata": ["k": "v"]]]
        for verb in ["enable", "disable", "disable-log-reason", "force-down"] {
            var fields: [String: JSON] = ["host": .string(TestCloud.hostName), "binary": "nova-compute"]
            if verb == "disable-log-reason" { fields["disabled_reason"] = "d" }
            if verb == "force-down" { fields["forced_down"] = false }
            bodies["PUT \(v21)/os-services/\(verb)"] = .object(fields)
        }
        bodies["PUT \(v21)/os-services/{id}"] = ["status": "enabled"]
        bodies["PUT \(v21)/os-quota-sets/{project}"] = ["quota_set": ["instances": 20, "force": true]]
        bodies["PUT \(v21)/os-quota-class-sets/{id}"] = ["quota_class_set": ["instances": 20]]
        bodies["POST \(v21)/os-aggregates/{id}/images"] = ["cache": [["id": .string(estate["/image {id}"])]]]
        bodies["POST \(v21)/os-volumes_boot"] = bodies["POST \(v21)/servers"]
        bodies["PUT \(v21)/os-volumes_boot/{server_id}"] = bodies["PUT \(server)"]
        bodies["POST \(v21)/os-volumes_boot/{server_id}/action"] = bodies["POST \(server)/action"]
        bodies["POST \(server)/shares"] = ["share": ["share_id": "00000000-0000-4000-8000-000000000000", "tag": "t"]]
        bodies["PUT \(v21)/os-hosts/{host}"] = ["status": "enable"]
        bodies["POST \(v21)/os-assisted-volume-snapshots"] = [
            "snapshot": [
                "volume_id": .string(estate.volume("attached")),
                "create_info": [
                    "snapshot_id": "00000000-0000-4000-8000-000000000000", "type": "qcow2", "new_file": "new",
                    "id": "00000000-0000-4000-8000-000000000000",
                ],
            ]
        ]
        Self.proxies(estate, &bodies)
        bodies["POST \(v21)/os-server-external-events"] = [
            "events": [["name": "network-vif-plugged", "server_uuid": sample("server_id"), "status": "completed", "tag": "x"]]
        ]
    }

    /// Of Compute's neighbours.
    private static func proxies(_ estate: Estate, _ bodies: inout [String: JSON]) {
        let v21 = "/compute/v2.1"
        let image = v21 + "/images/{image_id}/metadata"
        bodies["POST \(image)"] = ["metadata": ["alpha": "alpha"]]
        bodies["PUT \(image)"] = ["metadata": ["alpha": "alpha"]]
        bodies["PUT \(image)/{key}"] = ["meta": ["alpha": "alpha"]]
        bodies["POST \(v21)/os-volumes"] = [
            "volume": ["size": 1, "display_name": "new", "display_description": "d", "metadata": ["k": "v"]]
        ]
        bodies["POST \(v21)/os-snapshots"] = [
            "snapshot": [
                "volume_id": .string(estate.volume("volume")), "display_name": "new", "display_description": "d",
                "force": false,
            ]
        ]
        bodies["POST \(v21)/os-floating-ips"] = ["pool": .string(estate.cloud.external)]
        let group: JSON = ["security_group": ["name": "alpha-group", "description": "alpha"]]
        bodies["POST \(v21)/os-security-groups"] = ["security_group": ["name": "new", "description": "d"]]
        bodies["PUT \(v21)/os-security-groups/{group_id}"] = group
        bodies["POST \(v21)/os-security-group-rules"] = [
            "security_group_rule": [
                "parent_group_id": .string(estate["/compute {group_id}"]), "ip_protocol": "tcp", "from_port": 8080,
                "to_port": 8081, "cidr": "10.0.0.0/8",
            ]
        ]
    }

    // MARK: Placement

    private static func placement(_ estate: Estate, _ bodies: inout [String: JSON]) {
        let provider = estate["/placement {uuid}"]
        let record: JSON = ["total": 8, "reserved": 0, "min_unit": 1, "max_unit": 8, "step_size": 1, "allocation_ratio": .double(2)]
        func with(_ fields: JSON, _ more: [String: JSON]) -> JSON {
            .object((fields.object ?? [:]).merging(more) { $1 })
        }
        let one = "/placement/resource_providers/{uuid}"
        bodies["POST /placement/resource_providers"] = ["name": "new"]
        bodies["PUT \(one)"] = ["name": "alpha-provider"]
        bodies["PUT \(one)/aggregates"] = ["aggregates": ["5e08ea53-c4c6-448e-9334-ac4953de3cfa"], "resource_provider_generation": 1]
        bodies["PUT \(one)/traits"] = ["traits": ["CUSTOM_ALPHA"], "resource_provider_generation": 1]
        bodies["POST \(one)/inventories"] = with(record, ["resource_class": "MEMORY_MB", "resource_provider_generation": 1])
        bodies["PUT \(one)/inventories"] = ["inventories": ["VCPU": record], "resource_provider_generation": 1]
        bodies["PUT \(one)/inventories/{resource_class}"] = with(record, ["resource_provider_generation": 1])
        bodies["POST /placement/resource_classes"] = ["name": "CUSTOM_NEW"]
        let allocation: JSON = [
            "allocations": .object([provider: ["resources": ["VCPU": 1]]]), "project_id": "p", "user_id": "u",
            "consumer_generation": .null, "consumer_type": "INSTANCE",
        ]
        bodies["PUT /placement/allocations/{consumer_uuid}"] = allocation
        bodies["POST /placement/allocations"] = ["8d1c9a2e-6bde-4a73-8f4c-3d1b9f6f2f10": allocation]
        bodies["POST /placement/reshaper"] = [
            "inventories": .object([provider: ["inventories": ["VCPU": record], "resource_provider_generation": 1]]),
            "allocations": ["8d1c9a2e-6bde-4a73-8f4c-3d1b9f6f2f11": allocation],
        ]
    }
}
