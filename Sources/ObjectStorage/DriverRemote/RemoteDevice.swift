// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPClient
import HTTPKit
import LifecycleKit
import ObjectStorageContract

/// A device of another host, reached through the `StorageDeviceHandler` there.
///
/// Failures keep their codes; `.unavailable` also when the host is not reached within two seconds, does not answer, or
/// does not share the key. A call whose answer was lost may have been done: every call may be repeated.
package struct RemoteDevice: StorageDevice {
    /// A host that is away must cost its callers little.
    static let connectTime = Duration.seconds(2)
    /// A slow disk still answers within.
    static let answerTime = Duration.seconds(30)
    /// For what reads a whole disk.
    static let scanTime = Duration.seconds(900)

    /// `ADDRESS:PORT`, as the ring has it and the other host is told that it is called.
    package let endpoint: String
    /// As the other host knows it.
    package let path: String
    let key: ClusterKey
    let client: HTTPClient
    let clock: WallClock

    package init(
        endpoint: String, path: String, key: ClusterKey, client: HTTPClient, clock: WallClock = .system
    ) {
        self.endpoint = endpoint
        self.path = path
        self.key = key
        self.client = client
        self.clock = clock
    }

    // MARK: Objects

    package func beginObject(_ location: StorageLocation, expecting sizeBytes: Int64?) async throws -> any ObjectSink {
        try await RemoteObjectSink.begin(self, BeginObject(location: location, sizeBytes: sizeBytes))
    }

    package func openObject(_ location: StorageLocation) async throws -> (any OpenObject)? {
        try await RemoteOpenObject.open(self, location)
    }

    package func replica(_ location: StorageLocation) async throws -> ReplicaState {
        try await call(StorageCalls.Replica(location: location))
    }

    package func setHeaders(_ location: StorageLocation, _ record: ObjectRecord) async throws -> Bool {
        try await call(StorageCalls.SetObjectHeaders(location: location, record: record)).value ?? false
    }

    package func deleteObject(_ location: StorageLocation, at time: WriteTime) async throws {
        _ = try await call(StorageCalls.DeleteObject(location: location, time: time))
    }

    // MARK: Indexes

    package func createIndex(_ location: StorageLocation, _ record: IndexRecord) async throws {
        _ = try await call(StorageCalls.CreateIndex(location: location, record: record))
    }

    package func index(_ location: StorageLocation) async throws -> IndexRecord? {
        try await call(StorageCalls.ReadIndex(location: location)).value
    }

    package func setHeaders(_ location: StorageLocation, _ headers: [String: IndexRecord.TimedValue]) async throws {
        _ = try await call(StorageCalls.SetIndexHeaders(location: location, headers: headers))
    }

    package func deleteIndex(_ location: StorageLocation, at time: WriteTime) async throws {
        _ = try await call(StorageCalls.DeleteIndex(location: location, time: time))
    }

    package func putObjectRows(_ location: StorageLocation, _ rows: [ObjectRow]) async throws {
        _ = try await call(StorageCalls.PutObjectRows(location: location, rows: rows))
    }

    package func putContainerRows(_ location: StorageLocation, _ rows: [ContainerRow]) async throws {
        _ = try await call(StorageCalls.PutContainerRows(location: location, rows: rows))
    }

    package func listObjects(
        _ location: StorageLocation, _ query: ListingQuery
    ) async throws -> [ListingEntry<ObjectRow>] {
        try await call(StorageCalls.ListObjects(location: location, query: query))
    }

    package func listContainers(
        _ location: StorageLocation, _ query: ListingQuery
    ) async throws -> [ListingEntry<ContainerRow>] {
        try await call(StorageCalls.ListContainers(location: location, query: query))
    }

    // MARK: Replication

    package func partitions(_ kind: StorageKind) async throws -> [Int] {
        try await call(StorageCalls.Partitions(kind: kind), within: Self.scanTime)
    }

    package func contents(_ kind: StorageKind, partition: Int) async throws -> [StorageLocation: ReplicaState] {
        try await call(StorageCalls.Contents(kind: kind, partition: partition), within: Self.scanTime)
    }

    package func indexRows(_ location: StorageLocation, after position: Int64, limit: Int) async throws -> IndexRows {
        try await call(StorageCalls.ReadIndexRows(location: location, position: position, limit: limit))
    }

    package func mergeIndex(_ location: StorageLocation, _ record: IndexRecord, _ rows: IndexRows) async throws {
        _ = try await call(StorageCalls.MergeIndex(location: location, record: record, rows: rows))
    }

    package func forget(_ location: StorageLocation, _ kind: StorageKind, ifStill state: ReplicaState?) async throws {
        _ = try await call(StorageCalls.Forget(location: location, kind: kind, state: state))
    }

    package func audit(limitBytes: Int64) async throws -> AuditReport {
        try await call(StorageCalls.Audit(limitBytes: limitBytes), within: Self.scanTime)
    }

    package func space() async throws -> DeviceSpace { try await call(StorageCalls.Space()) }

    // MARK: After a power failure

    package func rowsLostSince() async throws -> Timestamp? { try await call(StorageCalls.RowsLostSince()).value }

    package func objectChanges(
        since time: Timestamp, after position: String?, limit: Int
    ) async throws -> ObjectChanges {
        try await call(StorageCalls.Changes(time: time, position: position, limit: limit), within: Self.scanTime)
    }

    package func rowsRestored() async throws {
        _ = try await call(StorageCalls.RowsRestored(), within: Self.scanTime)
    }
}
