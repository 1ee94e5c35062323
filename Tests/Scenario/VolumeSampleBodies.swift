// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Good bodies for Block Storage, and for Compute's side of it.
extension SampleBodies {
    private static let root = "/volume/v3"
    private static let connector: JSON = [
        "host": "outside", "ip": "10.0.0.5", "initiator": "iqn.1993-08.org.debian:01:a", "multipath": false,
    ]
    private static func sample(_ estate: Estate, _ name: String) -> JSON { .string(estate["/volume {\(name)}"]) }

    // MARK: Volumes, snapshots, attachments

    static func volumes(_ estate: Estate, _ bodies: inout [String: JSON]) {
        func volume(_ purpose: String) -> JSON { .string(estate.volume(purpose)) }
        let one = root + "/volumes/{volume_id}"
        bodies["POST \(root)/volumes"] = [
            "volume": [
                "name": "new", "description": "d", "size": 1, "volume_type": "__DEFAULT__", "availability_zone": "nova",
                "metadata": ["k": "v"], "snapshot_id": sample(estate, "snapshot_id"), "multiattach": false,
            ],
            "OS-SCH-HNT:scheduler_hints": ["same_host": [volume("volume")]],
        ]
        bodies["PUT \(one)"] = ["volume": ["name": "alpha-volume", "description": "alpha", "metadata": ["alpha": "alpha"]]]
        bodies["POST \(one)/action"] = ["os-set_bootable": ["bootable": true]]
        bodies["POST \(root)/snapshots"] = [
            "snapshot": ["name": "new", "description": "d", "volume_id": volume("volume"), "metadata": ["k": "v"]]
        ]
        bodies["PUT \(root)/snapshots/{snapshot_id}"] = ["snapshot": ["name": "alpha-snapshot", "description": "alpha"]]
        bodies["POST \(root)/snapshots/{snapshot_id}/action"] = ["os-reset_status": ["status": "available"]]
        for object in [one, root + "/snapshots/{snapshot_id}"] {
            bodies["POST \(object)/metadata"] = ["metadata": ["alpha": "alpha"]]
            bodies["PUT \(object)/metadata"] = ["metadata": ["alpha": "alpha"]]
            bodies["PUT \(object)/metadata/{key}"] = ["meta": ["alpha": "alpha"]]
        }
        bodies["POST \(root)/attachments"] = [
            "attachment": ["volume_uuid": volume("free"), "connector": connector, "mode": "rw"]
        ]
        bodies["PUT \(root)/attachments/{attachment_id}"] = ["attachment": ["connector": connector]]
        bodies["POST \(root)/attachments/{attachment_id}/action"] = ["os-complete": [:]]
        for (path, name) in [("os-volume-manage", "foreign"), ("manageable_volumes", "strange")] {
            bodies["POST \(root)/\(path)"] = [
                "volume": [
                    "host": .string(TestCloud.backend + "#fake"), "ref": ["source-name": .string(name)], "name": "new",
                    "description": "d", "volume_type": "__DEFAULT__", "availability_zone": "nova", "bootable": false,
                    "metadata": ["k": "v"],
                ]
            ]
        }
        for path in ["os-snapshot-manage", "manageable_snapshots"] {
            bodies["POST \(root)/\(path)"] = [
                "snapshot": ["volume_id": volume("volume"), "ref": ["source-name": "none"], "name": "new"]
            ]
        }
        let attachments = "/compute/v2.1/servers/{server_id}/os-volume_attachments"
        bodies["POST \(attachments)"] = [
            "volumeAttachment": ["volumeId": volume("next"), "device": "/dev/vdz", "tag": "t", "delete_on_termination": false]
        ]
        bodies["PUT \(attachments)/{volume_id}"] = [
            "volumeAttachment": ["volumeId": volume("data"), "delete_on_termination": true]
        ]
    }

    // MARK: Groups, transfers, backups

