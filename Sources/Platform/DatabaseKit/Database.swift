// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What went wrong in the database, in terms that every engine shares.
package enum DatabaseError: Error, Sendable, CustomStringConvertible {
    /// A unique index or primary key refused the row. `constraint` is as the engine names it:
    /// `ports.mac_address, ports.network_id`.
    case unique(constraint: String)
    /// A foreign key refused the row or its removal.
    case foreignKey
    /// Another check of the schema.
    case constraint(String)
    /// The transaction lost against another; repeating it may succeed. The kit has repeated it before it says so.
    case busy
    /// There is no room on the disk.
    case full
    /// The file is no database, or not a whole one.
    case damaged(String)
    /// There is no such file, and the call does not make one.
    case missing
    case failed(String)

    package var description: String {
        switch self {
        case .unique(let constraint): "unique constraint: \(constraint)"
        case .foreignKey: "foreign key constraint"
        case .constraint(let text): "constraint: \(text)"
        case .busy: "database busy"
        case .full: "the disk is full"
        case .damaged(let text): "database damaged: \(text)"
        case .missing: "no such database"
        case .failed(let text): text
        }
    }
}

/// An open transaction, valid inside the closure it is given to. Its calls block, on the database's own thread.
package protocol Transaction {
    /// Runs a statement; returns how many rows it changed. Throws `DatabaseError`.
    @discardableResult
    func execute(_ sql: SQL) throws -> Int

    /// Calls `body` for each row.
    func forEach(_ sql: SQL, _ body: (any Row) throws -> Void) throws

    /// Whether this transaction may write.
    var isWritable: Bool { get }

    /// Runs `action` on the database thread once the commit is durable; not at all when it rolls back.
    /// For waking reconcilers and dropping caches: it must be short and must not throw.
    func afterCommit(_ action: @escaping @Sendable () -> Void)
}

extension Transaction {
    package func query<T>(_ sql: SQL, _ map: (any Row) throws -> T) throws -> [T] {
        var rows: [T] = []
        try forEach(sql) { rows.append(try map($0)) }
        return rows
    }

    /// The first row, or nil.
    package func first<T>(_ sql: SQL, _ map: (any Row) throws -> T) throws -> T? {
        var result: T?
        try forEach(
            sql,
            while: { row in
                result = try map(row)
                return false
            })
        return result
    }

    /// Calls `body` for each row until it answers false.
    package func forEach(_ sql: SQL, while body: (any Row) throws -> Bool) throws {
        do {
            try forEach(sql) { row in
                guard try body(row) else { throw EndOfRows() }
            }
        } catch is EndOfRows {
            return
        }
    }

    /// The first column of the first row as a number; 0 without a row.
    package func count(_ sql: SQL) throws -> Int { try first(sql) { $0.int(0) } ?? 0 }

    package func exists(_ sql: SQL) throws -> Bool { try first(sql) { _ in true } ?? false }
}

/// Leaves a loop over rows.
private struct EndOfRows: Error {}

/// One database. Both calls run the closure on the database's own threads, never on the cooperative pool.
///
/// A closure is synchronous, so nothing inside can wait for a network. It may run again when the engine asks
/// for a repeat (serialization failure), so it must have no effect but through its transaction.
package protocol Database: Sendable {
    /// A consistent snapshot. Any number run at once.
    func read<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T

    /// One at a time; durable when it returns; rolled back when the closure throws.
    @discardableResult
    func write<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T

    var dialect: SQLDialect { get }
}

/// By the names that their makers write.
package enum SQLDialect: String, Sendable {
    case sqlite = "SQLite"
    case postgres = "PostgreSQL"
}

/// One forward step of a service's schema. Listed in the service's `Migrations.swift`, applied once, in order.
package struct Migration: Sendable {
    /// Unique in the whole cloud and never changed: `network-0007-floating-ip-dns`.
    package let name: String
    /// Statements that both engines understand: TEXT, BIGINT, no AUTOINCREMENT, no engine's own functions.
    package let statements: [String]

    package init(_ name: String, _ statements: [String]) {
        self.name = name
        self.statements = statements
    }
}
