// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLinux
import Glibc
import LifecycleKit

/// Runs programs by argument vector. There is never a shell, so no argument can become a command.
package enum Subprocess {
    package struct Result: Sendable {
        /// The exit status; 128 + number when a signal ended the program, as shells say it.
        package var status: Int32
        package var stdout: [UInt8]
        package var stderr: [UInt8]

        package var isSuccess: Bool { status == 0 }
        package var output: String { String(decoding: stdout, as: UTF8.self) }
        package var errorText: String { String(decoding: stderr, as: UTF8.self) }
    }

    /// Bytes kept of each output; what comes after is read and dropped.
    package static let defaultOutputLimit = 1 << 20
    private static let threads = BlockingPool("subprocess", threads: 16)

    /// Runs a program to its end and returns what it wrote.
    ///
    /// When `timeout` passes, or the task is cancelled, the program is killed with its whole process group. Throws
    /// `SystemError` when it cannot be started, `.unavailable` when it was killed for taking too long. A status other
    /// than 0 is an answer, not an error. `environment` nil: this process's own.
    package static func run(
        _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil, stdin: [UInt8] = [],
        timeout: Duration = .seconds(60), outputLimit: Int = defaultOutputLimit, in namespace: NetworkNamespace? = nil
    ) async throws -> Result {
        let cancelled = try WakeDescriptor()
        let work: @Sendable () throws -> Result = {
            let exchange = try PipeExchange(stdin: stdin, outputLimit: outputLimit)
            let process = try ChildProcess.spawn(
                executable, arguments, environment: environment, descriptors: exchange.childDescriptors,
                newSession: false)
            return try exchange.finish(process, timeout: timeout, cancelled: cancelled, name: executable)
        }
        return try await withTaskCancellationHandler {
            if let namespace { return try await namespace.run(work) }
            return try await threads.run(work)
        } onCancel: {
            cancelled.wake()
        }
    }

    /// As `run`; throws `.unavailable` with the program's last words as the cause when its status is not 0.
    @discardableResult
    package static func runChecked(
        _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil, stdin: [UInt8] = [],
        timeout: Duration = .seconds(60), in namespace: NetworkNamespace? = nil
    ) async throws -> Result {
        let result = try await run(
            executable, arguments, environment: environment, stdin: stdin, timeout: timeout, in: namespace)
        guard result.isSuccess else {
            throw CloudError(
                .unavailable, "A program of the host failed.",
                cause: "\(executable) \(arguments.joined(separator: " ")): status \(result.status): "
                    + String(decoding: result.stderr.suffix(2000), as: UTF8.self))
        }
        return result
    }

    /// Starts a program that lives on by itself: in a session of its own, standard input from nowhere, both outputs
    /// appended to `logPath`. It survives this process.
    package static func spawnDaemon(
        _ executable: String, _ arguments: [String], environment: [String: String]? = nil, logPath: String,
        in namespace: NetworkNamespace? = nil
    ) async throws -> Daemon {
        let work: @Sendable () throws -> Daemon = {
            let input = OwnedDescriptor(try check(open("/dev/null", O_RDONLY | O_CLOEXEC), "open", "/dev/null"))
            let output = OwnedDescriptor(
                try check(open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640), "open", logPath))
            let process = try ChildProcess.spawn(
                executable, arguments, environment: environment,
                descriptors: [input.number, output.number, output.number], newSession: true)
            return try Daemon(pid: process)
        }
        if let namespace { return try await namespace.run(work) }
        return try await threads.run(work)
    }

    /// The first of `names` that is an executable file in the host's usual folders.
    package static func find(_ names: String...) -> String? {
        for name in names {
            for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"]
            where access("\(folder)/\(name)", X_OK) == 0 {
                return "\(folder)/\(name)"
            }
        }
        return nil
    }
}

/// posix_spawn with what every child of a server needs: no inherited descriptors, no inherited signal settings.
enum ChildProcess {
    /// `descriptors` become 0, 1, 2 of the child.
    static func spawn(
        _ executable: String, _ arguments: [String], environment: [String: String]?, descriptors: [Int32],
        newSession: Bool
    ) throws(SystemError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        _ = clinux_spawn_close_from(&actions, 3)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGCHLD] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        // A group of its own, so that a kill reaches the children of the child.
        let group = newSession ? clinux_spawn_setsid : Int32(POSIX_SPAWN_SETPGROUP)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(group))

        let pairs = environment.map { $0.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } }
        var pid = pid_t()
        let code = withCStrings([executable] + arguments) { argv in
            guard let pairs else { return posix_spawn(&pid, executable, &actions, &attributes, argv, environ) }
            return withCStrings(pairs) { posix_spawn(&pid, executable, &actions, &attributes, argv, $0) }
        }
        guard code == 0 else { throw SystemError("start", executable, code: code) }
        return pid
    }

    /// Blocks until the child has ended; its status as `Subprocess.Result` says it.
    static func reap(_ pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return readable(status)
    }

    static func readable(_ status: Int32) -> Int32 {
        clinux_exited(status) != 0 ? clinux_exit_status(status) : 128 + clinux_term_signal(status)
    }

    private static func withCStrings<R>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        // SAFETY: every copy and the table live until `body` returns; posix_spawn keeps none of them.
        let table = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { table[index] = strdup(string) }
        table[strings.count] = nil
        defer {
            for index in strings.indices { free(table[index]) }
            table.deallocate()
        }
        return body(table)
    }
}
