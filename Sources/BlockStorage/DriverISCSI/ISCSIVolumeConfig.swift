// SPDX-License-Identifier: Apache-2.0
import BlockStorageDriverKit
import ConfigKit

/// Volumes that hosts reach over iSCSI.
package struct ISCSIVolumeConfig: VolumeDriverConfig {
    package static let section = "volume-iscsi"
    package static let title = "Volumes over iSCSI"

    package enum Store: String, CaseIterable, ConfigValue {
        /// Thin logical volumes of a volume group.
        case lvm
        /// Raw sparse files, where the kernel has no device mapper. Snapshots are copies, unless the file system
        /// shares extents.
        case files
    }

    package enum Target: String, CaseIterable, ConfigValue {
        /// tgtd, in user space.
        case tgt
        /// The kernel's own target.
        case lio
    }

    @ConfigOption("Where volumes are kept.")
    package var store = Store.lvm
    @ConfigOption("What exports them.")
    package var target = Target.tgt
    @ConfigOption("The volume group.", length: 1...127)
    package var volumeGroup = "haneul-volumes"
    @ConfigOption("The thin pool in it; made of the group's free space when there is none.", length: 1...100)
    package var thinPool = "haneul-pool"
    @ConfigOption("The folder of the files; when unset, 'volumes-iscsi' in the state folder.")
    package var directory: String?
    @ConfigOption("Where hosts reach the target, as address:port; when unset, this host's address and 3260.")
    package var portal: String?
    @ConfigOption("What names of targets begin with.", length: 4...160)
    package var namePrefix = "iqn.2010-10.org.openstack:"
    @ConfigOption("The socket that tgtd is controlled by.", length: 1...100)
    package var controlSocket = "/var/run/tgtd/socket.0"
    @ConfigOption("Whether tgtd is started when it does not run.")
    package var startsDaemon = true
    @ConfigOption("What volume types call this backend (volume_backend_name).", length: 1...255)
    package var backendName = "iscsi"
    @ConfigOption("Copies between volumes, images and backups that run at once.", range: 1...64)
    package var parallelCopies = 2
    @ConfigOption("What each copy may read in a second, in MiB; 0 for no limit.", range: 0...1_000_000)
    package var copyLimitMiB = 0

    // MARK: No options: what the composition root knows of the host

    /// `host@backend`.
    package var address = ""
    package var stateDirectory = ""
    package var hostAddress = "127.0.0.1"

    package init() {}

    package init(address: String, stateDirectory: String, hostAddress: String) {
        self.address = address
        self.stateDirectory = stateDirectory
        self.hostAddress = hostAddress
    }

    var filesDirectory: String { directory ?? "\(stateDirectory)/volumes-iscsi" }
    var exportsDirectory: String { "\(stateDirectory)/iscsi-exports" }
    var portalAddress: String {
        portal ?? (hostAddress.contains(":") ? "[\(hostAddress)]:3260" : "\(hostAddress):3260")
    }
}
