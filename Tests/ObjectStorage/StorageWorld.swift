// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit
import Synchronization
import TestKit
import Testing

/// A cluster of devices in memory, one zone each, and everything that keeps it whole.
final class StorageWorld: Sendable {
    static let account = ObjectPath(account: "AUTH_test")
    static let container = ObjectPath(account: "AUTH_test", container: "box")

    let clock = TestClock()
    let cluster: StorageCluster
    let directory: DeviceDirectory
    let replicator: Replicator
    let auditor: Auditor
    private let replicas: Int
    private let power: Int
    private let fakes: Mutex<[DeviceNumber: FakeStorageDevice]>

    init(
        devices count: Int = 3, replicas: Int = 2, power: Int = 4, limits: StorageCluster.Limits? = nil,
        awayTime: Duration = .zero
    ) throws {
        self.replicas = replicas
        self.power = power
        let clock = clock.clock
        let devices = (1...count).map { Self.device($0) }
        let made = Dictionary(uniqueKeysWithValues: devices.map { ($0.number, FakeStorageDevice(clock: clock)) })
        fakes = Mutex(made)
        directory = DeviceDirectory(made, clock: clock, awayTime: awayTime)
        let ring = try RingBuilder.ring(from: nil, devices: devices, replicas: replicas, partitionPower: power)
        let policy = StoragePolicy(index: 0, name: "Policy-0", replicas: replicas)
        let layout = StorageLayout(policies: StoragePolicies([policy]), indexes: ring, objects: [0: ring])
        var quick = limits ?? StorageCluster.Limits()
        quick.grace = .milliseconds(20)
        let cluster = StorageCluster(
            layout: layout, devices: directory, hash: PathHash(prefix: [1], suffix: [2]), clock: WriteClock(clock),
            background: BackgroundTasks(), limits: quick)
        self.cluster = cluster
        var passes = Replicator.Limits()
        passes.pause = .zero
        passes.formerRest = .zero
        passes.reclaimAge = .seconds(3600)
        replicator = Replicator(cluster, limits: passes) { indexes, policy, version, partitions in
            var layout = cluster.layout
            if indexes {
                layout.indexes = layout.indexes.settled(partitions)
            } else {
                layout.objects[policy] = layout.objects[policy]?.settled(partitions)
            }
            cluster.adopt(layout)
        }
        auditor = Auditor(cluster)
    }

    private static func device(_ index: Int, weight: Double = 100) -> RingDevice {
        RingDevice(
            number: DeviceNumber(UInt16(index)), zone: "zone-\(index)", host: "host-\(index)", path: "/srv",
            weight: weight)
    }

    // MARK: Devices

    func fake(_ number: DeviceNumber) throws -> FakeStorageDevice {
        try #require(fakes.withLock { $0[number] })
    }

    var numbers: [DeviceNumber] { fakes.withLock { $0.keys.sorted() } }

    /// An empty disk in its place.
    func wipe(_ number: DeviceNumber) {
        let fresh = FakeStorageDevice(clock: clock.clock)
        fakes.withLock { $0[number] = fresh }
        directory.attach(number, fresh)
    }

    /// New rings of devices 1 to `count`; those of `weights` have another weight.
    func changeRing(devices count: Int, weights: [Int: Double] = [:]) throws {
        for index in 1...count where directory[DeviceNumber(UInt16(index))] == nil { wipe(DeviceNumber(UInt16(index))) }
        let devices = (1...count).map { Self.device($0, weight: weights[$0] ?? 100) }
        var layout = cluster.layout
        layout.indexes = try RingBuilder.ring(
            from: layout.indexes, devices: devices, replicas: replicas, partitionPower: power)
        layout.objects[0] = try RingBuilder.ring(
            from: layout.objects[0], devices: devices, replicas: replicas, partitionPower: power)
        cluster.adopt(layout)
    }

    /// Devices of `numbers` that hold the object now.
    func holders(_ path: ObjectPath) throws -> [DeviceNumber] {
        try numbers.filter { try fake($0).objects[path] != nil }
    }

    // MARK: Objects

    static func path(_ name: String) -> ObjectPath { container.appending(name) }

    func makeContainer() async throws {
        let time = cluster.clock.now()
        try await cluster.createIndex(IndexRecord(path: Self.account, time: time))
        try await cluster.createIndex(IndexRecord(path: Self.container, time: cluster.clock.now()))
    }

    @discardableResult
    func put(_ name: String, _ text: String) async throws -> ObjectRecord {
        let path = Self.path(name)
        let bytes = Array(text.utf8)
        let time = cluster.clock.now()
        let record = try await cluster.put(path, policy: 0, expecting: Int64(bytes.count)) { tee in
            for start in stride(from: 0, to: bytes.count, by: 4) {
                try await tee.write(Array(bytes[start..<min(start + 4, bytes.count)]))
            }
            return ObjectRecord(
                path: path, time: time, sizeBytes: tee.sizeBytes, etag: tee.etag, contentType: "text/plain")
        }
        try await cluster.putObjectRows(Self.container, [record.row])
        return record
    }

    func delete(_ name: String) async throws {
        let time = cluster.clock.now()
        try await cluster.delete(Self.path(name), policy: 0, at: time)
        let row = ObjectRow(name: name, time: time, sizeBytes: 0, contentType: "", etag: "", isDeleted: true)
        try await cluster.putObjectRows(Self.container, [row])
    }

    /// The object's bytes as text; nil: it is not there.
    func read(_ name: String) async throws -> String? {
        guard let object = try await cluster.open(Self.path(name), policy: 0) else { return nil }
        var bytes: [UInt8] = []
        if object.record.sizeBytes > 0, case .stream(let pieces) = try await object.body(0..<object.record.sizeBytes) {
            while let piece = try await pieces.next() { bytes += piece }
        }
        await object.close()
        #expect(Hex.encode(Digest.of(bytes, .md5)) == object.record.etag)
        return String(decoding: bytes, as: UTF8.self)
    }

    func names() async throws -> [String] {
        try await cluster.listObjects(Self.container, ListingQuery(limit: 10_000)).map { entry in
            switch entry {
            case .row(let row): row.name
            case .subdirectory(let name): name
            }
        }
    }

    /// Passes until one finds nothing to do. Fails when that does not happen.
    func heal() async throws {
        for _ in 0..<10 {
            await replicator.mend()
            let report = try await replicator.pass()
            if report.isWhole, report.repairs == 0 { return }
        }
        Issue.record("the store does not come to rest")
    }
}
