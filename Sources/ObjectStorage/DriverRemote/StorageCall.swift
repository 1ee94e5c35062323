// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// A call of `StorageDevice` as a message: parameters and answer are JSON. A field that is added must be optional:
/// controllers and storage hosts may be of different versions for a while.
protocol StorageCall: Codable, Sendable {
    associatedtype Answer: Codable & Sendable
    static var name: String { get }
    func perform(_ device: any StorageDevice) async throws -> Answer
}

struct Done: Codable, Sendable {}

/// An answer that may be nothing.
struct Found<Value: Codable & Sendable>: Codable, Sendable {
    var value: Value?
}

enum StorageCalls {
    static let all: [any StorageCall.Type] = [
        Replica.self, SetObjectHeaders.self, DeleteObject.self, CreateIndex.self, ReadIndex.self,
        SetIndexHeaders.self, DeleteIndex.self, PutObjectRows.self, PutContainerRows.self, ListObjects.self,
        ListContainers.self, Partitions.self, Contents.self, ReadIndexRows.self, MergeIndex.self, Forget.self,
        Audit.self, Space.self, RowsLostSince.self, Changes.self, RowsRestored.self,
    ]

    static let byName = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }

    // MARK: Objects

    struct Replica: StorageCall {
        static let name = "replica"
        var location: StorageLocation
        func perform(_ device: any StorageDevice) async throws -> ReplicaState { try await device.replica(location) }
    }

    struct SetObjectHeaders: StorageCall {
        static let name = "set-object-headers"
        var location: StorageLocation
        var record: ObjectRecord
        func perform(_ device: any StorageDevice) async throws -> Found<Bool> {
            Found(value: try await device.setHeaders(location, record))
        }
    }

    struct DeleteObject: StorageCall {
        static let name = "delete-object"
        var location: StorageLocation
        var time: WriteTime
        func perform(_ device: any StorageDevice) async throws -> Done {
            try await device.deleteObject(location, at: time)
            return Done()
        }
    }

    // MARK: Indexes

    struct CreateIndex: StorageCall {
        static let name = "create-index"
        var location: StorageLocation
        var record: IndexRecord
        func perform(_ device: any StorageDevice) async throws -> Done {
            try await device.createIndex(location, record)
            return Done()
        }
    }

    struct ReadIndex: StorageCall {
        static let name = "index"
        var location: StorageLocation
        func perform(_ device: any StorageDevice) async throws -> Found<IndexRecord> {
            Found(value: try await device.index(location))
        }
    }

    struct SetIndexHeaders: StorageCall {
        static let name = "set-index-headers"
        var location: StorageLocation
        var headers: [String: IndexRecord.TimedValue]
        func perform(_ device: any StorageDevice) async throws -> Done {
            try await device.setHeaders(location, headers)
            return Done()
        }
    }

    struct DeleteIndex: StorageCall {
        static let name = "delete-index"
        var location: StorageLocation
        var time: WriteTime
        func perform(_ device: any StorageDevice) async throws -> Done {
            try await device.deleteIndex(location, at: time)
            return Done()
        }
    }

    struct PutObjectRows: StorageCall {
        static let name = "put-object-rows"
        var location: StorageLocation
        var rows: [ObjectRow]
        func perform(_ device: any StorageDevice) async throws -> Done {
            try await device.putObjectRows(location, rows)
            return Done()
        }
    }

    struct PutContainerRows: StorageCall {
        static let name = "put-container-rows"
        var location: StorageLocation
        var rows: [ContainerRow]
        func perform(_ device: any StorageDevice) async throws -> Done {
            try await device.putContainerRows(location, rows)
            return Done()
        }
    }

    struct ListObjects: StorageCall {
        static let name = "list-objects"
        var location: StorageLocation
        var query: ListingQuery
        func perform(_ device: any StorageDevice) async throws -> [ListingEntry<ObjectRow>] {
            try await device.listObjects(location, query)
        }
    }

    struct ListContainers: StorageCall {
        static let name = "list-containers"
        var location: StorageLocation
        var query: ListingQuery
        func perform(_ device: any StorageDevice) async throws -> [ListingEntry<ContainerRow>] {
            try await device.listContainers(location, query)
        }
    }

    // MARK: Replication

    struct Partitions: StorageCall {
        static let name = "partitions"
        var kind: StorageKind
        func perform(_ device: any StorageDevice) async throws -> [Int] { try await device.partitions(kind) }
    }

    struct Contents: StorageCall {
        static let name = "contents"
        var kind: StorageKind
        var partition: Int
        func perform(_ device: any StorageDevice) async throws -> [StorageLocation: ReplicaState] {
            try await device.contents(kind, partition: partition)
        }
    }

    struct ReadIndexRows: StorageCall {
        static let name = "index-rows"
        var location: StorageLocation
        var position: Int64
        var limit: Int
        func perform(_ device: any StorageDevice) async throws -> IndexRows {
            try await device.indexRows(location, after: position, limit: limit)
        }
    }

    struct MergeIndex: StorageCall {
        static let name = "merge-index"
        var location: StorageLocation
        var record: IndexRecord
        var rows: IndexRows
        func perform(_ device: any StorageDevice) async throws -> Done {
            try await device.mergeIndex(location, record, rows)
            return Done()
        }
    }

    struct Forget: StorageCall {
        static let name = "forget"
        var location: StorageLocation
        var kind: StorageKind
        var state: ReplicaState?
        func perform(_ device: any StorageDevice) async throws -> Done {
            try await device.forget(location, kind, ifStill: state)
            return Done()
        }
    }

    struct Audit: StorageCall {
        static let name = "audit"
        var limitBytes: Int64
        func perform(_ device: any StorageDevice) async throws -> AuditReport {
            try await device.audit(limitBytes: limitBytes)
        }
    }

    struct Space: StorageCall {
        static let name = "space"
        func perform(_ device: any StorageDevice) async throws -> DeviceSpace { try await device.space() }
    }

    // MARK: After a power failure

    struct RowsLostSince: StorageCall {
        static let name = "rows-lost-since"
        func perform(_ device: any StorageDevice) async throws -> Found<Timestamp> {
            Found(value: try await device.rowsLostSince())
        }
    }

    struct Changes: StorageCall {
        static let name = "object-changes"
        var time: Timestamp
        var position: String?
        var limit: Int
        func perform(_ device: any StorageDevice) async throws -> ObjectChanges {
            try await device.objectChanges(since: time, after: position, limit: limit)
        }
    }

    struct RowsRestored: StorageCall {
        static let name = "rows-restored"
        func perform(_ device: any StorageDevice) async throws -> Done {
            try await device.rowsRestored()
            return Done()
        }
    }
}

/// Parameters of an upload.
struct BeginObject: Codable, Sendable {
    var location: StorageLocation
    var sizeBytes: Int64?
}

/// Parameters of `open`.
struct OpenObjectCall: Codable, Sendable {
    var location: StorageLocation
}

/// The answer to `open`, before the bytes.
struct OpenedObject: Codable, Sendable {
    /// Nil: there is no such object.
    var record: ObjectRecord?
    /// To read on with; nil when the bytes follow.
    var handle: String?
}