    static func volumeParts(_ estate: Estate, _ bodies: inout [String: JSON]) {
        func other(_ name: String) -> JSON { .string(estate.others[name] ?? "") }
        bodies["POST \(root)/groups"] = [
            "group": [
                "name": "new", "description": "d", "group_type": other("group type"), "volume_types": ["__DEFAULT__"],
                "availability_zone": "nova",
            ]
        ]
        bodies["POST \(root)/groups/action"] = [
            "create-from-src": ["name": "new", "description": "d", "group_snapshot_id": sample(estate, "group_snapshot_id")]
        ]
        bodies["PUT \(root)/groups/{group_id}"] = [
            "group": ["name": "alpha-group", "description": "alpha", "add_volumes": other("volume joining")]
        ]
        bodies["POST \(root)/groups/{group_id}/action"] = ["reset_status": ["status": "available"]]
        bodies["POST \(root)/group_snapshots"] = [
            "group_snapshot": ["name": "new", "description": "d", "group_id": sample(estate, "group_id")]
        ]
        bodies["POST \(root)/group_snapshots/{group_snapshot_id}/action"] = ["reset_status": ["status": "available"]]
        for (path, purpose) in [("os-volume-transfer", "giving"), ("volume-transfers", "handing")] {
            var transfer: [String: JSON] = ["volume_id": other("volume \(purpose)"), "name": "new"]
            if path == "volume-transfers" { transfer["no_snapshots"] = true }
            bodies["POST \(root)/\(path)"] = ["transfer": .object(transfer)]
            bodies["POST \(root)/\(path)/{transfer_id}/accept"] = ["accept": ["auth_key": other("key \(path)")]]
        }
        bodies["POST \(root)/backups"] = [
            "backup": [
                "volume_id": other("volume kept"), "name": "new", "description": "d", "container": "c", "incremental": true,
                "force": false, "metadata": ["k": "v"], "availability_zone": "nova",
            ]
        ]
        bodies["PUT \(root)/backups/{backup_id}"] = [
            "backup": ["name": "alpha-backup", "description": "alpha", "metadata": ["alpha": "alpha"]]
        ]
        bodies["POST \(root)/backups/{backup_id}/restore"] = ["restore": ["name": "new"]]
        bodies["POST \(root)/backups/{backup_id}/action"] = ["os-reset_status": ["status": "available"]]
        bodies["POST \(root)/backups/import_record"] = [
            "backup-record": ["backup_service": other("backup service"), "backup_url": other("backup url")]
        ]
    }

    // MARK: For administrators

