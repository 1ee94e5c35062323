// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Glibc
import Synchronization

/// A hypervisor in memory: keeps the promises of `HypervisorDriver`, runs nothing. For tests, for measuring the
/// control plane, and for trying the API on a machine that cannot run guests.
package final class FakeHypervisor: HypervisorDriver {
    package struct Guest: Sendable, Equatable {
        package var specification: GuestSpecification
        package var powerState: PowerState
        package var bootCount: Int
        /// The volumes that the guest has open, or would open when it starts.
        package var volumes: [GuestVolume]
        package var copies: Set<String> = []
        /// Volumes that are being copied to another place.
        package var relocations: [VolumeID: Relocation] = [:]
        /// What it boots from instead of its own disks.
        package var rescue: GuestSpecification.Rescue?
        package var passwords: [String: String] = [:]
        package var crashDumps = 0
        /// What it was set aside as, before it was put back.
        var restoredFrom: String?
    }

    package struct Relocation: Sendable, Equatable {
        package var target: VolumeConnection
        package var isReady = false
    }

    private struct State {
        var guests: [ServerID: Guest] = [:]
        var asides: [ServerID: Aside] = [:]
        var calls: [String] = []
        var callCount = 0
        var failing: Set<Int> = []
        var gate: (@Sendable (String, ServerID?) async throws -> Void)?
        var console: ConsoleEndpoint?
        var keepsVolumes = false
        var cachedImages: Set<String> = []
        var sinks: [Int: AsyncStream<(ServerID, PowerState)>.Continuation] = [:]
        var nextSink = 0
    }

    /// What it really does with its guests (nova: `FakeDriver.capabilities`).
    package static let traits = [
        "COMPUTE_DEVICE_TAGGING", "COMPUTE_IMAGE_TYPE_QCOW2", "COMPUTE_IMAGE_TYPE_RAW", "COMPUTE_NET_ATTACH_INTERFACE",
        "COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG", "COMPUTE_RESCUE_BFV", "COMPUTE_VOLUME_ATTACH_WITH_TAG",
        "COMPUTE_VOLUME_EXTEND", "COMPUTE_VOLUME_MULTI_ATTACH",
    ]

    private let hypervisor: HypervisorInfo
    private let copyDirectory: String?
    private let state = Mutex(State())

    /// In `copyDirectory`, which is there, copies of root disks are files: empty disks. Without it they are names alone.
    package init(
        hostname: String = "fake-host", vcpus: Int = 64, memoryMiB: Int = 262_144, diskGiB: Int = 4096,
        copyDirectory: String? = nil
    ) {
        self.copyDirectory = copyDirectory
        hypervisor = HypervisorInfo(
            hostname: hostname, type: "fake", version: 1_000_000, virtualizationType: "fake", vcpus: vcpus,
            memoryMiB: memoryMiB, diskGiB: diskGiB,
            cpuInfo: #"{"arch":"x86_64","model":"fake","vendor":"fake","features":[],"#
                + #""topology":{"cores":1,"sockets":1,"threads":1}}"#,
            hostAddress: "127.0.0.1", initiator: "iqn.2020-01.test:\(hostname)", traits: Self.traits)
    }

    // MARK: For tests

    /// What the host holds now.
    package var inventory: [ServerID: Guest] { state.withLock { $0.guests } }
    /// What is set aside of guests that move.
    package var asides: [ServerID: Aside] { state.withLock { $0.asides } }
    /// Names of the calls so far, in order, for comparing walks.
    package var calls: [String] { state.withLock { $0.calls } }

    /// Images that were fetched ahead of their guests.
    package var cachedImages: Set<String> { state.withLock { $0.cachedImages } }

    /// The `number`-th call from now (1 is the next) throws after its effect, as a lost connection does.
    package func fail(callsFromNow numbers: Int...) {
        state.withLock { state in
            for number in numbers { state.failing.insert(state.callCount + number) }
        }
    }

    /// Runs before each call, for holding one up until a test lets it go.
    package func setGate(_ gate: (@Sendable (String, ServerID?) async throws -> Void)?) {
        state.withLock { $0.gate = gate }
    }

    /// Where every guest's consoles are from now on; a fake guest has none of its own.
    package func setConsole(_ endpoint: ConsoleEndpoint) { state.withLock { $0.console = endpoint } }

    /// Whether guests refuse to let volumes go from now on.
    package func setKeepsVolumes(_ keeps: Bool) { state.withLock { $0.keepsVolumes = keeps } }

    /// As if the guest did it by itself: tells those who listen to `events()`.
    package func guestChanged(_ server: ServerID, to power: PowerState) {
        let sinks = state.withLock { state in
            state.guests[server]?.powerState = power
            return Array(state.sinks.values)
        }
        for sink in sinks { sink.yield((server, power)) }
    }

    // MARK: HypervisorDriver

    package func info() async throws -> HypervisorInfo {
        try await call("info") { _ in self.hypervisor }
    }

    package func spawn(_ guest: GuestSpecification) async throws {
        try await call("spawn", guest.serverID) { guests in
            let boots = guests[guest.serverID]?.bootCount ?? 0
            guests[guest.serverID] = Guest(
                specification: guest, powerState: guest.staysOff == true ? .shutdown : .running,
                bootCount: boots + (guest.staysOff == true ? 0 : 1), volumes: guest.volumes ?? [])
        }
    }

    package func destroy(_ server: ServerID) async throws {
        try await callWithAsides("destroy", server) { guests, asides in
            let guest = guests.removeValue(forKey: server)
            asides[server] = nil
            if copyDirectory != nil { for name in guest?.copies ?? [] { unlink(copyPath(server, name)) } }
        }
    }

    package func start(_ server: ServerID) async throws {
        try await changeOwn("start", server) { guest in
            if guest.powerState != .running { guest.bootCount += 1 }
            guest.powerState = .running
        }
    }

    package func stop(_ server: ServerID, grace: Duration) async throws {
        try await change("stop", server) { guest in
            guest.powerState = .shutdown
            guest.relocations = [:]
        }
    }

    package func reboot(_ server: ServerID) async throws {
        try await changeOwn("reboot", server) { guest in
            guest.relocations = [:]
            guest.bootCount += 1
            guest.powerState = .running
        }
    }

    package func pause(_ server: ServerID) async throws {
        try await change("pause", server) { try Self.move(server, &$0, from: [.running, .paused], to: .paused) }
    }

    package func unpause(_ server: ServerID) async throws {
        try await change("unpause", server) { try Self.move(server, &$0, from: [.running, .paused], to: .running) }
    }

    package func suspend(_ server: ServerID) async throws {
        try await change("suspend", server) {
            try Self.move(server, &$0, from: [.running, .paused, .suspended], to: .suspended)
            $0.relocations = [:]
        }
    }

    package func resume(_ server: ServerID) async throws {
        try await change("resume", server) { $0.powerState = .running }
    }

    package func attachVolume(_ volume: GuestVolume, to server: ServerID) async throws {
        try await change("attachVolume", server) { guest in
            guest.volumes.removeAll { $0.id == volume.id }
            guard !guest.volumes.contains(where: { $0.device == volume.device }) else {
                throw CloudError(.unavailable, "The hypervisor failed to attach the volume.", cause: volume.device)
            }
            guest.volumes.append(volume)
        }
    }

    package func detachVolume(_ volume: VolumeID, from server: ServerID) async throws {
        let isStubborn = state.withLock { $0.keepsVolumes }
        try await call("detachVolume", server) { guests in
            guard !isStubborn || guests[server] == nil else {
                throw CloudError.conflict(
                    "The guest did not release the volume \(volume).", kind: "DeviceDetachFailed")
            }
            guests[server]?.volumes.removeAll { $0.id == volume }
        }
    }

    package func moveVolume(
        _ volume: VolumeID, of server: ServerID, toFile path: String, format: VolumeConnection.Format
    ) async throws {
        try await eachVolume("moveVolume", volume, server) {
            $0.connection.source = .file(path: path, format: format)
        }
    }

    /// A copy is equal when it is asked about for the second time.
    package func relocateVolume(
        _ volume: GuestVolume, of server: ServerID, _ step: VolumeRelocation.Step
    ) async throws -> VolumeRelocation.State {
        try await call("relocateVolume", server) { guests in
            guard var guest = guests[server] else { return .gone }
            guard let index = guest.volumes.firstIndex(where: { $0.id == volume.id }) else { return .closed }
            defer { guests[server] = guest }
            let wanted = volume.connection.withoutSecrets
            let isThere = guest.volumes[index].connection.withoutSecrets.source == wanted.source
            guard !isThere else { return .moved }
            guard [.running, .paused].contains(guest.powerState) else { return .closed }
            let present = guest.relocations[volume.id]
            switch step {
            case .copy where present?.target == wanted:
                guest.relocations[volume.id]?.isReady = true
                return .ready
            case .copy:
                guest.relocations[volume.id] = Relocation(target: wanted)
                return .copying(doneBytes: 0)
            case .finish where present?.target == wanted && present?.isReady == true:
                guest.relocations[volume.id] = nil
                guest.volumes[index].connection.source = volume.connection.source
                return .moved
            case .finish: return present == nil ? .resting : .copying(doneBytes: 0)
            case .cancel:
                guest.relocations[volume.id] = nil
                return .resting
            }
        }
    }

    package func resizeVolume(_ volume: VolumeID, of server: ServerID, toBytes sizeBytes: Int64) async throws {
        try await eachVolume("resizeVolume", volume, server) { $0.connection.sizeBytes = sizeBytes }
    }

    package func prepareVolumes(_ volumes: [GuestVolume], of server: ServerID) async throws {
        try await change("prepareVolumes", server) { $0.volumes = volumes }
    }

    package func copyRootDisk(_ server: ServerID, named name: String) async throws -> String {
        try await change("copyRootDisk", server) { guest in
            let path = copyPath(server, name)
            if copyDirectory != nil { try FakeVolumeFile.write(.init(content: .zeros, sizeGiB: 1), to: path, .qcow2) }
            guest.copies.insert(name)
            return path
        }
    }

    private func copyPath(_ server: ServerID, _ name: String) -> String {
        copyDirectory.map { "\($0)/fake-root-\(server)-\(name)" } ?? "/nonexistent/\(server)/\(name)"
    }

    package func removeRootDiskCopy(_ server: ServerID, named name: String) async throws {
        try await call("removeRootDiskCopy", server) { guests in
            guests[server]?.copies.remove(name)
            if copyDirectory != nil { unlink(copyPath(server, name)) }
        }
    }

    private func eachVolume(
        _ operation: String, _ volume: VolumeID, _ server: ServerID, _ body: (inout GuestVolume) -> Void
    ) async throws {
        try await call(operation, server) { guests in
            guard var guest = guests[server] else { return }
            for index in guest.volumes.indices where guest.volumes[index].id == volume { body(&guest.volumes[index]) }
            guests[server] = guest
        }
    }

    package func powerState(_ server: ServerID) async throws -> PowerState? {
        try await call("powerState", server) { $0[server]?.powerState }
    }

    package func guests() async throws -> [ServerID: PowerState] {
        try await call("guests") { $0.mapValues(\.powerState) }
    }

    package func diskOwners() async throws -> [ServerID] {
        try await callWithAsides("diskOwners") { guests, asides in Set(guests.keys).union(asides.keys).sorted() }
    }

    package func consoleOutput(_ server: ServerID, lines: Int?) async throws -> [UInt8] {
        try await change("consoleOutput", server) { guest in
            let log = (1...max(1, guest.bootCount)).flatMap { boot in
                ["fake guest \(guest.specification.instanceName)", "boot \(boot)", "no disk is read", "login: "]
            }
            return Array((lines.map { log.suffix(max(0, $0)) } ?? log[...]).joined(separator: "\n").utf8)
        }
    }

    package func console(_ server: ServerID, _ kind: ConsoleKind) async throws -> ConsoleEndpoint {
        let endpoint = state.withLock { $0.console } ?? .unixSocket(path: "/nonexistent/\(server).\(kind.rawValue)")
        return try await change("console", server) { _ in endpoint }
    }

    package func diagnostics(_ server: ServerID) async throws -> GuestDiagnostics {
        try await change("diagnostics", server) { guest in
            let specification = guest.specification
            let memory = Int64(specification.memoryMiB) * 1024
            let names = ["vda"] + guest.volumes.map(\.device)
            return GuestDiagnostics(
                powerState: guest.powerState, driver: "libvirt", hypervisor: "fake", maximumMemoryKiB: memory,
                usedMemoryKiB: memory,
                cpus: (0..<specification.vcpus).map { .init(id: $0, timeNanoseconds: 1_000_000_000) },
                disks: names.map { .init(device: $0) },
                nics: specification.nics.map {
                    let flow = GuestDiagnostics.NIC.Flow(bytes: 0, packets: 0, errors: 0, drops: 0)
                    return .init(macAddress: $0.macAddress, device: $0.tapName, received: flow, sent: flow)
                })
        }
    }

    package func cacheImage(_ image: GuestSpecification.RootImage) async throws {
        try await call("cacheImage") { _ in }
        state.withLock { _ = $0.cachedImages.insert(image.imageID) }
    }

    package func events() -> AsyncStream<(ServerID, PowerState)> {
        let (stream, sink) = AsyncStream.makeStream(of: (ServerID, PowerState).self)
        let id = state.withLock { state in
            state.nextSink += 1
            state.sinks[state.nextSink] = sink
            return state.nextSink
        }
        sink.onTermination = { [self] _ in state.withLock { $0.sinks[id] = nil } }
        return stream
    }

    // MARK: Private

    private static func move(
        _ server: ServerID, _ guest: inout Guest, from states: Set<PowerState>, to target: PowerState
    ) throws {
        guard states.contains(guest.powerState) else {
            throw CloudError.conflict("Instance \(server) is not running.", kind: "InstanceNotRunning")
        }
        guest.powerState = target
    }

    func change<T: Sendable>(
        _ operation: String, _ server: ServerID, _ body: (inout Guest) throws -> T
    ) async throws -> T {
        try await call(operation, server) { guests in
            guard var guest = guests[server] else {
                throw CloudError.notFound("Instance \(server) could not be found.", kind: "InstanceNotFound")
            }
            defer { guests[server] = guest }
            return try body(&guest)
        }
    }

    private func call<T: Sendable>(
        _ operation: String, _ server: ServerID? = nil, _ body: (inout [ServerID: Guest]) throws -> T
    ) async throws -> T {
        try await callWithAsides(operation, server) { guests, _ in try body(&guests) }
    }

    func callWithAsides<T: Sendable>(
        _ operation: String, _ server: ServerID? = nil,
        _ body: (inout [ServerID: Guest], inout [ServerID: Aside]) throws -> T
    ) async throws -> T {
        let gate = state.withLock { $0.gate }
        try await gate?(operation, server)
        return try state.withLock { state in
            state.callCount += 1
            state.calls.append(server.map { "\(operation) \($0)" } ?? operation)
            if state.calls.count > 10_000 { state.calls.removeFirst(5000) }
            let value = try body(&state.guests, &state.asides)
            guard state.failing.remove(state.callCount) == nil else {
                throw CloudError(.unavailable, "The hypervisor did not answer.", cause: "fault in \(operation)")
            }
            return value
        }
    }
}
