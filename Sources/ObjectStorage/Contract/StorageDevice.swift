// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Where on a device something lies: the partition is the ring's, the hash names it there.
package struct StorageLocation: Sendable, Hashable, Codable {
    package var path: ObjectPath
    /// Index of the storage policy; 0 for accounts and containers.
    package var policy: Int
    package var partition: Int
    /// MD5 of the path with the cloud's own salt: 32 hexadecimal digits.
    package var hash: String
    package init(path: ObjectPath, policy: Int, partition: Int, hash: String) {
        self.path = path
        self.policy = policy
        self.partition = partition
        self.hash = hash
    }
}

/// Takes one replica of an object's bytes. Nothing of it is to be seen before `commit`; dropped without one, nothing stays.
package protocol ObjectSink: Sendable {
    func write(_ bytes: [UInt8]) async throws
    /// Returns when bytes and record would outlive a power failure. Older replicas of the object are removed afterwards.
    func commit(_ record: ObjectRecord) async throws
    func abort() async
}

/// An object that was found, open: it can be read whole even if it is deleted meanwhile.
package protocol OpenObject: Sendable {
    var record: ObjectRecord { get }
    /// Bytes of `range`, which lies within the size. May be called several times.
    func body(_ range: Range<Int64>) async throws -> ObjectBody
    func close() async
}

package enum ObjectBody: Sendable {
    /// The receiver closes the descriptor.
    case file(descriptor: Int32, offset: Int64, length: Int64)
    case stream(any ObjectByteStream)
}

/// Pieces, never empty; nil at the end.
package protocol ObjectByteStream: Sendable {
    func next() async throws -> [UInt8]?
}

/// What a device has of one object: its bytes' time, its metadata's, or when it was deleted.
package enum ReplicaState: Sendable, Hashable, Codable {
    case absent
    case present(WriteTime, metadata: WriteTime?)
    case deleted(WriteTime)
}

/// One disk, or one directory, that holds replicas of objects and of the databases of containers and accounts. Every call
/// may be repeated. Throws `.unavailable` when the device is not there, `.insufficientStorage` (507) when it is full.
package protocol StorageDevice: Sendable {
    // MARK: Objects
    func beginObject(_ location: StorageLocation, expecting sizeBytes: Int64?) async throws -> any ObjectSink
    /// Nil: it is not there, or was deleted. Bytes that are damaged are put aside and are not there.
    func openObject(_ location: StorageLocation) async throws -> (any OpenObject)?
    func replica(_ location: StorageLocation) async throws -> ReplicaState
    /// Takes of `record` what a POST replaces: `headers`, `contentType`, of `system` the names that begin with
    /// `x-object-transient-`; as of its `metadataTime`, unless the device has later ones. False: it has no bytes of it.
    func setHeaders(_ location: StorageLocation, _ record: ObjectRecord) async throws -> Bool
    func deleteObject(_ location: StorageLocation, at time: WriteTime) async throws

    // MARK: Indexes: the databases of containers and accounts. Those calls that need one throw `.notFound` without it.
    /// Merges times and headers into one that is there; one that was deleted before begins anew, with its rows kept.
    func createIndex(_ location: StorageLocation, _ record: IndexRecord) async throws
    /// Also one that was deleted, until it is forgotten.
    func index(_ location: StorageLocation) async throws -> IndexRecord?
    func setHeaders(_ location: StorageLocation, _ headers: [String: IndexRecord.TimedValue]) async throws
    /// Clears its headers, keeps its rows: whether it lists anything is the caller's question.
    func deleteIndex(_ location: StorageLocation, at time: WriteTime) async throws
    /// The later of two rows of a name wins.
    func putObjectRows(_ location: StorageLocation, _ rows: [ObjectRow]) async throws
    func putContainerRows(_ location: StorageLocation, _ rows: [ContainerRow]) async throws
    func listObjects(_ location: StorageLocation, _ query: ListingQuery) async throws -> [ListingEntry<ObjectRow>]
    func listContainers(_ location: StorageLocation, _ query: ListingQuery) async throws -> [ListingEntry<ContainerRow>]

    // MARK: Replication
    /// The partitions that the device has anything of.
    func partitions(_ kind: StorageKind) async throws -> [Int]
    /// What it has in one of them.
    func contents(_ kind: StorageKind, partition: Int) async throws -> [StorageLocation: ReplicaState]
    /// Rows of an index that came after `position`, as they are, deleted ones too.
    func indexRows(_ location: StorageLocation, after position: Int64, limit: Int) async throws -> IndexRows
    /// Takes a replica's rows and record; what is later wins, field by field.
    func mergeIndex(_ location: StorageLocation, _ record: IndexRecord, _ rows: IndexRows) async throws
    /// Removes what belongs elsewhere, after it was seen there. An object that is no longer as `state` says stays; nil:
    /// whatever it is.
    func forget(_ location: StorageLocation, _ kind: StorageKind, ifStill state: ReplicaState?) async throws
    /// Reads the next `limit` bytes of objects and compares them with their checksums; what is damaged is put aside.
    func audit(limitBytes: Int64) async throws -> AuditReport

    func space() async throws -> DeviceSpace

    // MARK: After a power failure
    /// Rows that were put here after this time may be missing, because the device lost power before they were on the
    /// disk. Nil: none are.
    func rowsLostSince() async throws -> Timestamp?
    /// Objects that came, changed or were deleted on this device at or after `time` by the host's clock, in a fixed
    /// order from `position` on, nil for the start. What the power failure damaged is put aside first.
    func objectChanges(since time: Timestamp, after position: String?, limit: Int) async throws -> ObjectChanges
    /// All rows have been put again: from here on `rowsLostSince` is nil.
    func rowsRestored() async throws
}

