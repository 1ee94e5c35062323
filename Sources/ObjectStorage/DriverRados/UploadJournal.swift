// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import ObjectStorageContract
import Synchronization

/// What is under way in this process, kept in Ceph so that another one can clean up after it: uploads that have begun,
/// bytes that were replaced and go later, objects whose row may not be in their container yet.
///
///     journals           omap: each journal, who keeps it, how often that one was seen alive
///     j.<journal>        omap: entries, see `JournalKey`; attribute `keeper`
///
/// A journal has one keeper. When that process ends, another takes the journal over by changing `keeper`; every write
/// of the former keeper fails from then on. That alone would not stop an upload whose journal was written just before.
/// So who removes an upload of another process changes the mark of its head first, and a commit reads the head before
/// it writes the journal: either the commit is first, and the head says that the upload counts, or it fails.
final class UploadJournal: Sendable {
    static let registry = "journals"
    static let keeperName = "keeper"
    /// A journal whose keeper is of another host, and was not seen alive for so long, is taken over. By this process's
    /// own clock; `beatInterval` is much shorter.
    static let silence = Duration.seconds(90)
    /// A row may come so much later than its object.
    static let rowGrace = Duration.seconds(600)

    struct Change: Sendable {
        var values: [[UInt8]: [UInt8]] = [:]
        /// The journal that the entry it builds upon is in.
        var journal: String?
    }
    /// A row that is due since an object has changed.
    struct Row: Sendable {
        /// Of the object, as it is listed.
        let name: [UInt8]
        let time: WriteTime
        let since: Timestamp
        let key: [UInt8]

        init(path: ObjectPath, time: WriteTime, since: Timestamp, head: ObjectHead) {
            name = Array(path.description.utf8)
            (self.time, self.since) = (time, since)
            key = JournalKey.changed(since, head)
        }
    }
    struct Seen: Sendable {
        var value: [UInt8]
        var at: ContinuousClock.Instant
    }
    struct State: Sendable {
        /// Nil: none has been made yet, or it was taken over.
        var own: String?
        /// Journals of processes that have ended, and since when rows may be missing.
        var adopted: [String: Timestamp?] = [:]
        var beat: Int64 = 0
        var unlisted: [[UInt8]: [Row]] = [:]
        var seen: [String: Seen] = [:]
        /// Keys that are to go with the next write.
        var done: [[UInt8]] = []
        /// Uploads of this process of which nobody knows whether they were committed.
        var uncertain: [UploadEntry] = []
    }

    let cluster: RadosCluster
    let clock: WallClock
    let keepReplaced: Duration
    let identity: ProcessIdentity
    let keeper = Array(RadosNames.random().utf8)
    let state = Mutex(State())
    let log = Logger("object-storage")
    private let batches = Mutex<KeyedBatches<Change, String>?>(nil)

    init(_ cluster: RadosCluster, identity: ProcessIdentity, keepReplaced: Duration, clock: WallClock) {
        self.cluster = cluster
        self.identity = identity
        self.keepReplaced = keepReplaced
        self.clock = clock
    }

    // MARK: Writing

    /// Returns the journal that it stands in. Throws `.unavailable` when `change.journal` is no longer this process's.
    @discardableResult
    func write(_ change: Change) async throws -> String {
        let batches = batches.withLock { batches in
            let made =
                batches
                ?? KeyedBatches(cluster, limit: 256) { [weak self] _, items, pool in
                    guard let self else {
                        return items.map { _ in .failure(RadosFailure.away(cause: "the device was closed")) }
                    }
                    return self.write(items, pool)
                }
            batches = made
            return made
        }
        return try await batches.submit(change, to: "journal")
    }

    private func write(_ items: [Change], _ pool: RadosPool) -> [Result<String, any Error>] {
        do {
            // What builds upon nothing goes to a new journal when the one before was taken over.
            for _ in 1...3 { if let answers = try attempt(items, pool) { return answers } }
            throw Self.takenOver
        } catch {
            return items.map { _ in .failure(error) }
        }
    }

