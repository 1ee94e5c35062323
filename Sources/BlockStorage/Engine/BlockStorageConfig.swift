// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ConfigKit

/// The options of Block Storage, with upstream's defaults.
package struct BlockStorageConfig: ConfigSection {
    package static let section = "block-storage"
    package static let title = "Block Storage"

    @ConfigOption("Most objects on one page of a list.", range: 1...10_000)
    package var maximumPage = 1000
    @ConfigOption("The zone of backends, and of volumes that ask for none.", length: 1...255)
    package var defaultZone = "nova"
    @ConfigOption("Whether a zone that no backend is in is taken for the default one.")
    package var allowsZoneFallback = false
    @ConfigOption("The name of the type of volumes that ask for none.", length: 1...255)
    package var defaultVolumeType = "__DEFAULT__"
    @ConfigOption(
        "A backend that is silent for so long counts as down.",
        range: (VolumeBackendReport.interval * 2)...(.seconds(3600)))
    package var backendTimeout = VolumeBackendReport.interval * 6
    @ConfigOption("Room that a thin backend promises for each GiB that it has.", range: 1.0...1000.0)
    package var oversubscriptionRatio = 20.0
    @ConfigOption("Room that a backend keeps free, in percent.", range: 0...100)
    package var reservedPercent = 0
    @ConfigOption("How long a backend may take for work that copies no bytes.", range: .seconds(5)...(.seconds(3600)))
    package var commandTimeout = Duration.seconds(120)
    @ConfigOption("How long a backend may take to copy a volume.", range: .seconds(60)...(.seconds(7 * 86_400)))
    package var copyTimeout = Duration.seconds(6 * 3600)
    @ConfigOption(
        "Where images, backups and moved volumes pass through, with room for the largest; when unset, 'scratch' in the "
            + "state folder.")
    package var scratchDirectory: String?
    @ConfigOption(
        "Where the bytes of backups are kept, or the share of them is mounted; when unset, 'backups' in the state "
            + "folder, or 'backups-nfs' with a share.")
    package var backupDirectory: String?
    @ConfigOption("The share that keeps backups, nfs-server:/export; when unset, they are kept on this host.")
    package var backupShare: String?
    @ConfigOption(
        "Mount options of the share of backups. Soft: a backup fails when the server is away, rather than wait for it.",
        length: 0...1024)
    package var backupMountOptions = "vers=4.2,soft"
    @ConfigOption(
        "What no volume needs is removed from a backend when it is older than this.",
        range: .seconds(60)...(.seconds(30 * 86_400)))
    package var sweepAge = Duration.seconds(3600)
    @ConfigOption("How long messages to users are kept.", range: .seconds(60)...(.seconds(3650 * 86_400)))
    package var messageLife = Duration.seconds(30 * 86_400)
    package var quota = BlockStorageQuotaDefaults()

    // MARK: No option: what the composition root knows of the host

    package var stateDirectory = ""

    /// What a run may wait for before it comes to a volume: another's copy.
    var lockWait: Duration { copyTimeout }

    var scratch: String { scratchDirectory ?? "\(stateDirectory)/scratch" }
    var backups: String { backupDirectory ?? "\(stateDirectory)/\(backupShare == nil ? "backups" : "backups-nfs")" }

    func backupStore(_ mounter: any ShareMounter) -> any BackupStore {
        guard let backupShare else { return FileBackupStore(directory: backups) }
        let share = VolumeConnection.Share(source: backupShare, mountPoint: backups, options: backupMountOptions)
        return ShareBackupStore(share, mounter: mounter)
    }

    package init() {}
}

/// What a project without a quota of its own may have; -1 is unlimited.
package struct BlockStorageQuotaDefaults: ConfigGroup {
    private static let range = -1...Int(Int32.max)

    @ConfigOption("Volumes of a project; -1: no limit.", range: range) package var volumes = 10
    @ConfigOption("Snapshots of a project; -1: no limit.", range: range) package var snapshots = 10
    @ConfigOption("GiB of a project's volumes and snapshots; -1: no limit.", range: range)
    package var gigabytes = 1000
    @ConfigOption("GiB of one volume; -1: no limit.", range: range) package var perVolumeGigabytes = -1
    @ConfigOption("Backups of a project; -1: no limit.", range: range) package var backups = 10
    @ConfigOption("GiB of a project's backups; -1: no limit.", range: range) package var backupGigabytes = 1000
    @ConfigOption("Groups of a project; -1: no limit.", range: range) package var groups = 10

    package init() {}

    /// By the API's names.
    package var limits: [String: Int] {
        [
            "volumes": volumes, "snapshots": snapshots, "gigabytes": gigabytes,
            "per_volume_gigabytes": perVolumeGigabytes, "backups": backups, "backup_gigabytes": backupGigabytes,
            "groups": groups,
        ]
    }
}