extension StorageDevice {
    package func forget(_ location: StorageLocation, _ kind: StorageKind) async throws {
        try await forget(location, kind, ifStill: nil)
    }
}

/// A page of `StorageDevice.objectChanges`.
package struct ObjectChanges: Sendable, Codable {
    package enum Change: Sendable, Hashable, Codable {
        case present(ObjectRecord)
        case deleted(ObjectPath, WriteTime)
    }
    package struct Entry: Sendable, Hashable, Codable {
        package var policy: Int
        package var change: Change
        package init(policy: Int, change: Change) {
            self.policy = policy
            self.change = change
        }
    }
    package var entries: [Entry]
    /// To ask on from; nil: this page is the last.
    package var position: String?
    package init(entries: [Entry] = [], position: String? = nil) {
        self.entries = entries
        self.position = position
    }
}

package enum StorageKind: Sendable, Hashable, Codable {
    case objects(policy: Int)
    case containers
    case accounts
}

package struct IndexRows: Sendable, Codable {
    package var objects: [ObjectRow]
    package var containers: [ContainerRow]
    /// To ask on from.
    package var position: Int64
    package var isLast: Bool
    package init(objects: [ObjectRow] = [], containers: [ContainerRow] = [], position: Int64 = 0, isLast: Bool = true) {
        self.objects = objects
        self.containers = containers
        self.position = position
        self.isLast = isLast
    }
}

package struct AuditReport: Sendable, Codable {
    package var objects: Int
    package var bytes: Int64
    package var damaged: [StorageLocation]
    package init(objects: Int = 0, bytes: Int64 = 0, damaged: [StorageLocation] = []) {
        self.objects = objects
        self.bytes = bytes
        self.damaged = damaged
    }
}

package struct DeviceSpace: Sendable, Codable, Hashable {
    package var totalBytes: Int64
    package var freeBytes: Int64
    package init(totalBytes: Int64, freeBytes: Int64) {
        self.totalBytes = totalBytes
        self.freeBytes = freeBytes
    }
}