    /// Nil: the journal is another's now.
    private func attempt(_ items: [Change], _ pool: RadosPool) throws -> [Result<String, any Error>]? {
        let own = try ensureOwn(pool)
        var write = RadosWrite()
        write.condition = .attribute(Self.keeperName, keeper)
        let answers = items.map { item -> Result<String, any Error> in
            guard item.journal.map({ $0 == own }) ?? true else { return .failure(Self.takenOver) }
            write.values.merge(item.values) { _, later in later }
            return .success(own)
        }
        let done = state.withLock { state in
            defer { state.done = [] }
            return state.done
        }
        write.removedKeys = done
        do {
            if try pool.attempt("j.\(own)", write) { return answers }
        } catch {
            state.withLock { $0.done += done }
            throw error
        }
        state.withLock { if $0.own == own { $0.own = nil } }
        log.warning("a journal was taken over", ["journal": own])
        return nil
    }

    private static let takenOver = RadosFailure.away(cause: "the journal was taken over by another process")

    private func ensureOwn(_ pool: RadosPool) throws -> String {
        if let own = state.withLock({ $0.own }) { return own }
        let id = RadosNames.random()
        try register(id, pool)
        var write = RadosWrite()
        write.condition = .absent
        write.attributes = [(Self.keeperName, keeper)]
        try pool.write("j.\(id)", write)
        // What stood in the one before is another's now; that keys of it go from here does no harm.
        state.withLock { $0.own = id }
        return id
    }

    /// Says who keeps it, and that it lives.
    func register(_ id: String, _ pool: RadosPool, holder: String? = nil) throws {
        let beat = state.withLock { state in
            state.beat += 1
            return state.beat
        }
        var write = RadosWrite()
        write.values[Array(id.utf8)] = JSONWriter.object { json in
            json.field("holder", holder ?? identity.text)
            json.field("beat", beat)
        }
        try pool.write(Self.registry, write)
    }

    // MARK: Rows that are due

    func expect(_ row: Row) { state.withLock { $0.unlisted[row.name, default: []].append(row) } }

    /// The object did not change after all.
    func drop(_ row: Row) { settle(row.name) { $0.key == row.key } }

    /// Rows that are in their container now.
    func listed(_ container: ObjectPath, _ rows: [ObjectRow]) {
        let prefix = Array(container.description.utf8) + [UInt8(ascii: "/")]
        for row in rows { settle(prefix + Array(row.name.utf8)) { $0.time <= row.time } }
    }

    /// Rows of objects whose container is on another device are never seen here.
    func forgetOldRows() {
        let limit = clock.now() - Self.rowGrace
        for name in state.withLock({ Array($0.unlisted.keys) }) { settle(name) { $0.since < limit } }
    }

    private func settle(_ name: [UInt8], _ isSettled: (Row) -> Bool) {
        state.withLock { state in
            guard let rows = state.unlisted[name] else { return }
            state.done += rows.filter(isSettled).map(\.key)
            let rest = rows.filter { !isSettled($0) }
            state.unlisted[name] = rest.isEmpty ? nil : rest
        }
    }

    func isDone(_ keys: [[UInt8]]) { state.withLock { $0.done += keys } }

    // MARK: Journals of others

    /// Takes over the journals of processes that have ended. Blocks.
    func adopt(_ pool: RadosPool) throws {
        for (id, value) in try journals(pool) where try hasEnded(id, value) {
            guard let found = try pool.read("j.\(id)"), let old = found.attributes[Self.keeperName] else {
                // It ended between the two steps of making or removing it.
                try forget(id, pool)
                continue
            }
            var write = RadosWrite()
            write.condition = .attribute(Self.keeperName, old)
            write.attributes = [(Self.keeperName, keeper)]
            guard try pool.attempt("j.\(id)", write) else { continue }
            try register(id, pool)
            let since = try firstChange(id, pool)
            state.withLock { $0.adopted[id] = .some(since) }
            log.warning("the journal of an ended process was taken over", ["journal": id])
        }
    }

