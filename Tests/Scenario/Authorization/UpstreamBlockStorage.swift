// SPDX-License-Identifier: Apache-2.0

extension UpstreamRules {
    /// cinder 29: cinder/policies.
    static let blockStorage = """
        cloud.member volume:attachment_create POST /attachments
        cloud.member volume:attachment_update PUT /attachments/{}
        cloud.member volume:attachment_delete DELETE /attachments/{}
        cloud.member volume:attachment_complete POST /attachments/{}/action(os-complete)
        cloud.member volume:multiattach_bootable_volume
        cloud.reader message:get_all GET /messages
        cloud.reader message:get GET /messages/{}
        cloud.member message:delete DELETE /messages/{}
        cloud.admin clusters:get_all GET /clusters /clusters/detail
        cloud.admin clusters:get GET /clusters/{}
        cloud.admin clusters:update PUT /clusters/{}
        cloud.admin workers:cleanup POST /workers/cleanup
        cloud.reader volume:get_snapshot_metadata GET /snapshots/{}/metadata /snapshots/{}/metadata/{}
        cloud.member volume:update_snapshot_metadata POST /snapshots/{}/metadata PUT /snapshots/{}/metadata/{}
        cloud.member volume:delete_snapshot_metadata DELETE /snapshots/{}/metadata/{}
        cloud.reader volume:get_all_snapshots GET /snapshots /snapshots/detail
        cloud.reader volume_extension:extended_snapshot_attributes
        cloud.member volume:create_snapshot POST /snapshots
        cloud.reader volume:get_snapshot GET /snapshots/{}
        cloud.member volume:update_snapshot PUT /snapshots/{}
        cloud.member volume:delete_snapshot DELETE /snapshots/{}
        cloud.admin volume_extension:snapshot_admin_actions:reset_status POST /snapshots/{}/action(os-reset_status)
        cloud.member snapshot_extension:snapshot_actions:update_snapshot_status
          POST /snapshots/{}/action(update_snapshot_status)
        cloud.admin volume_extension:snapshot_admin_actions:force_delete POST /snapshots/{}/action(os-force_delete)
        cloud.admin snapshot_extension:list_manageable GET /manageable_snapshots /manageable_snapshots/detail
        cloud.admin snapshot_extension:snapshot_manage POST /manageable_snapshots
        cloud.admin snapshot_extension:snapshot_unmanage POST /snapshots/{}/action(os-unmanage)
        cloud.reader backup:get_all GET /backups /backups/detail
        cloud.admin backup:backup_project_attribute
        cloud.member backup:create POST /backups
        cloud.reader backup:get GET /backups/{}
        cloud.member backup:update PUT /backups/{}
        cloud.member backup:delete DELETE /backups/{}
        cloud.member backup:restore POST /backups/{}/restore
        cloud.admin backup:backup-import POST /backups/{}/import_record
        cloud.admin backup:export-import POST /backups/{}/export_record
        cloud.admin volume_extension:backup_admin_actions:reset_status POST /backups/{}/action(os-reset_status)
        cloud.admin volume_extension:backup_admin_actions:force_delete POST /backups/{}/action(os-force_delete)
        cloud.reader group:get_all GET /groups /groups/detail
        cloud.member group:create POST /groups
        cloud.reader group:get GET /groups/{}
        cloud.member group:update PUT /groups/{}
        cloud.admin group:group_project_attribute
        cloud.admin group:group_types:create POST /group_types
        cloud.admin group:group_types:update PUT /group_types/{}
        cloud.admin group:group_types:delete DELETE /group_types/{}
        cloud.admin group:access_group_types_specs
        cloud.admin group:group_types_specs:get GET /group_types/{}/group_specs/{}
        cloud.admin group:group_types_specs:get_all GET /group_types/{}/group_specs
        cloud.admin group:group_types_specs:create POST /group_types/{}/group_specs
        cloud.admin group:group_types_specs:update PUT /group_types/{}/group_specs/{}
        cloud.admin group:group_types_specs:delete DELETE /group_types/{}/group_specs/{}
        cloud.reader group:get_all_group_snapshots GET /group_snapshots /group_snapshots/detail
        cloud.member group:create_group_snapshot POST /group_snapshots
        cloud.reader group:get_group_snapshot GET /group_snapshots/{}
        cloud.member group:delete_group_snapshot DELETE /group_snapshots/{}
        cloud.member group:update_group_snapshot PUT /group_snapshots/{}
        cloud.admin group:group_snapshot_project_attribute
        cloud.admin group:reset_group_snapshot_status POST /group_snapshots/{}/action(reset_status)
        cloud.member group:delete POST /groups/{}/action(delete)
        cloud.admin group:reset_status POST /groups/{}/action(reset_status)
        cloud.member group:enable_replication POST /groups/{}/action(enable_replication)
        cloud.member group:disable_replication POST /groups/{}/action(disable_replication)
        cloud.member group:failover_replication POST /groups/{}/action(failover_replication)
        cloud.member group:list_replication_targets POST /groups/{}/action(list_replication_targets)
        cloud.admin volume_extension:qos_specs_manage:get_all GET /qos-specs /qos-specs/{}/associations
        cloud.admin volume_extension:qos_specs_manage:get GET /qos-specs/{}
        cloud.admin volume_extension:qos_specs_manage:create POST /qos-specs
        cloud.admin volume_extension:qos_specs_manage:update PUT /qos-specs/{} GET /qos-specs/{}/disassociate_all
          GET /qos-specs/{}/associate /qos-specs/{}/disassociate
        cloud.admin volume_extension:qos_specs_manage:delete DELETE /qos-specs/{} PUT /qos-specs/{}/delete_keys
        cloud.admin volume_extension:quota_classes:get GET /os-quota-class-sets/{}
        cloud.admin volume_extension:quota_classes:update PUT /os-quota-class-sets/{}
        cloud.reader volume_extension:quotas:show GET /os-quota-sets/{} /os-quota-sets/{}/default
        cloud.admin volume_extension:quotas:update PUT /os-quota-sets/{}
        cloud.admin volume_extension:quotas:delete DELETE /os-quota-sets/{}
        cloud.admin volume_extension:capabilities GET /capabilities/{}
        cloud.admin volume_extension:services:index GET /os-services
        cloud.admin volume_extension:services:update PUT /os-services/{}
        cloud.admin volume:freeze_host PUT /os-services/freeze
        cloud.admin volume:thaw_host PUT /os-services/thaw
        cloud.admin volume:failover_host PUT /os-services/failover_host
        cloud.admin scheduler_extension:scheduler_stats:get_pools GET /scheduler-stats/get_pools
        cloud.admin volume_extension:hosts GET /os-hosts PUT /os-hosts/{} GET /os-hosts/{}
        cloud.reader limits_extension:used_limits
        cloud.admin volume_extension:list_manageable GET /manageable_volumes /manageable_volumes/detail
        cloud.admin volume_extension:volume_manage POST /manageable_volumes
        cloud.admin volume_extension:volume_unmanage POST /volumes/{}/action(os-unmanage)
        cloud.admin volume_extension:type_create POST /types
        cloud.admin volume_extension:type_update PUT /types
        cloud.admin volume_extension:type_delete DELETE /types
        cloud.reader volume_extension:type_get GET /types/{}
        cloud.reader volume_extension:type_get_all GET /types
        cloud.reader volume_extension:access_types_extra_specs
        cloud.admin volume_extension:access_types_qos_specs_id
        cloud.admin volume_extension:volume_type_encryption
        cloud.admin volume_extension:volume_type_encryption:create POST /types/{}/encryption
        cloud.admin volume_extension:volume_type_encryption:get GET /types/{}/encryption /types/{}/encryption/{}
        cloud.admin volume_extension:volume_type_encryption:update PUT /types/{}/encryption/{}
        cloud.admin volume_extension:volume_type_encryption:delete DELETE /types/{}/encryption/{}
        cloud.member volume_extension:volume_type_access
        cloud.admin volume_extension:volume_type_access:addProjectAccess POST /types/{}/action(addProjectAccess)
        cloud.admin volume_extension:volume_type_access:removeProjectAccess
          POST /types/{}/action(removeProjectAccess)
        cloud.admin volume_extension:volume_type_access:get_all_for_type GET /types/{}/os-volume-type-access
        cloud.member volume:extend POST /volumes/{}/action(os-extend)
        cloud.member volume:extend_attached_volume
        cloud.admin volume_extension:volume_admin_actions:extend_volume_completion
          POST /volumes/{}/action(os-extend_volume_completion)
        cloud.member volume:revert_to_snapshot POST /volumes/{}/action(revert)
        cloud.admin volume_extension:volume_admin_actions:reset_status POST /volumes/{}/action(os-reset_status)
        cloud.member volume:retype POST /volumes/{}/action(os-retype)
        cloud.member volume:update_readonly_flag POST /volumes/{}/action(os-update_readonly_flag)
        cloud.admin volume_extension:volume_admin_actions:force_delete POST /volumes/{}/action(os-force_delete)
        cloud.admin volume_extension:volume_actions:upload_public
        cloud.member volume_extension:volume_actions:upload_image POST /volumes/{}/action(os-volume_upload_image)
        cloud.admin volume_extension:volume_admin_actions:force_detach POST /volumes/{}/action(os-force_detach)
        cloud.admin volume_extension:volume_admin_actions:migrate_volume POST /volumes/{}/action(os-migrate_volume)
        cloud.admin volume_extension:volume_admin_actions:migrate_volume_completion
          POST /volumes/{}/action(os-migrate_volume_completion)
        cloud.member volume_extension:volume_actions:initialize_connection
          POST /volumes/{}/action(os-initialize_connection)
        cloud.member volume_extension:volume_actions:terminate_connection
          POST /volumes/{}/action(os-terminate_connection)
        cloud.member volume_extension:volume_actions:roll_detaching POST /volumes/{}/action(os-roll_detaching)
        cloud.member volume_extension:volume_actions:reserve POST /volumes/{}/action(os-reserve)
        cloud.member volume_extension:volume_actions:unreserve POST /volumes/{}/action(os-unreserve)
        cloud.member volume_extension:volume_actions:begin_detaching POST /volumes/{}/action(os-begin_detaching)
        cloud.member volume_extension:volume_actions:attach POST /volumes/{}/action(os-attach)
        cloud.member volume_extension:volume_actions:detach POST /volumes/{}/action(os-detach)
        cloud.member volume:reimage POST /volumes/{}/action(os-reimage)
        cloud.member volume:reimage_reserved
        cloud.reader volume:get_all_transfers GET /os-volume-transfer /os-volume-transfer/detail /volume_transfers
          GET /volume-transfers/detail
        cloud.member volume:create_transfer POST /os-volume-transfer /volume_transfers
        cloud.reader volume:get_transfer GET /os-volume-transfer/{} /volume-transfers/{}
        cloud.member volume:accept_transfer POST /os-volume-transfer/{}/accept /volume-transfers/{}/accept
        cloud.member volume:delete_transfer DELETE /os-volume-transfer/{} /volume-transfers/{}
        cloud.reader volume:get_volume_metadata GET /volumes/{}/metadata /volumes/{}/metadata/{}
          POST /volumes/{}/action(os-show_image_metadata)
        cloud.member volume:create_volume_metadata POST /volumes/{}/metadata
        cloud.member volume:update_volume_metadata PUT /volumes/{}/metadata /volumes/{}/metadata/{}
        cloud.member volume:delete_volume_metadata DELETE /volumes/{}/metadata/{}
        cloud.reader volume_extension:volume_image_metadata:show
        cloud.member volume_extension:volume_image_metadata:set POST /volumes/{}/action(os-set_image_metadata)
        cloud.member volume_extension:volume_image_metadata:remove POST /volumes/{}/action(os-unset_image_metadata)
        cloud.admin volume:update_volume_admin_metadata
        cloud.reader volume_extension:types_extra_specs:index GET /types/{}/extra_specs
        cloud.admin volume_extension:types_extra_specs:create POST /types/{}/extra_specs
        cloud.reader volume_extension:types_extra_specs:show GET /types/{}/extra_specs/{}
        cloud.admin volume_extension:types_extra_specs:read_sensitive
        cloud.admin volume_extension:types_extra_specs:update PUT /types/{}/extra_specs/{}
        cloud.admin volume_extension:types_extra_specs:delete DELETE /types/{}/extra_specs/{}
        cloud.member volume:create POST /volumes
        cloud.member volume:create_from_image
        cloud.reader volume:get GET /volumes/{}
        cloud.reader volume:get_all GET /volumes /volumes/detail /volumes/summary
        cloud.member volume:update PUT /volumes POST /volumes/{}/action(os-set_bootable)
        cloud.member volume:delete DELETE /volumes/{}
        cloud.admin volume:force_delete
        cloud.admin volume_extension:volume_host_attribute
        cloud.reader volume_extension:volume_tenant_attribute
        cloud.admin volume_extension:volume_mig_status_attribute
        cloud.reader volume_extension:volume_encryption_metadata GET /volumes/{}/encryption
          GET /volumes/{}/encryption/{}
        cloud.member volume:multiattach
        cloud.admin volume_extension:default_set_or_update PUT /default-types
        cloud.admin volume_extension:default_get GET /default-types/{}
        cloud.admin volume_extension:default_get_all GET /default-types
        cloud.admin volume_extension:default_unset DELETE /default-types/{}
        """

