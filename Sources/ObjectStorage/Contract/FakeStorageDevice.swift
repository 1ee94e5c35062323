// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// A device in memory, for tests. What it promises is what `StorageDevice` does.
package final class FakeStorageDevice: StorageDevice {
    struct Stored: Sendable {
        var record: ObjectRecord
        var bytes: [UInt8]
        var changed: Timestamp
    }
    struct Deleted: Sendable {
        var path: ObjectPath
        var time: WriteTime
        var changed: Timestamp
    }
    /// A hash under a policy, or an index's.
    struct Key: Sendable, Hashable {
        var kind: StorageKind
        var partition: Int
        var hash: String
    }
    struct State: Sendable {
        var objects: [Key: Stored] = [:]
        var tombstones: [Key: Deleted] = [:]
        var indexes: [Key: FakeIndex] = [:]
        /// Bytes that are not what they were.
        var damaged: Set<Key> = []
        var quarantined: [StorageLocation] = []
        var auditPosition: String?
        var lostSince: Timestamp?
    }

    package let faults = FakeStorageFaults()
    let state = Mutex(State())
    let clock: WallClock
    private let totalBytes: Int64

    package init(totalBytes: Int64 = 1 << 40, clock: WallClock = .system) {
        self.totalBytes = totalBytes
        self.clock = clock
    }

    // MARK: For tests

    /// The objects that are there, with their bytes.
    package var objects: [ObjectPath: [UInt8]] {
        state.withLock { state in
            Dictionary(state.objects.values.map { ($0.record.path, $0.bytes) }, uniquingKeysWith: { _, last in last })
        }
    }

    /// What was put aside.
    package var quarantined: [StorageLocation] { state.withLock { $0.quarantined } }

    /// Spoils the bytes: who reads them or audits them finds out.
    package func damage(_ location: StorageLocation) {
        let key = Self.key(location)
        state.withLock { _ = $0.damaged.insert(key) }
    }

    /// As after a power failure: rows that came after `time` are gone.
    package func loseRows(since time: Timestamp) {
        state.withLock { state in
            state.lostSince = time
            for key in state.indexes.keys { state.indexes[key]?.loseRows(since: time) }
        }
    }

    static func key(_ location: StorageLocation) -> Key {
        let kind: StorageKind =
            if location.path.object != nil { .objects(policy: location.policy) } else if location.path.container != nil
            {
                .containers
            } else {
                .accounts
            }
        return Key(kind: kind, partition: location.partition, hash: location.hash)
    }

    // MARK: Objects

    package func beginObject(_ location: StorageLocation, expecting sizeBytes: Int64?) async throws -> any ObjectSink {
        try await faults.pass("beginObject", needsSpace: true)
        guard freeBytes >= sizeBytes ?? 0 else {
            throw CloudError(.insufficientStorage, "There was not enough space to save the resource.")
        }
        return FakeObjectSink(self, location)
    }

    package func openObject(_ location: StorageLocation) async throws -> (any OpenObject)? {
        try await faults.pass("openObject")
        return state.withLock { state in
            let key = Self.key(location)
            guard let stored = state.objects[key] else { return nil }
            guard !state.damaged.contains(key) else {
                state.putAside(key, location)
                return nil
            }
            return FakeOpenObject(record: stored.record, bytes: stored.bytes)
        }
    }

    package func replica(_ location: StorageLocation) async throws -> ReplicaState {
        try await faults.pass("replica")
        return state.withLock { $0.replica(Self.key(location)) }
    }

    package func setHeaders(_ location: StorageLocation, _ record: ObjectRecord) async throws -> Bool {
        try await faults.pass("setHeaders", needsSpace: true)
        guard let time = record.metadataTime else {
            throw CloudError(.bug, "The server could not complete the request.", cause: "headers without a time")
        }
        let now = clock.now()
        return state.withLock { state in
            let key = Self.key(location)
            guard var stored = state.objects[key] else { return false }
            guard time > stored.record.modified else { return true }
            stored.record.take(record)
            stored.changed = now
            state.objects[key] = stored
            return true
        }
    }

    package func deleteObject(_ location: StorageLocation, at time: WriteTime) async throws {
        try await faults.pass("deleteObject")
        let now = clock.now()
        state.withLock { state in
            let key = Self.key(location)
            if let stored = state.objects[key], stored.record.time > time { return }
            if let old = state.tombstones[key], old.time >= time { return }
            state.objects[key] = nil
            state.damaged.remove(key)
            state.tombstones[key] = Deleted(path: location.path, time: time, changed: now)
        }
    }

    func commit(_ location: StorageLocation, _ record: ObjectRecord, _ bytes: [UInt8]) async throws {
        try await faults.pass("commit", needsSpace: true)
        guard record.sizeBytes == Int64(bytes.count) else {
            throw CloudError(.bug, "The server could not complete the request.", cause: "record of another size")
        }
        let now = clock.now()
        state.withLock { state in
            let key = Self.key(location)
            if let deleted = state.tombstones[key], deleted.time >= record.time { return }
            if let old = state.objects[key], old.record.time > record.time { return }
            var record = record
            // Headers that were set later stay with the bytes they are of.
            if let old = state.objects[key]?.record, let time = old.metadataTime, time > record.modified {
                record.take(old)
            }
            state.tombstones[key] = nil
            state.damaged.remove(key)
            state.objects[key] = Stored(record: record, bytes: bytes, changed: now)
        }
    }

    package func space() async throws -> DeviceSpace {
        try await faults.pass("space")
        return DeviceSpace(totalBytes: totalBytes, freeBytes: freeBytes)
    }

    private var freeBytes: Int64 {
        let used = state.withLock { $0.objects.values.reduce(0) { $0 + Int64($1.bytes.count) } }
        return max(0, totalBytes - used)
    }
}

