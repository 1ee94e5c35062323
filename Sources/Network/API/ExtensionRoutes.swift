// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import PolicyKit

/// Version documents and the list of extensions. An alias is listed only when what it stands for works.
struct ExtensionRoutes: Sendable {
    private struct Extension: Sendable {
        let alias: String
        let name: String
    }

    private let extensions: [Extension]

    init(_ capabilities: NetworkCapabilities) {
        extensions = Self.all.filter { entry in
            switch entry.alias {
            case "extra_dhcp_opt": capabilities.hasExtraDHCPOptions
            case "stateful-security-group", "security-groups-default-statefulness": capabilities.hasStatelessGroups
            case "trunk", "trunk-details": capabilities.hasTrunks
            case "l3-conntrack-helper", "expose-l3-conntrack-helper": capabilities.hasConntrackHelpers
            case "external-gateway-multihoming", "enable-default-route-bfd", "enable-default-route-ecmp":
                capabilities.hasExtraGateways
            case "logging": capabilities.hasLogs
            case "metering", "metering_source_and_destination_fields": capabilities.hasMetering
            case "expose-port-forwarding-in-fip",
                _ where entry.alias.hasPrefix("floating-ip-port-forwarding"):
                capabilities.hasPortForwarding
            default: true
            }
        }
    }

    private static let collections = [
        ("network", "networks"), ("subnet", "subnets"), ("subnetpool", "subnetpools"),
        ("address_scope", "address-scopes"), ("address_group", "address-groups"),
        ("default_security_group_rule", "default-security-group-rules"),
        ("security_groups_default_statefulness", "security-groups-default-statefulness"),
        ("auto_allocated_topology", "auto-allocated-topology"), ("segment", "segments"), ("flavor", "flavors"),
        ("service_profile", "service_profiles"), ("floatingip_pool", "floatingip_pools"), ("port", "ports"),
        ("router", "routers"),
        ("floatingip", "floatingips"), ("policy", "qos/policies"), ("trunk", "trunks"),
        ("security_group", "security-groups"),
        ("security_group_rule", "security-group-rules"), ("rbac_policy", "rbac-policies"), ("quota", "quotas"),
        ("agent", "agents"), ("extension", "extensions"), ("availability_zone", "availability_zones"),
        ("log", "log/logs"), ("network_ip_availability", "network-ip-availabilities"),
        ("service_provider", "service-providers"),
    ]

