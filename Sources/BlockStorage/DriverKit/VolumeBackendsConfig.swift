// SPDX-License-Identifier: Apache-2.0
import ConfigKit

/// Which storage this host's volume agent offers.
package struct VolumeBackendsConfig: ConfigSection {
    package static let section = "volume-backends"
    package static let title = "Volume backends: which storage this host offers"

    package enum Backend: String, CaseIterable, ConfigValue {
        /// Files in a folder of this host.
        case files
        /// Logical volumes or plain files of this host, reached over iSCSI.
        case iscsi
        /// Files on a share of an NFS server.
        case nfs
        /// Images of a Ceph cluster.
        case ceph
    }

    @ConfigOption("The backends that this host offers. The first serves volumes whose type names none.")
    package var enabled: [Backend] = [.files]

    package init() {}
}
