// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit

/// Columns that hold one word of a closed set. The program wrote it, so a word that it does not know is a fault of the
/// program, of a newer one, or of hands. No default stands in for it: that would end a lease, or share a network.
extension Row {
    /// Throws `.bug`, whose cause names the row, the column and the word.
    package func word<Word: RawRepresentable>(_ column: Int, _: Word.Type = Word.self) throws -> Word
    where Word.RawValue == String {
        let text = text(column)
        guard let word = Word(rawValue: text) else { throw unknown(text, in: column, Word.self) }
        return word
    }

    /// Nil for NULL only.
    package func wordOrNil<Word: RawRepresentable>(_ column: Int, _: Word.Type = Word.self) throws -> Word?
    where Word.RawValue == String {
        isNull(column) ? nil : try word(column)
    }

    /// For sets whose words are numbers.
    package func word<Word: RawRepresentable>(_ column: Int, _: Word.Type = Word.self) throws -> Word
    where Word.RawValue == Int {
        let number = int(column)
        guard let word = Word(rawValue: number) else { throw unknown("\(number)", in: column, Word.self) }
        return word
    }

    /// The set's name, with its type and module, tells the table, which a row does not know.
    private func unknown(_ word: String, in column: Int, _ set: Any.Type) -> CloudError {
        let row = "\(columnName(0)) '\(textOrNil(0)?.prefix(64) ?? "")'"
        return CloudError(
            .bug, "The server could not complete the request.",
            cause: "row with \(row): \(columnName(column)) is no \(String(reflecting: set)): '\(word.prefix(200))'")
    }
}

extension Transaction {
    /// As `query`, but a row that cannot be read spoils no other: the log is told of it, and it stays as it is.
    ///
    /// For who goes through all rows and does something about each alone. Never for who asks what is absent, nor for
    /// an answer to a caller: those fail as a whole.
    package func readable<T>(_ sql: SQL, _ map: (any Row) throws -> T) throws -> [T] {
        var rows: [T] = []
        try forEach(sql) { row in
            do {
                rows.append(try map(row))
            } catch let fault as CloudError where fault.code == .bug {
                Logger("database").error("a row cannot be read", ["error": fault])
            }
        }
        return rows
    }
}
