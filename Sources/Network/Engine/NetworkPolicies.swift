// SPDX-License-Identifier: Apache-2.0
import PolicyKit

/// The rules of this service with upstream's defaults (neutron/conf/policies).
package enum NetworkPolicies {
    package static let rules: [PolicyRule] =
        common + each("rule:regular_user", "get_extension")
        + (networks + subnets + subnetPools + ports + routers + floatingIPs + securityGroups + addressGroups + flavors
        + topologies + qos + trunks + forwardings + helpers + metering + others).needing(.project)

    /// Rules of attributes, so that only attributes with a rule are checked. Upstream has a rule for service types, but
    /// never asks for it: the attribute lacks `enforce_policy` (neutron_lib/api/definitions/subnet_service_types.py).
    static let attributeRules: Set<PolicyName> = Set(
        rules.map(\.name).filter { name in
            name.rawValue.contains(":") && !name.rawValue.hasPrefix("get_")
                && !name.rawValue.hasSuffix(":service_types")
        })

    private static let admin = "rule:admin_only"
    private static let adminOrService = "(rule:admin_only) or (role:service)"
    private static let adminOrMember = "(rule:admin_only) or (role:member and rule:owner)"
    private static let adminOrManager = "(rule:admin_only) or (role:manager and rule:owner)"
    private static let adminOrReader = "(rule:admin_only) or (role:reader and rule:owner)"
    private static let member = "role:member and rule:owner"
    private static let reader = "role:reader and rule:owner"
    private static let networkMember = "role:member and rule:network_owner"
    private static let networkReader = "role:reader and rule:network_owner"
    private static let adminOrNetworkMember = "(rule:admin_only) or (role:member and rule:network_owner)"
    private static let adminOrNetworkReader = "(rule:admin_only) or (role:reader and rule:network_owner)"
    private static let groupMember = "(rule:admin_only) or (role:member and rule:sg_owner)"
    private static let groupReader = "(rule:admin_only) or (role:reader and rule:sg_owner)"

    private static let parentManager = "(rule:admin_only) or (role:manager and rule:ext_parent_owner)"
    private static let parentMember = "(rule:admin_only) or (role:member and rule:ext_parent_owner)"
    private static let parentReader = "(rule:admin_only) or (role:reader and rule:ext_parent_owner)"

    private static let common = [
        PolicyRule("context_is_admin", "role:admin", "Cloud administrators"),
        PolicyRule("service_api", "role:service", "Other services of the cloud"),
        PolicyRule("owner", "project_id:%(project_id)s", "The project that owns the object"),
        PolicyRule("admin_or_owner", "rule:context_is_admin or rule:owner"),
        PolicyRule("context_is_advsvc", "role:advsvc"),
        PolicyRule("network_owner", "project_id:%(network:project_id)s", "The project that owns the network"),
        PolicyRule("admin_or_network_owner", "rule:context_is_admin or rule:network_owner"),
        PolicyRule("admin_owner_or_network_owner", "rule:owner or rule:admin_or_network_owner"),
        PolicyRule("admin_only", "rule:context_is_admin"),
        PolicyRule("regular_user", "", "Everybody with a token"),
        PolicyRule("shared", "field:networks:shared=True", "On a shared network"),
        PolicyRule("external", "field:networks:router:external=True", "An external network"),
        PolicyRule("external_network", "field:subnets:router:external=True", "On an external network"),
        PolicyRule("network_device", "field:port:device_owner=~^network:", "A port of the network's own"),
        PolicyRule("sg_owner", "project_id:%(security_group:project_id)s", "The project that owns the security group"),
        PolicyRule("shared_security_group", "field:security_groups:shared=True"),
        PolicyRule("shared_subnetpools", "field:subnetpools:shared=True"),
        PolicyRule("shared_address_scopes", "field:address_scopes:shared=True"),
        PolicyRule("shared_address_groups", "field:address_groups:shared=True"),
        PolicyRule("shared_qos_policy", "field:policies:shared=True", "A shared QoS policy"),
        PolicyRule(
            "ext_parent_owner", "project_id:%(ext_parent:project_id)s", "The project that owns what the object is in"),
        PolicyRule("default", "rule:admin_or_owner"),
    ]

    /// One check for several rules.
    private static func each(_ check: String, _ names: String...) -> [PolicyRule] {
        names.map { PolicyRule(PolicyName($0), check) }
    }

    private static let networks =
        each(
            adminOrMember, "create_network", "create_network:port_security_enabled", "create_network:tags",
            "update_network", "update_network:port_security_enabled", "update_network:tags", "delete_network",
            "delete_network:tags")
        + each(
            admin, "create_network:shared", "create_network:router:external", "create_network:is_default",
            "create_network:provider:network_type", "create_network:provider:physical_network",
            "create_network:provider:segmentation_id", "get_network:provider:network_type",
            "get_network:provider:physical_network", "get_network:provider:segmentation_id", "update_network:shared",
            "create_network:segments", "get_network:segments", "update_network:segments",
            "update_network:router:external", "update_network:is_default", "update_network:provider:network_type",
            "update_network:provider:physical_network", "update_network:provider:segmentation_id")
        + each(
            "(rule:admin_only) or (role:reader and rule:owner) or role:service or rule:shared or rule:external "
                + "or rule:context_is_advsvc", "get_network")
        + each("\(adminOrReader) or rule:shared or rule:external or rule:context_is_advsvc", "get_network:tags")

    private static let subnets =
        each(adminOrNetworkMember, "create_subnet")
        + each(
            admin, "create_subnet:segment_id", "create_subnet:service_types", "update_subnet:segment_id",
            "update_subnet:service_types")
        + each(
            "(\(reader)) or rule:shared or rule:external_network or \(adminOrNetworkReader) or role:service",
            "get_subnet")
        + each("(\(reader)) or rule:shared or rule:external_network or \(adminOrNetworkReader)", "get_subnet:tags")
        + each(
            "(\(member)) or \(adminOrNetworkMember)", "create_subnet:tags", "update_subnet", "update_subnet:tags",
            "delete_subnet", "delete_subnet:tags")

    private static let subnetPools =
        each(
            adminOrMember, "create_subnetpool", "create_subnetpool:tags", "update_subnetpool", "update_subnetpool:tags",
            "delete_subnetpool", "delete_subnetpool:tags", "add_prefixes", "remove_prefixes",
            "onboard_network_subnets", "create_address_scope",
            "update_address_scope", "delete_address_scope")
        + each(
            admin, "create_subnetpool:shared", "create_subnetpool:is_default", "update_subnetpool:is_default",
            "create_address_scope:shared", "update_address_scope:shared")
        + each("\(adminOrReader) or rule:shared_subnetpools", "get_subnetpool", "get_subnetpool:tags")
        + each("\(adminOrReader) or rule:shared_address_scopes", "get_address_scope")

    private static let ports =
        each(
            "\(adminOrService) or (\(networkMember)) or rule:shared", "create_port", "create_port:fixed_ips",
            "create_port:fixed_ips:subnet_id")
        + each(
            "\(adminOrMember) or role:service", "create_port:device_id", "create_port:binding:vnic_type",
            "update_port:device_id")
        + each(
            "not rule:network_device or \(adminOrService) or (\(networkMember))", "create_port:device_owner",
            "update_port:device_owner")
        + each(
            "\(adminOrService) or (\(networkMember))", "create_port:mac_address", "create_port:fixed_ips:ip_address",
            "create_port:port_security_enabled", "update_port:fixed_ips", "update_port:fixed_ips:ip_address",
            "update_port:port_security_enabled")
        + each("\(adminOrService) or (\(networkMember)) or rule:shared", "update_port:fixed_ips:subnet_id")
        + each("\(adminOrService) or (role:manager and rule:network_owner)", "update_port:mac_address")
        + each(
            adminOrService, "create_port:binding:host_id", "update_port:binding:host_id", "get_port:binding:vif_type",
            "get_port:binding:vif_details", "get_port:binding:host_id", "get_port:binding:profile", "get_port_binding")
        + each(admin, "get_port:resource_request")
        + each(
            "role:service", "create_port:binding:profile", "update_port:binding:profile", "create_port_binding",
            "update_port_binding", "delete_port_binding", "activate")
        + each(
            "\(adminOrNetworkMember) or role:service", "create_port:allowed_address_pairs",
            "create_port:allowed_address_pairs:mac_address", "create_port:allowed_address_pairs:ip_address",
            "update_port:allowed_address_pairs", "update_port:allowed_address_pairs:mac_address",
            "update_port:allowed_address_pairs:ip_address")
        + each("\(adminOrMember) or rule:context_is_advsvc", "create_port:tags", "update_port:tags")
        + each("\(adminOrService) or (\(networkReader)) or (\(reader))", "get_port")
        + each("rule:context_is_advsvc or \(adminOrNetworkReader) or (\(reader))", "get_port:tags")
        + each("\(adminOrService) or (\(member))", "update_port", "update_port:binding:vnic_type")
        + each("\(adminOrService) or (\(networkMember)) or (\(member))", "delete_port")
        + each("rule:context_is_advsvc or \(adminOrNetworkMember) or (\(member))", "delete_port:tags")

    private static let routers =
        each(
            adminOrMember, "create_router", "create_router:external_gateway_info",
            "create_router:external_gateway_info:network_id", "create_router:tags", "update_router",
            "update_router:external_gateway_info", "update_router:external_gateway_info:network_id",
            "update_router:tags", "delete_router", "delete_router:tags", "add_router_interface",
            "remove_router_interface", "add_extraroutes", "remove_extraroutes", "add_external_gateways",
            "update_external_gateways", "remove_external_gateways")
        + each(
            admin, "create_router:external_gateway_info:enable_snat",
            "create_router:external_gateway_info:external_fixed_ips", "update_router:external_gateway_info:enable_snat",
            "update_router:external_gateway_info:external_fixed_ips", "create_router:ha", "update_router:ha",
            "get_router:ha", "create_router:enable_default_route_ecmp", "create_router:enable_default_route_bfd",
            "update_router:enable_default_route_ecmp", "update_router:enable_default_route_bfd")
        + ["add", "update"].flatMap { verb in
            each(
                admin, "\(verb)_external_gateways:external_gateways:enable_snat",
                "\(verb)_external_gateways:external_gateways:external_fixed_ips")
        }
        + each(adminOrReader, "get_router", "get_router:tags")

    private static let floatingIPs =
        each(
            adminOrMember, "create_floatingip", "create_floatingip:tags", "update_floatingip", "update_floatingip:tags",
            "delete_floatingip", "delete_floatingip:tags")
        + each(adminOrManager, "create_floatingip:floating_ip_address")
        + each(adminOrReader, "get_floatingip", "get_floatingip:tags")

    private static let securityGroups =
        each(
            adminOrMember, "create_security_group", "create_security_group:tags", "update_security_group",
            "update_security_group:tags", "delete_security_group", "delete_security_group:tags")
        + each(
            "\(adminOrReader) or rule:shared_security_group", "get_security_group", "get_security_group:tags")
        + each(groupMember, "create_security_group_rule", "delete_security_group_rule")
        + each(groupReader, "get_security_group_rule")

    private static let addressGroups =
        each(
            adminOrMember, "create_address_group", "update_address_group", "delete_address_group", "add_addresses",
            "remove_addresses")
        + each("\(adminOrReader) or rule:shared_address_groups", "get_address_group")
        + each(admin, "create_default_security_group_rule", "delete_default_security_group_rule")
        + each("role:reader", "get_default_security_group_rule")
        + each(
            adminOrManager, "create_security_groups_default_statefulness",
            "update_security_groups_default_statefulness", "delete_security_groups_default_statefulness")
        + each(adminOrReader, "get_security_groups_default_statefulness")

    private static let flavors =
        each(
            admin, "create_flavor", "update_flavor", "delete_flavor", "create_service_profile", "get_service_profile",
            "update_service_profile", "delete_service_profile", "create_flavor_service_profile",
            "delete_flavor_service_profile")
        + each("role:reader", "get_flavor")

    private static let topologies =
        each(adminOrReader, "get_auto_allocated_topology") + each(adminOrMember, "delete_auto_allocated_topology")
        + each(admin, "create_segment", "get_segment", "update_segment", "delete_segment")

    private static let qos =
        each("\(adminOrReader) or rule:shared_qos_policy", "get_policy", "get_policy:tags")
        + each(
            adminOrManager, "create_policy", "create_policy:tags", "update_policy", "update_policy:tags",
            "delete_policy", "delete_policy:tags")
        + each("role:reader", "get_rule_type")
        + ["bandwidth_limit", "packet_rate_limit", "dscp_marking", "minimum_bandwidth", "minimum_packet_rate"].flatMap {
            kind in
            each(parentReader, "get_policy_\(kind)_rule", "get_alias_\(kind)_rule")
                + each(
                    parentManager, "create_policy_\(kind)_rule", "update_policy_\(kind)_rule",
                    "delete_policy_\(kind)_rule", "update_alias_\(kind)_rule", "delete_alias_\(kind)_rule")
        }

    private static let trunks =
        each(
            adminOrMember, "create_trunk", "create_trunk:tags", "update_trunk", "update_trunk:tags", "delete_trunk",
            "delete_trunk:tags", "add_subports", "remove_subports")
        + each(adminOrReader, "get_trunk", "get_trunk:tags", "get_subports")

    private static let forwardings =
        each(
            parentMember, "create_floatingip_port_forwarding", "update_floatingip_port_forwarding",
            "delete_floatingip_port_forwarding")
        + each(parentReader, "get_floatingip_port_forwarding")

    private static let helpers =
        each(
            parentMember, "create_router_conntrack_helper", "update_router_conntrack_helper",
            "delete_router_conntrack_helper")
        + each(parentReader, "get_router_conntrack_helper")

    private static let metering =
        each(
            adminOrManager, "create_metering_label", "delete_metering_label", "create_metering_label_rule",
            "delete_metering_label_rule")
        + each(adminOrReader, "get_metering_label", "get_metering_label_rule")

    private static let others =
        each(
            adminOrMember, "create_rbac_policy", "update_rbac_policy", "delete_rbac_policy")
        + each(adminOrReader, "get_rbac_policy")
        + each(
            "rule:admin_only or (not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_tenant=None)",
            "create_rbac_policy:target_tenant", "update_rbac_policy:target_tenant")
        + each(
            adminOrManager, "get_quota", "create_log", "get_log", "update_log", "delete_log", "get_loggable_resource")
        + each(
            admin, "get_l3-routers", "create_l3-router", "delete_l3-router", "get_l3-agents", "get_dhcp-networks",
            "create_dhcp-network",
            "delete_dhcp-network", "get_dhcp-agents", "update_quota", "delete_quota", "get_agent", "update_agent",
            "delete_agent")
        + each(adminOrService, "get_network_ip_availability")
        + each("role:reader or rule:admin_only", "get_availability_zone")
        + each(adminOrReader, "get_floatingip_pool")
        + each("role:reader", "get_service_provider")
}
