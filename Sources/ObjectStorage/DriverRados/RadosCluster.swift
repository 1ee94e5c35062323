// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CRados
import Glibc
import LifecycleKit
import LinuxKit

/// One namespace of one pool. Calls block, so they run on threads; librados lets many threads call.
final class RadosCluster: Sendable {
    private let connection: Connection
    /// For what clients wait for.
    private let threads = BlockingPool("rados", threads: 16)
    /// For what nobody waits for: it may take long.
    private let sweeper = BlockingThread("rados-sweep")
    private let auditor = BlockingThread("rados-audit")

    private init(_ connection: Connection) { self.connection = connection }

    static func connect(_ config: RadosConfig, _ path: RadosPath) async throws -> RadosCluster {
        let work: @Sendable () throws -> RadosCluster = {
            do {
                return RadosCluster(try Connection(config, path))
            } catch {
                throw RadosFailure.describe(error)
            }
        }
        // The threads that talk to the cluster are started here, and stay in the namespace that they were started in.
        if let network = config.network { return try await network.run(work) }
        return try await FileSystem.onThread(work)
    }

    /// Blocks when it is used: on threads for that alone.
    var pool: RadosPool { RadosPool(library: connection.library, handle: connection.pool) }

    func run<T: Sendable>(_ body: @escaping @Sendable (RadosPool) throws -> T) async throws -> T {
        try await described { try await self.threads.run { try body(self.pool) } }
    }

    /// For what changes nothing: who gives up waiting is not held by a cluster that hangs.
    func read<T: Sendable>(_ body: @escaping @Sendable (RadosPool) throws -> T) async throws -> T {
        try await described { try await self.threads.run(whenCancelled: .abandons) { try body(self.pool) } }
    }

    func onSweepThread<T: Sendable>(_ body: @escaping @Sendable (RadosPool) throws -> T) async throws -> T {
        try await described { try await self.sweeper.run { try body(self.pool) } }
    }

    func onAuditThread<T: Sendable>(_ body: @escaping @Sendable (RadosPool) throws -> T) async throws -> T {
        try await described { try await self.auditor.run { try body(self.pool) } }
    }

    /// False: too much waits, and `body` never runs.
    func start(_ body: @escaping @Sendable (RadosPool) -> Void) -> Bool { threads.start { body(self.pool) } }

    private func described<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch {
            throw RadosFailure.describe(error)
        }
    }

    /// What the pool can take, and has free. Blocks.
    func space(of pool: String) throws -> (total: Int64, free: Int64) {
        if let report = try? connection.command(#"{"prefix":"df","format":"json"}"#),  // nil: the user may not ask
            let found = report["pools"]?.array?.first(where: { $0["name"]?.string == pool }),
            let free = found["stats"]?["max_avail"]?.int, let used = found["stats"]?["stored"]?.int
        {
            return (used + free, free)
        }
        // Of all pools, and with their replicas.
        let (total, free) = try connection.space()
        return (total, free)
    }

    /// Owns the cluster's handle and the pool's.
    private final class Connection: @unchecked Sendable {
        // SAFETY: both handles are made in init, never change, and are closed once, when the last user has gone;
        // librados lets any thread use them at any time.
        let library: RadosLibrary
        private let cluster: UnsafeMutableRawPointer
        let pool: UnsafeMutableRawPointer

        init(_ config: RadosConfig, _ path: RadosPath) throws {
            let library = try RadosLibrary.load()
            var handle: UnsafeMutableRawPointer?
            let made = library.create(&handle, "ceph", "client.\(config.user)", 0)
            guard made == 0, let cluster = handle else {
                throw RadosError(call: "rados_create", subject: config.user, code: -made)
            }
            func check(_ result: Int32, _ call: String, _ subject: String) throws {
                if result < 0 { throw RadosError(call: call, subject: subject, code: -result) }
            }
            var pool: UnsafeMutableRawPointer?
            do {
                let file = config.configurationFile
                // Without a file the monitors must be said.
                if config.monitors.isEmpty || FileSystem.exists(file) {
                    try check(library.readConfiguration(cluster, file), "rados_conf_read_file", file)
                }
                for (name, value) in Self.options(config) {
                    try check(library.setOption(cluster, name, value), "rados_conf_set", name)
                }
                try check(library.connect(cluster), "rados_connect", file)
                try check(library.openPool(cluster, path.pool, &pool), "rados_ioctx_create", path.pool)
            } catch {
                library.shutDown(cluster)
                throw error
            }
            guard let pool else { preconditionFailure("a pool without a handle") }
            library.setNamespace(pool, path.namespace)
            // A full cluster says so; else calls would wait until there is room.
            library.setFullTry(pool)
            self.library = library
            self.cluster = cluster
            self.pool = pool
        }

        private static func options(_ config: RadosConfig) -> [(String, String)] {
            let connect = "\(config.connectTimeout.components.seconds)"
            var options = [
                ("client_mount_timeout", connect), ("rados_mon_op_timeout", connect),
                ("rados_osd_op_timeout", "\(config.callTimeout.components.seconds)"),
            ]
            if !config.monitors.isEmpty { options.append(("mon_host", config.monitors)) }
            if !config.keyring.isEmpty { options.append(("keyring", config.keyring)) }
            return options
        }

        deinit {
            library.closePool(pool)
            library.shutDown(cluster)
        }

        func space() throws -> (Int64, Int64) {
            var status = rados_cluster_stat_t()
            let result = library.clusterSpace(cluster, &status)
            guard result >= 0 else { throw RadosError(call: "rados_cluster_stat", subject: "", code: -result) }
            return (Int64(clamping: status.kb) << 10, Int64(clamping: status.kb_avail) << 10)
        }

        func command(_ text: String) throws -> JSON {
            var (answer, length): (UnsafeMutablePointer<CChar>?, Int) = (nil, 0)
            let result = text.withCString { pointer in
                var commands: [UnsafePointer<CChar>?] = [pointer]
                return library.command(cluster, &commands, 1, "", 0, &answer, &length, nil, nil)
            }
            guard result >= 0 else { throw RadosError(call: "rados_mon_command", subject: text, code: -result) }
            guard let answer else { return .null }
            defer { library.freeBuffer(answer) }
            return try JSONReader.read(Array(UnsafeRawBufferPointer(start: answer, count: length)))
        }
    }
}
