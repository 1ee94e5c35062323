// SPDX-License-Identifier: Apache-2.0
import DatabaseKit
import ObjectStorageContract

/// Names between two, in the order of their UTF-8 bytes, which is that of their scalars.
struct NameRange: Sendable {
    var from: String?
    var includesFrom = false
    /// Not included.
    var upTo: String?
    var isReversed: Bool

    /// The conditions and the order, for a table whose primary key is `name`.
    var condition: SQL {
        var sql: SQL = "WHERE 1 = 1"
        if let from { sql += includesFrom ? "AND name >= \(from)" : "AND name > \(from)" }
        if let upTo { sql += "AND name < \(upTo)" }
        return sql + (isReversed ? "ORDER BY name DESC" : "ORDER BY name")
    }

    mutating func raise(_ name: String, includes: Bool) {
        guard from.map({ Self.precedes($0, name) }) ?? true else { return }
        (from, includesFrom) = (name, includes)
    }

    mutating func lower(_ name: String) {
        if upTo.map({ Self.precedes(name, $0) }) ?? true { upTo = name }
    }

    /// The first name after all that begin with `prefix`; nil: there is none.
    static func successor(of prefix: String) -> String? {
        var scalars = Array(prefix.unicodeScalars)
        while let last = scalars.popLast() {
            // Nothing lies between the surrogates in UTF-8.
            let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
            guard let scalar = Unicode.Scalar(next) else { continue }
            scalars.append(scalar)
            var text = ""
            text.unicodeScalars.append(contentsOf: scalars)
            return text
        }
        return nil
    }

    /// `String` compares by canonical equivalence; names do not.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

/// A page of a listing at the cost of its entries: below a delimiter it goes on behind the whole subdirectory.
struct ListingScan {
    private let query: ListingQuery
    private var range: NameRange

    init(_ query: ListingQuery) {
        self.query = query
        range = NameRange(isReversed: query.isReversed)
        let (from, upTo) = query.isReversed ? (query.endMarker, query.marker) : (query.marker, query.endMarker)
        if let from, !from.isEmpty { range.raise(from, includes: false) }
        if let upTo, !upTo.isEmpty { range.upTo = upTo }
        guard let prefix = query.prefix, !prefix.isEmpty else { return }
        range.raise(prefix, includes: true)
        if let end = NameRange.successor(of: prefix) { range.lower(end) }
    }

    /// `select` is the statement for at most so many rows of a range, the name first; `entry` reads one.
    func run<Entry>(
        _ transaction: any Transaction, select: (NameRange, Int) -> SQL, entry: (any Row) -> Entry
    ) throws -> [ListingEntry<Entry>] {
        var entries: [ListingEntry<Entry>] = []
        var range = range
        let delimiter = Array((query.delimiter ?? "").utf8)
        while entries.count < query.limit {
            var skipped: String?
            try transaction.forEach(
                select(range, query.limit - entries.count),
                while: { row in
                    skipped = subdirectory(of: row, delimiter)
                    if skipped == nil { entries.append(.row(entry(row))) }
                    return skipped == nil
                })
            guard let skipped else { break }
            if !isBound(skipped) { entries.append(.subdirectory(skipped)) }
            if query.isReversed {
                range.lower(skipped)
            } else if let next = NameRange.successor(of: skipped) {
                range.raise(next, includes: true)
            } else {
                break
            }
        }
        return entries
    }

    /// The name up to the first delimiter after the prefix, with it. Nil: it has none there.
    private func subdirectory(of row: any Row, _ delimiter: [UInt8]) -> String? {
        guard let first = delimiter.first else { return nil }
        let bytes = Array(row.text(0).utf8)
        var start = query.prefix?.utf8.count ?? 0
        while let index = bytes[min(start, bytes.count)...].firstIndex(of: first) {
            if bytes[index...].starts(with: delimiter) {
                return String(decoding: bytes[..<(index + delimiter.count)], as: UTF8.self)
            }
            start = index + 1
        }
        return nil
    }

    /// swift: a page that begins behind a subdirectory does not show it again, though names below it follow.
    private func isBound(_ subdirectory: String) -> Bool {
        let bound = query.isReversed ? query.endMarker : query.marker
        return bound.map { $0.utf8.elementsEqual(subdirectory.utf8) } ?? false
    }
}
