// SPDX-License-Identifier: Apache-2.0
import Glibc
import LogKit

/// Starts the host's daemons, starts again what ends, and reaps everything that the host leaves to its first process.
struct Supervisor {
    /// A daemon that ends sooner than this is started again with a growing delay.
    static let healthySeconds = 10
    static let longestDelaySeconds = 30
    /// For saving all guests at the end.
    static let finishSeconds = 90
    static let logTrimSeconds = 60

    private struct Daemon {
        let name: String
        let arguments: [String]
        let environment: [String: String]
        let keeping: [Int32]
        var process: pid_t
        var startedAt: Int
        var delaySeconds = 1
        /// When to start it again, while it is down.
        var dueAt: Int?
    }

    private var daemons: [Daemon] = []
    private let logDirectory: String
    private let logFiles: LogFiles
    private var logsTrimmedAt = 0
    private let log = Logger("host")

    /// Daemons' outputs go to `logDirectory`; every log below `allLogs` is kept from growing for ever.
    init(logDirectory: String, allLogs: String) {
        self.logDirectory = logDirectory
        logFiles = LogFiles(directory: allLogs)
    }

    mutating func start(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], keeping: [Int32] = []
    ) throws {
        var daemon = Daemon(
            name: name, arguments: arguments, environment: environment, keeping: keeping, process: 0, startedAt: 0)
        try launch(&daemon)
        daemons.append(daemon)
    }

    private func launch(_ daemon: inout Daemon) throws {
        daemon.process = try HostProcess.spawn(
            daemon.arguments, environment: daemon.environment, keeping: daemon.keeping,
            output: .file("\(logDirectory)/\(daemon.name).log"))
        daemon.startedAt = Self.now()
        daemon.dueAt = nil
    }

    /// Returns when this process is asked to end.
    mutating func superviseUntilTermination() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGCHLD] { sigaddset(&signals, signal) }
        sigprocmask(SIG_BLOCK, &signals, nil)
        while true {
            reap()
            restartDue()
            if Self.now() - logsTrimmedAt >= Self.logTrimSeconds {
                logFiles.trim()
                logsTrimmedAt = Self.now()
            }
            var limit = timespec(tv_sec: 1, tv_nsec: 0)
            let signal = sigtimedwait(&signals, nil, &limit)
            if signal == SIGTERM || signal == SIGINT { return }
        }
    }

    private mutating func reap() {
        var status: Int32 = 0
        while true {
            let process = waitpid(-1, &status, WNOHANG)
            guard process > 0 else { return }
            guard let index = daemons.firstIndex(where: { $0.process == process && $0.dueAt == nil }) else { continue }
            let lived = Self.now() - daemons[index].startedAt
            daemons[index].delaySeconds =
                lived >= Self.healthySeconds
                ? 0 : min(max(1, daemons[index].delaySeconds * 2), Self.longestDelaySeconds)
            daemons[index].dueAt = Self.now() + daemons[index].delaySeconds
            log.warning(
                "daemon ended",
                [
                    "name": daemons[index].name, "status": HostProcess.exitStatus(status), "lived": lived,
                    "again in": daemons[index].delaySeconds,
                ])
        }
    }

    private mutating func restartDue() {
        for index in daemons.indices {
            guard let due = daemons[index].dueAt, due <= Self.now() else { continue }
            do {
                try launch(&daemons[index])
            } catch {
                daemons[index].dueAt = Self.now() + Self.longestDelaySeconds
                log.error("daemon does not start", ["name": daemons[index].name, "error": "\(error)"])
            }
        }
    }

    /// Runs a program to its end. Meanwhile everything else that ends is reaped: libvirt waits until a guest's process
    /// is really gone.
    func finish(_ arguments: [String]) {
        do {
            let process = try HostProcess.spawn(arguments, output: .file("\(logDirectory)/setup.log"))
            if !isGone(process, within: Self.finishSeconds) { kill(process, SIGKILL) }
        } catch {
            log.warning("program does not start", ["name": arguments[0], "error": "\(error)"])
        }
    }

    /// Asks a daemon to end, and ends it after `seconds`.
    func stop(_ name: String, seconds: Int) {
        guard let daemon = daemons.first(where: { $0.name == name && $0.dueAt == nil }) else { return }
        kill(daemon.process, SIGTERM)
        if !isGone(daemon.process, within: seconds) {
            kill(daemon.process, SIGKILL)
            _ = isGone(daemon.process, within: seconds)
        }
    }

    private func isGone(_ process: pid_t, within seconds: Int) -> Bool {
        let end = Self.now() + seconds
        while Self.now() <= end {
            while true {
                let ended = waitpid(-1, nil, WNOHANG)
                if ended == process { return true }
                guard ended > 0 else { break }
            }
            guard kill(process, 0) == 0 else { return true }
            usleep(20_000)
        }
        return false
    }

    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }
}
