// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import Glibc
import LifecycleKit

/// One of `SQLiteDatabases`, open: a connection that writes and a few that read, on threads that all of them share.
///
/// Writes that wait at the same time share one commit. Connections open when they are first needed.
final class SQLiteOpenDatabase: Sendable {
    private static let queueLimit = 8192
    private static let idleReaderLimit = 2
    static let settings = SQLiteConnection.Settings(
        creates: false, syncsCommits: false, cacheKiB: 512, logLimitBytes: 4 << 20)

    private struct Write {
        let job: any SQLiteJob
        let isDurable: Bool
    }
    private enum Next { case refuse, wait, start }
    private struct State {
        var writes = FIFO<Write>()
        /// A thread works on `writes`, or will; it alone uses `writer`.
        var isDraining = false
        var writer: SQLiteConnection?
        var idleReaders: [SQLiteConnection] = []
    }

    let path: String
    private let threads: BlockingPool
    private let state = Monitor(State())

    init(path: String, threads: BlockingPool) {
        self.path = path
        self.threads = threads
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        try await threads.run { [self] in
            let connection = try state.withLock { $0.idleReaders.popLast() } ?? open(.reader)
            defer {
                let surplus = state.withLock { state -> SQLiteConnection? in
                    guard state.idleReaders.count < Self.idleReaderLimit else { return connection }
                    state.idleReaders.append(connection)
                    return nil
                }
                // Its end, if it is one, comes here, outside of the lock.
                withExtendedLifetime(surplus) {}
            }
            try connection.run("BEGIN")
            defer {
                try? connection.run("COMMIT")  // nothing was written, so nothing is lost; the next BEGIN would say so
            }
            let transaction = SQLiteTransaction(connection, isWritable: false)
            defer { transaction.close() }
            return try body(transaction)
        }
    }

    func write<T: Sendable>(
        isDurable: Bool, _ body: @escaping @Sendable (any Transaction) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let job = SQLiteCall(isWrite: true, body, continuation)
            let next = state.withLock { state -> Next in
                guard state.writes.count < Self.queueLimit else { return .refuse }
                state.writes.append(Write(job: job, isDurable: isDurable))
                if state.isDraining { return .wait }
                state.isDraining = true
                return .start
            }
            switch next {
            case .refuse: continuation.resume(throwing: Self.busy)
            case .wait: break
            case .start: if !threads.start({ self.drain() }) { refuseAll(Self.busy) }
            }
        }
    }

    /// Closes the connections; the last one merges the log into the file. When nobody uses this database. Blocks.
    func close() {
        let connections = state.wait { state -> [SQLiteConnection]? in
            // The thread that answered the last writer may be on its way out. It waits for nothing.
            if state.isDraining { return nil }
            defer { (state.writer, state.idleReaders) = (nil, []) }
            return state.idleReaders + (state.writer.map { [$0] } ?? [])
        }
        withExtendedLifetime(connections) {}
    }

    /// Returns when every commit so far would outlive a power failure. The log has no locks of SQLite's, so opening and
    /// closing it here drops none.
    static func syncLog(of path: String) throws {
        let log = path + "-wal"
        let descriptor = Glibc.open(log, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            // Merged into the file when the last connection closed, and synced then.
            if errno == ENOENT { return }
            throw FileCalls.failure("open", log)
        }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileCalls.failure("fsync", log) }
    }

    private static let busy = CloudError(
        .unavailable, "The service is busy. Please retry later.", cause: "database queue full")

    private func open(_ role: SQLiteConnection.Role) throws -> SQLiteConnection {
        guard access(path, F_OK) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { throw DatabaseError.missing }
            throw FileCalls.failure("access", path)
        }
        return try SQLiteConnection(path: path, role: role, Self.settings)
    }

    /// One batch; then other databases have their turn.
    private func drain() {
        repeat {
            do {
                try writeBatch()
            } catch {
                return refuseAll(error)
            }
        } while !endDrain() && !threads.start { self.drain() }
    }

    private func writeBatch() throws {
        let connection = try writer()
        var mustSync = false
        let batch = SQLiteBatch(connection) { [path] in if mustSync { try Self.syncLog(of: path) } }
        func next() -> (any SQLiteJob)? {
            guard let write = state.withLock({ $0.writes.popFirst() }) else { return nil }
            mustSync = mustSync || write.isDurable
            return write.job
        }
        if let first = next() { batch.write(first, next: next) }
    }

    /// True: nothing waits, and the next write starts a drain of its own.
    private func endDrain() -> Bool {
        let isDone = state.withLock { state in
            state.isDraining = !state.writes.isEmpty
            return !state.isDraining
        }
        if isDone { state.wakeAll() }
        return isDone
    }

    private func writer() throws -> SQLiteConnection {
        if let writer = state.withLock({ $0.writer }) { return writer }
        let writer = try open(.writer)
        state.withLock { $0.writer = writer }
        return writer
    }

    private func refuseAll(_ error: any Error) {
        let writes = state.withLock { state in
            state.isDraining = false
            defer { state.writes = FIFO() }
            return state.writes
        }
        state.wakeAll()
        var rest = writes
        while let write = rest.popFirst() { write.job.finish(failure: error) }
    }
}
