// SPDX-License-Identifier: Apache-2.0

/// Every table of Block Storage, by what it holds.
package struct BlockStorageStores: Sendable {
    package let volumes = VolumeStore()
    package let snapshots = VolumeSnapshotStore()
    package let attachments = VolumeAttachmentStore()
    package let backends = VolumeBackendStore()
    package let locks = VolumeLockStore()
    package let keys = VolumeKeyStore()
    package let types = VolumeTypeStore()
    package let qosSpecs = QoSSpecsStore()
    package let groupTypes = GroupTypeStore()
    package let groups = VolumeGroupStore()
    package let groupSnapshots = GroupSnapshotStore()
    package let backups = VolumeBackupStore()
    package let transfers = VolumeTransferStore()
    package let messages = VolumeMessageStore()
    package init() {}
}