extension FakeStorageDevice.State {
    func replica(_ key: FakeStorageDevice.Key) -> ReplicaState {
        if let stored = objects[key] { return .present(stored.record.time, metadata: stored.record.metadataTime) }
        return tombstones[key].map { .deleted($0.time) } ?? .absent
    }

    mutating func putAside(_ key: FakeStorageDevice.Key, _ location: StorageLocation) {
        objects[key] = nil
        damaged.remove(key)
        quarantined.append(location)
    }
}

extension ObjectRecord {
    /// Takes what a later POST has replaced.
    fileprivate mutating func take(_ later: ObjectRecord) {
        metadataTime = later.metadataTime
        headers = later.headers
        contentType = later.contentType
        let prefix = "x-object-transient-"
        system = system.filter { !$0.key.hasBytePrefix(prefix) }
        system.merge(later.system.filter { $0.key.hasBytePrefix(prefix) }) { _, later in later }
    }
}

final class FakeObjectSink: ObjectSink {
    private let device: FakeStorageDevice
    private let location: StorageLocation
    /// Nil after the end.
    private let bytes = Mutex<[UInt8]?>([])

    init(_ device: FakeStorageDevice, _ location: StorageLocation) {
        self.device = device
        self.location = location
    }

    func write(_ piece: [UInt8]) async throws {
        try await device.faults.pass("write", needsSpace: true)
        bytes.withLock { $0?.append(contentsOf: piece) }
    }

    func commit(_ record: ObjectRecord) async throws {
        guard let taken = bytes.withLock({ $0 }) else {
            throw CloudError(
                .bug, "The server could not complete the request.", cause: "object sink used after its end")
        }
        try await device.commit(location, record, taken)
    }

    func abort() async { bytes.withLock { $0 = nil } }
}

struct FakeOpenObject: OpenObject {
    let record: ObjectRecord
    let bytes: [UInt8]

    func body(_ range: Range<Int64>) async throws -> ObjectBody {
        .stream(FakeByteStream(Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])))
    }
    func close() async {}
}

final class FakeByteStream: ObjectByteStream {
    /// Small, so that who reads meets more than one.
    private static let pieceBytes = 1000
    private let rest: Mutex<ArraySlice<UInt8>>

    init(_ bytes: [UInt8]) { rest = Mutex(bytes[...]) }

    func next() async throws -> [UInt8]? {
        rest.withLock { rest in
            guard !rest.isEmpty else { return nil }
            defer { rest = rest.dropFirst(Self.pieceBytes) }
            return Array(rest.prefix(Self.pieceBytes))
        }
    }
}
