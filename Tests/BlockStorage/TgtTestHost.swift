// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageDriverISCSI
import Glibc
import LinuxKit

/// A tgtd in a network namespace that has nothing but loopback.
struct TgtTestHost: Sendable {
    static var isPossible: Bool {
        geteuid() == 0 && Subprocess.find("tgtd") != nil && FileSystem.exists("/usr/bin/qemu-io")
    }

    let namespace: NetworkNamespace
    private let folder: VolumeTestFolder

    static func with(
        _ body: (TgtTestHost, VolumeTestFolder) async throws -> Void
    ) async throws {
        try await VolumeTestFolder.with { folder in
            let namespace = NetworkNamespace("haneul-tgt-\(getpid())-\(UInt16.random(in: 0...UInt16.max))")
            try await namespace.create()
            let host = TgtTestHost(namespace: namespace, folder: folder)
            do {
                try await body(host, folder)
            } catch {
                try await namespace.delete()
                throw error
            }
            try await namespace.delete()
        }
    }

    /// Runs `body` while a tgtd runs; it has forgotten everything afterwards.
    func running(_ body: () async throws -> Void) async throws {
        guard let program = Subprocess.find("tgtd") else { preconditionFailure("no tgtd") }
        unlink(socket)
        unlink("\(socket).lock")
        let daemon = try await Subprocess.spawnDaemon(
            program, ["-f", "--iscsi", "portal=127.0.0.1:3260"],
            environment: ["PATH": "/usr/sbin:/usr/bin", "TGT_IPC_SOCKET": String(socket.dropLast(2))],
            logPath: "\(folder.path)/tgtd.log", in: namespace)
        for _ in 0..<400 where !FileSystem.exists(socket) { try await Task.sleep(for: .milliseconds(10)) }
        do {
            try await body()
        } catch {
            try await daemon.stop(grace: .milliseconds(200))
            throw error
        }
        try await daemon.stop(grace: .milliseconds(200))
    }

    func config(store: ISCSIVolumeConfig.Store) -> ISCSIVolumeConfig {
        var config = ISCSIVolumeConfig(
            address: "host@iscsi", stateDirectory: folder.path, hostAddress: "127.0.0.1")
        config.store = store
        config.controlSocket = socket
        config.startsDaemon = false
        return config
    }

    var socket: String { "\(folder.path)/tgtd.0" }
}
