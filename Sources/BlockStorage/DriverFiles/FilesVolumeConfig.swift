// SPDX-License-Identifier: Apache-2.0
import BlockStorageDriverKit
import ConfigKit

/// Volumes as files in a folder.
package struct FilesVolumeConfig: VolumeDriverConfig {
    package static let section = "volume-files"
    package static let title = "Volumes in files"

    @ConfigOption("The folder of the volumes; when unset, 'volumes' in the state folder.")
    package var directory: String?
    @ConfigOption("What volume types call this backend (volume_backend_name).", length: 1...255)
    package var backendName = "files"
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

    var layersDirectory: String { directory ?? "\(stateDirectory)/volumes" }
}
