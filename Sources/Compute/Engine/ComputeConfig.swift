// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract

/// The options of Compute, with upstream's defaults.
package struct ComputeConfig: Sendable {
    /// Most objects on one page of a list.
    package var maximumPage = 1000
    /// The zone of hosts that no aggregate puts into another.
    package var defaultZone = "nova"
    /// The domain of guests' names in their metadata.
    package var dhcpDomain = "novalocal"
    /// A host that is silent for so long counts as down.
    package var hostTimeout = HostReport.interval * 6
    /// How long a host may take to build a guest.
    package var buildTimeout = Duration.seconds(900)
    /// How long a guest's ports may take to come up. Zero: nobody waits for them.
    package var portUpTimeout = Duration.seconds(300)
    /// How long a host may take for a power action, beyond the guest's own grace.
    package var powerTimeout = Duration.seconds(120)
    /// How long a guest may take to power off by itself.
    package var shutdownGrace = Duration.seconds(60)
    /// How long the console of a server may be opened with one token.
    package var consoleTokenLife = Duration.seconds(600)
    package var cpuAllocationRatio = 4.0
    package var memoryAllocationRatio = 1.0
    package var diskAllocationRatio = 1.0
    /// What the host keeps for itself.
    package var reservedMemoryMiB = 512
    package var reservedDiskGiB = 0
    /// Every server gets a config drive, asked for or not.
    package var forcesConfigDrive = false
    /// Guests that no server owns are removed when they have been seen for so long.
    package var orphanGrace = Duration.seconds(120)
    /// How long ended servers are remembered.
    package var deletedRetention = Duration.seconds(30 * 86_400)
    /// Hosts that are tried for one server.
    package var placementAttempts = 3
    /// Limits of projects that have none of their own.
    package var quotas: [String: Int] = [
        "instances": 10, "cores": 20, "ram": 51_200, "metadata_items": 128, "injected_files": 5,
        "injected_file_content_bytes": 10_240, "injected_file_path_bytes": 255, "key_pairs": 100, "server_groups": 10,
        "server_group_members": 10,
    ]

    package init() {}
}
