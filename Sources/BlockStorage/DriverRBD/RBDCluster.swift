// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CRBD
import Glibc
import LifecycleKit
import LinuxKit

/// A call of librados or librbd that failed.
struct RBDError: Error, Sendable, CustomStringConvertible {
    let call: String
    let subject: String
    /// Positive, of errno's kind.
    let code: Int32
    var description: String {
        "\(call) \(subject): \(strerror(code).map { String(cString: $0) } ?? "error \(code)")"
    }

    var cloudError: CloudError {
        switch code {
        case ENOENT: CloudError(.notFound, "The volume's storage is not there.", cause: description)
        case EBUSY: CloudError(.conflict, "The volume is in use.", kind: "VolumeInUse", cause: description)
        case ENOSPC, EDQUOT: CloudError(.unavailable, "The storage has no space left.", cause: description)
        default: CloudError(.unavailable, "The storage failed.", cause: description)
        }
    }
}

/// One pool of a cluster. Calls block, so they run on threads of its own; librados and librbd let many threads call.
final class RBDCluster: Sendable {
    private static let threads = BlockingPool("rbd", threads: 8)

    private let connection: Connection
    /// Cephx key of the user, for hosts that attach volumes.
    let key: String
    let monitors: [String]

    private init(connection: Connection, key: String, monitors: [String]) {
        self.connection = connection
        self.key = key
        self.monitors = monitors
    }

    static func connect(_ config: RBDVolumeConfig) async throws -> RBDCluster {
        let work: @Sendable () throws -> RBDCluster = {
            do {
                let connection = try Connection(config)
                let monitors = MonitorList.parse(try connection.option("mon_host"))
                guard !monitors.isEmpty else {
                    throw CloudError(
                        .unavailable, "The storage cluster is not set.",
                        cause: "\(config.configurationFile) has no mon_host")
                }
                return RBDCluster(
                    connection: connection, key: try Keyring.key(of: config.user, connection), monitors: monitors)
            } catch let error as RBDError {
                throw error.cloudError
            }
        }
        // The threads that talk to the cluster are started here, and stay in the namespace that they were started in.
        if let namespace = config.namespace { return try await namespace.run(work) }
        return try await threads.run(work)
    }

    /// Runs `body` on a thread for blocking calls.
    func run<T: Sendable>(_ body: @escaping @Sendable (RBDPool) throws -> T) async throws -> T {
        try await Self.threads.run { [connection] in
            do {
                return try body(RBDPool(library: connection.library, pool: connection.pool))
            } catch let error as RBDError {
                throw error.cloudError
            }
        }
    }

    /// What a command of the monitors answers.
    func command(_ text: String) async throws -> JSON {
        try await Self.threads.run { [connection] in
            do {
                return try connection.command(text)
            } catch let error as RBDError {
                throw error.cloudError
            }
        }
    }

    /// Owns the cluster's handle and the pool's.
    fileprivate final class Connection: @unchecked Sendable {
        // SAFETY: both handles are made in init, never change, and are closed once, when the last user has gone;
        // librados lets any thread use them at any time.
        let library: RBDLibrary
        private let cluster: UnsafeMutableRawPointer
        let pool: UnsafeMutableRawPointer

        init(_ config: RBDVolumeConfig) throws {
            let library = try RBDLibrary.load()
            var handle: UnsafeMutableRawPointer?
            let made = library.create(&handle, "ceph", "client.\(config.user)", 0)
            guard made == 0, let cluster = handle else {
                throw RBDError(call: "rados_create", subject: config.user, code: -made)
            }
            func check(_ result: Int32, _ call: String, _ subject: String) throws {
                if result < 0 { throw RBDError(call: call, subject: subject, code: -result) }
            }
            var pool: UnsafeMutableRawPointer?
            do {
                let path = config.configurationFile
                try check(library.readConfiguration(cluster, path), "rados_conf_read_file", path)
                let seconds = "\(config.connectTimeout.components.seconds)"
                for option in ["client_mount_timeout", "rados_mon_op_timeout"] {
                    try check(library.setOption(cluster, option, seconds), "rados_conf_set", option)
                }
                try check(library.connect(cluster), "rados_connect", path)
                try check(library.openPool(cluster, config.pool, &pool), "rados_ioctx_create", config.pool)
            } catch {
                library.shutDown(cluster)
                throw error
            }
            guard let pool else { preconditionFailure("a pool without a handle") }
            self.library = library
            self.cluster = cluster
            self.pool = pool
        }

        deinit {
            library.closePool(pool)
            library.shutDown(cluster)
        }

        func option(_ name: String) throws -> String {
            var buffer = [CChar](repeating: 0, count: 16_384)
            let result = library.getOption(cluster, name, &buffer, buffer.count)
            guard result >= 0 else { throw RBDError(call: "rados_conf_get", subject: name, code: -result) }
            return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        func command(_ text: String) throws -> JSON {
            var (answer, length): (UnsafeMutablePointer<CChar>?, Int) = (nil, 0)
            let result = text.withCString { pointer in
                var commands: [UnsafePointer<CChar>?] = [pointer]
                return library.command(cluster, &commands, 1, "", 0, &answer, &length, nil, nil)
            }
            guard result >= 0 else { throw RBDError(call: "rados_mon_command", subject: text, code: -result) }
            guard let answer else { return .null }
            defer { library.freeBuffer(answer) }
            let bytes = UnsafeRawBufferPointer(start: answer, count: length)
            return try JSONReader.read(Array(bytes))
        }
    }

    fileprivate enum Keyring {
        /// From the option `key`, or from the first file of `keyring` that has the user.
        static func key(of user: String, _ connection: Connection) throws -> String {
            let direct = try connection.option("key")
            if !direct.isEmpty { return direct }
            for path in try connection.option("keyring").split(separator: ",") {
                guard let text = try KeyringFile.text(String(path)) else { continue }
                if let key = KeyringFile.key(of: "client.\(user)", in: text) { return key }
            }
            throw CloudError(
                .unavailable, "The storage cluster's key is not there.",
                cause: "no keyring that the configuration names has a key of client.\(user)")
        }
    }
}
