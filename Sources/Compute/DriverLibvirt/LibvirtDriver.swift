// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ImageContract
import LifecycleKit
import LinuxKit
import LogKit
import Synchronization

/// Runs guests by libvirt and QEMU, as nova's libvirt driver does.
///
/// libvirt keeps the persistent definition, so guests outlive this process and libvirtd. All files of a guest are in
/// one folder, which is also the proof that the guest was here. As a `Service` it follows libvirt's events and cuts
/// logs; calls work without it.
package final class LibvirtDriver: HypervisorDriver, Service {
    package let name = "libvirt"

    let config: LibvirtConfig
    let connection: LibvirtConnection
    let watch: PowerWatch
    /// The shares that volumes lie on. They stay mounted: the host's other guests and its volume agent use them, too.
    let shares: any ShareMounter
    let cache: BaseImageCache
    private let probe: VirtualizationProbe
    private let lifecycleEvents: AsyncStream<ServerID>
    private let connectionLost = Signal()
    private let clock: WallClock
    /// What was told last, and of which version of QEMU.
    let traits = Mutex<(version: Int, traits: [String])?>(nil)
    let log = Logger("libvirt")

    private static let housekeepingInterval = Duration.seconds(10)
    private static let evictionInterval = Duration.seconds(3600)
    private static let reconnectInterval = Duration.seconds(2)
    private static let eventBufferLimit = 10_000

    /// `images`: where base images come from.
    package init(
        _ config: LibvirtConfig, images: any ImageSource, shares: any ShareMounter, clock: WallClock = .system
    ) {
        self.config = config
        self.shares = shares
        self.clock = clock
        cache = BaseImageCache(directory: "\(config.instancesDirectory)/_base", images: images)
        probe = VirtualizationProbe(emulator: config.emulator, stateDirectory: config.stateDirectory)
        let (events, sink) = AsyncStream.makeStream(
            of: ServerID.self, bufferingPolicy: .bufferingNewest(Self.eventBufferLimit))
        lifecycleEvents = events
        watch = PowerWatch { sink.yield($0) }
        let lost = connectionLost
        connection = LibvirtConnection(
            uri: config.uri, onEvent: { sink.yield(ServerID($0)) }, onClose: { lost.wake() })
    }

    /// Follows events, keeps the connection open, cuts console logs, drops unused base images.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.followEvents() }
            group.addTask { await self.keepConnected() }
            group.addTask { await self.keepHouse() }
        }
        watch.finish()
    }

    package func events() -> AsyncStream<(ServerID, PowerState)> { watch.stream() }

    // MARK: Host

    package func info() async throws -> HypervisorInfo {
        let virtualization = try await virtualization()
        let config = config
        return try await connection.run("describe itself") { host in
            let node = try host.nodeInfo()
            let version = try host.version()
            try FileSystem.makeDirectories(config.instancesDirectory)
            let space = try FileSystem.space(config.instancesDirectory)
            return HypervisorInfo(
                hostname: config.hostname, type: "QEMU", version: version,
                virtualizationType: virtualization.rawValue, vcpus: Int(node.cpus),
                memoryMiB: try HostFacts.memoryMiB(), diskGiB: Int(space.totalBytes >> 30),
                cpuInfo: try HostFacts.cpuInfo(node), hostAddress: config.hostAddress,
                initiator: try HostFacts.initiator(config),
                traits: try self.traits(of: host, node, version: version, virtualization))
        }
    }

    package func guests() async throws -> [ServerID: PowerState] {
        try await connection.run("list its guests") { try $0.guests() }
    }

    package func diskOwners() async throws -> [ServerID] {
        let directory = config.instancesDirectory
        return try await FileSystem.onThread {
            // With those of which something is set aside.
            Set(try FileSystem.list(directory).compactMap(GuestFiles.owner(ofFolder:))).sorted()
        }
    }

    /// What executes guests on this host.
    package func virtualization() async throws -> LibvirtConfig.Virtualization {
        if let fixed = config.virtualization { return fixed }
        try FileSystem.makeDirectories(config.stateDirectory)
        return try await probe.result()
    }

    // MARK: Birth and death

    package func spawn(_ guest: GuestSpecification) async throws {
        try await watch.changing(guest.serverID) {
            let files = try GuestFiles(guest.serverID, config)
            let hardware = try GuestHardware(guest.properties)
            try ConfigDrive.check(guest.configDrive)
            let layout = DiskLayout(guest: guest, hardware: hardware, files: files)
            let volumes = try await volumeDisks(guest.volumes ?? []) { hardware.bus($0.bus) }
            let xml = DomainDescription(
                guest: guest, hardware: hardware, files: files, host: try await domainHost(), volumes: volumes
            ).xml()
            try await removeDomain(guest.serverID)
            try await removePorts(files)
            try await GuestDisks(cache: cache).create(guest, layout: layout)
            try await FileSystem.onThread {
                // Before the domain: what is plugged must be known to `destroy`, whatever happens next.
                try FileSystem.writeAtomically(files.taps, guest.nics.map(\.tapName).joined(separator: "\n"))
                try FileSystem.writeAtomically(files.definition, xml, mode: 0o600)
            }
            try await prepareRuntime(files)
            try await openVolumes(guest.volumes ?? [])
            try await connection.run("start the guest") { host in
                let domain = try host.define(xml)
                if guest.staysOff != true, try domain.powerState() != .running { try domain.start() }
            }
            return (guest.staysOff == true ? .shutdown : .running, ())
        }
    }

    package func destroy(_ server: ServerID) async throws {
        try await watch.changing(server) {
            let files = try GuestFiles(server, config)
            try await removeDomain(server)
            try await removePorts(files)
            try await removeAsides(of: server, except: nil)
            try await FileSystem.onThread {
                try files.removeSockets()
                try FileSystem.removeTree(files.directory)
            }
            return (nil, ())
        }
    }

    package func cacheImage(_ image: GuestSpecification.RootImage) async throws { try await cache.keep(image) }

    /// Makes the folder of console sockets; it is gone after a reboot of the host.
    func prepareRuntime(_ files: GuestFiles) async throws {
        let directory = config.runtimeDirectory
        try await FileSystem.onThread {
            try FileSystem.makeDirectories(directory, mode: 0o711)
            try files.removeSockets()
        }
    }

    private func removeDomain(_ server: ServerID) async throws {
        try await connection.run("remove the guest") { host in
            guard let domain = try host.domain(server) else { return }
            let definition = try domain.definition()
            try domain.powerOff()
            try domain.undefine()
            for volume in definition.volumes { try host.removeSecrets(of: volume) }
        }
    }

    /// libvirt unplugs a guest that ends while it looks; ports of one that ended unseen stay behind.
    private func removePorts(_ files: GuestFiles) async throws {
        let taps = try await FileSystem.onThread { try files.tapNames() }
        guard !taps.isEmpty, let program = Subprocess.find("ovs-vsctl") else { return }
        let bridge = config.integrationBridge
        let arguments = taps.flatMap { ["--", "--if-exists", "del-port", bridge, $0] }
        let result = try await Subprocess.run(program, ["--timeout=10"] + arguments.dropFirst())
        if !result.isSuccess, !result.errorText.contains("no bridge named") {
            throw CloudError(
                .unavailable, "The host failed to unplug the guest.", cause: String(result.errorText.suffix(500)))
        }
    }

    func domainHost() async throws -> DomainHost {
        let (directory, wanted) = (config.instancesDirectory, config.diskCache)
        let cache = try await FileSystem.onThread { () -> LibvirtConfig.DiskCache in
            try FileSystem.makeDirectories(directory)
            return try wanted == .none && !FileSystem.supportsDirectIO(directory) ? .writeback : wanted
        }
        return DomainHost(virtualization: try await virtualization(), diskCache: cache, config: config)
    }

    // MARK: Following

    private func followEvents() async {
        for await server in lifecycleEvents where !watch.postpones(server) {
            do {
                let power = try await connection.run("tell a guest's state") { try $0.domain(server)?.ownPowerState() }
                if let power { watch.saw(server, power) }
            } catch {
                // The next host report says the same.
                log.warning("event not followed", ["server": server, "error": "\(error)"])
            }
        }
    }

    private func keepConnected() async {
        var isReachable = true
        while !Task.isCancelled {
            do {
                try await connection.ensureOpen()
                if !isReachable { log.info("reachable again") }
                isReachable = true
                await connectionLost.wait()
            } catch {
                if isReachable { log.error("not reachable", ["error": "\(error)"]) }
                isReachable = false
                await connectionLost.wait(atMost: Self.reconnectInterval)
            }
        }
    }

    private func keepHouse() async {
        var sinceEviction = Duration.zero
        while true {
            do {
                try await Task.sleep(for: Self.housekeepingInterval)
            } catch {
                return
            }
            sinceEviction += Self.housekeepingInterval
            do {
                for server in try await diskOwners() {
                    let log = try GuestFiles(server, config).consoleLog
                    let limit = config.consoleLogLimitBytes
                    try await FileSystem.onThread { try log.trim(limit: limit) }
                }
                if sinceEviction >= Self.evictionInterval {
                    sinceEviction = .zero
                    try await cache.evict(unusedFor: config.unusedBaseImageLifetime, now: clock.now())
                }
            } catch {
                log.warning("housekeeping failed", ["error": "\(error)"])
            }
        }
    }
}
