// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Changes indexes. One object of Ceph is an index: rows are its keys, totals stand in its attributes, and both change
/// in one write, on condition that nobody has changed the index since it was read.
///
/// An index is one object, however many rows it has: so totals and rows never disagree, and a listing reads one sorted
/// list. The price is Ceph's own limit: a row takes two keys, and from 200000 keys on, which is 100000 rows, Ceph
/// warns of a large omap object (`osd_deep_scrub_large_omap_object_key_threshold`), because such an object is recovered
/// as a whole. It works beyond; listings cost the same. Who has containers of millions of objects raises the threshold,
/// keeps the pool on fast disks, or spreads objects over containers, as upstream advises, too.
final class IndexWriter: Sendable {
    enum Change: Sendable {
        case create(IndexRecord)
        case setHeaders([String: IndexRecord.TimedValue])
        case delete(WriteTime)
        case putObjects([ObjectRow])
        case putContainers([ContainerRow])

        fileprivate var names: [String] {
            switch self {
            case .putObjects(let rows): rows.map(\.name)
            case .putContainers(let rows): rows.map(\.name)
            default: []
            }
        }
    }
    /// Of so many writes one looks for rows that were deleted long ago.
    private static let reclaimEvery = 64
    private static let reclaimLimit = 256

    private let batches: KeyedBatches<Change, Void>

    init(_ cluster: RadosCluster, reclaimAge: Duration, clock: WallClock) {
        batches = KeyedBatches(cluster, limit: 256) { name, changes, pool in
            let limit = WriteTime(ticks: (clock.now() - reclaimAge).microseconds / 10)
            do {
                return try Self.write(name, changes, reclaimBefore: limit, pool)
            } catch {
                return changes.map { _ in .failure(error) }
            }
        }
    }

    static func name(_ location: StorageLocation) -> String {
        (location.path.container == nil ? "a." : "c.") + location.hash
    }

    /// Throws `.notFound` when there is no such index, unless `change` makes it.
    func change(_ location: StorageLocation, _ change: Change) async throws {
        try await batches.submit(change, to: Self.name(location))
    }

    /// Blocks. Nil: there is none.
    static func read(_ name: String, _ pool: RadosPool) throws -> StoredIndex? {
        guard let found = try pool.read(name) else { return nil }
        return try decode(found, name)
    }

    private static func decode(_ found: RadosSnapshot, _ name: String) throws -> StoredIndex {
        guard let index = found.attributes[ObjectHead.recordName].flatMap(StoredIndex.init) else {
            throw RadosFailure.away(cause: "\(name) has no record")
        }
        return index
    }

    private static func write(
        _ name: String, _ changes: [Change], reclaimBefore limit: WriteTime, _ pool: RadosPool
    ) throws -> [Result<Void, any Error>] {
        let names = changes.flatMap(\.names)
        let keys = names.flatMap { [IndexKey.row($0, isDeleted: false), IndexKey.row($0, isDeleted: true)] }
        for attempt in 0..<ObjectHead.attempts {
            let found = try pool.read(name, keys: keys)
            var edit = IndexEdit(try found.map { try decode($0, name) }, found?.values ?? [:])
            let answers = changes.map { change in Result { try edit.apply(change, reclaimBefore: limit) } }
            guard edit.isChanged, let index = edit.index else { return answers }
            if Int.random(in: 0..<reclaimEvery) == 0, found != nil {
                let start = index.reclaimed
                let page = try pool.values(name, after: start, limit: reclaimLimit)
                edit.reclaim(page?.entries ?? [], isAccount: index.record.path.container == nil, before: limit)
            }
            if try pool.attempt(name, edit.write(over: found?.attributes[ObjectHead.markName])) { return answers }
            RadosPause.take(attempt)
        }
        throw RadosFailure.away(cause: "\(name) does not stand still")
    }
}

/// An index with changes that are not written yet.
private struct IndexEdit {
    private let old: StoredIndex?
    private(set) var index: StoredIndex?
    /// What is there, and what will be.
    private var values: [[UInt8]: [UInt8]]
    private var set: [[UInt8]: [UInt8]] = [:]
    private var removed: Set<[UInt8]> = []

    init(_ index: StoredIndex?, _ values: [[UInt8]: [UInt8]]) {
        old = index
        self.index = index
        self.values = values
    }

    var isChanged: Bool { index != old || !set.isEmpty || !removed.isEmpty }

    mutating func apply(_ change: IndexWriter.Change, reclaimBefore limit: WriteTime) throws {
        if case .create(let record) = change {
            if index?.merge(record) == nil { index = StoredIndex(record) }
            return
        }
        guard index != nil else { throw RadosFailure.noIndex }
        switch change {
        case .create: break
        case .setHeaders(let headers):
            index?.setHeaders(headers)
            index?.reclaimHeaders(before: limit)
        case .delete(let time): index?.delete(at: time)
        case .putObjects(let rows): for row in rows { put(row) }
        case .putContainers(let rows): for row in rows { put(row) }
        }
    }

    private mutating func put<Row: IndexedRow>(_ row: Row) {
        guard var index else { return }
        let keys = [false, true].map { IndexKey.row(row.name, isDeleted: $0) }
        let found = keys.compactMap { key in
            values[key].flatMap { Row.read(key, $0) }.map { (key: key, row: $0.row, sequence: $0.sequence) }
        }.first
        guard let new = row.merged(over: found?.row) else { return }
        index.sequence += 1
        let key = keys[new.isDeleted ? 1 : 0]
        if let found {
            remove(IndexKey.sequence(found.sequence))
            if found.key != key { remove(found.key) }
            if !found.row.isDeleted { index.add(found.row.totals, times: -1) }
        }
        if !new.isDeleted { index.add(new.totals, times: 1) }
        put(key, new.text(index.sequence))
        put(IndexKey.sequence(index.sequence), key)
        self.index = index
    }

    /// Forgets of `entries`, which follow in the order of keys, rows that were deleted long ago.
    mutating func reclaim(_ entries: [(key: [UInt8], value: [UInt8])], isAccount: Bool, before limit: WriteTime) {
        for entry in entries where entry.key.first == IndexKey.deleted && set[entry.key] == nil {
            let (time, sequence) =
                isAccount
                ? ContainerRow.read(entry.key, entry.value).map { ($0.row.deleteTime, $0.sequence) } ?? (nil, 0)
                : ObjectRow.read(entry.key, entry.value).map { ($0.row.time, $0.sequence) } ?? (nil, 0)
            guard let time, time < limit else { continue }
            remove(entry.key)
            remove(IndexKey.sequence(sequence))
        }
        let last = entries.last?.key
        index?.reclaimed = last.flatMap { $0.first == IndexKey.deleted ? $0 : nil } ?? [IndexKey.deleted]
    }

    private mutating func put(_ key: [UInt8], _ value: [UInt8]) {
        (values[key], set[key]) = (value, value)
        removed.remove(key)
    }

    private mutating func remove(_ key: [UInt8]) {
        (values[key], set[key]) = (nil, nil)
        removed.insert(key)
    }

    /// On condition that the index is as it was read.
    func write(over mark: [UInt8]?) -> RadosWrite {
        var write = RadosWrite()
        write.condition = mark.map { .attribute(ObjectHead.markName, $0) } ?? .absent
        write.attributes = [
            (ObjectHead.recordName, index?.text() ?? []),
            (ObjectHead.markName, Array(RadosNames.random().utf8)),
        ]
        write.values = set
        write.removedKeys = Array(removed)
        return write
    }
}