    /// What has no rule there, or none that names its path: who gets through all the same.
    static let blockStorageUnruled = """
        cloud.admin - POST /backups/import_record GET /backups/{}/export_record
        cloud.reader - GET /os-quota-sets/{}/defaults
        token - GET /resource_filters /extensions /extensions/{} /os-availability-zone /limits /group_types
        cloud.reader - GET /attachments /attachments/detail /attachments/{}
        cloud.member - POST /groups/action(create-from-src)
        cloud.admin - PUT /os-services/enable /os-services/disable /os-services/disable-log-reason
        cloud.admin - PUT /os-services/failover /os-services/get-log /os-services/set-log /clusters/enable
        cloud.admin - PUT /clusters/disable /default-types/{} GET /os-volume-manage
        cloud.admin - GET /os-volume-manage/detail POST /os-volume-manage GET /os-snapshot-manage
        cloud.admin - GET /os-snapshot-manage/detail POST /os-snapshot-manage
        cloud.reader - GET /volume-transfers
        cloud.member - POST /volume-transfers
        cloud.admin - GET /group_types/{}
        cloud.member - POST /snapshots/{}/action(os-update_snapshot_status) PUT /volumes/{}
        cloud.member - PUT /snapshots/{}/metadata
        cloud.admin - PUT /types/{} DELETE /types/{}
        cloud.member - POST /volumes/{}/action(os-set_bootable)
        """
}
