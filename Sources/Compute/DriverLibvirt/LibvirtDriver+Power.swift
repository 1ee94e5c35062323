// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit

/// Power states and consoles.
extension LibvirtDriver {
    private static let pollInterval = Duration.milliseconds(200)
    /// A guest that boots does not hear the power button, so it is pressed again (nova's `retry_interval`).
    private static let askAgainInterval = Duration.seconds(10)

    package func powerState(_ server: ServerID) async throws -> PowerState? {
        try await connection.run("tell the guest's state") { try $0.domain(server)?.powerState() }
    }

    package func start(_ server: ServerID) async throws {
        try await bringBackOwn(server)
        try await watch.changing(server) {
            try await bringUp(server)
            return (.running, ())
        }
    }

    package func stop(_ server: ServerID, grace: Duration) async throws {
        try await watch.changing(server) {
            try await shutDown(server, grace: grace)
            return (.shutdown, ())
        }
    }

    package func reboot(_ server: ServerID) async throws {
        try await bringBackOwn(server)
        try await watch.changing(server) {
            try await shutDown(server, grace: .zero)
            try await bringUp(server)
            return (.running, ())
        }
    }

    package func pause(_ server: ServerID) async throws {
        try await change(server, "pause the guest", to: .paused) { domain in
            switch try domain.powerState() {
            case .paused: return
            case .running: try domain.pause()
            default: throw Self.notRunning(server)
            }
        }
    }

    package func unpause(_ server: ServerID) async throws {
        try await change(server, "unpause the guest", to: .running) { domain in
            switch try domain.powerState() {
            case .running: return
            case .paused: try domain.unpause()
            default: throw Self.notRunning(server)
            }
        }
    }

    package func suspend(_ server: ServerID) async throws {
        try await change(server, "suspend the guest", to: .suspended) { domain in
            switch try domain.powerState() {
            case .suspended: return
            case .running, .paused: try domain.save()
            default: throw Self.notRunning(server)
            }
        }
    }

    /// The same as a start: libvirt goes on from the saved memory when there is any.
    package func resume(_ server: ServerID) async throws { try await start(server) }

    package func consoleOutput(_ server: ServerID, lines: Int?) async throws -> [UInt8] {
        let files = try GuestFiles(server, config)
        return try await FileSystem.onThread {
            guard FileSystem.exists(files.directory) else { throw Self.notFound(server) }
            return try files.consoleLog.tail(lines: lines)
        }
    }

    package func console(_ server: ServerID, _ kind: ConsoleKind) async throws -> ConsoleEndpoint {
        let files = try GuestFiles(server, config)
        guard let state = try await powerState(server) else { throw Self.notFound(server) }
        let path = kind == .vnc ? files.vncSocket : files.serialSocket
        guard state == .running || state == .paused else { throw Self.notRunning(server) }
        guard FileSystem.exists(path) else {
            throw CloudError.conflict(
                "Guest does not have a console available.", kind: "ConsoleNotAvailable")
        }
        return .unixSocket(path: path)
    }

    // MARK: Private

    /// A guest that starts has its own disks. It does not have them after a move or a rescue that failed while this
    /// host was away, so that nobody could take it back.
    private func bringBackOwn(_ server: ServerID) async throws {
        let files = try GuestFiles(server, config)
        let prefix = GuestFiles.asidePrefix(server)
        let (asides, isRescued) = try await FileSystem.onThread { () -> ([String], Bool) in
            if FileSystem.exists(files.directory) { return ([], FileSystem.exists(files.ownDefinition)) }
            return (try FileSystem.list(files.parent).filter { $0.hasPrefix(prefix) }, false)
        }
        if asides.count == 1 { _ = try await restore(server, from: String(asides[0].dropFirst(prefix.count))) }
        if isRescued { try await unrescue(server) }
    }

    /// Running, from any state.
    private func bringUp(_ server: ServerID) async throws {
        let files = try GuestFiles(server, config)
        let definition = try await FileSystem.onThread { try FileSystem.text(files.definition) }
        let isRunning = try await connection.run("start the guest") { host in
            guard let domain = try host.domain(server) else {
                // libvirt lost it, with its own state directory perhaps; the guest's folder still describes it.
                guard let definition else { throw Self.notFound(server) }
                _ = try host.define(definition)
                return false
            }
            switch try domain.powerState() {
            case .running: return true
            case .paused:
                try domain.unpause()
                return true
            default: return false
            }
        }
        guard !isRunning else { return }
        try await prepareRuntime(files)
        try await connection.run("start the guest") { host in
            guard let domain = try host.domain(server) else { throw Self.notFound(server) }
            switch try domain.powerState() {
            case .running, .paused: return
            default: try domain.start()
            }
        }
    }

    /// Off, from any state, with nothing of its memory kept.
    func shutDown(_ server: ServerID, grace: Duration) async throws {
        let deadline = ContinuousClock.now.advanced(by: grace)
        var nextAsk = ContinuousClock.now
        while ContinuousClock.now < deadline {
            let mayAsk = ContinuousClock.now >= nextAsk
            let isRunning = try await connection.run("stop the guest") { host in
                guard let domain = try host.domain(server) else { throw Self.notFound(server) }
                guard try domain.powerState() == .running else { return false }
                if mayAsk { try Self.askToPowerOff(domain) }
                return true
            }
            guard isRunning else { break }
            if mayAsk { nextAsk = ContinuousClock.now.advanced(by: Self.askAgainInterval) }
            try await Task.sleep(for: Self.pollInterval)
        }
        try await connection.run("stop the guest") { host in
            guard let domain = try host.domain(server) else { throw Self.notFound(server) }
            switch try domain.powerState() {
            case .shutdown: return
            case .suspended where try domain.hasSavedState(): try domain.dropSavedState()
            default: try domain.powerOff()
            }
        }
    }

    /// A guest that went off between look and call is off, which is what was wanted.
    private static func askToPowerOff(_ domain: borrowing LibvirtDomain) throws(LibvirtError) {
        do throws(LibvirtError) {
            try domain.askToPowerOff()
        } catch {
            guard try domain.powerState() != .running else { throw error }
        }
    }

    private func change(
        _ server: ServerID, _ operation: String, to power: PowerState,
        _ body: @escaping @Sendable (borrowing LibvirtDomain) throws -> Void
    ) async throws {
        try await watch.changing(server) {
            try await connection.run(operation) { host in
                guard let domain = try host.domain(server) else { throw Self.notFound(server) }
                try body(domain)
            }
            return (power, ())
        }
    }

    private static func notFound(_ server: ServerID) -> CloudError {
        .notFound("Instance \(server) could not be found.", kind: "InstanceNotFound")
    }

    private static func notRunning(_ server: ServerID) -> CloudError {
        .conflict("Instance \(server) is not running.", kind: "InstanceNotRunning")
    }
}
