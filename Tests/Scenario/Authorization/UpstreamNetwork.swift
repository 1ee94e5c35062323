// SPDX-License-Identifier: Apache-2.0

extension UpstreamRules {
    /// neutron 29: neutron/conf/policies.
    static let network = """
        member create_address_group POST /address-groups
        reader get_address_group GET /address-groups /address-groups/{}
        member update_address_group PUT /address-groups/{}
        member delete_address_group DELETE /address-groups/{}
        member add_addresses PUT /address-groups/{}/add_addresses
        member remove_addresses PUT /address-groups/{}/remove_addresses
        member create_address_scope POST /address-scopes
        admin create_address_scope:shared
        reader get_address_scope GET /address-scopes /address-scopes/{}
        member update_address_scope PUT /address-scopes/{}
        admin update_address_scope:shared
        member delete_address_scope DELETE /address-scopes/{}
        admin get_agent GET /agents /agents/{}
        admin update_agent PUT /agents/{}
        admin delete_agent DELETE /agents/{}
        reader get_auto_allocated_topology GET /auto-allocated-topology/{}
        member delete_auto_allocated_topology DELETE /auto-allocated-topology/{}
        anyreader get_availability_zone GET /availability_zones
        admin create_default_security_group_rule POST /default-security-group-rules
        anyreader get_default_security_group_rule GET /default-security-group-rules /default-security-group-rules/{}
        admin delete_default_security_group_rule DELETE /default-security-group-rules/{}
        admin create_flavor POST /flavors
        anyreader get_flavor GET /flavors /flavors/{}
        admin update_flavor PUT /flavors/{}
        admin delete_flavor DELETE /flavors/{}
        admin create_service_profile POST /service_profiles
        admin get_service_profile GET /service_profiles /service_profiles/{}
        admin update_service_profile PUT /service_profiles/{}
        admin delete_service_profile DELETE /service_profiles/{}
        admin create_flavor_service_profile POST /flavors/{}/service_profiles
        admin delete_flavor_service_profile DELETE /flavors/{}/service_profiles/{}
        member create_floatingip POST /floatingips
        manager create_floatingip:floating_ip_address
        member create_floatingip:tags POST /floatingips/{}/tags
        reader get_floatingip GET /floatingips /floatingips/{}
        reader get_floatingip:tags GET /floatingips/{}/tags /floatingips/{}/tags/{}
        member update_floatingip PUT /floatingips/{}
        member update_floatingip:tags PUT /floatingips/{}/tags /floatingips/{}/tags/{}
        member delete_floatingip DELETE /floatingips/{}
        member delete_floatingip:tags DELETE /floatingips/{}/tags /floatingips/{}/tags/{}
        reader get_floatingip_pool GET /floatingip-pools /floatingip_pools
        member create_floatingip_port_forwarding POST /floatingips/{}/port_forwardings
        reader get_floatingip_port_forwarding GET /floatingips/{}/port_forwardings
          GET /floatingips/{}/port_forwardings/{}
        member update_floatingip_port_forwarding PUT /floatingips/{}/port_forwardings/{}
        member delete_floatingip_port_forwarding DELETE /floatingips/{}/port_forwardings/{}
        member create_router_conntrack_helper POST /routers/{}/conntrack_helpers
        reader get_router_conntrack_helper GET /routers/{}/conntrack_helpers /routers/{}/conntrack_helpers/{}
        member update_router_conntrack_helper PUT /routers/{}/conntrack_helpers/{}
        member delete_router_conntrack_helper DELETE /routers/{}/conntrack_helpers/{}
        manager create_metering_label POST /metering/metering-labels
        reader get_metering_label GET /metering/metering-labels /metering/metering-labels/{}
        manager delete_metering_label DELETE /metering/metering-labels/{}
        manager create_metering_label_rule POST /metering/metering-label-rules
        reader get_metering_label_rule GET /metering/metering-label-rules /metering/metering-label-rules/{}
        manager delete_metering_label_rule DELETE /metering/metering-label-rules/{}
        member create_network POST /networks
        admin create_network:shared
        admin create_network:router:external
        admin create_network:is_default
        member create_network:port_security_enabled
        admin create_network:segments
        admin create_network:provider:network_type
        admin create_network:provider:physical_network
        admin create_network:provider:segmentation_id
        member create_network:tags POST /networks/{}/tags
        reader+service get_network GET /networks /networks/{}
        admin get_network:segments
        admin get_network:provider:network_type
        admin get_network:provider:physical_network
        admin get_network:provider:segmentation_id
        reader get_network:tags GET /networks/{}/tags /networks/{}/tags/{}
        member update_network PUT /networks/{}
        admin update_network:segments
        admin update_network:shared
        admin update_network:provider:network_type
        admin update_network:provider:physical_network
        admin update_network:provider:segmentation_id
        admin update_network:router:external
        admin update_network:is_default
        member update_network:port_security_enabled
        member update_network:tags PUT /networks/{}/tags /networks/{}/tags/{}
        member delete_network DELETE /networks/{}
        member delete_network:tags DELETE /networks/{}/tags /networks/{}/tags/{}
        admin+service get_network_ip_availability GET /network-ip-availabilities /network-ip-availabilities/{}
        member+service create_port POST /ports
        member+service create_port:device_id
        everybody create_port:device_owner
        member+service create_port:mac_address
        member+service create_port:fixed_ips
        member+service create_port:fixed_ips:ip_address
        member+service create_port:fixed_ips:subnet_id
        member+service create_port:port_security_enabled
        admin+service create_port:binding:host_id
        service create_port:binding:profile
        member+service create_port:binding:vnic_type
        member+service create_port:allowed_address_pairs
        member+service create_port:allowed_address_pairs:mac_address
        member+service create_port:allowed_address_pairs:ip_address
        member create_port:tags POST /ports/{}/tags
        reader+service get_port GET /ports /ports/{}
        admin+service get_port:binding:vif_type
        admin+service get_port:binding:vif_details
        admin+service get_port:binding:host_id
        admin+service get_port:binding:profile
        admin get_port:resource_request
        reader get_port:tags GET /ports/{}/tags /ports/{}/tags/{}
        member+service update_port PUT /ports/{}
        member+service update_port:device_id
        everybody update_port:device_owner
        manager+service update_port:mac_address
        member+service update_port:fixed_ips
        member+service update_port:fixed_ips:ip_address
        member+service update_port:fixed_ips:subnet_id
        member+service update_port:port_security_enabled
        admin+service update_port:binding:host_id
        service update_port:binding:profile
        member+service update_port:binding:vnic_type
        member+service update_port:allowed_address_pairs
        member+service update_port:allowed_address_pairs:mac_address
        member+service update_port:allowed_address_pairs:ip_address
        member update_port:tags PUT /ports/{}/tags /ports/{}/tags/{}
        member+service delete_port DELETE /ports/{}
        member delete_port:tags DELETE /ports/{}/tags /ports/{}/tags/{}
        reader get_policy GET /qos/policies /qos/policies/{}
        reader get_policy:tags GET /qos/policies/{}/tags /qos/policies/{}/tags/{}
        manager create_policy POST /qos/policies
        manager create_policy:tags POST /qos/policies/{}/tags
        manager update_policy PUT /qos/policies/{}
        manager update_policy:tags PUT /qos/policies/{}/tags /qos/policies/{}/tags/{}
        manager delete_policy DELETE /qos/policies/{}
        manager delete_policy:tags DELETE /qos/policies/{}/tags /qos/policies/{}/tags/{}
        anyreader get_rule_type GET /qos/rule-types
        reader get_policy_bandwidth_limit_rule GET /qos/policies/{}/bandwidth_limit_rules
          GET /qos/policies/{}/bandwidth_limit_rules/{}
        manager create_policy_bandwidth_limit_rule POST /qos/policies/{}/bandwidth_limit_rules
        manager update_policy_bandwidth_limit_rule PUT /qos/policies/{}/bandwidth_limit_rules/{}
        manager delete_policy_bandwidth_limit_rule DELETE /qos/policies/{}/bandwidth_limit_rules/{}
        reader get_policy_packet_rate_limit_rule GET /qos/policies/{}/packet_rate_limit_rules
          GET /qos/policies/{}/packet_rate_limit_rules/{}
        manager create_policy_packet_rate_limit_rule POST /qos/policies/{}/packet_rate_limit_rules
        manager update_policy_packet_rate_limit_rule PUT /qos/policies/{}/packet_rate_limit_rules/{}
        manager delete_policy_packet_rate_limit_rule DELETE /qos/policies/{}/packet_rate_limit_rules/{}
        reader get_policy_dscp_marking_rule GET /qos/policies/{}/dscp_marking_rules
          GET /qos/policies/{}/dscp_marking_rules/{}
        manager create_policy_dscp_marking_rule POST /qos/policies/{}/dscp_marking_rules
        manager update_policy_dscp_marking_rule PUT /qos/policies/{}/dscp_marking_rules/{}
        manager delete_policy_dscp_marking_rule DELETE /qos/policies/{}/dscp_marking_rules/{}
        reader get_policy_minimum_bandwidth_rule GET /qos/policies/{}/minimum_bandwidth_rules
          GET /qos/policies/{}/minimum_bandwidth_rules/{}
        manager create_policy_minimum_bandwidth_rule POST /qos/policies/{}/minimum_bandwidth_rules
        manager update_policy_minimum_bandwidth_rule PUT /qos/policies/{}/minimum_bandwidth_rules/{}
        manager delete_policy_minimum_bandwidth_rule DELETE /qos/policies/{}/minimum_bandwidth_rules/{}
        reader get_policy_minimum_packet_rate_rule GET /qos/policies/{}/minimum_packet_rate_rules
          GET /qos/policies/{}/minimum_packet_rate_rules/{}
        manager create_policy_minimum_packet_rate_rule POST /qos/policies/{}/minimum_packet_rate_rules
        manager update_policy_minimum_packet_rate_rule PUT /qos/policies/{}/minimum_packet_rate_rules/{}
        manager delete_policy_minimum_packet_rate_rule DELETE /qos/policies/{}/minimum_packet_rate_rules/{}
        reader get_alias_bandwidth_limit_rule GET /qos/alias_bandwidth_limit_rules/{}
        manager update_alias_bandwidth_limit_rule PUT /qos/alias_bandwidth_limit_rules/{}
        manager delete_alias_bandwidth_limit_rule DELETE /qos/alias_bandwidth_limit_rules/{}
        reader get_alias_dscp_marking_rule GET /qos/alias_dscp_marking_rules/{}
        manager update_alias_dscp_marking_rule PUT /qos/alias_dscp_marking_rules/{}
        manager delete_alias_dscp_marking_rule DELETE /qos/alias_dscp_marking_rules/{}
        reader get_alias_minimum_bandwidth_rule GET /qos/alias_minimum_bandwidth_rules/{}
        manager update_alias_minimum_bandwidth_rule PUT /qos/alias_minimum_bandwidth_rules/{}
        manager delete_alias_minimum_bandwidth_rule DELETE /qos/alias_minimum_bandwidth_rules/{}
        reader get_alias_minimum_packet_rate_rule GET /qos/alias_minimum_packet_rate_rules/{}
        manager update_alias_minimum_packet_rate_rule PUT /qos/alias_minimum_packet_rate_rules/{}
        manager delete_alias_minimum_packet_rate_rule DELETE /qos/alias_minimum_packet_rate_rules/{}
        manager get_quota GET /quotas
        admin update_quota PUT /quotas/{}
        admin delete_quota DELETE /quotas/{}
        member create_rbac_policy POST /rbac-policies
        everybody create_rbac_policy:target_tenant
        member update_rbac_policy PUT /rbac-policies/{}
        everybody update_rbac_policy:target_tenant
        reader get_rbac_policy GET /rbac-policies /rbac-policies/{}
        member delete_rbac_policy DELETE /rbac-policies/{}
        member create_router POST /routers
        member create_router:external_gateway_info
        member create_router:external_gateway_info:network_id
        admin create_router:external_gateway_info:enable_snat
        admin create_router:external_gateway_info:external_fixed_ips
        member create_router:tags POST /routers/{}/tags
        reader get_router GET /routers /routers/{}
        reader get_router:tags GET /routers/{}/tags /routers/{}/tags/{}
        member update_router PUT /routers/{}
        member update_router:external_gateway_info
        member update_router:external_gateway_info:network_id
        admin update_router:external_gateway_info:enable_snat
        admin update_router:external_gateway_info:external_fixed_ips
        member update_router:tags PUT /routers/{}/tags /routers/{}/tags/{}
        member delete_router DELETE /routers/{}
        member delete_router:tags DELETE /routers/{}/tags /routers/{}/tags/{}
        member add_router_interface PUT /routers/{}/add_router_interface
        member remove_router_interface PUT /routers/{}/remove_router_interface
        member add_extraroutes PUT /routers/{}/add_extraroutes
        member remove_extraroutes PUT /routers/{}/remove_extraroutes
        member create_security_group POST /security-groups
        member create_security_group:tags POST /security-groups/{}/tags
        reader get_security_group GET /security-groups /security-groups/{}
        reader get_security_group:tags GET /security-groups/{}/tags /security-groups/{}/tags/{}
        member update_security_group PUT /security-groups/{}
        member update_security_group:tags PUT /security-groups/{}/tags /security-groups/{}/tags/{}
        member delete_security_group DELETE /security-groups/{}
        member delete_security_group:tags DELETE /security-groups/{}/tags /security-groups/{}/tags/{}
        member create_security_group_rule POST /security-group-rules
        reader get_security_group_rule GET /security-group-rules /security-group-rules/{}
        member delete_security_group_rule DELETE /security-group-rules/{}
        manager create_security_groups_default_statefulness POST /security-groups-default-statefulness
        reader get_security_groups_default_statefulness GET /security-groups-default-statefulness
          GET /security-groups-default-statefulness/{}
        manager update_security_groups_default_statefulness PUT /security-groups-default-statefulness/{}
        manager delete_security_groups_default_statefulness DELETE /security-groups-default-statefulness/{}
        admin create_segment POST /segments
        admin get_segment GET /segments /segments/{}
        admin update_segment PUT /segments/{}
        admin delete_segment DELETE /segments/{}
        anyreader get_service_provider GET /service-providers
        member create_subnet POST /subnets
        admin create_subnet:segment_id
        admin create_subnet:service_types
        member create_subnet:tags POST /subnets/{}/tags
        reader+service get_subnet GET /subnets /subnets/{}
        reader get_subnet:tags GET /subnets/{}/tags /subnets/{}/tags/{}
        member update_subnet PUT /subnets/{}
        admin update_subnet:segment_id
        admin update_subnet:service_types
        member update_subnet:tags PUT /subnets/{}/tags /subnets/{}/tags/{}
        member delete_subnet DELETE /subnets/{}
        member delete_subnet:tags DELETE /subnets/{}/tags /subnets/{}/tags/{}
        member create_subnetpool POST /subnetpools
        admin create_subnetpool:shared
        admin create_subnetpool:is_default
        member create_subnetpool:tags POST /subnetpools/{}/tags
        reader get_subnetpool GET /subnetpools /subnetpools/{}
        reader get_subnetpool:tags GET /subnetpools/{}/tags /subnetpools/{}/tags/{}
        member update_subnetpool PUT /subnetpools/{}
        admin update_subnetpool:is_default
        member update_subnetpool:tags PUT /subnetpools/{}/tags /subnetpools/{}/tags/{}
        member delete_subnetpool DELETE /subnetpools/{}
        member delete_subnetpool:tags DELETE /subnetpools/{}/tags /subnetpools/{}/tags/{}
        member onboard_network_subnets PUT /subnetpools/{}/onboard_network_subnets
        member add_prefixes PUT /subnetpools/{}/add_prefixes
        member remove_prefixes PUT /subnetpools/{}/remove_prefixes
        member create_trunk POST /trunks
        member create_trunk:tags POST /trunks/{}/tags
        reader get_trunk GET /trunks /trunks/{}
        reader get_trunk:tags GET /trunks/{}/tags /trunks/{}/tags/{}
        member update_trunk PUT /trunks/{}
        member update_trunk:tags PUT /trunks/{}/tags /trunks/{}/tags/{}
        member delete_trunk DELETE /trunks/{}
        member delete_trunk:tags DELETE /trunks/{}/tags /trunks/{}/tags/{}
        reader get_subports GET /trunks/{}/get_subports
        member add_subports PUT /trunks/{}/add_subports
        member remove_subports PUT /trunks/{}/remove_subports
        service activate PUT /ports/{}/bindings/{}/activate
        service create_port_binding POST /ports/{}/bindings
        admin+service get_port_binding GET /ports/{}/bindings /ports/{}/bindings/{}
        service delete_port_binding DELETE /ports/{}/bindings/{}
        member add_external_gateways PUT /routers/{}/add_external_gateways
        admin add_external_gateways:external_gateways:enable_snat
        admin add_external_gateways:external_gateways:external_fixed_ips
        member update_external_gateways PUT /routers/{}/update_external_gateways
        admin update_external_gateways:external_gateways:enable_snat
        admin update_external_gateways:external_gateways:external_fixed_ips
        member remove_external_gateways PUT /routers/{}/remove_external_gateways
        admin create_router:ha
        admin get_router:ha
        admin update_router:ha
        admin create_router:enable_default_route_bfd
        admin update_router:enable_default_route_bfd
        admin create_router:enable_default_route_ecmp
        admin update_router:enable_default_route_ecmp
        manager create_log POST /log/logs
        manager get_log GET /log/logs /log/logs/{}
        manager update_log PUT /log/logs/{}
        manager delete_log DELETE /log/logs/{}
        manager get_loggable_resource GET /log/loggable-resources
        admin create_dhcp-network POST /agents/{}/dhcp-networks
        admin get_dhcp-networks GET /agents/{}/dhcp-networks
        admin delete_dhcp-network DELETE /agents/{}/dhcp-networks/{}
        admin get_dhcp-agents GET /networks/{}/dhcp-agents
        admin create_l3-router POST /agents/{}/l3-routers
        admin get_l3-routers GET /agents/{}/l3-routers
        admin delete_l3-router DELETE /agents/{}/l3-routers/{}
        admin get_l3-agents GET /routers/{}/l3-agents
        """

    /// What has no rule there, or none that names its path: who gets through all the same.
    ///
    /// The code lets only administrators at one type of QoS rules (qos_plugin.py: get_rule_type), and asks `get_quota`
    /// only about other projects than the token's (quotasv2.py). There it tells any project's manager the defaults, as
    /// if they were that project's own; here a manager is refused.
    static let networkUnruled = """
        token - GET /extensions /extensions/{}
        service - PUT /ports/{}/bindings/{}
        anyreader - GET /flavors/{}/next_providers
        reader - GET /qos/alias_packet_rate_limit_rules/{}
        manager - PUT /qos/alias_packet_rate_limit_rules/{} DELETE /qos/alias_packet_rate_limit_rules/{}
        admin - GET /qos/rule-types/{}
        project - GET /quotas/tenant /quotas/project
        quota - GET /quotas/{} /quotas/{}/default
        usage - GET /quotas/{}/details /quotas/{}/details.json
        """
}
