// SPDX-License-Identifier: Apache-2.0
import DatabaseKit
import LifecycleKit
import Synchronization

/// The threads that read, with a connection for each. In WAL mode they never wait for the writer, nor it for them.
final class SQLiteReaders: Sendable {
    static let queueLimit = 8192

    private let path: String
    private let threads: BlockingPool
    /// Connections that no thread uses now. Never more than threads, since a thread takes one before it opens one.
    private let idle = Mutex<[SQLiteConnection]>([])

    init(path: String, count: Int) {
        self.path = path
        threads = BlockingPool("sqlite-reader", threads: count, queueLimit: Self.queueLimit)
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        try await threads.run { [self] in
            let connection = try idle.withLock { $0.popLast() } ?? SQLiteConnection(path: path, role: .reader)
            defer { idle.withLock { $0.append(connection) } }
            try connection.run("BEGIN")
            defer {
                try? connection.run("COMMIT")  // nothing was written, so nothing is lost; the next BEGIN would say so
            }
            let transaction = SQLiteTransaction(connection, isWritable: false)
            defer { transaction.close() }
            return try body(transaction)
        }
    }

    func close() { idle.withLock { $0 = [] } }
}
