// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Starts programs for the host's first process, which reaps by itself; elsewhere `LinuxKit.Subprocess` is the way.
struct HostProcess {
    enum Output {
        /// Appended to; made when absent.
        case file(String)
        case inherit
    }

    /// Starts `arguments[0]` (found in `PATH`) in a session of its own, with no signal blocked.
    ///
    /// `keeping` are descriptors that it inherits under the same numbers; all others must be close-on-exec.
    static func spawn(
        _ arguments: [String], environment: [String: String] = [:], keeping: [Int32] = [], output: Output
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        if case .file(let path) = output {
            posix_spawn_file_actions_addopen(&actions, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0o640)
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        // dup2 onto itself clears close-on-exec in the child alone (glibc 2.29).
        for descriptor in keeping { posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | clinux_spawn_setsid))

        let variables = Self.environment.merging(environment) { _, own in own }
        var process: pid_t = 0
        let code = withStrings(arguments) { argv in
            withStrings(variables.map { "\($0.key)=\($0.value)" }) { envp in
                posix_spawnp(&process, arguments[0], &actions, &attributes, argv, envp)
            }
        }
        guard code == 0 else {
            throw CommandFailure("Cannot start \(arguments[0]): \(String(cString: strerror(code))).")
        }
        return process
    }

    /// This process's own.
    static var environment: [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let pointer = entry.pointee {
            let text = String(cString: pointer)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            entry += 1
        }
        return variables
    }

    /// Replaces this program. Returns only to throw.
    static func replace(with arguments: [String]) throws -> Never {
        _ = withStrings(arguments) { execvp(arguments[0], $0) }
        throw CommandFailure("Cannot run \(arguments[0]): \(String(cString: strerror(errno))).")
    }

    /// Waits for the end; the exit status, or 128 + signal.
    static func wait(_ process: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        return exitStatus(status)
    }

    static func exitStatus(_ status: Int32) -> Int32 {
        status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    private static func withStrings<T>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> T
    ) -> T {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else {
                preconditionFailure("the list ends with nil, so it is never empty")
            }
            return body(base)
        }
    }
}
