// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// What a hypervisor says of a guest: nova's power states.
package enum PowerState: Int, Sendable, Codable {
    case noState = 0
    case running = 1
    case paused = 3
    case shutdown = 4
    case crashed = 6
    case suspended = 7
}

/// What the host is and has, for placement and `os-hypervisors`.
package struct HypervisorInfo: Sendable, Codable, Equatable {
    package var hostname: String
    /// `QEMU`.
    package var type: String
    /// As libvirt encodes it: 1,000,000 × major + 1,000 × minor + release.
    package var version: Int
    /// `kvm` or `qemu` (TCG), found by really starting a guest.
    package var virtualizationType: String
    package var vcpus: Int
    package var memoryMiB: Int
    package var diskGiB: Int
    /// JSON text for `cpu_info`.
    package var cpuInfo: String
    package var hostAddress: String
    /// The iSCSI name that guests' volumes are opened by.
    package var initiator: String?
    /// Those of `HostTraits.own` that the driver and its guests have. Nil: it does not tell.
    package var traits: [String]?
    /// Tasks that run or wait, on average over 1, 5 and 15 minutes (`/proc/loadavg`). Nil: the agent does not tell.
    package var loadAverage: [Double]?

    package init(
        hostname: String, type: String, version: Int, virtualizationType: String, vcpus: Int, memoryMiB: Int,
        diskGiB: Int, cpuInfo: String, hostAddress: String, initiator: String? = nil,
        traits: [String]? = nil
    ) {
        self.hostname = hostname
        self.type = type
        self.version = version
        self.virtualizationType = virtualizationType
        self.vcpus = vcpus
        self.memoryMiB = memoryMiB
        self.diskGiB = diskGiB
        self.cpuInfo = cpuInfo
        self.hostAddress = hostAddress
        self.initiator = initiator
        self.traits = traits
    }
}

/// Where a console listens on its own host. Reached only by the console proxy.
package enum ConsoleEndpoint: Sendable, Codable, Equatable {
    case tcp(host: String, port: Int)
    case unixSocket(path: String)
}

package enum ConsoleKind: String, Sendable, Codable { case vnc, serial }