    static func volumeAdministration(_ estate: Estate, _ bodies: inout [String: JSON]) {
        let (type, kind, qos) = ("\(root)/types/{type_id}", "\(root)/group_types/{group_type_id}", "\(root)/qos-specs/{qos_id}")
        bodies["POST \(root)/types"] = [
            "volume_type": [
                "name": "new", "description": "d", "os-volume-type-access:is_public": true, "extra_specs": ["k": "v"],
            ]
        ]
        bodies["PUT \(type)"] = ["volume_type": ["name": "alpha-type", "description": "alpha", "is_public": false]]
        bodies["POST \(type)/extra_specs"] = ["extra_specs": ["k": "v"]]
        bodies["PUT \(type)/extra_specs/{key}"] = ["RESKEY:availability_zones": "nova"]
        bodies["POST \(type)/action"] = ["addProjectAccess": ["project": .string(estate.others["project"] ?? "")]]
        let encryption: JSON = [
            "encryption": ["provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256, "control_location": "front-end"]
        ]
        bodies["POST \(type)/encryption"] = encryption
        bodies["PUT \(type)/encryption/{key}"] = encryption
        bodies["PUT \(root)/default-types/{default_project}"] = ["default_type": ["volume_type": "__DEFAULT__"]]
        bodies["POST \(root)/qos-specs"] = ["qos_specs": ["name": "new", "consumer": "back-end", "k": "v"]]
        bodies["PUT \(qos)"] = ["qos_specs": ["alpha": "1", "total_iops_sec": "5"]]
        bodies["PUT \(qos)/delete_keys"] = ["keys": ["alpha"]]
        bodies["POST \(root)/group_types"] = [
            "group_type": ["name": "new", "description": "d", "is_public": true, "group_specs": ["k": "v"]]
        ]
        bodies["PUT \(kind)"] = ["group_type": ["name": "alpha-kind", "description": "alpha", "is_public": false]]
        bodies["POST \(kind)/group_specs"] = ["group_specs": ["k": "v"]]
        bodies["PUT \(kind)/group_specs/{key}"] = ["alpha": "alpha"]
        bodies["PUT \(root)/os-quota-sets/{quota_project}"] = ["quota_set": ["volumes": 60, "gigabytes": "200"]]
        bodies["PUT \(root)/os-quota-class-sets/{quota_class}"] = ["quota_class_set": ["volumes": 10]]
        let spare = JSON.string(TestCloud.spareBackend)
        let service: [String: JSON] = ["host": spare, "binary": "cinder-volume"]
        for verb in ["enable", "disable"] { bodies["PUT \(root)/os-services/\(verb)"] = .object(service) }
        bodies["PUT \(root)/os-services/disable-log-reason"] = .object(service.merging(["disabled_reason": "d"]) { $1 })
        for verb in ["freeze", "thaw"] { bodies["PUT \(root)/os-services/\(verb)"] = ["host": spare] }
        for verb in ["failover", "failover_host"] {
            bodies["PUT \(root)/os-services/\(verb)"] = ["host": spare, "backend_id": "none"]
        }
        let log: [String: JSON] = ["binary": "*", "server": "", "prefix": "cinder"]
        bodies["PUT \(root)/os-services/get-log"] = .object(log)
        bodies["PUT \(root)/os-services/set-log"] = .object(log.merging(["level": "INFO"]) { $1 })
        bodies["PUT \(root)/os-hosts/{host}"] = ["status": "enable"]
        for verb in ["enable", "disable"] { bodies["PUT \(root)/clusters/\(verb)"] = ["name": "none", "binary": "cinder-volume"] }
        bodies["POST \(root)/workers/cleanup"] = [
            "cluster_name": "none", "host": spare, "binary": "cinder-volume", "is_up": true, "disabled": false,
            "resource_id": .string(estate.volume("volume")), "resource_type": "Volume", "service_id": 1,
        ]
    }

    // MARK: What one route is asked in several ways

    static func actions(_ estate: Estate) -> [String: [JSON]] {
        func volume(_ purpose: String) -> JSON { .string(estate.volume(purpose)) }
        func other(_ name: String) -> JSON { .string(estate.others[name] ?? "") }
        let image = JSON.string(estate["/image {id}"])
        let snapshot = sample(estate, "snapshot_id")
        func server(_ device: JSON) -> JSON {
            [
                "server": [
                    "name": "new", "flavorRef": .string(estate["/compute {flavor_id}"]),
                    "networks": [["uuid": .string(estate["/network/v2.0/networks/{id}"])]],
                    "block_device_mapping_v2": [device],
                ]
            ]
        }
        return [
            "POST \(root)/volumes": [
                ["volume": ["name": "new", "size": 1, "imageRef": image]],
                ["volume": ["name": "new", "size": 1, "source_volid": volume("volume")]],
                ["volume": ["name": "new", "size": 1, "backup_id": sample(estate, "backup_id")]],
                ["volume": ["name": "new", "size": 1, "group_id": sample(estate, "group_id"), "volume_type": "__DEFAULT__"]],
                ["volume": ["name": "new", "size": 1, "volume_type": other("type used")]],
            ],
            "POST \(root)/volumes/{volume_id}/action": volumeActions(estate),
            "POST \(root)/snapshots/{snapshot_id}/action": [
                ["os-update_snapshot_status": ["status": "available", "progress": "80%"]], ["os-unmanage": .null],
                ["os-force_delete": [:]],
            ],
            "POST \(root)/attachments": [
                [
                    "attachment": [
                        "volume_uuid": volume("free"), "instance_uuid": .string(estate["/compute {server_id}"]),
                    ]
                ]
            ],
            "POST \(root)/types/{type_id}/action": [["removeProjectAccess": ["project": other("project")]]],
            "POST \(root)/groups": [
                [
                    "group": [
                        "name": "new", "group_type": other("group type"), "volume_types": [other("type used")],
                    ]
                ]
            ],
            "POST \(root)/groups/action": [
                ["create-from-src": ["name": "new", "source_group_id": sample(estate, "group_id")]]
            ],
            "POST \(root)/groups/{group_id}/action": [
                ["enable_replication": [:]], ["disable_replication": [:]],
                ["failover_replication": ["allow_attached_volume": true, "secondary_backend_id": "none"]],
                ["list_replication_targets": [:]], ["delete": ["delete-volumes": true]],
            ],
            "POST \(root)/backups/{backup_id}/restore": [
                ["restore": ["volume_id": volume("next"), "name": "new"]]
            ],
            "POST \(root)/backups/{backup_id}/action": [["os-force_delete": [:]]],
            "POST /compute/v2.1/servers/{server_id}/action": [
                ["createImage": ["name": "new", "metadata": ["k": "v"]]],
                // To nothing that is there, so that the server stays what it is.
                ["resize": ["flavorRef": "nonsense", "OS-DCF:diskConfig": "AUTO"]], ["migrate": ["host": "nonsense"]],
                ["os-migrateLive": ["host": "nonsense", "block_migration": "auto"]], ["evacuate": ["host": "nonsense"]],
            ],
            "POST /compute/v2.1/servers": [
                server([
                    "boot_index": 0, "source_type": "volume", "destination_type": "volume", "uuid": volume("volume"),
                    "delete_on_termination": false, "disk_bus": "virtio", "device_type": "disk", "tag": "t",
                ]),
                server([
                    "boot_index": 0, "source_type": "snapshot", "destination_type": "volume", "uuid": snapshot,
                    "volume_size": 1, "volume_type": "__DEFAULT__", "delete_on_termination": true,
                ]),
                server([
                    "boot_index": 0, "source_type": "image", "destination_type": "volume", "uuid": image,
                    "volume_size": 1, "delete_on_termination": true,
                ]),
            ],
        ]
    }

    private static func volumeActions(_ estate: Estate) -> [JSON] {
        [
            ["os-set_image_metadata": ["metadata": ["k": "v"]]], ["os-show_image_metadata": .null],
            ["os-unset_image_metadata": ["key": "k"]], ["os-update_readonly_flag": ["readonly": false]],
            ["os-reset_status": ["status": "available", "attach_status": "detached", "migration_status": "none"]],
            ["os-extend": ["new_size": 2]], ["os-reserve": .null], ["os-unreserve": .null],
            ["os-initialize_connection": ["connector": connector]],
            ["os-attach": ["instance_uuid": .string(estate["/compute {server_id}"]), "mountpoint": "/dev/vdc", "mode": "rw"]],
            ["os-attach": ["host_name": "outside", "mountpoint": "/dev/vdc", "mode": "ro"]],
            ["os-begin_detaching": .null], ["os-roll_detaching": .null],
            ["os-terminate_connection": ["connector": connector]],
            ["os-detach": ["attachment_id": .string(estate["/volume {attachment_id}"])]], ["os-detach": [:]],
            ["os-force_detach": ["attachment_id": .string(estate["/volume {attachment_id}"]), "connector": connector]],
            [
                "os-volume_upload_image": [
                    "image_name": "new", "disk_format": "raw", "container_format": "bare", "visibility": "private",
                    "protected": false, "force": false,
                ]
            ],
            ["os-retype": ["new_type": "__DEFAULT__", "migration_policy": "never"]],
            ["os-reimage": ["image_id": .string(estate["/image {id}"]), "reimage_reserved": false]],
            ["revert": ["snapshot_id": sample(estate, "snapshot_id")]],
            ["os-migrate_volume": ["host": .string(TestCloud.backend + "#fake"), "force_host_copy": false, "lock_volume": false]],
            ["os-migrate_volume_completion": ["new_volume": .string(estate.volume("free")), "error": false]],
            ["os-extend_volume_completion": ["error": false]], ["os-unmanage": [:]], ["os-force_delete": [:]],
        ]
    }
}
