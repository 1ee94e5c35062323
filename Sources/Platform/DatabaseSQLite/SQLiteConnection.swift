// SPDX-License-Identifier: Apache-2.0
import CSQLite
import DatabaseKit

/// One connection with its prepared statements. Not thread-safe: whoever holds it is alone with it.
final class SQLiteConnection: @unchecked Sendable {
    // SAFETY: opened without SQLite's own mutex. `SQLiteWriter` keeps its connection on one thread;
    // `SQLiteReaders` and `SQLiteOpenDatabase` hand each connection to one closure at a time, under a lock that orders
    // the hand-overs.

    enum Role { case writer, reader }

    /// What differs between the one large database and many small ones.
    struct Settings: Sendable {
        var creates = true
        /// The log is synced at each commit: what was acknowledged survives a power cut.
        var syncsCommits = true
        var cacheKiB = 4096
        /// What the write-ahead log is cut back to after a burst.
        var logLimitBytes = 64 << 20
    }

    /// Statements kept per connection. Lists with `IN (…)` make many texts; the ones used long ago go first.
    static let statementLimit = 256
    /// Only another process (a backup, the operator's shell) can make this one wait.
    private static let busyTimeoutMilliseconds: Int32 = 10_000

    private let pointer: OpaquePointer
    private var statements: [String: SQLiteStatement] = [:]
    private var clock: UInt64 = 0

    init(path: String, role: Role, _ settings: Settings = Settings()) throws {
        var connection: OpaquePointer?
        let creation = settings.creates ? SQLITE_OPEN_CREATE : 0
        let flags = SQLITE_OPEN_READWRITE | creation | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(path, &connection, flags, nil)
        guard code == SQLITE_OK, let connection else {
            let error = DatabaseError(sqlite: code, on: connection)
            sqlite3_close_v2(connection)
            switch error {
            case .full, .damaged: throw error
            default: throw DatabaseError.failed("cannot open database \(path): \(error)")
            }
        }
        pointer = connection
        sqlite3_busy_timeout(connection, Self.busyTimeoutMilliseconds)
        csqlite_refuse_double_quoted_text(connection)
        for pragma in Self.pragmas(role, settings) { try run(pragma) }
    }

    deinit {
        statements.removeAll()
        sqlite3_close_v2(pointer)
    }

    private static func pragmas(_ role: Role, _ settings: Settings) -> [String] {
        let common = [
            "PRAGMA foreign_keys = ON",
            // As PostgreSQL has it; and an index can serve a prefix.
            "PRAGMA case_sensitive_like = ON",
            "PRAGMA temp_store = MEMORY",
            "PRAGMA trusted_schema = OFF",
            "PRAGMA cache_size = -\(settings.cacheKiB)",
        ]
        switch role {
        case .reader: return common + ["PRAGMA query_only = ON"]
        case .writer:
            return [
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = \(settings.syncsCommits ? "FULL" : "NORMAL")",
                "PRAGMA journal_size_limit = \(settings.logLimitBytes)",
            ] + common
        }
    }

    /// A statement of the connection's own (BEGIN, PRAGMA), whose rows nobody wants.
    func run(_ text: String) throws { try withStatement(text, []) { while try $0.step() {} } }

    func execute(_ sql: SQL) throws -> Int {
        try withStatement(sql.text, sql.binds) { statement in
            let before = sqlite3_total_changes64(pointer)
            while try statement.step() {}
            // A statement that is no INSERT, UPDATE or DELETE leaves the count of the one before.
            return sqlite3_total_changes64(pointer) == before ? 0 : Int(sqlite3_changes64(pointer))
        }
    }

    func forEach(_ sql: SQL, _ body: (any Row) throws -> Void) throws {
        try withStatement(sql.text, sql.binds) { statement in
            while try statement.step() { try body(statement) }
        }
    }

    /// False after SQLite has rolled back by itself: disk full, I/O error.
    var isInTransaction: Bool { sqlite3_get_autocommit(pointer) == 0 }

    private func withStatement<T>(
        _ text: String, _ binds: [SQLValue], _ body: (SQLiteStatement) throws -> T
    ) throws -> T {
        let statement = try statement(text)
        statement.isInUse = true
        defer {
            statement.reset()
            statement.isInUse = false
        }
        try statement.bind(binds)
        return try body(statement)
    }

    private func statement(_ text: String) throws -> SQLiteStatement {
        clock += 1
        if let known = statements[text] {
            // A run inside the same statement's rows: a second one, for this run only.
            if known.isInUse { return try SQLiteStatement(text, on: pointer) }
            known.lastUse = clock
            return known
        }
        let statement = try SQLiteStatement(text, on: pointer)
        if statements.count >= Self.statementLimit { forgetOldest() }
        statement.lastUse = clock
        statements[text] = statement
        return statement
    }

    /// Drops the older half at once, so that the search is rare.
    private func forgetOldest() {
        let uses = statements.values.map(\.lastUse).sorted()
        let middle = uses[uses.count / 2]
        statements = statements.filter { $0.value.lastUse >= middle || $0.value.isInUse }
    }
}
