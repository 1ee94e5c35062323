// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LinuxKit
import LogKit
import Synchronization

/// Targets of tgtd. It keeps all of them in its memory, so a restart forgets them.
struct TgtdTargetService: TargetService {
    private static let startLimit = Duration.seconds(10)
    private static let maximumTargets: Int32 = 65_535

    let lun = 1
    private let control: TgtdControl
    private let portal: String
    private let startsDaemon: Bool
    private let logPath: String
    /// Where the daemon is started. Nil: where this process is.
    private let namespace: NetworkNamespace?
    private let daemon = Started()
    /// Numbers of targets are chosen here, so one at a time.
    private let changes = AsyncSlots("tgtd", slots: 1)
    private let log = Logger("iscsi")

    init(socketPath: String, portal: String, startsDaemon: Bool, logPath: String, namespace: NetworkNamespace? = nil) {
        control = TgtdControl(socketPath: socketPath)
        self.portal = portal
        self.startsDaemon = startsDaemon
        self.logPath = logPath
        self.namespace = namespace
    }

    func ensureRunning() async throws {
        do {
            _ = try await show()
            return
        } catch let error as SystemError {
            guard startsDaemon, control.socketPath.hasSuffix(".0"), let program = Subprocess.find("tgtd") else {
                throw CloudError(
                    .unavailable, "The export failed.", cause: "tgtd does not answer (\(error)): install and start tgt")
            }
            try await startDaemon(program)
        }
    }

    func targets() async throws -> Set<String> { Set(try await show().map(\.name)) }

    func hasSessions(_ name: String) async throws -> Bool {
        guard let known = try await show().first(where: { $0.name == name }) else { return false }
        return try await !connections(known.number).isEmpty
    }

    func ensure(_ target: ISCSITarget) async throws {
        try await changes.run {
            let number = try await ensureTarget(target)
            var request = TgtdControl.Request(mode: .account, operation: .new)
            request.parameters = [("user", target.chapUser), ("password", target.chapPassword)]
            if try await !control.call(request, unless: TgtdControl.Refusal.userExists) {
                // An account with an older password would keep its host out.
                try await control.call(account(target.chapUser, .delete), unless: TgtdControl.Refusal.noUser)
                _ = try await control.call(request)
            }
            var binding = account(target.chapUser, .bind)
            binding.target = number
            // Bound already is said as an unknown error by some versions: looked up instead.
            if try await show().first(where: { $0.number == number })?.accounts.contains(target.chapUser) != true {
                _ = try await control.call(binding)
            }
            try await ensureAccess(target, number)
        }
    }

    func remove(_ name: String, chapUser: String) async throws {
        try await changes.run {
            for known in try await show() where known.name == name {
                for connection in try await connections(known.number) { try await close(known.number, connection) }
                try await control.call(
                    .init(mode: .target, operation: .delete, target: known.number, isForced: true),
                    unless: TgtdControl.Refusal.noTarget)
            }
            try await control.call(account(chapUser, .delete), unless: TgtdControl.Refusal.noUser)
        }
    }

    /// tgtd reads the size when it opens the device, so it opens it again: offline, new file, online in one request,
    /// between which no command of a host is taken.
    func refreshSize(_ target: ISCSITarget) async throws {
        try await changes.run {
            guard let known = try await show().first(where: { $0.name == target.name }) else { return }
            var request = TgtdControl.Request(
                mode: .device, operation: .update, target: known.number, unit: UInt64(lun))
            request.parameters = [("online", "0"), ("path", target.path)]
            _ = try await control.call(request)
        }
    }

    // MARK: Parts of a target

