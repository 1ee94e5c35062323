// SPDX-License-Identifier: Apache-2.0
import BlockStorageDriverKit
import ConfigKit
import LinuxKit

/// Volumes as images of a Ceph cluster.
package struct RBDVolumeConfig: VolumeDriverConfig {
    package static let section = "volume-ceph"
    package static let title = "Volumes in Ceph"

    @ConfigOption("Says where the cluster is.", length: 1...512)
    package var configurationFile = "/etc/ceph/ceph.conf"
    @ConfigOption("The cluster's user: cinder for client.cinder.", length: 1...128)
    package var user = "cinder"
    @ConfigOption("The pool.", length: 1...128)
    package var pool = "volumes"
    @ConfigOption("What volume types call this backend (volume_backend_name).", length: 1...255)
    package var backendName = "ceph"
    @ConfigOption("How many volumes may be made from one another before the last is made independent.", range: 1...16)
    package var maximumCloneDepth = 5
    @ConfigOption("How long the cluster may take to answer at the start.", range: .seconds(1)...(.seconds(300)))
    package var connectTimeout = Duration.seconds(15)
    @ConfigOption("Copies between volumes, images and backups that run at once.", range: 1...64)
    package var parallelCopies = 2
    @ConfigOption("What each copy may read in a second, in MiB; 0 for no limit.", range: 0...1_000_000)
    package var copyLimitMiB = 0

    // MARK: No options: what the composition root knows of the host

    /// `host@backend`.
    package var address = ""
    package var stateDirectory = ""
    /// Where the cluster is reached. Nil: where this process is.
    package var namespace: NetworkNamespace?

    package init() {}

    package init(address: String, stateDirectory: String) {
        self.address = address
        self.stateDirectory = stateDirectory
    }

    var scratchDirectory: String { "\(stateDirectory)/volumes-ceph" }
}
