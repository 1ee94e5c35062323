// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// A hypervisor in memory: keeps the promises of `HypervisorDriver`, runs nothing. For tests, for measuring the
/// control plane, and for trying the API on a machine that cannot run guests.
package final class FakeHypervisor: HypervisorDriver {
    package struct Guest: Sendable, Equatable {
        package var specification: GuestSpecification
        package var powerState: PowerState
        package var bootCount: Int
    }

    private struct State {
        var guests: [ServerID: Guest] = [:]
        var calls: [String] = []
        var callCount = 0
        var failing: Set<Int> = []
        var gate: (@Sendable (String, ServerID?) async throws -> Void)?
        var console: ConsoleEndpoint?
        var sinks: [Int: AsyncStream<(ServerID, PowerState)>.Continuation] = [:]
        var nextSink = 0
    }

    private let hypervisor: HypervisorInfo
    private let state = Mutex(State())

    package init(
        hostname: String = "fake-host", vcpus: Int = 64, memoryMiB: Int = 262_144, diskGiB: Int = 4096
    ) {
        hypervisor = HypervisorInfo(
            hostname: hostname, type: "fake", version: 1_000_000, virtualizationType: "fake", vcpus: vcpus,
            memoryMiB: memoryMiB, diskGiB: diskGiB,
            cpuInfo: #"{"arch":"x86_64","model":"fake","vendor":"fake","features":[],"#
                + #""topology":{"cores":1,"sockets":1,"threads":1}}"#,
            hostAddress: "127.0.0.1")
    }

    // MARK: For tests

    /// What the host holds now.
    package var inventory: [ServerID: Guest] { state.withLock { $0.guests } }
    /// Names of the calls so far, in order, for comparing walks.
    package var calls: [String] { state.withLock { $0.calls } }

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
            guests[guest.serverID] = Guest(specification: guest, powerState: .running, bootCount: boots + 1)
        }
    }

    package func destroy(_ server: ServerID) async throws {
        try await call("destroy", server) { $0[server] = nil }
    }

    package func start(_ server: ServerID) async throws {
        try await change("start", server) { guest in
            if guest.powerState != .running { guest.bootCount += 1 }
            guest.powerState = .running
        }
    }

    package func stop(_ server: ServerID, grace: Duration) async throws {
        try await change("stop", server) { $0.powerState = .shutdown }
    }

    package func reboot(_ server: ServerID, _ kind: RebootKind) async throws {
        try await change("reboot", server) { guest in
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
        }
    }

    package func resume(_ server: ServerID) async throws {
        try await change("resume", server) { $0.powerState = .running }
    }

    package func powerState(_ server: ServerID) async throws -> PowerState? {
        try await call("powerState", server) { $0[server]?.powerState }
    }

    package func guests() async throws -> [ServerID: PowerState] {
        try await call("guests") { $0.mapValues(\.powerState) }
    }

    package func diskOwners() async throws -> [ServerID] {
        try await call("diskOwners") { $0.keys.sorted() }
    }

    package func consoleOutput(_ server: ServerID, lines: Int?) async throws -> [UInt8] {
        try await change("consoleOutput", server) { guest in
            let log = (1...max(1, guest.bootCount)).flatMap { boot in
                ["fake guest \(guest.specification.instanceName)", "boot \(boot)", "login: "]
            }
            return Array((lines.map { log.suffix(max(0, $0)) } ?? log[...]).joined(separator: "\n").utf8)
        }
    }

    package func console(_ server: ServerID, _ kind: ConsoleKind) async throws -> ConsoleEndpoint {
        let endpoint = state.withLock { $0.console } ?? .unixSocket(path: "/nonexistent/\(server).\(kind.rawValue)")
        return try await change("console", server) { _ in endpoint }
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

    private func change<T: Sendable>(
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
        let gate = state.withLock { $0.gate }
        try await gate?(operation, server)
        return try state.withLock { state in
            state.callCount += 1
            state.calls.append(server.map { "\(operation) \($0)" } ?? operation)
            if state.calls.count > 10_000 { state.calls.removeFirst(5000) }
            let value = try body(&state.guests)
            guard state.failing.remove(state.callCount) == nil else {
                throw CloudError(.unavailable, "The hypervisor did not answer.", cause: "fault in \(operation)")
            }
            return value
        }
    }
}
