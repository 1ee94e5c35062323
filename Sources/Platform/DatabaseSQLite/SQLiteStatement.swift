// SPDX-License-Identifier: Apache-2.0
import CSQLite
import DatabaseKit

/// One prepared statement of one connection; also the row it stands on.
///
/// Reused for all rows of all its runs, so reading a list allocates nothing but the caller's values.
final class SQLiteStatement: Row {
    // SAFETY: owned by this object from init to deinit and used on the connection's thread alone. Pointers into
    // a row are read before the next step, inside one call.
    private let pointer: OpaquePointer
    private let connection: OpaquePointer
    let bindCount: Int
    /// Set while a run reads rows: a nested run of the same text needs a statement of its own.
    var isInUse = false
    /// The cache's clock at the last use.
    var lastUse: UInt64 = 0

    init(_ text: String, on connection: OpaquePointer) throws {
        self.connection = connection
        var copy = text
        pointer = try copy.withUTF8 { utf8 throws -> OpaquePointer in
            try utf8.withMemoryRebound(to: CChar.self) { characters in
                var statement: OpaquePointer?
                var tail: UnsafePointer<CChar>?
                let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
                let code = sqlite3_prepare_v3(
                    connection, characters.baseAddress, Int32(characters.count), flags, &statement, &tail)
                guard code == SQLITE_OK else { throw DatabaseError(sqlite: code, on: connection) }
                guard let statement else { throw DatabaseError.failed("empty statement") }
                let used = characters.baseAddress.flatMap { start in tail.map { $0 - start } } ?? characters.count
                guard characters[used...].allSatisfy({ $0 <= 0x20 || $0 == 0x3B }) else {
                    sqlite3_finalize(statement)
                    throw DatabaseError.failed("more than one statement in one text")
                }
                return statement
            }
        }
        bindCount = Int(sqlite3_bind_parameter_count(pointer))
    }

    deinit { sqlite3_finalize(pointer) }

    func bind(_ values: [SQLValue]) throws {
        guard values.count == bindCount else {
            throw DatabaseError.failed("\(values.count) values for \(bindCount) binds")
        }
        for (index, value) in zip(Int32(1)..., values) {
            let code =
                switch value {
                case .null: sqlite3_bind_null(pointer, index)
                case .integer(let number): sqlite3_bind_int64(pointer, index, number)
                case .text(let text): bind(text, at: index)
                case .blob(let bytes): bind(bytes, at: index)
                }
            guard code == SQLITE_OK else { throw DatabaseError(sqlite: code, on: connection) }
        }
    }

    private func bind(_ text: String, at index: Int32) -> Int32 {
        var copy = text
        return copy.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { characters in
                guard let start = characters.baseAddress, !characters.isEmpty else {
                    return csqlite_bind_text(pointer, index, "", 0)
                }
                return csqlite_bind_text(pointer, index, start, UInt64(characters.count))
            }
        }
    }

    private func bind(_ bytes: [UInt8], at index: Int32) -> Int32 {
        bytes.isEmpty
            ? sqlite3_bind_zeroblob(pointer, index, 0)
            : bytes.withUnsafeBytes { csqlite_bind_blob(pointer, index, $0.baseAddress, UInt64($0.count)) }
    }

    /// True: this object stands on the next row. False: there is none.
    func step() throws -> Bool {
        switch sqlite3_step(pointer) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw DatabaseError(sqlite: code, on: connection)
        }
    }

    /// Ends a run. Its error, if any, was reported by `step` already.
    func reset() {
        sqlite3_reset(pointer)
        if bindCount > 0 { sqlite3_clear_bindings(pointer) }
    }

    // MARK: Row

    var columnCount: Int { Int(sqlite3_column_count(pointer)) }

    func columnName(_ column: Int) -> String {
        sqlite3_column_name(pointer, Int32(column)).map { String(cString: $0) } ?? ""
    }

    func isNull(_ column: Int) -> Bool { sqlite3_column_type(pointer, Int32(column)) == SQLITE_NULL }

    func text(_ column: Int) -> String {
        guard let text = textOrNil(column) else {
            assertionFailure("column \(column), \(columnName(column)), is NULL or missing")
            return ""
        }
        return text
    }

    func textOrNil(_ column: Int) -> String? {
        guard let start = sqlite3_column_text(pointer, Int32(column)) else { return nil }
        let count = Int(sqlite3_column_bytes(pointer, Int32(column)))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    func int64(_ column: Int) -> Int64 { sqlite3_column_int64(pointer, Int32(column)) }

    func int64OrNil(_ column: Int) -> Int64? { isNull(column) ? nil : int64(column) }

    func int(_ column: Int) -> Int { Int(int64(column)) }

    func intOrNil(_ column: Int) -> Int? { isNull(column) ? nil : int(column) }

    func blob(_ column: Int) -> [UInt8] {
        guard let start = sqlite3_column_blob(pointer, Int32(column)) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(pointer, Int32(column)))))
    }
}