    private static let all = [
        Extension(alias: "aap-reject-multicast", name: "Allowed address pairs reject multicast extension"),
        Extension(alias: "address-group", name: "Address group"),
        Extension(alias: "address-scope", name: "Address scope"),
        Extension(alias: "agent", name: "agent"),
        Extension(alias: "agent-resources-synced", name: "Agent's Resource View Synced to Placement"),
        Extension(alias: "agent_sort_key", name: "Agents Sort Key"),
        Extension(alias: "allowed-address-pairs", name: "Allowed Address Pairs"),
        Extension(alias: "auto-allocated-topology", name: "Auto Allocated Topology Services"),
        Extension(alias: "availability_zone", name: "Availability Zone"),
        Extension(alias: "availability_zone_filter", name: "Availability Zone Filter Extension"),
        Extension(alias: "binding", name: "Port Binding"),
        Extension(alias: "binding-extended", name: "Port Bindings Extended"),
        Extension(alias: "default-subnetpools", name: "Default Subnetpools"),
        Extension(alias: "dns-domain-ports", name: "dns_domain for ports"),
        Extension(alias: "dns-integration", name: "DNS Integration"),
        Extension(alias: "ecmp_routes", name: "Equal Cost Multipath Routing"),
        Extension(alias: "empty-string-filtering", name: "Empty String Filtering Extension"),
        Extension(alias: "enable-default-route-bfd", name: "Enable Default Route BFD"),
        Extension(alias: "enable-default-route-ecmp", name: "Enable Default Route ECMP"),
        Extension(alias: "expose-l3-conntrack-helper", name: "Expose CT Helpers in Router"),
        Extension(alias: "expose-port-forwarding-in-fip", name: "Expose Port Forwarding in FIP"),
        Extension(alias: "ext-gw-mode", name: "Neutron L3 Configurable external gateway mode"),
        Extension(alias: "external-gateway-multihoming", name: "Neutron L3 External Gateway Multihoming"),
        Extension(alias: "external-net", name: "Neutron external network"),
        Extension(alias: "extra_dhcp_opt", name: "Neutron Extra DHCP options"),
        Extension(alias: "extraroute", name: "Neutron Extra Route"),
        Extension(alias: "extraroute-atomic", name: "Atomically add/remove extra routes"),
        Extension(alias: "filter-validation", name: "Filter parameters validation"),
        Extension(alias: "flavors", name: "Neutron Service Flavors"),
        Extension(alias: "floatingip-pools", name: "Floating IP Pools Extension"),
        Extension(alias: "fip-port-details", name: "Floating IP Port Details Extension"),
        Extension(alias: "floating-ip-port-forwarding", name: "Floating IP Port Forwarding"),
        Extension(
            alias: "floating-ip-port-forwarding-description",
            name: "Floating IP Port Forwarding new attribute 'description'"),
        Extension(alias: "floating-ip-port-forwarding-detail", name: "Floating IP Port Forwarding detail"),
        Extension(
            alias: "floating-ip-port-forwarding-port-ranges",
            name: "Floating IP Port Forwarding support to port ranges"),
        Extension(alias: "ip-substring-filtering", name: "IP address substring filtering"),
        Extension(alias: "ip_allocation", name: "IP Allocation"),
        Extension(alias: "l2_adjacency", name: "L2 Adjacency"),
        Extension(alias: "l3-ha", name: "HA Router extension"),
        Extension(alias: "l3-flavors", name: "Router Flavor Extension"),
        Extension(alias: "l3-conntrack-helper", name: "Router Conntrack Helper"),
        Extension(alias: "l3-port-ip-change-not-allowed", name: "Prevent L3 router ports IP address change extension"),
        Extension(alias: "logging", name: "Logging API Extension"),
        Extension(alias: "multi-provider", name: "Multi Provider Network"),
        Extension(alias: "metering", name: "Neutron Metering"),
        Extension(
            alias: "metering_source_and_destination_fields",
            name: "Neutron Metering with source and destination filtering"),
        Extension(alias: "net-mtu", name: "Network MTU"),
        Extension(alias: "net-mtu-writable", name: "Network MTU (writable)"),
        Extension(alias: "network-ip-availability", name: "Network IP Availability"),
        Extension(alias: "network_availability_zone", name: "Network Availability Zone"),
        Extension(alias: "pagination", name: "Pagination support"),
        Extension(alias: "port-mac-address-regenerate", name: "Neutron Port MAC address regenerate"),
        Extension(alias: "port-resource-request", name: "Port Resource Request"),
        Extension(alias: "port-resource-request-groups", name: "Port Resource Request Groups"),
        Extension(alias: "port-security", name: "Port Security"),
        Extension(alias: "port-security-groups-filtering", name: "Port filtering on security groups"),
        Extension(alias: "project-id", name: "project_id field enabled"),
        Extension(alias: "provider", name: "Provider Network"),
        Extension(alias: "qinq", name: "QinQ networks"),
        Extension(alias: "qos", name: "Quality of Service"),
        Extension(alias: "qos-bw-limit-direction", name: "Direction for QoS bandwidth limit rule"),
        Extension(alias: "qos-bw-minimum-ingress", name: "Ingress direction for QoS minimum bandwidth rule"),
        Extension(alias: "qos-default", name: "QoS default policy"),
        Extension(alias: "qos-fip", name: "Floating IP QoS"),
        Extension(alias: "qos-gateway-ip", name: "Router gateway IP QoS"),
        Extension(alias: "qos-port-network-policy", name: "QoS port network policy"),
        Extension(alias: "qos-pps", name: "QoS packet rate limit rule"),
        Extension(alias: "qos-pps-minimum", name: "QoS minimum packet rate rule"),
        Extension(alias: "qos-pps-minimum-rule-alias", name: "QoS minimum packet rate rule alias"),
        Extension(alias: "qos-rule-type-details", name: "Details of QoS rule types"),
        Extension(alias: "qos-rule-type-filter", name: "QoS rule type filter"),
        Extension(alias: "qos-rules-alias", name: "QoS rules alias"),
        Extension(alias: "quota-check-limit", name: "Quota engine limit check"),
        Extension(alias: "quota-check-limit-default", name: "Quota engine limit check by default"),
        Extension(alias: "quota_details", name: "Quota details management support"),
        Extension(alias: "quotas", name: "Quota management support"),
        Extension(alias: "rbac-address-group", name: "Add address_group type to RBAC"),
        Extension(alias: "rbac-address-scope", name: "Add address_scope type to RBAC"),
        Extension(alias: "rbac-policies", name: "RBAC Policies"),
        Extension(alias: "rbac-security-groups", name: "Add security_group type to network RBAC"),
        Extension(alias: "rbac-subnetpool", name: "Add subnetpool type to RBAC"),
        Extension(alias: "revision-if-match", name: "If-Match constraints based on revision_number"),
        Extension(alias: "router", name: "Neutron L3 Router"),
        Extension(
            alias: "router-enable-snat", name: "Exposes the router \"enable_snat\" read-only configuration flag"),
        Extension(alias: "router_availability_zone", name: "Router Availability Zone"),
        Extension(alias: "security-group", name: "security-group"),
        Extension(alias: "security-groups-default-rules", name: "Default rules for security groups"),
        Extension(alias: "security-groups-default-statefulness", name: "Security Groups Default Statefulness"),
        Extension(
            alias: "security-groups-normalized-cidr", name: "Normalized CIDR field for security group rules"),
        Extension(
            alias: "security-groups-remote-address-group",
            name: "Remote address group id field for security group rules"),
        Extension(
            alias: "security-groups-rules-belongs-to-default-sg",
            name: "Security group rule belongs to the project's default security group"),
        Extension(
            alias: "security-groups-shared-filtering", name: "Security group filtering on the shared field"),
        Extension(alias: "segment", name: "Segment"),
        Extension(alias: "service-type", name: "Neutron Service Type Management"),
        Extension(alias: "sort-key-validation", name: "Sort keys validation"),
        Extension(alias: "sorting", name: "Sorting support"),
        Extension(alias: "standard-attr-description", name: "standard-attr-description"),
        Extension(alias: "standard-attr-revisions", name: "Resource revision numbers"),
        Extension(alias: "standard-attr-segment", name: "Standard Attribute Segment Extension"),
        Extension(alias: "standard-attr-tag", name: "Tag support for resources with standard attribute"),
        Extension(alias: "standard-attr-timestamp", name: "Resource timestamps"),
        Extension(alias: "stateful-security-group", name: "Stateful security group"),
        Extension(alias: "subnet-dns-publish-fixed-ip", name: "Subnet DNS publish fixed IP"),
        Extension(alias: "subnet-external-network", name: "Subnet belongs to an external network"),
        Extension(alias: "subnet-segmentid-enforce", name: "Subnet SegmentID (policy enforced)"),
        Extension(alias: "subnet-segmentid-writable", name: "Subnet SegmentID (writable)"),
        Extension(alias: "subnet-service-types", name: "Subnet service types"),
        Extension(alias: "subnet_allocation", name: "Subnet Allocation"),
        Extension(alias: "subnet_onboard", name: "Subnet Onboard"),
        Extension(alias: "subnetpool-prefix-ops", name: "Subnet Pool Prefix Operations"),
        Extension(alias: "tag-creation", name: "Tag creation extension"),
        Extension(alias: "tag-ports-during-bulk-creation", name: "Tag Ports During Bulk Creation"),
        Extension(alias: "trunk", name: "Trunks"),
        Extension(alias: "trunk-details", name: "Trunk port details"),
        Extension(alias: "vlan-transparent", name: "Vlantransparent"),
    ]

