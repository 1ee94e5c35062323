// SPDX-License-Identifier: Apache-2.0

extension UpstreamRules {
    /// nova 34: nova/policies.
    static let compute = """
        admin os_compute_api:os-admin-actions:reset_state POST /servers/{}/action(os-resetState)
        admin os_compute_api:os-admin-actions:inject_network_info POST /servers/{}/action(injectNetworkInfo)
        member os_compute_api:os-admin-password POST /servers/{}/action(changePassword)
        admin os_compute_api:os-aggregates:set_metadata POST /os-aggregates/{}/action(set_metadata)
        admin os_compute_api:os-aggregates:add_host POST /os-aggregates/{}/action(add_host)
        admin os_compute_api:os-aggregates:create POST /os-aggregates
        admin os_compute_api:os-aggregates:remove_host POST /os-aggregates/{}/action(remove_host)
        admin os_compute_api:os-aggregates:update PUT /os-aggregates/{}
        admin os_compute_api:os-aggregates:index GET /os-aggregates
        admin os_compute_api:os-aggregates:delete DELETE /os-aggregates/{}
        admin os_compute_api:os-aggregates:show GET /os-aggregates/{}
        admin compute:aggregates:images POST /os-aggregates/{}/images
        admin+service os_compute_api:os-assisted-volume-snapshots:create POST /os-assisted-volume-snapshots
        admin+service os_compute_api:os-assisted-volume-snapshots:delete DELETE /os-assisted-volume-snapshots/{}
        reader os_compute_api:os-attach-interfaces:list GET /servers/{}/os-interface
        reader os_compute_api:os-attach-interfaces:show GET /servers/{}/os-interface/{}
        member os_compute_api:os-attach-interfaces:create POST /servers/{}/os-interface
        member os_compute_api:os-attach-interfaces:delete DELETE /servers/{}/os-interface/{}
        everybody os_compute_api:os-availability-zone:list GET /os-availability-zone
        admin os_compute_api:os-availability-zone:detail GET /os-availability-zone/detail
        admin os_compute_api:os-baremetal-nodes:list GET /os-baremetal-nodes
        admin os_compute_api:os-baremetal-nodes:show GET /os-baremetal-nodes/{}
        admin os_compute_api:os-console-auth-tokens GET /os-console-auth-tokens/{}
        member os_compute_api:os-console-output POST /servers/{}/action(os-getConsoleOutput)
        member os_compute_api:os-create-backup POST /servers/{}/action(createBackup)
        member os_compute_api:os-deferred-delete:restore POST /servers/{}/action(restore)
        member os_compute_api:os-deferred-delete:force POST /servers/{}/action(forceDelete)
        admin os_compute_api:os-evacuate POST /servers/{}/action(evacuate)
        admin os_compute_api:os-extended-server-attributes
        everybody os_compute_api:extensions GET /extensions /extensions/{}
        admin os_compute_api:os-flavor-access:add_tenant_access POST /flavors/{}/action(addTenantAccess)
        admin os_compute_api:os-flavor-access:remove_tenant_access POST /flavors/{}/action(removeTenantAccess)
        admin os_compute_api:os-flavor-access GET /flavors/{}/os-flavor-access
        reader os_compute_api:os-flavor-extra-specs:show GET /flavors/{}/os-extra_specs/{}
        admin os_compute_api:os-flavor-extra-specs:create POST /flavors/{}/os-extra_specs
        admin os_compute_api:os-flavor-extra-specs:update PUT /flavors/{}/os-extra_specs/{}
        admin os_compute_api:os-flavor-extra-specs:delete DELETE /flavors/{}/os-extra_specs/{}
        reader os_compute_api:os-flavor-extra-specs:index GET /flavors/{}/os-extra_specs
        admin os_compute_api:os-flavor-manage:create POST /flavors
        admin os_compute_api:os-flavor-manage:update PUT /flavors/{}
        admin os_compute_api:os-flavor-manage:delete DELETE /flavors/{}
        everybody os_compute_api:os-floating-ip-pools GET /os-floating-ip-pools
        member os_compute_api:os-floating-ips:add POST /servers/{}/action(addFloatingIp)
        member os_compute_api:os-floating-ips:remove POST /servers/{}/action(removeFloatingIp)
        reader os_compute_api:os-floating-ips:list GET /os-floating-ips
        member os_compute_api:os-floating-ips:create POST /os-floating-ips
        reader os_compute_api:os-floating-ips:show GET /os-floating-ips/{}
        member os_compute_api:os-floating-ips:delete DELETE /os-floating-ips/{}
        admin os_compute_api:os-hosts:list GET /os-hosts
        admin os_compute_api:os-hosts:show GET /os-hosts/{}
        admin os_compute_api:os-hosts:update PUT /os-hosts/{}
        admin os_compute_api:os-hosts:reboot GET /os-hosts/{}/reboot
        admin os_compute_api:os-hosts:shutdown GET /os-hosts/{}/shutdown
        admin os_compute_api:os-hosts:start GET /os-hosts/{}/startup
        admin os_compute_api:os-hypervisors:list GET /os-hypervisors
        admin os_compute_api:os-hypervisors:list-detail GET /os-hypervisors/details
        admin os_compute_api:os-hypervisors:statistics GET /os-hypervisors/statistics
        admin os_compute_api:os-hypervisors:show GET /os-hypervisors/{}
        admin os_compute_api:os-hypervisors:uptime GET /os-hypervisors/{}/uptime
        admin os_compute_api:os-hypervisors:search GET /os-hypervisors/{}/search
        admin os_compute_api:os-hypervisors:servers GET /os-hypervisors/{}/servers
        admin os_compute_api:os-instance-actions:events:details
        admin os_compute_api:os-instance-actions:events
        reader os_compute_api:os-instance-actions:list GET /servers/{}/os-instance-actions
        reader os_compute_api:os-instance-actions:show GET /servers/{}/os-instance-actions/{}
        admin os_compute_api:os-instance-usage-audit-log:list GET /os-instance_usage_audit_log
        admin os_compute_api:os-instance-usage-audit-log:show GET /os-instance_usage_audit_log/{}
        reader os_compute_api:ips:show GET /servers/{}/ips/{}
        reader os_compute_api:ips:index GET /servers/{}/ips
        user os_compute_api:os-keypairs:index GET /os-keypairs
        user os_compute_api:os-keypairs:create POST /os-keypairs
        user os_compute_api:os-keypairs:delete
        user os_compute_api:os-keypairs:show
        everybody os_compute_api:limits GET /limits
        admin os_compute_api:limits:other_project
        member os_compute_api:os-lock-server:lock POST /servers/{}/action(lock)
        member os_compute_api:os-lock-server:unlock POST /servers/{}/action(unlock)
        admin os_compute_api:os-lock-server:unlock:unlock_override
        manager os_compute_api:os-migrate-server:migrate POST /servers/{}/action(migrate)
        admin os_compute_api:os-migrate-server:migrate:host
        manager os_compute_api:os-migrate-server:migrate_live POST /servers/{}/action(os-migrateLive)
        admin os_compute_api:os-migrate-server:migrate_live:host
        manager os_compute_api:os-migrations:index GET /os-migrations
        admin os_compute_api:os-migrations:index:all_projects
        admin os_compute_api:os-migrations:index:host
        member os_compute_api:os-multinic:add POST /servers/{}/action(addFixedIp)
        member os_compute_api:os-multinic:remove POST /servers/{}/action(removeFixedIp)
        reader os_compute_api:os-networks:list GET /os-networks
        reader os_compute_api:os-networks:show GET /os-networks/{}
        member os_compute_api:os-pause-server:pause POST /servers/{}/action(pause)
        member os_compute_api:os-pause-server:unpause POST /servers/{}/action(unpause)
        admin os_compute_api:os-quota-class-sets:show GET /os-quota-class-sets/{}
        admin os_compute_api:os-quota-class-sets:update PUT /os-quota-class-sets/{}
        admin os_compute_api:os-quota-sets:update PUT /os-quota-sets/{}
        everybody os_compute_api:os-quota-sets:defaults GET /os-quota-sets/{}/defaults
        reader os_compute_api:os-quota-sets:show GET /os-quota-sets/{}
        admin os_compute_api:os-quota-sets:delete DELETE /os-quota-sets/{}
        reader os_compute_api:os-quota-sets:detail GET /os-quota-sets/{}/detail
        member os_compute_api:os-remote-consoles POST /servers/{}/action(os-getSerialConsole)
          POST /servers/{}/action(os-getSPICEConsole) /servers/{}/action(os-getVNCConsole)
          POST /servers/{}/remote-consoles
        member os_compute_api:os-rescue POST /servers/{}/action(rescue)
        member os_compute_api:os-unrescue POST /servers/{}/action(unrescue)
        reader os_compute_api:os-security-groups:get GET /os-security-groups
        reader os_compute_api:os-security-groups:show GET /os-security-groups/{}
        member os_compute_api:os-security-groups:create POST /os-security-groups
        member os_compute_api:os-security-groups:update PUT /os-security-groups/{}
        member os_compute_api:os-security-groups:delete DELETE /os-security-groups/{}
        member os_compute_api:os-security-groups:rule:create POST /os-security-group-rules
        member os_compute_api:os-security-groups:rule:delete DELETE /os-security-group-rules/{}
        reader os_compute_api:os-security-groups:list GET /servers/{}/os-security-groups
        member os_compute_api:os-security-groups:add POST /servers/{}/action(addSecurityGroup)
        member os_compute_api:os-security-groups:remove POST /servers/{}/action(removeSecurityGroup)
        admin os_compute_api:os-server-diagnostics GET /servers/{}/diagnostics
        admin+service os_compute_api:os-server-external-events:create POST /os-server-external-events
        member os_compute_api:os-server-groups:create POST /os-server-groups
        member os_compute_api:os-server-groups:delete DELETE /os-server-groups/{}
        reader os_compute_api:os-server-groups:index GET /os-server-groups
        admin os_compute_api:os-server-groups:index:all_projects
        reader os_compute_api:os-server-groups:show GET /os-server-groups/{}
        reader os_compute_api:server-metadata:index GET /servers/{}/metadata
        reader os_compute_api:server-metadata:show GET /servers/{}/metadata/{}
        member os_compute_api:server-metadata:create POST /servers/{}/metadata
        member os_compute_api:server-metadata:update_all PUT /servers/{}/metadata
        member os_compute_api:server-metadata:update PUT /servers/{}/metadata/{}
        member os_compute_api:server-metadata:delete DELETE /servers/{}/metadata/{}
        reader os_compute_api:os-server-password:show GET /servers/{}/os-server-password
        member os_compute_api:os-server-password:clear DELETE /servers/{}/os-server-password
        reader os_compute_api:os-server-shares:index GET /servers/{}/shares
        member os_compute_api:os-server-shares:create POST /servers/{}/shares
        reader os_compute_api:os-server-shares:show GET /servers/{}/shares/{}
        member os_compute_api:os-server-shares:delete DELETE /servers/{}/shares/{}
        member os_compute_api:os-server-tags:delete_all DELETE /servers/{}/tags
        reader os_compute_api:os-server-tags:index GET /servers/{}/tags
        member os_compute_api:os-server-tags:update_all PUT /servers/{}/tags
        member os_compute_api:os-server-tags:delete DELETE /servers/{}/tags/{}
        member os_compute_api:os-server-tags:update PUT /servers/{}/tags/{}
        reader os_compute_api:os-server-tags:show GET /servers/{}/tags/{}
        reader compute:server:topology:index GET /servers/{}/topology
        admin compute:server:topology:host:index
        reader os_compute_api:servers:index GET /servers
        reader os_compute_api:servers:detail GET /servers/detail
        admin os_compute_api:servers:index:get_all_tenants
        admin os_compute_api:servers:detail:get_all_tenants
        admin os_compute_api:servers:allow_all_filters
        reader os_compute_api:servers:show GET /servers/{}
        reader os_compute_api:servers:show:flavor-extra-specs
        admin os_compute_api:servers:show:host_status
        admin os_compute_api:servers:show:host_status:unknown-only
        member os_compute_api:servers:create POST /servers
        admin os_compute_api:servers:create:forced_host
        admin compute:servers:create:requested_destination
        member os_compute_api:servers:create:attach_volume
        member os_compute_api:servers:create:attach_network
        member os_compute_api:servers:create:trusted_certs
        admin os_compute_api:servers:create:zero_disk_flavor
        admin network:attach_external_network
        member os_compute_api:servers:delete DELETE /servers/{}
        member os_compute_api:servers:update PUT /servers/{}
        member os_compute_api:servers:confirm_resize POST /servers/{}/action(confirmResize)
        member os_compute_api:servers:revert_resize POST /servers/{}/action(revertResize)
        member os_compute_api:servers:reboot POST /servers/{}/action(reboot)
        member os_compute_api:servers:resize POST /servers/{}/action(resize)
        nobody compute:servers:resize:cross_cell
        member os_compute_api:servers:rebuild POST /servers/{}/action(rebuild)
        member os_compute_api:servers:rebuild:trusted_certs
        member os_compute_api:servers:create_image POST /servers/{}/action(createImage)
        member os_compute_api:servers:create_image:allow_volume_backed
        member os_compute_api:servers:start POST /servers/{}/action(os-start)
        member os_compute_api:servers:stop POST /servers/{}/action(os-stop)
        member os_compute_api:servers:trigger_crash_dump POST /servers/{}/action(trigger_crash_dump)
        admin os_compute_api:servers:migrations:show GET /servers/{}/migrations/{}
        manager os_compute_api:servers:migrations:force_complete
          POST /servers/{}/migrations/{}/action(force_complete)
        manager os_compute_api:servers:migrations:delete DELETE /servers/{}/migrations/{}
        manager os_compute_api:servers:migrations:index GET /servers/{}/migrations
        admin os_compute_api:servers:migrations:index:host
        admin os_compute_api:os-services:list GET /os-services
        admin os_compute_api:os-services:update PUT /os-services/{}
        admin os_compute_api:os-services:delete DELETE /os-services/{}
        member os_compute_api:os-shelve:shelve POST /servers/{}/action(shelve)
        member os_compute_api:os-shelve:unshelve POST /servers/{}/action(unshelve)
        admin os_compute_api:os-shelve:unshelve_to_host
        admin os_compute_api:os-shelve:shelve_offload POST /servers/{}/action(shelveOffload)
        reader os_compute_api:os-simple-tenant-usage:show GET /os-simple-tenant-usage/{}
        admin os_compute_api:os-simple-tenant-usage:list GET /os-simple-tenant-usage
        member os_compute_api:os-suspend-server:resume POST /servers/{}/action(resume)
        member os_compute_api:os-suspend-server:suspend POST /servers/{}/action(suspend)
        reader os_compute_api:os-tenant-networks:list GET /os-tenant-networks
        reader os_compute_api:os-tenant-networks:show GET /os-tenant-networks/{}
        reader os_compute_api:os-volumes:list GET /os-volumes
        member os_compute_api:os-volumes:create POST /os-volumes
        reader os_compute_api:os-volumes:detail GET /os-volumes/detail
        reader os_compute_api:os-volumes:show GET /os-volumes/{}
        member os_compute_api:os-volumes:delete DELETE /os-volumes/{}
        reader os_compute_api:os-volumes:snapshots:list GET /os-snapshots
        member os_compute_api:os-volumes:snapshots:create POST /os-snapshots
        reader os_compute_api:os-volumes:snapshots:detail GET /os-snapshots/detail
        reader os_compute_api:os-volumes:snapshots:show GET /os-snapshots/{}
        member os_compute_api:os-volumes:snapshots:delete DELETE /os-snapshots/{}
        reader os_compute_api:os-volumes-attachments:index GET /servers/{}/os-volume_attachments
        member os_compute_api:os-volumes-attachments:create POST /servers/{}/os-volume_attachments
        reader os_compute_api:os-volumes-attachments:show GET /servers/{}/os-volume_attachments/{}
        member os_compute_api:os-volumes-attachments:update PUT /servers/{}/os-volume_attachments/{}
        admin+service os_compute_api:os-volumes-attachments:swap
        member os_compute_api:os-volumes-attachments:delete DELETE /servers/{}/os-volume_attachments/{}
        """

    /// What has no rule there, or none that names its path: who gets through all the same.
    static let computeUnruled = """
        token - GET /flavors /flavors/detail
        flavor - GET /flavors/{}
        admin - GET /os-hypervisors/detail POST /os-baremetal-nodes DELETE /os-baremetal-nodes/{}
        admin - POST /os-baremetal-nodes/{}/action PUT /os-services/enable /os-services/disable
        admin - PUT /os-services/disable-log-reason /os-services/force-down
        owner - GET /os-keypairs/{} DELETE /os-keypairs/{}
        reader - GET /images /images/detail /images/{}
        member - DELETE /images/{}
        reader - GET /images/{}/metadata
        member - POST /images/{}/metadata PUT /images/{}/metadata
        reader - GET /images/{}/metadata/{}
        member - PUT /images/{}/metadata/{} DELETE /images/{}/metadata/{}
        """
}