/// What the agent asks of a hypervisor. Every call may be repeated and reaches the wanted state from any state, or
/// throws `CloudError` with what hindered it. One guest's calls never overlap: the agent queues them.
package protocol HypervisorDriver: Sendable {
    func info() async throws -> HypervisorInfo

    /// Disks, config drive, domain; started. Replaces what an earlier try left.
    func spawn(_ guest: GuestSpecification) async throws
    /// Stops it at once, removes domain, disks, logs, taps. Not an error when nothing is there.
    func destroy(_ server: ServerID) async throws

    /// Stops the guest, as `stop` does, and puts its definition and disks by under `name`, a UUID. What was put by under
    /// it before stays; what was put by under another name goes.
    func setAside(_ server: ServerID, named name: String, grace: Duration) async throws
    /// Makes the guest anew with copies of the disks that are set aside under `name`, grown to what is specified and never
    /// shrunk, and with its config drive. Replaces what an earlier try left. Off unless `starts`. `.notFound` when nothing
    /// is set aside.
    func resize(_ guest: GuestSpecification, from name: String, starts: Bool) async throws
    /// The guest is what was set aside under `name`, and off; what was made since is gone. True also when that was done
    /// before. False, and nothing changes, when nothing is set aside under this name.
    func restore(_ server: ServerID, from name: String) async throws -> Bool
    /// Not an error when nothing is set aside.
    func discardAside(_ server: ServerID, named name: String) async throws

    /// Stops the guest, within `grace`, and boots it from the disk of `guest.rescue`. Its own disks keep what they hold.
    func rescue(_ guest: GuestSpecification, grace: Duration) async throws
    /// Stops the guest and removes what `rescue` made: the next start is from its own disks. Leaves a guest alone that is
    /// not rescued.
    func unrescue(_ server: ServerID) async throws

    /// From its own disks, as `reboot`, too: what is left of a rescue, or set aside while nothing else is there, is put
    /// back before.
    func start(_ server: ServerID) async throws
    /// Asks the guest to power off, then cuts the power after `grace`.
    func stop(_ server: ServerID, grace: Duration) async throws
    /// Cuts the power, whatever the guest is, and starts it.
    func reboot(_ server: ServerID) async throws
    func pause(_ server: ServerID) async throws
    func unpause(_ server: ServerID) async throws
    /// To disk.
    func suspend(_ server: ServerID) async throws
    func resume(_ server: ServerID) async throws

    /// Gives a guest, running or off, a volume that it keeps over starts.
    func attachVolume(_ volume: GuestVolume, to server: ServerID) async throws
    /// Returns when the hypervisor has closed the volume and no later start opens it. Not an error when the guest, or its
    /// volume, is not there. Throws when the guest does not let it go; it then still has it.
    func detachVolume(_ volume: VolumeID, from server: ServerID) async throws
    /// Puts the volume's new head, a file that reads as the old one, under the guest. Not an error without a guest.
    func moveVolume(
        _ volume: VolumeID, of server: ServerID, toFile path: String, format: VolumeConnection.Format
    ) async throws
    /// Takes the volume of a running guest one step nearer to where its connection says, and tells how far it is. Needs
    /// the connection's secrets for `copy` alone. What has been moved stays there over starts. A copy ends with the
    /// guest's process, and is begun again by the next `copy`. Not an error without a guest.
    func relocateVolume(
        _ volume: GuestVolume, of server: ServerID, _ step: VolumeRelocation.Step
    ) async throws -> VolumeRelocation.State
    /// The guest sees the new size at once. Not an error without a guest.
    func resizeVolume(_ volume: VolumeID, of server: ServerID, toBytes sizeBytes: Int64) async throws
    /// Before a start: the guest has exactly these volumes from its next start on, where their connections say.
    func prepareVolumes(_ volumes: [GuestVolume], of server: ServerID) async throws

    /// Gives a guest, running or off, a card that it keeps over starts. The port is bound to this host.
    func attachInterface(_ nic: GuestSpecification.NIC, to server: ServerID) async throws
    /// Returns when the guest has let the card go and no later start has it. Not an error when the guest, or its card, is
    /// not there. Throws when the guest does not let it go; it then still has it.
    func detachInterface(_ nic: GuestSpecification.NIC, from server: ServerID) async throws

    /// A qcow2 file that stands alone, with the root disk's bytes of one moment. The guest runs on. `name` is the caller's.
    func copyRootDisk(_ server: ServerID, named name: String) async throws -> String
    /// Not an error when it is not there.
    func removeRootDiskCopy(_ server: ServerID, named name: String) async throws

    /// Makes the guest's kernel crash, by an interrupt that cannot be masked.
    func triggerCrashDump(_ server: ServerID) async throws
    /// By the agent inside the guest. Throws `.notImplemented` when none answers.
    func setPassword(_ password: String, of user: String, in server: ServerID) async throws

    /// Nil when there is no such guest.
    func powerState(_ server: ServerID) async throws -> PowerState?
    /// Every guest of this cloud on this host; the reconciler compares it with the database.
    func guests() async throws -> [ServerID: PowerState]
    /// Server ids that have files on this host, guest or not; for the leak check.
    func diskOwners() async throws -> [ServerID]

    /// The last `lines` lines of the serial console; all (bounded by the log's own limit) when nil.
    func consoleOutput(_ server: ServerID, lines: Int?) async throws -> [UInt8]
    func console(_ server: ServerID, _ kind: ConsoleKind) async throws -> ConsoleEndpoint
    /// Counters of a guest. Throws `.notFound` when there is none.
    func diagnostics(_ server: ServerID) async throws -> GuestDiagnostics
    /// Fetches an image, so that the next guest of it starts sooner. Not an error when it is there already.
    func cacheImage(_ image: GuestSpecification.RootImage) async throws

    /// Guests that changed their power state by themselves. Ends when the driver stops.
    func events() -> AsyncStream<(ServerID, PowerState)>
}