    func register(on routes: inout RouteTable) {
        routes.open(.get, "/", versions)
        routes.open(.get, "/v2.0", resources)
        routes.add(.get, "/v2.0/extensions", object: "get_extension", list)
        routes.add(.get, "/v2.0/extensions/{alias}", object: "get_extension", show)
    }

    private func versions(_ request: APIRequest) async throws -> HTTPResponse {
        .json(
            200,
            JSONWriter.object { json in
                json.array("versions") { json in
                    json.beginObject()
                    json.field("id", "v2.0")
                    json.field("status", "CURRENT")
                    json.array("links") { json in
                        json.beginObject()
                        json.field("rel", "self")
                        json.field("href", request.serviceURL + "/v2.0/")
                        json.endObject()
                    }
                    json.endObject()
                }
            })
    }

    private func resources(_ request: APIRequest) async throws -> HTTPResponse {
        .json(
            200,
            JSONWriter.object { json in
                json.array("resources") { json in
                    for (name, collection) in Self.collections {
                        json.beginObject()
                        json.field("name", name)
                        json.field("collection", collection)
                        json.array("links") { json in
                            json.beginObject()
                            json.field("rel", "self")
                            json.field("href", "\(request.serviceURL)/v2.0/\(collection)")
                            json.endObject()
                        }
                        json.endObject()
                    }
                }
            })
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try context.authorize([:])
        return .json(
            200,
            JSONWriter.object { json in
                json.array("extensions") { json in
                    for entry in extensions { Self.write(entry, &json) }
                }
            })
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try context.authorize([:])
        let alias = request.parameter("alias")
        guard let entry = extensions.first(where: { $0.alias == alias }) else {
            throw CloudError.notFound("Extension with alias \(alias) does not exist", kind: "ExtensionNotFound")
        }
        return .json(
            200,
            JSONWriter.object { json in
                json.key("extension")
                Self.write(entry, &json)
            })
    }

    private static func write(_ entry: Extension, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("alias", entry.alias)
        json.field("name", entry.name)
        json.field("description", entry.name)
        json.field("updated", "2026-01-01T00:00:00-00:00")
        json.field("links", [String]())
        json.endObject()
    }
}
