// SPDX-License-Identifier: Apache-2.0

/// How guests run on this host.
package struct LibvirtConfig: Sendable {
    /// What executes the guests' instructions.
    package enum Virtualization: String, Sendable {
        case kvm
        /// QEMU's translator: slow, runs everywhere.
        case qemu
    }

    package enum DiskCache: String, Sendable {
        /// Past the host's page cache: what a guest has flushed is on the disk, and memory is not used twice.
        case none
        /// Through the host's page cache; a guest's flushes are still obeyed.
        case writeback
    }

    package var uri = "qemu:///system"
    /// Holds `instances/{server id}/` and `instances/_base/`.
    package var stateDirectory: String
    /// Sockets of consoles; their paths must stay below 108 bytes. May vanish with a reboot.
    package var runtimeDirectory = "/run/haneul/consoles"
    /// This host's name in placement, scheduler and port bindings.
    package var hostname: String
    package var hostAddress: String
    /// The bridge that guests' network cards are plugged into; OVN programs it.
    package var integrationBridge = "br-int"
    /// Whether that bridge has Open vSwitch's userspace datapath. It drops packets whose checksum was left to the
    /// device, so guests then compute their own.
    package var usesUserspaceDatapath: Bool
    /// Nil: found by really starting a guest.
    package var virtualization: Virtualization?
    /// The CPU that guests see under `.qemu`. Under `.kvm` they see the host's.
    package var emulatedCPUModel = "Nehalem"
    /// What QEMU's translator may use per guest for translated code.
    package var translationCacheMiB = 64
    package var emulator = "/usr/bin/qemu-system-x86_64"
    /// Falls back to `.writeback` where the file system has no direct I/O.
    package var diskCache = DiskCache.none
    /// How long a soft reboot waits for the guest before the power is cut.
    package var softRebootGrace = Duration.seconds(60)
    /// A console log is cut to its last part when it has grown to this.
    package var consoleLogLimitBytes = 1 << 20
    /// How long an unused base image stays in the cache.
    package var unusedBaseImageLifetime = Duration.seconds(24 * 3600)

    package init(stateDirectory: String, hostname: String, hostAddress: String, usesUserspaceDatapath: Bool) {
        self.stateDirectory = stateDirectory
        self.hostname = hostname
        self.hostAddress = hostAddress
        self.usesUserspaceDatapath = usesUserspaceDatapath
    }

    var instancesDirectory: String { "\(stateDirectory)/instances" }
}
