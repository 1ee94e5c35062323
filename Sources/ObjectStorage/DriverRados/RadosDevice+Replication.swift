// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import ObjectStorageContract
import SecurityKit

/// With one device in a ring nothing is replicated. These calls serve the sweep of old deletions, the audit, and a move
/// from Ceph to disks or back; so they may read every head, and do.
extension RadosDevice {
    package func partitions(_ kind: StorageKind) async throws -> [Int] {
        try await cluster.read { try PartitionRegistry(pool: $0).partitions(kind) }
    }

    package func contents(
        _ kind: StorageKind, partition: Int
    ) async throws -> [StorageLocation: ReplicaState] {
        let place = PartitionRegistry.Place(kind, partition)
        return try await cluster.read { pool in
            var contents: [StorageLocation: ReplicaState] = [:]
            try PartitionRegistry(pool: pool).forEach(place) { hash, value in
                func add(_ path: ObjectPath, _ state: ReplicaState) {
                    let policy = place.policy ?? 0
                    contents[StorageLocation(path: path, policy: policy, partition: partition, hash: hash)] = state
                }
                if let policy = place.policy {
                    // It is listed before it is made: nothing may be there yet.
                    if let head = try ObjectHead(policy: policy, hash: hash).read(pool)?.record,
                        head.replica != .absent
                    {
                        add(head.path, head.replica)
                    }
                } else if let path = IndexPath.read(value) {
                    let location = StorageLocation(path: path, policy: 0, partition: partition, hash: hash)
                    if let index = try IndexWriter.read(IndexWriter.name(location), pool) {
                        add(path, index.record.state)
                    }
                }
                return true
            }
            return contents
        }
    }

    package func forget(_ location: StorageLocation, _ kind: StorageKind, ifStill state: ReplicaState?) async throws {
        let place = PartitionRegistry.Place(kind, location.partition)
        guard case .objects = kind else {
            let name = IndexWriter.name(location)
            return try await cluster.run { pool in
                try pool.remove(name)
                try PartitionRegistry(pool: pool).remove(place, location.hash) { try pool.exists(name) }
            }
        }
        let isGone = try await changeHead(location, rowTime: nil) { found in
            guard let found else { return (.leave, true) }
            if let state, found.record.replica != state { return (.leave, false) }
            return (.remove, true)
        }
        guard isGone else { return }
        let head = ObjectHead(location)
        try await cluster.run { pool in
            try PartitionRegistry(pool: pool).remove(place, location.hash) { try pool.exists(head.name) }
        }
    }

    // MARK: Audit

    package func audit(limitBytes: Int64) async throws -> AuditReport {
        try await cluster.onAuditThread { [self] pool in
            var report = AuditReport()
            var visited = 0
            let isAtEnd = try PartitionRegistry(pool: pool).forEachObject(after: cursor.withLock { $0 }) { position in
                cursor.withLock { $0 = position }
                visited += 1
                try audit(position, pool, &report)
                // Objects without bytes cost a visit, too.
                return report.bytes < limitBytes && visited < 100_000
            }
            // The next call begins anew.
            if isAtEnd { cursor.withLock { $0 = nil } }
            return report
        }
    }

    private func audit(
        _ position: PartitionRegistry.Position, _ pool: RadosPool, _ report: inout AuditReport
    ) throws {
        guard let policy = position.place.policy else { return }
        let head = ObjectHead(policy: policy, hash: position.hash)
        guard let found = try head.read(pool, withBytes: true), let record = found.record.record else { return }
        report.objects += 1
        report.bytes += record.sizeBytes
        var digest = Digest(.md5)
        do {
            if let upload = found.record.upload {
                let stripes = Stripes(hash: position.hash, upload: upload.id)
                var offset: Int64 = 0
                while offset < record.sizeBytes {
                    let count = Int(min(record.sizeBytes - offset, Int64(Stripes.pieceBytes)))
                    let piece = try stripes.read(pool, at: offset, count: count)
                    digest.update(piece)
                    offset += Int64(piece.count)
                }
            } else {
                digest.update(found.bytes)
            }
            if digest.hex() == record.etag { return }
        } catch is StripeMissing {
            // It may have been replaced long enough ago meanwhile: then its head is another.
        }
        let location = StorageLocation(
            path: found.record.path, policy: policy, partition: position.place.partition, hash: position.hash)
        guard try putAside(head, found, pool) else { return }
        report.damaged.append(location)
    }

