// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import DatabaseSQLite
import Glibc
import LifecycleKit
import LinuxKit
import ObjectStorageContract

extension DiskDevice {
    /// Files that were written so long before the last `sync` were synced by then, whatever the disk was busy with.
    private static let flushTime = Duration.seconds(60)

    package func partitions(_ kind: StorageKind) async throws -> [Int] {
        let walk = ObjectWalk(layout: layout)
        return try await onReadThread { [layout] in
            // A partition's folder may have outlived what it held.
            try walk.partitions(kind).filter { try !(layout.names(in: layout.partition(kind, $0)) ?? []).isEmpty }
        }
    }

    package func contents(
        _ kind: StorageKind, partition: Int
    ) async throws -> [StorageLocation: ReplicaState] {
        guard case .objects(let policy) = kind else { return try await indexContents(kind, partition) }
        let walk = ObjectWalk(layout: layout)
        return try await onReadThread {
            var contents: [StorageLocation: ReplicaState] = [:]
            try walk.forEach(policy, partition) { place, folder in
                guard let (path, state) = try folder.summary() else { return true }
                let location = StorageLocation(path: path, policy: policy, partition: partition, hash: place.hash)
                contents[location] = state
                return true
            }
            return contents
        }
    }

    private func indexContents(_ kind: StorageKind, _ partition: Int) async throws -> [StorageLocation: ReplicaState] {
        let walk = ObjectWalk(layout: layout)
        let hashes = try await onReadThread {
            var hashes: [String] = []
            try walk.forEachFolder(kind, partition) { _, hash, _ in
                hashes.append(hash)
                return true
            }
            return hashes
        }
        var contents: [StorageLocation: ReplicaState] = [:]
        for hash in hashes {
            // The path is in the database alone; its kind is enough to find that.
            let place = StorageLocation(
                path: ObjectPath(account: "", container: kind == .containers ? "" : nil), policy: 0,
                partition: partition, hash: hash)
            guard let record = try await index(place) else { continue }
            let location = StorageLocation(path: record.path, policy: 0, partition: partition, hash: hash)
            contents[location] = record.state
        }
        return contents
    }

    package func forget(_ location: StorageLocation, _ kind: StorageKind, ifStill state: ReplicaState?) async throws {
        let path = try layout.folder(location, kind)
        if case .objects(let policy) = kind {
            let folder = ObjectFolder(path: path, policy: policy, layout: layout)
            return try await onWriteThread { try folder.removeAll(ifStill: state) }
        }
        do {
            try await indexes.withoutUsers("\(path)/\(location.hash).db") { [layout] in
                try FileSystem.removeTree(path)
                layout.prune(path, kind)
            }
        } catch {
            throw DiskFailure.describe(error)
        }
    }

    package func audit(limitBytes: Int64) async throws -> AuditReport {
        let walk = ObjectWalk(layout: layout)
        return try await onAuditThread { [self] in
            var report = AuditReport()
            var isAtEnd = true
            try walk.forEach(after: cursor.withLock { $0 }) { place, folder in
                cursor.withLock { $0 = place }
                if let (record, isWhole) = try folder.verify() {
                    report.objects += 1
                    report.bytes += record.sizeBytes
                    if !isWhole {
                        report.damaged.append(
                            StorageLocation(
                                path: record.path, policy: place.policy, partition: place.partition, hash: place.hash))
                    }
                }
                // Objects without bytes cost a visit, too.
                isAtEnd = report.bytes < limitBytes && report.objects < 100_000
                return isAtEnd
            }
            // The next call begins anew.
            if isAtEnd { cursor.withLock { $0 = nil } }
            return report
        }
    }

    package func space() async throws -> DeviceSpace {
        try await onReadThread { [layout] in
            try layout.requireDevice()
            let space = try FileSystem.space(layout.root)
            return DeviceSpace(totalBytes: space.totalBytes, freeBytes: space.freeBytes)
        }
    }

    // MARK: After a power failure

    package func rowsLostSince() async throws -> Timestamp? { await lostSince() }

    package func objectChanges(
        since time: Timestamp, after position: String?, limit: Int
    ) async throws -> ObjectChanges {
        let start = position.flatMap { ObjectWalk.Place($0) }
        let walk = ObjectWalk(layout: layout)
        // Only what was not synced yet can be half there.
        let suspect = await lostSince().map { $0 + options.lookBack - Self.flushTime }
        return try await onAuditThread {
            var page = ObjectChanges()
            var visited = 0
            try walk.forEach(after: start) { place, folder in
                visited += 1
                if let changed = try folder.changed(), changed >= time {
                    if let suspect, changed >= suspect { _ = try folder.verify() }
                    if let change = try folder.change() {
                        page.entries.append(ObjectChanges.Entry(policy: place.policy, change: change))
                    }
                }
                guard page.entries.count < limit, visited < 100_000 else {
                    page.position = place.text
                    return false
                }
                return true
            }
            return page
        }
    }

    package func rowsRestored() async throws {
        try await sync()
        // Rows that were put again are in the same logs as any.
        try await change { $0.lostMicroseconds = nil }
    }
}

extension IndexRecord {
    /// When it was made or deleted, and when its headers changed last.
    fileprivate var state: ReplicaState {
        if isDeleted, let deleteTime { return .deleted(deleteTime) }
        return .present(putTime, metadata: headers.values.map(\.time).max())
    }
}

extension ObjectFolder {
    /// What the object is called, and what the files say. Nil: nothing is there, or nothing whole.
    func summary() throws -> (ObjectPath, ReplicaState)? {
        switch try files().state {
        case .absent: return nil
        case .deleted:
            guard let (path, time) = try tombstone() else { return nil }
            return (path, .deleted(time))
        case .present:
            guard let found = try open() else { return nil }
            return (found.record.path, .present(found.record.time, metadata: found.record.metadataTime))
        }
    }

    /// When a file last came or went. Nil: the folder has gone.
    func changed() throws -> Timestamp? {
        try FileSystem.status(path).map { Timestamp(seconds: $0.modifiedSeconds + 1) }
    }

    func change() throws -> ObjectChanges.Change? {
        if let found = try open() { return .present(found.record) }
        return try tombstone().map { .deleted($0.path, $0.time) }
    }
}
