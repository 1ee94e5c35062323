// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import Synchronization

/// Which objects are to be deleted when: rows of containers in an account of the store's own, one container a day.
///
/// A row is a hint. The object itself says when it expires, so a row that is out of date does nothing.
package struct ExpiryQueue: Sendable {
    package static let account = ObjectPath(account: ".expiring_objects")
    private static let daySeconds: Int64 = 86_400

    let cluster: StorageCluster
    private let known = KnownDays()

    package init(cluster: StorageCluster) { self.cluster = cluster }

    package struct Entry: Sendable, Equatable {
        package var day: String
        package var name: String
        package var path: ObjectPath
        package var seconds: Int64
    }

    package func add(_ path: ObjectPath, at seconds: Int64) async throws {
        let day = Self.day(seconds)
        if !known.contains(day) {
            let time = cluster.clock.now()
            if try await cluster.index(Self.account) == nil {
                try await cluster.createIndex(IndexRecord(path: Self.account, time: time))
            }
            try await cluster.createIndex(IndexRecord(path: Self.container(day), time: time))
            known.insert(day)
        }
        let row = ObjectRow(
            name: Self.name(path, seconds), time: cluster.clock.now(), sizeBytes: 0, contentType: "text/plain", etag: ""
        )
        try await cluster.putObjectRows(Self.container(day), [row])
    }

    /// Entries whose time has come, after `entry`, in order of their time.
    func due(at now: Int64, after entry: Entry?, limit: Int) async throws -> [Entry] {
        guard try await cluster.index(Self.account) != nil else { return [] }
        var entries: [Entry] = []
        var days = ListingQuery(limit: 100)
        while entries.isEmpty {
            let page = try await cluster.listContainers(Self.account, days)
            if page.isEmpty { return [] }
            for case .row(let row) in page where row.name <= Self.day(now) && row.name >= entry?.day ?? "" {
                var query = ListingQuery(limit: limit - entries.count)
                query.marker = row.name == entry?.day ? entry?.name : nil
                query.endMarker = Self.padded(now + 1)
                for case .row(let object) in try await cluster.listObjects(Self.container(row.name), query) {
                    if let entry = Self.entry(object.name, day: row.name) { entries.append(entry) }
                }
                if entries.count >= limit { return entries }
            }
            if case .row(let last)? = page.last { days.marker = last.name }
        }
        return entries
    }

    func remove(_ entries: [Entry]) async throws {
        for (day, entries) in Dictionary(grouping: entries, by: \.day) {
            let time = cluster.clock.now()
            try await cluster.putObjectRows(Self.container(day), entries.map { .deleted($0.name, at: time) })
        }
    }

    /// Removes the containers of days that have passed and are empty.
    func sweep(before now: Int64) async throws {
        guard try await cluster.index(Self.account) != nil else { return }
        for case .row(let row) in try await cluster.listContainers(Self.account, ListingQuery(limit: 100))
        where row.name < Self.day(now) {
            let container = Self.container(row.name)
            guard try await cluster.listObjects(container, ListingQuery(limit: 1)).isEmpty else { continue }
            known.remove(row.name)
            try await cluster.deleteIndex(container, at: cluster.clock.now())
        }
    }

    static func container(_ day: String) -> ObjectPath { ObjectPath(account: account.account, container: day) }
    static func day(_ seconds: Int64) -> String { padded(max(0, seconds) / daySeconds * daySeconds) }
    static func name(_ path: ObjectPath, _ seconds: Int64) -> String {
        padded(seconds) + "-" + path.description.dropping(leading: "/")
    }

    static func entry(_ name: String, day: String) -> Entry? {
        let halves = name.split(byte: "-", maxSplits: 1)
        guard halves.count == 2, let seconds = Int64(halves[0]) else { return nil }
        let parts = halves[1].split(byte: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3 else { return nil }
        let path = ObjectPath(account: parts[0], container: parts[1], object: parts[2])
        return Entry(day: day, name: name, path: path, seconds: seconds)
    }

    private static func padded(_ seconds: Int64) -> String {
        let text = String(max(0, seconds))
        return String(repeating: "0", count: max(0, 10 - text.utf8.count)) + text
    }
}

/// Days whose container is there, so that it is made once.
private final class KnownDays: Sendable {
    private static let limit = 4096
    private let days = Mutex<Set<String>>([])

    func contains(_ day: String) -> Bool { days.withLock { $0.contains(day) } }
    func remove(_ day: String) { days.withLock { _ = $0.remove(day) } }
    func insert(_ day: String) {
        days.withLock { days in
            if days.count >= Self.limit { days.removeAll() }
            days.insert(day)
        }
    }
}
