// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import Glibc
import LifecycleKit
import Synchronization

/// Many small databases, each in a file of its own, that share threads. Those used last are kept open.
///
/// Unlike `SQLiteDatabase`, a write is on the disk only when it asks to be, or after `sync`; it outlives the end of the
/// process in any case. A write runs to its end even when its caller is cancelled.
package final class SQLiteDatabases: Sendable {
    private struct Entry {
        let database: SQLiteOpenDatabase
        var users = 0
        var lastUse: UInt64 = 0
        /// Somebody closes it: those who come now wait, and open it anew.
        var isLeaving = false
        var unused: CheckedContinuation<Void, Never>?
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private struct State {
        var entries: [String: Entry] = [:]
        var clock: UInt64 = 0
        /// Paths of what was written since the last `sync`.
        var written: Set<String> = []
        var isClosed = false
    }

    private let openLimit: Int
    private let threads: BlockingPool
    private let state = Mutex(State())

    /// At most `openLimit` stay open while nobody uses them.
    package init(_ name: String, threads: Int = 4, openLimit: Int = 256) {
        precondition(openLimit > 0)
        self.openLimit = openLimit
        self.threads = BlockingPool(name, threads: threads, queueLimit: 8192)
    }

    /// A consistent snapshot. Throws `DatabaseError.missing` when there is no such file.
    package func read<T: Sendable>(
        _ path: String, _ body: @escaping @Sendable (any Transaction) throws -> T
    ) async throws -> T {
        let database = try await enter(path)
        defer { leave(path) }
        return try await database.read(body)
    }

    /// One at a time for each file; rolled back when the closure throws. Throws `DatabaseError.missing` when there is
    /// no such file. `isDurable`: it is on the disk when this returns.
    package func write<T: Sendable>(
        _ path: String, isDurable: Bool, _ body: @escaping @Sendable (any Transaction) throws -> T
    ) async throws -> T {
        let database = try await enter(path)
        defer { leave(path) }
        let result = try await database.write(isDurable: isDurable, body)
        if !isDurable { state.withLock { _ = $0.written.insert(path) } }
        return result
    }

    /// Makes a whole new file at `path`, which must not exist, with what `body` writes. Blocks; what is there then
    /// is one closed file, on the disk but for its name.
    package static func create(_ path: String, _ body: (any Transaction) throws -> Void) throws {
        var settings = SQLiteOpenDatabase.settings
        settings.creates = true
        settings.syncsCommits = true
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileCalls.failure("open", path) }
        Glibc.close(descriptor)
        let connection = try SQLiteConnection(path: path, role: .writer, settings)
        try connection.run("BEGIN IMMEDIATE")
        let transaction = SQLiteTransaction(connection, isWritable: true)
        defer { transaction.close() }
        try body(transaction)
        try connection.run("COMMIT")
        try connection.run("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Runs `body`, which may remove or replace the file, while nobody has it open.
    package func withoutUsers<T: Sendable>(_ path: String, _ body: @escaping @Sendable () throws -> T) async throws -> T
    {
        try await shielded { [self] in
            let database = await enterAlone(path)
            defer { left(path) }
            return try await threads.run {
                database.close()
                return try body()
            }
        }
    }

    /// Whether a `sync` would have something to do.
    package var hasUnsynced: Bool { state.withLock { !$0.written.isEmpty } }

    /// Returns when every write that has returned would outlive a power failure.
    package func sync() async throws {
        let paths = state.withLock { state in
            defer { state.written = [] }
            return state.written
        }
        guard !paths.isEmpty else { return }
        do {
            try await threads.run { for path in paths { try SQLiteOpenDatabase.syncLog(of: path) } }
        } catch {
            state.withLock { $0.written.formUnion(paths) }
            throw error
        }
    }

    /// Refuses new work, waits for what runs, and merges every log into its file.
    package func close() async {
        let paths = state.withLock { state in
            state.isClosed = true
            return Array(state.entries.keys)
        }
        for path in paths {
            // A log that cannot be merged is as good as the file.
            try? await withoutUsers(path) {}  // nothing is left to do with what fails here
        }
    }

    // MARK: Who uses what

    private func enter(_ path: String) async throws -> SQLiteOpenDatabase {
        while true {
            let (database, isFull) = try state.withLock { state -> (SQLiteOpenDatabase?, Bool) in
                guard !state.isClosed else {
                    throw CloudError(.unavailable, "The service is stopping; repeat the request.")
                }
                var entry = state.entries[path] ?? Entry(database: SQLiteOpenDatabase(path: path, threads: threads))
                guard !entry.isLeaving else { return (nil, false) }
                let isNew = entry.users == 0 && entry.lastUse == 0
                state.clock += 1
                entry.lastUse = state.clock
                entry.users += 1
                state.entries[path] = entry
                return (entry.database, isNew && state.entries.count > openLimit)
            }
            guard let database else {
                await untilLeft(path)
                continue
            }
            // Closing blocks. A busy pool closes at the next occasion.
            if isFull { _ = threads.start { [self] in closeOldest() } }
            return database
        }
    }

    private func leave(_ path: String) {
        let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard var entry = state.entries[path], entry.users > 0 else { preconditionFailure("nobody uses \(path)") }
            entry.users -= 1
            defer { state.entries[path] = entry }
            guard entry.users == 0 else { return nil }
            defer { entry.unused = nil }
            return entry.unused
        }
        continuation?.resume()
    }

    /// Bars the way for others and waits until nobody uses it.
    private func enterAlone(_ path: String) async -> SQLiteOpenDatabase {
        while true {
            let database = state.withLock { state -> SQLiteOpenDatabase? in
                var entry = state.entries[path] ?? Entry(database: SQLiteOpenDatabase(path: path, threads: threads))
                guard !entry.isLeaving else { return nil }
                entry.isLeaving = true
                state.entries[path] = entry
                return entry.database
            }
            guard let database else {
                await untilLeft(path)
                continue
            }
            await withCheckedContinuation { continuation in
                let isUnused = state.withLock { state in
                    if state.entries[path]?.users == 0 { return true }
                    state.entries[path]?.unused = continuation
                    return false
                }
                if isUnused { continuation.resume() }
            }
            return database
        }
    }

    private func untilLeft(_ path: String) async {
        await withCheckedContinuation { continuation in
            let isWaiting = state.withLock { state in
                guard state.entries[path]?.isLeaving == true else { return false }
                state.entries[path]?.waiting.append(continuation)
                return true
            }
            if !isWaiting { continuation.resume() }
        }
    }

    private func left(_ path: String) {
        let waiting = state.withLock { $0.entries.removeValue(forKey: path)?.waiting ?? [] }
        for waiter in waiting { waiter.resume() }
    }

    /// Blocks.
    private func closeOldest() {
        let oldest = state.withLock { state -> [SQLiteOpenDatabase] in
            let surplus = state.entries.count - openLimit
            guard surplus > 0 else { return [] }
            let unused = state.entries.values.filter { $0.users == 0 && !$0.isLeaving }
            let oldest = unused.sorted { $0.lastUse < $1.lastUse }.prefix(surplus).map(\.database)
            for database in oldest { state.entries[database.path]?.isLeaving = true }
            return oldest
        }
        for database in oldest {
            database.close()
            left(database.path)
        }
    }
}
