// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// An account's or a container's rows in memory, by the plainest way that is right.
struct FakeIndex: Sendable {
    /// Names compare by their bytes; `String` does by canonical equivalence.
    typealias Name = [UInt8]
    private struct Entry<Row: Sendable>: Sendable {
        var row: Row
        var sequence: Int64
        var came: Timestamp
    }

    private var base: IndexRecord
    private var objects: [Name: Entry<ObjectRow>] = [:]
    private var containers: [Name: Entry<ContainerRow>] = [:]
    private var sequence: Int64 = 0

    init(_ record: IndexRecord) {
        base = record
        (base.objectCount, base.bytesUsed, base.containerCount) = (0, 0, 0)
    }

    /// With the totals of the rows.
    var record: IndexRecord {
        var record = base
        if record.path.container == nil {
            let listed = containers.values.map(\.row).filter { !$0.isDeleted }
            record.containerCount = Int64(listed.count)
            record.objectCount = listed.reduce(0) { $0 + $1.objectCount }
            record.bytesUsed = listed.reduce(0) { $0 + $1.bytesUsed }
        } else {
            let listed = objects.values.map(\.row).filter { !$0.isDeleted }
            record.objectCount = Int64(listed.count)
            record.bytesUsed = listed.reduce(0) { $0 + $1.sizeBytes }
        }
        return record
    }

    mutating func merge(_ other: IndexRecord) {
        let put = max(base.putTime, other.putTime)
        if base.isDeleted, !other.isDeleted, other.putTime == put { base.policy = other.policy }
        base.createdTime = min(base.createdTime, other.createdTime)
        base.putTime = put
        if let time = other.deleteTime { delete(at: time) }
        setHeaders(other.headers.filter { header in base.deleteTime.map { header.value.time > $0 } ?? true })
    }

    mutating func setHeaders(_ headers: [String: IndexRecord.TimedValue]) {
        for (name, value) in headers where base.headers[name].map({ $0.time <= value.time }) ?? true {
            base.headers[name] = value
        }
    }

    mutating func delete(at time: WriteTime) {
        base.deleteTime = max(time, base.deleteTime ?? time)
        for (name, value) in base.headers where value.time <= time {
            base.headers[name] = IndexRecord.TimedValue("", time)
        }
    }

    mutating func put(_ rows: [ObjectRow], _ now: Timestamp) {
        for row in rows {
            let name = Array(row.name.utf8)
            if let old = objects[name]?.row {
                let isLater = row.time > old.time || (row.time == old.time && row.isDeleted && !old.isDeleted)
                guard isLater else { continue }
            }
            sequence += 1
            objects[name] = Entry(row: row, sequence: sequence, came: now)
        }
    }

    mutating func put(_ rows: [ContainerRow], _ now: Timestamp) {
        for var row in rows {
            row.totalsTime = row.totalsTime ?? row.putTime
            let name = Array(row.name.utf8)
            if let old = containers[name]?.row {
                if (old.totalsTime ?? old.putTime) > (row.totalsTime ?? row.putTime) {
                    (row.objectCount, row.bytesUsed, row.totalsTime) = (old.objectCount, old.bytesUsed, old.totalsTime)
                }
                if old.putTime >= row.putTime { row.policy = old.policy }
                row.putTime = max(old.putTime, row.putTime)
                row.deleteTime = [old.deleteTime, row.deleteTime].compactMap { $0 }.max()
                if row == old { continue }
            }
            sequence += 1
            containers[name] = Entry(row: row, sequence: sequence, came: now)
        }
    }

    mutating func loseRows(since time: Timestamp) {
        objects = objects.filter { $0.value.came < time }
    }

    func rows(after position: Int64, limit: Int) -> IndexRows {
        var page = IndexRows(position: position)
        if base.path.container == nil {
            let rows = containers.values.filter { $0.sequence > position }.sorted { $0.sequence < $1.sequence }
            page.containers = rows.prefix(limit).map(\.row)
            page.position = rows.prefix(limit).last?.sequence ?? position
            page.isLast = rows.count <= limit
        } else {
            let rows = objects.values.filter { $0.sequence > position }.sorted { $0.sequence < $1.sequence }
            page.objects = rows.prefix(limit).map(\.row)
            page.position = rows.prefix(limit).last?.sequence ?? position
            page.isLast = rows.count <= limit
        }
        return page
    }

    func listObjects(_ query: ListingQuery) -> [ListingEntry<ObjectRow>] {
        Self.list(objects.filter { !$0.value.row.isDeleted }.mapValues(\.row), query)
    }

    func listContainers(_ query: ListingQuery) -> [ListingEntry<ContainerRow>] {
        Self.list(containers.filter { !$0.value.row.isDeleted }.mapValues(\.row), query)
    }

    private static func list<Row>(_ rows: [Name: Row], _ query: ListingQuery) -> [ListingEntry<Row>] {
        let prefix = Array((query.prefix ?? "").utf8)
        let delimiter = Array((query.delimiter ?? "").utf8)
        func bound(_ text: String?) -> Name? { text.flatMap { $0.isEmpty ? nil : Array($0.utf8) } }
        let marker = bound(query.marker)
        let (lower, upper) =
            query.isReversed ? (bound(query.endMarker), marker) : (marker, bound(query.endMarker))
        var names = rows.keys.filter { name in
            name.starts(with: prefix) && (lower.map { $0.lexicographicallyPrecedes(name) } ?? true)
                && (upper.map { name.lexicographicallyPrecedes($0) } ?? true)
        }
        names.sort { $0.lexicographicallyPrecedes($1) }
        if query.isReversed { names.reverse() }
        var entries: [ListingEntry<Row>] = []
        var last: Name?
        for name in names {
            guard entries.count < query.limit else { break }
            if !delimiter.isEmpty, let end = end(of: delimiter, in: name, from: prefix.count) {
                let subdirectory = Array(name[..<end])
                if subdirectory != last, subdirectory != lower {
                    entries.append(.subdirectory(String(decoding: subdirectory, as: UTF8.self)))
                }
                last = subdirectory
            } else if let row = rows[name] {
                entries.append(.row(row))
            }
        }
        return entries
    }

    private static func end(of part: [UInt8], in name: Name, from start: Int) -> Int? {
        guard name.count >= start + part.count else { return nil }
        return (start...(name.count - part.count)).first { name[$0...].starts(with: part) }.map { $0 + part.count }
    }
}
