// SPDX-License-Identifier: Apache-2.0
import ObjectStorageContract

/// A page of a listing at the cost of its entries: below a delimiter it goes on behind the whole subdirectory.
///
/// Ceph gives keys forwards only. A page that goes backwards takes the last rows before its bound in windows of limited
/// size, each read forwards from where one begins that is short enough. That is found by halving the range of names, so
/// a window costs as many short reads as tell its names from others, not as there are rows before it. Keys that were
/// met on the way are where the next window may begin.
struct IndexListing<Row: IndexedRow> {
    typealias Key = [UInt8]
    typealias Entries = [(key: Key, value: [UInt8])]
    /// What a read takes that only looks where rows are.
    private static var probeLimit: Int { 64 }

    private let query: ListingQuery
    private let name: String
    private let pool: RadosPool
    /// The rows are those after this key, which need not be one.
    private var start: Key
    /// Not included.
    private var end: Key
    private let delimiter: [UInt8]
    /// swift: a page that begins behind a subdirectory does not show it again, though names below it follow.
    private let bound: [UInt8]?

    init(_ query: ListingQuery, _ name: String, _ pool: RadosPool) {
        (self.query, self.name, self.pool) = (query, name, pool)
        delimiter = Array((query.delimiter ?? "").utf8)
        let (from, upTo) = query.isReversed ? (query.endMarker, query.marker) : (query.marker, query.endMarker)
        bound = from.map { Array($0.utf8) }
        start = OmapKey.before([IndexKey.listed])
        end = OmapKey.successor(of: [IndexKey.listed])
        func key(_ name: String) -> Key { IndexKey.row(name, isDeleted: false) }
        if let from, !from.isEmpty { start = key(from) }
        if let upTo, !upTo.isEmpty { end = key(upTo) }
        guard let prefix = query.prefix, !prefix.isEmpty else { return }
        let first = OmapKey.before(key(prefix))
        if OmapKey.precedes(start, first) { start = first }
        let last = OmapKey.successor(of: key(prefix))
        if OmapKey.precedes(last, end) { end = last }
    }

    /// Nil: there is no such index. Blocks.
    func run() throws -> [ListingEntry<Row>]? {
        guard query.limit > 0, OmapKey.precedes(start, end) else { return try pool.exists(name) ? [] : nil }
        return query.isReversed ? try backwards() : try forwards()
    }

    // MARK: Forwards

    private func forwards() throws -> [ListingEntry<Row>]? {
        var entries: [ListingEntry<Row>] = []
        var position = start
        var skipped: Key?
        while entries.count < query.limit {
            let count = delimiter.isEmpty ? query.limit - entries.count : min(query.limit, 128)
            guard let page = try pool.values(name, after: position, limit: count) else { return nil }
            for entry in page.entries {
                guard entries.count < query.limit, OmapKey.precedes(entry.key, end) else { return entries }
                if let skipped, entry.key.starts(with: skipped) { continue }
                if let directory = subdirectory(of: entry.key) {
                    skipped = OmapKey.encode(directory, IndexKey.listed)
                    if directory != bound { entries.append(.subdirectory(String(decoding: directory, as: UTF8.self))) }
                } else if let row = Row.read(entry.key, entry.value)?.row {
                    entries.append(.row(row))
                }
            }
            guard !page.isLast, let last = page.entries.last?.key else { break }
            position = last
            if let skipped, last.starts(with: skipped) {
                position = OmapKey.before(OmapKey.successor(of: skipped))
            }
        }
        return entries
    }

    /// The name up to the first delimiter after the prefix, with it. Nil: it has none there.
    private func subdirectory(of key: Key) -> [UInt8]? {
        guard let first = delimiter.first else { return nil }
        let name = OmapKey.name(key)
        var from = query.prefix?.utf8.count ?? 0
        while let index = name[min(from, name.count)...].firstIndex(of: first) {
            if name[index...].starts(with: delimiter) { return Array(name[..<(index + delimiter.count)]) }
            from = index + 1
        }
        return nil
    }

    // MARK: Backwards

    private func backwards() throws -> [ListingEntry<Row>]? {
        var entries: [ListingEntry<Row>] = []
        var known: [Key] = []
        var upTo = end
        while true {
            guard let (window, isFirst) = try window(before: upTo, &known) else { return nil }
            for entry in window.reversed() where OmapKey.precedes(entry.key, upTo) {
                guard entries.count < query.limit else { return entries }
                if let directory = subdirectory(of: entry.key) {
                    if directory != bound { entries.append(.subdirectory(String(decoding: directory, as: UTF8.self))) }
                    upTo = OmapKey.encode(directory, IndexKey.listed)
                } else if let row = Row.read(entry.key, entry.value)?.row {
                    entries.append(.row(row))
                }
            }
            if let first = window.first?.key, OmapKey.precedes(first, upTo) { upTo = first }
            guard !isFirst, entries.count < query.limit else { return entries }
        }
    }

    /// The last rows before `upTo`, without a gap: at least one, unless there is none, and at most a page. `isFirst`:
    /// there are none before them.
    private func window(before upTo: Key, _ known: inout [Key]) throws -> (Entries, isFirst: Bool)? {
        let pageLimit = min(RadosPool.pageLimit, max(Self.probeLimit, 2 * query.limit))
        while let last = known.last, !OmapKey.precedes(last, upTo) { known.removeLast() }
        // Where there is a row, as far as is known; nil: the beginning of all.
        var low = known.popLast()
        // From here on there is no row before `upTo`.
        var high = upTo
        var position = low.map(OmapKey.before) ?? start
        var (limit, isFirst, middle) = (pageLimit, low == nil, Key?.none)
        while true {
            guard let page = try pool.values(name, after: position, limit: limit) else { return nil }
            let rows = page.entries.prefix { OmapKey.precedes($0.key, upTo) }
            if page.isLast || rows.count < page.entries.count {
                if !rows.isEmpty || isFirst { return (Array(rows), isFirst) }
                if let middle {
                    high = middle
                } else {
                    // The row that was known has gone.
                    low = known.popLast()
                    (position, limit, isFirst) = (low.map(OmapKey.before) ?? start, pageLimit, low == nil)
                    continue
                }
            } else if let last = rows.last?.key {
                if let first = rows.first?.key { known.append(first) }
                low = last
            }
            guard let found = low else { continue }
            middle = OmapKey.between(found, high)
            position = middle.map(OmapKey.before) ?? OmapKey.before(found)
            (limit, isFirst) = (middle == nil ? pageLimit : Self.probeLimit, false)
        }
    }
}