    private func journals(_ pool: RadosPool) throws -> [(String, [UInt8])] {
        var journals: [(String, [UInt8])] = []
        var position: [UInt8] = []
        while let page = try pool.values(Self.registry, after: position, limit: RadosPool.pageLimit) {
            journals += page.entries.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }
            guard !page.isLast, let last = page.entries.last else { break }
            position = last.key
        }
        return journals
    }

    private func hasEnded(_ id: String, _ value: [UInt8]) throws -> Bool {
        if state.withLock({ $0.own == id || $0.adopted[id] != nil }) { return false }
        let holder = (try? JSONReader.read(value))?["holder"]?.string ?? ""  // damaged: nobody's
        if holder.isEmpty { return true }
        if let ended = try ProcessIdentity(holder)?.hasEnded(seenFrom: identity) { return ended }
        let now = ContinuousClock.now
        return state.withLock { state in
            guard let seen = state.seen[id], seen.value == value else {
                state.seen[id] = Seen(value: value, at: now)
                return false
            }
            return now - seen.at > Self.silence
        }
    }

    private func firstChange(_ id: String, _ pool: RadosPool) throws -> Timestamp? {
        let first = try pool.values("j.\(id)", after: Array(JournalKey.changed.utf8), limit: 1)?.entries.first
        return first.flatMap { JournalKey.readChanged($0.key) }?.time
    }

    /// Since when rows may be missing of objects that ended processes wrote.
    var rowsLostSince: Timestamp? { state.withLock { $0.adopted.values.compactMap { $0 }.min() } }

    /// All journals, also those of processes that live.
    func allJournals(_ pool: RadosPool) throws -> [String] { try journals(pool).map(\.0).sorted() }

    /// The rows that ended processes owed are there.
    func rowsRestored(_ pool: RadosPool) throws {
        for id in state.withLock({ Array($0.adopted.keys) }) {
            try forEach(JournalKey.changed, in: id, pool) { [$0.key] }
            state.withLock { $0.adopted[id] = .some(nil) }
        }
    }

    /// Each entry of a kind; `body` returns keys that are to go.
    func forEach(
        _ kind: String, in id: String, _ pool: RadosPool,
        _ body: ((key: [UInt8], value: [UInt8])) throws -> [[UInt8]]?
    ) throws {
        var position = Array(kind.utf8)
        while let page = try pool.values("j.\(id)", after: position, limit: RadosPool.pageLimit) {
            var write = RadosWrite()
            write.condition = .attribute(Self.keeperName, keeper)
            var isAtEnd = page.isLast
            for entry in page.entries {
                guard entry.key.starts(with: kind.utf8), let keys = try body(entry) else {
                    isAtEnd = true
                    break
                }
                write.removedKeys += keys
            }
            if !write.removedKeys.isEmpty { try pool.write("j.\(id)", write) }
            guard !isAtEnd, let last = page.entries.last else { return }
            position = last.key
        }
    }

    /// Removes a journal that has no entries. False: it has some.
    func removeIfEmpty(_ id: String, _ pool: RadosPool) throws -> Bool {
        if let page = try pool.values("j.\(id)", after: [], limit: 1), !page.entries.isEmpty { return false }
        var write = RadosWrite()
        write.condition = .attribute(Self.keeperName, keeper)
        write.removesObject = true
        // It may have been removed before, without its name; or it is another's now, and so is the name.
        guard try pool.attempt("j.\(id)", write) || !pool.exists("j.\(id)") else { return true }
        try forget(id, pool)
        return true
    }

    private func forget(_ id: String, _ pool: RadosPool) throws {
        var write = RadosWrite()
        write.removedKeys = [Array(id.utf8)]
        try pool.write(Self.registry, write)
        state.withLock { $0.seen[id] = nil }
    }
}
