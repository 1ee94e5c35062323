// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import ObjectStorageCore
import Synchronization
import TestKit
import Testing

/// Goal: an operator adds a device and takes it away again while objects are read, and none is lost.
/// Method: the parts of a process on a database and devices in memory; passes are started by hand.
@Suite("Storage parts")
struct StoragePartsTests {
    private final class Shelf: Sendable {
        private let devices = Mutex<[DeviceNumber: FakeStorageDevice]>([:])
        func device(_ number: DeviceNumber) -> FakeStorageDevice {
            devices.withLock { devices in
                let device = devices[number] ?? FakeStorageDevice()
                devices[number] = device
                return device
            }
        }
    }

    private static let container = ObjectPath(account: "AUTH_a", container: "c")

    private func names(_ count: Int) -> [String] { (0..<count).map { "object-\($0)" } }

    private func put(_ name: String, _ cluster: StorageCluster) async throws {
        let (path, time) = (Self.container.appending(name), cluster.clock.now())
        let record = try await cluster.put(path, policy: 0) { tee in
            try await tee.write(Array(name.utf8))
            return ObjectRecord(path: path, time: time, sizeBytes: tee.sizeBytes, etag: tee.etag, contentType: "a/b")
        }
        try await cluster.putObjectRows(Self.container, [record.row])
    }

    private func expectAll(_ names: [String], _ cluster: StorageCluster) async throws {
        for name in names {
            let record = try await cluster.head(Self.container.appending(name), policy: 0)
            #expect(record?.sizeBytes == Int64(name.utf8.count))
        }
        #expect(try await cluster.index(Self.container)?.objectCount == Int64(names.count))
        #expect(try await cluster.listObjects(Self.container, ListingQuery(limit: 1000)).count == names.count)
    }

    @Test("a device comes and goes, and everything stays")
    func growAndShrink() async throws {
        let (clock, shelf) = (TestClock(), Shelf())
        var config = ObjectStorageConfig()
        config.partitionPower = 4
        config.replicationPause = .zero
        let parts = try await StorageParts.make(
            database: try await TestDatabase.make(ObjectStorageMigrations.all), config: config, host: "here",
            directories: ["/a"], clock: clock.clock, ids: .random
        ) { shelf.device($0.number) }
        let cluster = parts.cluster
        try await cluster.createIndex(IndexRecord(path: Self.container, time: cluster.clock.now()))
        for name in names(30) { try await put(name, cluster) }
        try await parts.replicator.pass()

        let second = try await parts.rings.add(RingDraft(zone: "2", host: "there", path: "/b"))
        try await parts.refresh()
        #expect(try await parts.state.state().rings.contains { $0.moving > 0 })
        try await expectAll(names(30), cluster)
        try await parts.replicator.pass()
        try await put("object-30", cluster)
        try await expectAll(names(31), cluster)
        clock.advance(by: .seconds(61))
        try await parts.replicator.pass()
        #expect(try await parts.state.state().rings.allSatisfy { $0.moving == 0 && $0.missingReplicas == 0 })
        #expect(try await parts.rings.layout().objects[0]?.former.isEmpty == true)
        #expect(!shelf.device(second.number).objects.isEmpty)
        try await expectAll(names(31), cluster)

        _ = try await parts.rings.change(second.number, RingChange(weight: 0))
        try await parts.refresh()
        await #expect(throws: CloudError.self) { try await parts.rings.remove(second.number) }
        try await parts.replicator.pass()
        clock.advance(by: .seconds(61))
        try await parts.replicator.pass()
        #expect(shelf.device(second.number).objects.isEmpty)
        try await parts.rings.remove(second.number)
        try await parts.refresh()
        #expect(cluster.devices[second.number] == nil)
        try await expectAll(names(31), cluster)
    }
}
