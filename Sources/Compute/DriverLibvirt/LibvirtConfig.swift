// SPDX-License-Identifier: Apache-2.0
import ConfigKit

/// How guests run on this host.
package struct LibvirtConfig: ConfigSection {
    package static let section = "libvirt"
    package static let title = "Libvirt: how guests run on this host"

    /// What executes the guests' instructions.
    package enum Virtualization: String, CaseIterable, ConfigValue {
        case kvm
        /// QEMU's translator: slow, runs everywhere.
        case qemu
    }

    package enum DiskCache: String, CaseIterable, ConfigValue {
        /// Past the host's page cache: what a guest has flushed is on the disk, and memory is not used twice.
        case none
        /// Through the host's page cache; a guest's flushes are still obeyed.
        case writeback
    }

    @ConfigOption("Where libvirt answers.", length: 1...512)
    package var uri = "qemu:///system"
    @ConfigOption("What executes the guests' instructions; when unset, found by really starting a guest.")
    package var virtualization: Virtualization?
    @ConfigOption("The CPU that guests see where they are emulated. Under KVM they see the host's.", length: 1...64)
    package var emulatedCPUModel = "Nehalem"
    @ConfigOption("What QEMU's translator may use for each guest, in MiB.", range: 1...4096)
    package var translationCacheMiB = 64
    @ConfigOption("The program that runs a guest.", length: 1...512)
    package var emulator = "/usr/bin/qemu-system-x86_64"
    @ConfigOption(
        "How guests' disks use the host's memory. 'none' becomes 'writeback' where the file system has no direct I/O.")
    package var diskCache = DiskCache.none
    @ConfigOption(
        "A console log is cut to its last part when it has grown to this many bytes.", range: 65_536...(1 << 30))
    package var consoleLogLimitBytes = 1 << 20
    @ConfigOption(
        "How long an unused base image stays in the cache.", range: .seconds(60)...(.seconds(365 * 86_400)))
    package var unusedBaseImageLifetime = Duration.seconds(24 * 3600)
    @ConfigOption("Holds the consoles' sockets; may vanish with a reboot.", length: 1...60)
    package var runtimeDirectory = "/run/haneul/consoles"

    // MARK: No options: what the composition root knows of the host

    /// Holds `instances/{server id}/` and `instances/_base/`.
    package var stateDirectory = ""
    /// This host's name in placement, scheduler and port bindings.
    package var hostname = ""
    package var hostAddress = ""
    /// The bridge that guests' network cards are plugged into; OVN programs it.
    package var integrationBridge = "br-int"
    /// Whether that bridge has Open vSwitch's userspace datapath. It drops packets whose checksum was left to the
    /// device, so guests then compute their own.
    package var usesUserspaceDatapath = false

    package init() {}

    package init(stateDirectory: String, hostname: String, hostAddress: String, usesUserspaceDatapath: Bool) {
        self.stateDirectory = stateDirectory
        self.hostname = hostname
        self.hostAddress = hostAddress
        self.usesUserspaceDatapath = usesUserspaceDatapath
    }

    var instancesDirectory: String { "\(stateDirectory)/instances" }
}