    private func ensureTarget(_ target: ISCSITarget) async throws -> Int32 {
        let known = try await show()
        var number = known.first { $0.name == target.name }?.number
        if number == nil {
            let taken = Set(known.map(\.number))
            guard let free = (1...Self.maximumTargets).first(where: { !taken.contains($0) }) else {
                throw CloudError(.unavailable, "The export failed.", cause: "tgtd has no free target number")
            }
            var request = TgtdControl.Request(mode: .target, operation: .new, target: free)
            request.parameters = [("targetname", target.name)]
            _ = try await control.call(request)
            number = free
        }
        guard let number else { preconditionFailure("a target without a number") }
        let path = known.first { $0.number == number }?.paths[lun]
        if path != target.path {
            try await control.call(
                .init(mode: .device, operation: .delete, target: number, unit: UInt64(lun)),
                unless: TgtdControl.Refusal.noUnit)
            var request = TgtdControl.Request(mode: .device, operation: .new, target: number, unit: UInt64(lun))
            request.parameters = [("path", target.path), ("bstype", "rdwr")]
            _ = try await control.call(request)
        }
        var request = TgtdControl.Request(mode: .device, operation: .update, target: number, unit: UInt64(lun))
        request.parameters = [("readonly", target.isReadOnly ? "1" : "0"), ("thin_provisioning", "1")]
        _ = try await control.call(request)
        return number
    }

    private func ensureAccess(_ target: ISCSITarget, _ number: Int32) async throws {
        let wanted = target.addresses.union(target.initiators)
        let present = try await show().first { $0.number == number }?.access ?? []
        for host in wanted.subtracting(present) {
            try await control.call(access(target, number, host, .bind), unless: TgtdControl.Refusal.accessExists)
        }
        for host in present.subtracting(wanted) {
            try await control.call(access(target, number, host, .unbind), unless: TgtdControl.Refusal.noAccess)
        }
        guard target.initiators.isEmpty else { return }
        for connection in try await connections(number) where !target.addresses.contains(connection.address) {
            log.warning("host cut off", ["target": target.name, "address": connection.address])
            try await close(number, connection)
        }
    }

    private func access(
        _ target: ISCSITarget, _ number: Int32, _ host: String, _ operation: TgtdControl.Operation
    ) -> TgtdControl.Request {
        let isName = host.hasPrefix("iqn.") || host.hasPrefix("eui.") || host.hasPrefix("naa.")
        var request = TgtdControl.Request(mode: .target, operation: operation, target: number)
        request.parameters = [(isName ? "initiator-name" : "initiator-address", host)]
        return request
    }

    private func account(_ user: String, _ operation: TgtdControl.Operation) -> TgtdControl.Request {
        var request = TgtdControl.Request(mode: .account, operation: operation)
        request.parameters = [("user", user)]
        return request
    }

    private func close(_ target: Int32, _ connection: TgtdReport.Connection) async throws {
        try await control.call(
            .init(
                mode: .connection, operation: .delete, target: target, session: connection.session,
                connection: connection.number),
            unless: TgtdControl.Refusal.noSession, TgtdControl.Refusal.noConnection)
    }

    private func show() async throws -> [TgtdReport.Target] {
        TgtdReport.targets(try await control.call(.init(mode: .target, operation: .show)))
    }

    private func connections(_ target: Int32) async throws -> [TgtdReport.Connection] {
        TgtdReport.connections(
            try await control.call(.init(mode: .connection, operation: .show, target: target)))
    }

    // MARK: Daemon

    private func startDaemon(_ program: String) async throws {
        let socketPath = control.socketPath
        try await FileSystem.onThread {
            guard let slash = socketPath.lastIndex(of: "/") else { return }
            try FileSystem.makeDirectories(String(socketPath[..<slash]), mode: 0o700)
        }
        var environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        environment["TGT_IPC_SOCKET"] = String(socketPath.dropLast(".0".count))
        let daemon = try await Subprocess.spawnDaemon(
            program, ["-f", "--iscsi", "portal=\(portal)"], environment: environment, logPath: logPath,
            in: namespace)
        self.daemon.current.withLock { $0 = daemon }
        let deadline = ContinuousClock.now.advanced(by: Self.startLimit)
        while ContinuousClock.now < deadline, daemon.isRunning {
            do {
                _ = try await show()
                return log.info("tgtd started", ["pid": daemon.pid, "portal": portal])
            } catch is SystemError {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        throw CloudError(.unavailable, "The export failed.", cause: "tgtd did not start; see \(logPath)")
    }

    /// Ends the daemon that this service started, if it did.
    func stopDaemon() async throws {
        let daemon = daemon.current.withLock { $0 }
        try await daemon?.stop(grace: .milliseconds(200))
    }

    private final class Started: Sendable {
        let current = Mutex<Daemon?>(nil)
    }
}
