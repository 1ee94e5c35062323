// SPDX-License-Identifier: Apache-2.0
import CSQLite
import DatabaseKit

extension DatabaseError {
    /// What `code` (an extended result code) means, with the text that `connection` has for it.
    init(sqlite code: Int32, on connection: OpaquePointer?) {
        let text = sqlite3_errmsg(connection).map { String(cString: $0) } ?? "out of memory"
        self.init(sqlite: code, text: text)
    }

    init(sqlite code: Int32, text: String) {
        switch code {
        case SQLiteCode.uniqueConstraint, SQLiteCode.primaryKeyConstraint, SQLiteCode.rowIDConstraint:
            self = .unique(constraint: Self.subject(of: text))
        case SQLiteCode.foreignKeyConstraint:
            self = .foreignKey
        case SQLiteCode.notNullConstraint:
            self = .constraint("not null: \(Self.subject(of: text))")
        case _ where code & 0xFF == SQLITE_CONSTRAINT:
            self = .constraint(Self.subject(of: text))
        case _ where code & 0xFF == SQLITE_BUSY || code & 0xFF == SQLITE_LOCKED:
            self = .busy
        case _ where code & 0xFF == SQLITE_FULL:
            self = .full
        case _ where code & 0xFF == SQLITE_CORRUPT || code & 0xFF == SQLITE_NOTADB:
            self = .damaged("\(text) (SQLite code \(code))")
        default:
            self = .failed("\(text) (SQLite code \(code))")
        }
    }

    /// `ports.mac_address, ports.network_id` of `UNIQUE constraint failed: ports.mac_address, ports.network_id`.
    private static func subject(of text: String) -> String {
        let marker = "constraint failed: "
        let bytes = Array(text.utf8)
        let wanted = Array(marker.utf8)
        guard bytes.count > wanted.count else { return text }
        for start in 0...(bytes.count - wanted.count)
        where bytes[start..<(start + wanted.count)].elementsEqual(wanted) {
            return String(decoding: bytes[(start + wanted.count)...], as: UTF8.self)
        }
        return text
    }
}

/// Extended result codes; in C they are macros of an expression, which Swift does not import.
private enum SQLiteCode {
    static let foreignKeyConstraint = SQLITE_CONSTRAINT | 3 << 8
    static let notNullConstraint = SQLITE_CONSTRAINT | 5 << 8
    static let primaryKeyConstraint = SQLITE_CONSTRAINT | 6 << 8
    static let uniqueConstraint = SQLITE_CONSTRAINT | 8 << 8
    static let rowIDConstraint = SQLITE_CONSTRAINT | 10 << 8
}
