// SPDX-License-Identifier: Apache-2.0
import BlockStorageDriverFiles
import BlockStorageDriverKit
import ConfigKit

/// Volumes as files on a share of an NFS server.
package struct NFSVolumeConfig: VolumeDriverConfig {
    package static let section = "volume-nfs"
    package static let title = "Volumes on NFS"

    @ConfigOption("The share: nfs-server:/export.")
    package var share: String?
    @ConfigOption(
        "Mount options, for this host and for those that attach volumes. Version 4.2 copies on the server and keeps "
            + "files sparse.", length: 0...1024)
    package var mountOptions = "vers=4.2,hard"
    @ConfigOption(
        "Where hosts mount the share; when unset, 'volumes-nfs' in the state folder. The same path on every host.")
    package var mountPoint: String?
    @ConfigOption("What volume types call this backend (volume_backend_name).", length: 1...255)
    package var backendName = "nfs"
    @ConfigOption("Copies between volumes, images and backups that run at once.", range: 1...64)
    package var parallelCopies = 2
    @ConfigOption("What each copy may read in a second, in MiB; 0 for no limit.", range: 0...1_000_000)
    package var copyLimitMiB = 0
    @ConfigOption("Layers that a volume may rest on before it is copied, or a snapshot refused.", range: 4...200)
    package var maximumLayers = 64

    // MARK: No options: what the composition root knows of the host

    /// `host@backend`.
    package var address = ""
    package var stateDirectory = ""

    package init() {}

    package init(address: String, stateDirectory: String) {
        self.address = address
        self.stateDirectory = stateDirectory
    }

    var mountDirectory: String { mountPoint ?? "\(stateDirectory)/volumes-nfs" }

    var files: FilesVolumeConfig {
        var files = FilesVolumeConfig(address: address, stateDirectory: stateDirectory)
        files.directory = mountDirectory
        files.backendName = backendName
        files.parallelCopies = parallelCopies
        files.copyLimitMiB = copyLimitMiB
        files.maximumLayers = maximumLayers
        return files
    }
}