    /// Keeps what the head says under another name, for whoever wants to look, and the object is not there any more.
    /// False: it has changed meanwhile.
    private func putAside(_ head: ObjectHead, _ found: ObjectHead.Found, _ pool: RadosPool) throws -> Bool {
        let name = "q.\(head.policy).\(head.hash).\(found.record.upload?.id ?? RadosNames.random())"
        var copy = RadosWrite()
        copy.attributes = [(ObjectHead.recordName, found.record.text())]
        copy.bytes = found.bytes
        try pool.write(name, copy)
        let none = HeadRecord(path: found.record.path, state: .void, changed: options.clock.now())
        do {
            guard try head.write(pool, .write(none, bytes: []), over: found) else {
                try pool.remove(name)
                return false
            }
        } catch let error as UncertainChange {
            throw error.cause
        }
        RadosMetrics.quarantined.add()
        log.error("object put aside", ["path": found.record.path, "object": name])
        return true
    }

    // MARK: After a process has ended

    /// What Ceph has acknowledged is durable, rows too. But a process may end between an object's commit and its row:
    /// then its journal names the object.
    package func rowsLostSince() async throws -> Timestamp? {
        try await cluster.run { [journal] pool in
            try journal.adopt(pool)
            return journal.rowsLostSince
        }
    }

    /// When it is asked for what this device itself has said to have lost, the journals name the objects, those of
    /// processes that live as well; for any other time every head is read.
    package func objectChanges(
        since time: Timestamp, after position: String?, limit: Int
    ) async throws -> ObjectChanges {
        let isOwnLoss = position.map { $0.hasPrefix("j") } ?? (journal.rowsLostSince == time)
        return try await cluster.onAuditThread { [journal] pool in
            if isOwnLoss {
                return try JournaledChanges(journal: journal, pool: pool).read(since: time, after: position, limit)
            }
            return try Self.allChanges(since: time, after: position, limit, pool)
        }
    }

    private static func allChanges(
        since time: Timestamp, after position: String?, _ limit: Int, _ pool: RadosPool
    ) throws -> ObjectChanges {
        var page = ObjectChanges()
        var visited = 0
        let start = position.flatMap { PartitionRegistry.Position($0) }
        _ = try PartitionRegistry(pool: pool).forEachObject(after: start) { position in
            visited += 1
            guard let policy = position.place.policy else { return true }
            let found = try ObjectHead(policy: policy, hash: position.hash).read(pool)?.record
            if let found, found.changedMicroseconds >= time.microseconds, let change = found.change {
                page.entries.append(ObjectChanges.Entry(policy: policy, change: change))
            }
            guard page.entries.count < limit, visited < 100_000 else {
                page.position = position.text
                return false
            }
            return true
        }
        return page
    }

    package func rowsRestored() async throws {
        try await cluster.run { [journal] in try journal.rowsRestored($0) }
    }
}

/// Objects whose rows may be missing, from the journals.
private struct JournaledChanges {
    let journal: UploadJournal
    let pool: RadosPool

    /// Positions are `j<journal>/<key>`.
    func read(since time: Timestamp, after position: String?, _ limit: Int) throws -> ObjectChanges {
        var page = ObjectChanges()
        let parts = position?.dropFirst().split(separator: "/", maxSplits: 1).map(String.init) ?? []
        for id in try journal.allJournals(pool) where parts.first.map({ id >= $0 }) ?? true {
            var key =
                parts.count == 2 && id == parts[0]
                ? Array(parts[1].utf8)
                : Array("\(JournalKey.changed)\(RadosNames.number(time.microseconds))".utf8)
            while let found = try pool.values("j.\(id)", after: key, limit: limit) {
                for entry in found.entries {
                    guard let (_, head) = JournalKey.readChanged(entry.key) else { break }
                    if let change = try head.read(pool)?.record.change {
                        page.entries.append(ObjectChanges.Entry(policy: head.policy, change: change))
                    }
                    key = entry.key
                    guard page.entries.count < limit else {
                        page.position = "j\(id)/\(String(decoding: key, as: UTF8.self))"
                        return page
                    }
                }
                let isOther = found.entries.last.map { JournalKey.readChanged($0.key) == nil } ?? true
                if found.isLast || isOther { break }
            }
        }
        return page
    }
}

extension HeadRecord {
    fileprivate var change: ObjectChanges.Change? {
        switch state {
        case .void: nil
        case .present(let record): .present(record)
        case .deleted(let time): .deleted(path, time)
        }
    }
}

extension IndexRecord {
    /// When it was made or deleted, and when its headers changed last.
    fileprivate var state: ReplicaState {
        if isDeleted, let deleteTime { return .deleted(deleteTime) }
        return .present(putTime, metadata: headers.values.map(\.time).max())
    }
}
