// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The face of a connection for one closure. Dead after the closure, so that one that escapes does no harm.
final class SQLiteTransaction: Transaction {
    private let connection: SQLiteConnection
    let isWritable: Bool
    private var isOpen = true
    private(set) var afterCommit: [@Sendable () -> Void] = []

    init(_ connection: SQLiteConnection, isWritable: Bool) {
        self.connection = connection
        self.isWritable = isWritable
    }

    func close() { isOpen = false }

    @discardableResult
    func execute(_ sql: SQL) throws -> Int {
        precondition(isOpen, "transaction used after its closure")
        guard isWritable else { throw DatabaseError.failed("write in a read transaction: \(sql.text)") }
        return try connection.execute(sql)
    }

    func forEach(_ sql: SQL, _ body: (any Row) throws -> Void) throws {
        precondition(isOpen, "transaction used after its closure")
        try connection.forEach(sql, body)
    }

    func afterCommit(_ action: @escaping @Sendable () -> Void) {
        precondition(isOpen && isWritable, "afterCommit outside of a write")
        afterCommit.append(action)
    }
}
