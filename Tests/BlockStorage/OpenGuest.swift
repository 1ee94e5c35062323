// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Glibc
import LinuxKit

/// A guest that keeps a volume open: a `qemu-io` that reads its commands from a pipe with a name.
final class OpenGuest: Sendable {
    private let daemon: Daemon
    private let log: String
    private let pipe: OwnedDescriptor

    private init(daemon: Daemon, log: String, pipe: consuming OwnedDescriptor) {
        self.daemon = daemon
        self.log = log
        self.pipe = pipe
    }

    /// For a plain qcow2 file.
    static func start(_ connection: VolumeConnection, _ folder: VolumeTestFolder) async throws -> OpenGuest {
        guard case .file(let path, .qcow2) = connection.source else { preconditionFailure("no file") }
        let (fifo, log) = (folder.file("fifo"), folder.file("log"))
        guard mkfifo(fifo, 0o600) == 0 else { throw SystemError("mkfifo", fifo) }
        // Both ends, so that the program never meets the end of its commands.
        let pipe = OwnedDescriptor(open(fifo, O_RDWR | O_CLOEXEC))
        let daemon = try await Subprocess.spawnDaemon(
            "/bin/sh", ["-c", "exec /usr/bin/qemu-io -f qcow2 \"$1\" < \"$2\"", "sh", path, fifo], logPath: log)
        let guest = OpenGuest(daemon: daemon, log: log, pipe: pipe)
        try await guest.send("length")
        return guest
    }

    /// Returns when the command's answer is there.
    func send(_ command: String) async throws {
        let before = try FileSystem.status(log)?.size ?? 0
        let line = Array("\(command)\n".utf8)
        guard write(pipe.number, line, line.count) == line.count else { throw SystemError("write", "pipe") }
        for _ in 0..<400 {
            let text = try FileSystem.text(log) ?? ""
            if Int64(text.utf8.count) > before, text.hasSuffix("qemu-io>") { return }
            try await Task.sleep(for: .milliseconds(25))
        }
        throw CloudError(.unavailable, "qemu-io did not answer", cause: try FileSystem.text(log))
    }

    func stop() async throws { try await daemon.stop() }
}
