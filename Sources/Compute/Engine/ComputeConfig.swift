// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ConfigKit
import QuotaKit

/// The options of Compute, with upstream's defaults.
package struct ComputeConfig: ConfigSection {
    package static let section = "compute"
    package static let title = "Compute"

    @ConfigOption("Most objects on one page of a list.", range: 1...10_000)
    package var maximumPage = 1000
    @ConfigOption("The zone of hosts that no aggregate puts into another.", length: 1...255)
    package var defaultZone = "nova"
    @ConfigOption("The domain of guests' names in their metadata.", length: 0...255)
    package var dhcpDomain = "novalocal"
    @ConfigOption(
        "A host that is silent for so long counts as down.", range: (HostReport.interval * 2)...(.seconds(3600)))
    package var hostTimeout = HostReport.interval * 6
    @ConfigOption("How long a host may take to build a guest.", range: .seconds(10)...(.seconds(86_400)))
    package var buildTimeout = Duration.seconds(900)
    @ConfigOption(
        "How long a guest's ports may take to come up; 0s: nobody waits for them.", range: .zero...(.seconds(3600)))
    package var portUpTimeout = Duration.seconds(300)
    @ConfigOption(
        "How long a host may take for a power action, beyond the guest's own grace.",
        range: .seconds(5)...(.seconds(3600)))
    package var powerTimeout = Duration.seconds(120)
    @ConfigOption(
        "How long the volumes of a new server may take to be made.", range: .seconds(5)...(.seconds(86_400)))
    package var volumeTimeout = Duration.seconds(1200)
    @ConfigOption(
        "How long a host may take to copy the disk of a server for an image.", range: .seconds(10)...(.seconds(86_400)))
    package var imageTimeout = Duration.seconds(3600)
    @ConfigOption("How long a guest may take to let a volume go.", range: .seconds(5)...(.seconds(3600)))
    package var detachTimeout = Duration.seconds(180)
    @ConfigOption("How long a guest may take to power off by itself.", range: .zero...(.seconds(3600)))
    package var shutdownGrace = Duration.seconds(60)
    @ConfigOption(
        "Resized servers are confirmed by themselves when their owners have not said anything for so long; 0s: never.",
        range: .zero...(.seconds(30 * 86_400)))
    package var resizeConfirmWindow = Duration.zero
    @ConfigOption(
        "How long a host may take to make a guest anew with another flavor.", range: .seconds(10)...(.seconds(86_400)))
    package var resizeTimeout = Duration.seconds(1800)
    @ConfigOption(
        "How long the console of a server may be opened with one token.", range: .seconds(10)...(.seconds(86_400)))
    package var consoleTokenLife = Duration.seconds(600)
    @ConfigOption("Virtual CPUs that a host gives for each that it has.", range: 0.1...1000)
    package var cpuAllocationRatio = 4.0
    @ConfigOption("Memory that a host gives for each MiB that it has.", range: 0.1...1000)
    package var memoryAllocationRatio = 1.0
    @ConfigOption("Disk that a host gives for each GiB that it has.", range: 0.1...1000)
    package var diskAllocationRatio = 1.0
    @ConfigOption("Memory that a host keeps for itself.", range: 0...(1 << 30))
    package var reservedMemoryMiB = 512
    @ConfigOption("Disk that a host keeps for itself.", range: 0...(1 << 30))
    package var reservedDiskGiB = 0
    @ConfigOption("Whether every server gets a config drive, asked for or not.")
    package var forcesConfigDrive = false
    @ConfigOption(
        "Guests that no server owns are removed when they have been seen for so long.",
        range: .seconds(30)...(.seconds(86_400)))
    package var orphanGrace = Duration.seconds(120)
    @ConfigOption("How long ended servers are remembered.", range: .seconds(3600)...(.seconds(3650 * 86_400)))
    package var deletedRetention = Duration.seconds(30 * 86_400)
    @ConfigOption(
        "How long a deleted server can be restored; 0s: not at all.", range: .zero...(.seconds(365 * 86_400)))
    package var reclaimInterval = Duration.zero
    @ConfigOption("Whether shelved servers leave their hosts by themselves.")
    package var offloadsShelved = true
    @ConfigOption(
        "How long a shelved server stays on its host, if it leaves by itself.",
        range: .zero...(.seconds(365 * 86_400)))
    package var shelvedOffloadDelay = Duration.zero
    @ConfigOption("Hosts that are tried for one server.", range: 1...100)
    package var placementAttempts = 3
    @ConfigOption(
        "Whether the scheduler hint `query` counts: its answers tell users how large hosts are.")
    package var allowsHostQueries = false
    package var quota = ComputeQuotas()

    package init() {}
}

/// What a project without a quota of its own may have; -1 is unlimited.
package struct ComputeQuotas: ConfigGroup {
    private static let range = -1...Int(Int32.max)

    @ConfigOption("Servers of a project; -1: no limit.", range: range) package var instances = 10
    @ConfigOption("Virtual CPUs of a project; -1: no limit.", range: range) package var cores = 20
    @ConfigOption("Memory of a project in MiB; -1: no limit.", range: range) package var ram = 51_200
    @ConfigOption("Metadata items of a server; -1: no limit.", range: range) package var metadataItems = 128
    @ConfigOption("Files put into a server; -1: no limit.", range: range) package var injectedFiles = 5
    @ConfigOption("Bytes of a file put into a server; -1: no limit.", range: range)
    package var injectedFileContentBytes = 10_240
    @ConfigOption("Bytes of the path of a file put into a server; -1: no limit.", range: range)
    package var injectedFilePathBytes = 255
    @ConfigOption("Key pairs of a user; -1: no limit.", range: range) package var keyPairs = 100
    @ConfigOption("Server groups of a project; -1: no limit.", range: range) package var serverGroups = 10
    @ConfigOption("Servers of a server group; -1: no limit.", range: range) package var serverGroupMembers = 10

    package init() {}

    /// Of networks that Compute once had: kept and shown to old clients, never enforced.
    package static let networkResources = ["fixed_ips", "floating_ips", "security_group_rules", "security_groups"]

    /// By the API's names.
    package var limits: [String: Int] {
        let enforced = [
            "instances": instances, "cores": cores, "ram": ram, "metadata_items": metadataItems,
            "injected_files": injectedFiles, "injected_file_content_bytes": injectedFileContentBytes,
            "injected_file_path_bytes": injectedFilePathBytes, "key_pairs": keyPairs, "server_groups": serverGroups,
            "server_group_members": serverGroupMembers,
        ]
        return Self.networkResources.reduce(into: enforced) { $0[$1] = QuotaEngine.unlimited }
    }
}
