// SPDX-License-Identifier: Apache-2.0
import BaseKit

extension FakeStorageDevice {
    // MARK: Indexes

    package func createIndex(_ location: StorageLocation, _ record: IndexRecord) async throws {
        try await faults.pass("createIndex", needsSpace: true)
        state.withLock { state in
            let key = Self.key(location)
            if state.indexes[key]?.merge(record) == nil { state.indexes[key] = FakeIndex(record) }
        }
    }

    package func index(_ location: StorageLocation) async throws -> IndexRecord? {
        try await faults.pass("index")
        return state.withLock { $0.indexes[Self.key(location)]?.record }
    }

    package func setHeaders(_ location: StorageLocation, _ headers: [String: IndexRecord.TimedValue]) async throws {
        try await faults.pass("setHeaders", needsSpace: true)
        try change(location) { $0.setHeaders(headers) }
    }

    package func deleteIndex(_ location: StorageLocation, at time: WriteTime) async throws {
        try await faults.pass("deleteIndex")
        try change(location) { $0.delete(at: time) }
    }

    package func putObjectRows(_ location: StorageLocation, _ rows: [ObjectRow]) async throws {
        try await faults.pass("putObjectRows", needsSpace: true)
        let now = clock.now()
        try change(location) { $0.put(rows, now) }
    }

    package func putContainerRows(_ location: StorageLocation, _ rows: [ContainerRow]) async throws {
        try await faults.pass("putContainerRows", needsSpace: true)
        let now = clock.now()
        try change(location) { $0.put(rows, now) }
    }

    package func listObjects(
        _ location: StorageLocation, _ query: ListingQuery
    ) async throws -> [ListingEntry<ObjectRow>] {
        try await faults.pass("listObjects")
        return try change(location) { $0.listObjects(query) }
    }

    package func listContainers(
        _ location: StorageLocation, _ query: ListingQuery
    ) async throws -> [ListingEntry<ContainerRow>] {
        try await faults.pass("listContainers")
        return try change(location) { $0.listContainers(query) }
    }

    private func change<T: Sendable>(
        _ location: StorageLocation, _ body: @Sendable (inout FakeIndex) -> T
    ) throws -> T {
        let key = Self.key(location)
        return try state.withLock { state in
            guard var index = state.indexes[key] else {
                throw CloudError.notFound("The resource could not be found.")
            }
            defer { state.indexes[key] = index }
            return body(&index)
        }
    }

    // MARK: Replication

    package func partitions(_ kind: StorageKind) async throws -> [Int] {
        try await faults.pass("partitions")
        return state.withLock { state in
            let keys = Array(state.objects.keys) + Array(state.tombstones.keys) + Array(state.indexes.keys)
            return Set(keys.filter { $0.kind == kind }.map(\.partition)).sorted()
        }
    }

    package func contents(
        _ kind: StorageKind, partition: Int
    ) async throws -> [StorageLocation: ReplicaState] {
        try await faults.pass("contents")
        return state.withLock { state in
            var contents: [StorageLocation: ReplicaState] = [:]
            func add(_ key: Key, _ path: ObjectPath, _ replica: ReplicaState) {
                guard key.kind == kind, key.partition == partition else { return }
                let policy = if case .objects(let policy) = kind { policy } else { 0 }
                contents[StorageLocation(path: path, policy: policy, partition: partition, hash: key.hash)] = replica
            }
            for (key, stored) in state.objects { add(key, stored.record.path, state.replica(key)) }
            for (key, deleted) in state.tombstones { add(key, deleted.path, state.replica(key)) }
            for (key, index) in state.indexes {
                let record = index.record
                let replica: ReplicaState =
                    if record.isDeleted, let time = record.deleteTime { .deleted(time) } else {
                        .present(record.putTime, metadata: record.headers.values.map(\.time).max())
                    }
                add(key, record.path, replica)
            }
            return contents
        }
    }

    package func indexRows(
        _ location: StorageLocation, after position: Int64, limit: Int
    ) async throws -> IndexRows {
        try await faults.pass("indexRows")
        return try change(location) { $0.rows(after: position, limit: limit) }
    }

    package func mergeIndex(_ location: StorageLocation, _ record: IndexRecord, _ rows: IndexRows) async throws {
        try await faults.pass("mergeIndex", needsSpace: true)
        let now = clock.now()
        state.withLock { state in
            let key = Self.key(location)
            var index = state.indexes[key] ?? FakeIndex(record)
            index.merge(record)
            index.put(rows.objects, now)
            index.put(rows.containers, now)
            state.indexes[key] = index
        }
    }

    package func forget(
        _ location: StorageLocation, _ kind: StorageKind, ifStill replica: ReplicaState?
    ) async throws {
        try await faults.pass("forget")
        let key = Key(kind: kind, partition: location.partition, hash: location.hash)
        state.withLock { state in
            if case .objects = kind, let replica, replica != state.replica(key) { return }
            state.objects[key] = nil
            state.tombstones[key] = nil
            state.indexes[key] = nil
            state.damaged.remove(key)
        }
    }

    package func audit(limitBytes: Int64) async throws -> AuditReport {
        try await faults.pass("audit")
        return state.withLock { state in
            var report = AuditReport()
            let keys = state.objects.keys.sorted { $0.text < $1.text }
            for key in keys where state.auditPosition.map({ key.text > $0 }) ?? true {
                guard report.bytes < limitBytes, let stored = state.objects[key] else { return report }
                state.auditPosition = key.text
                report.objects += 1
                report.bytes += stored.record.sizeBytes
                guard state.damaged.contains(key), case .objects(let policy) = key.kind else { continue }
                let location = StorageLocation(
                    path: stored.record.path, policy: policy, partition: key.partition, hash: key.hash)
                report.damaged.append(location)
                state.putAside(key, location)
            }
            state.auditPosition = nil
            return report
        }
    }

    // MARK: After a power failure

    package func rowsLostSince() async throws -> Timestamp? {
        try await faults.pass("rowsLostSince")
        return state.withLock { $0.lostSince }
    }

    package func objectChanges(
        since time: Timestamp, after position: String?, limit: Int
    ) async throws -> ObjectChanges {
        try await faults.pass("objectChanges")
        return state.withLock { state in
            var changes: [(String, ObjectChanges.Entry)] = []
            func add(_ key: Key, _ changed: Timestamp, _ change: ObjectChanges.Change) {
                guard changed >= time, case .objects(let policy) = key.kind else { return }
                changes.append((key.text, ObjectChanges.Entry(policy: policy, change: change)))
            }
            for (key, stored) in state.objects { add(key, stored.changed, .present(stored.record)) }
            for (key, deleted) in state.tombstones { add(key, deleted.changed, .deleted(deleted.path, deleted.time)) }
            let rest = changes.filter { change in position.map { change.0 > $0 } ?? true }.sorted { $0.0 < $1.0 }
            let page = rest.prefix(limit)
            return ObjectChanges(entries: page.map(\.1), position: rest.count > limit ? page.last?.0 : nil)
        }
    }

    package func rowsRestored() async throws {
        try await faults.pass("rowsRestored")
        state.withLock { $0.lostSince = nil }
    }
}

extension FakeStorageDevice.Key {
    /// In the order in which a device goes through its objects.
    fileprivate var text: String {
        let policy = if case .objects(let policy) = kind { policy } else { 0 }
        let number = String(partition)
        return "\(policy)/\(String(repeating: "0", count: max(0, 10 - number.count)))\(number)/\(hash)"
    }
}
