// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import Testing

/// What every storage device promises of objects, as checks that run on the fake and on the real ones alike. Calls that
/// change something are made twice, because whoever lost an answer repeats the call.
struct StorageDeviceConformance {
    let device: any StorageDevice

    typealias Check = @Sendable (Self) async throws -> Void
    static let checks: [(String, Check)] = [
        ("objects", { try await $0.objects() }), ("ranges", { try await $0.ranges() }),
        ("last write wins", { try await $0.lastWriteWins() }), ("headers", { try await $0.headers() }),
        ("copies with headers", { try await $0.copiesWithHeaders() }), ("nothing by halves", { try await $0.halves() }),
        ("policies", { try await $0.policies() }), ("hostile objects", { try await $0.hostileObjects() }),
        ("open objects", { try await $0.openObjects() }), ("many writers", { try await $0.manyWriters() }),
        ("object replication", { try await $0.objectReplication() }), ("audit", { try await $0.audit() }),
        ("changes", { try await $0.changes() }), ("space", { try await $0.space() }),
        ("indexes", { try await $0.indexes() }), ("object rows", { try await $0.objectRows() }),
        ("container rows", { try await $0.containerRows() }), ("listings", { try await $0.listings() }),
        ("hostile rows", { try await $0.hostileRows() }), ("no index", { try await $0.noIndex() }),
        ("index replication", { try await $0.indexReplication() }),
        ("concurrent rows", { try await $0.concurrentRows() }),
    ]

    func expectCode(_ code: CloudError.Code, _ body: () async throws -> Void) async {
        let error = await #expect(throws: CloudError.self) { try await body() }
        #expect(error?.code == code)
    }

    /// Bytes and record come back as they were put, and go when they are deleted.
    func objects() async throws {
        for (index, count) in [0, 1, 255, 100_000, 300_000, 2_500_000].enumerated() {
            let location = StorageSample.object("size-\(count)")
            let bytes = StorageSample.bytes(count)
            let ticks = Int64(index)
            #expect(try await device.openObject(location) == nil)
            #expect(try await device.replica(location) == .absent)
            var record = StorageSample.record(location, bytes, at: ticks)
            record.headers = ["x-object-meta-color": "blue \u{301} \"", "content-encoding": "gzip"]
            record.system = ["x-object-sysmeta-slo-size": "12"]
            let sink = try await device.beginObject(location, expecting: index % 2 == 0 ? Int64(count) : nil)
            for start in stride(from: 0, to: count, by: 70_000) {
                try await sink.write(Array(bytes[start..<min(start + 70_000, count)]))
            }
            #expect(try await device.openObject(location) == nil)
            try await sink.commit(record)
            let found = try #require(await device.get(location))
            #expect(found.record == record)
            #expect(found.bytes == bytes)
            #expect(try await device.replica(location) == .present(record.time, metadata: nil))
            for _ in 1...2 { try await device.deleteObject(location, at: StorageSample.time(100)) }
            #expect(try await device.openObject(location) == nil)
            #expect(try await device.replica(location) == .deleted(StorageSample.time(100)))
        }
    }

    func ranges() async throws {
        let location = StorageSample.object("ranges")
        let bytes = StorageSample.bytes(10_000)
        try await device.put(location, bytes, at: 1)
        let object = try #require(try await device.openObject(location))
        for range: Range<Int64> in [0..<10_000, 0..<1, 9_999..<10_000, 5_000..<5_000, 17..<4_111] {
            #expect(try await object.bytes(range) == Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
        }
        await object.close()
        await object.close()
    }

    /// In whatever order writes come, the one with the latest time is there in the end.
    func lastWriteWins() async throws {
        let location = StorageSample.object("race")
        try await device.put(location, [1], at: 10)
        try await device.put(location, [2], at: 30)
        try await device.put(location, [3], at: 20)
        #expect(try await device.get(location)?.bytes == [2])
        try await device.deleteObject(location, at: StorageSample.time(25))
        #expect(try await device.get(location)?.bytes == [2])
        try await device.deleteObject(location, at: StorageSample.time(40))
        try await device.put(location, [4], at: 35)
        #expect(try await device.get(location) == nil)
        #expect(try await device.replica(location) == .deleted(StorageSample.time(40)))
        try await device.deleteObject(location, at: StorageSample.time(38))
        #expect(try await device.replica(location) == .deleted(StorageSample.time(40)))
        // Of one time the tombstone wins.
        try await device.put(location, [5], at: 40)
        #expect(try await device.get(location) == nil)
        try await device.put(location, [6], at: 41)
        // The same write, repeated.
        try await device.put(location, [6], at: 41)
        #expect(try await device.get(location)?.bytes == [6])
        // What was never there leaves a tombstone too.
        let other = StorageSample.object("never")
        try await device.deleteObject(other, at: StorageSample.time(1))
        #expect(try await device.replica(other) == .deleted(StorageSample.time(1)))
    }

    /// A POST replaces headers and leaves what belongs to the bytes.
    func headers() async throws {
        let location = StorageSample.object("headers")
        var record = StorageSample.record(location, [1, 2, 3], at: 10, headers: ["x-object-meta-a": "1"])
        #expect(try await device.setHeaders(location, later(record, at: 11)) == false)
        record.system = ["x-object-sysmeta-slo-size": "3", "x-object-transient-sysmeta-key": "old"]
        let sink = try await device.beginObject(location, expecting: 3)
        try await sink.write([1, 2, 3])
        try await sink.commit(record)

        var change = later(record, at: 20)
        change.headers = ["x-object-meta-b": "2"]
        change.contentType = "image/png"
        change.system = ["x-object-sysmeta-slo-size": "99", "x-object-transient-sysmeta-key": "new"]
        for _ in 1...2 { #expect(try await device.setHeaders(location, change)) }
        var found = try #require(await device.get(location))
        #expect(found.bytes == [1, 2, 3])
        #expect(found.record.headers == ["x-object-meta-b": "2"])
        #expect(found.record.contentType == "image/png")
        #expect(found.record.system == ["x-object-sysmeta-slo-size": "3", "x-object-transient-sysmeta-key": "new"])
        #expect(found.record.time == record.time && found.record.metadataTime == change.metadataTime)
        #expect(found.record.etag == record.etag && found.record.sizeBytes == 3)
        #expect(
            try await device.replica(location) == .present(StorageSample.time(10), metadata: StorageSample.time(20)))

        // An older one changes nothing; newer bytes bring their own.
        var older = later(record, at: 15)
        older.headers = ["x-object-meta-c": "3"]
        #expect(try await device.setHeaders(location, older))
        #expect(try await device.get(location)?.record.headers == ["x-object-meta-b": "2"])
        try await device.put(location, [9], at: 30, headers: ["x-object-meta-d": "4"])
        found = try #require(await device.get(location))
        #expect(found.record.headers == ["x-object-meta-d": "4"] && found.record.metadataTime == nil)
        try await device.deleteObject(location, at: StorageSample.time(40))
        #expect(try await device.setHeaders(location, later(record, at: 50)) == false)
    }

    private func later(_ record: ObjectRecord, at ticks: Int64) -> ObjectRecord {
        var record = record
        record.metadataTime = StorageSample.time(ticks)
        return record
    }

    /// What a replicator brings: bytes whose headers were set later.
    func copiesWithHeaders() async throws {
        let location = StorageSample.object("copy")
        var record = StorageSample.record(location, [1, 2], at: 10, headers: ["x-object-meta-a": "1"])
        record.metadataTime = StorageSample.time(20)
        for _ in 1...2 {
            let sink = try await device.beginObject(location, expecting: 2)
            try await sink.write([1, 2])
            try await sink.commit(record)
        }
        #expect(try await device.get(location)?.record == record)
        #expect(try await device.replica(location) == .present(record.time, metadata: record.metadataTime))
    }

    /// What is not committed is never there: aborted, dropped, of another size than its record says.
    func halves() async throws {
        let location = StorageSample.object("half")
        let bytes = StorageSample.bytes(700_000)
        let aborted = try await device.beginObject(location, expecting: 700_000)
        try await aborted.write(bytes)
        await aborted.abort()
        await #expect(throws: (any Error).self) {
            try await aborted.commit(StorageSample.record(location, bytes, at: 1))
        }
        _ = try await device.beginObject(location, expecting: nil)
        let wrong = try await device.beginObject(location, expecting: 3)
        try await wrong.write([1, 2])
        await expectCode(.bug) { try await wrong.commit(StorageSample.record(location, [1, 2, 3], at: 1)) }
        await wrong.abort()
        #expect(try await device.openObject(location) == nil)
        #expect(try await device.replica(location) == .absent)
        // Nor do they harm what is there.
        try await device.put(location, [7], at: 2)
        let second = try await device.beginObject(location, expecting: 1)
        try await second.write([8])
        await second.abort()
        #expect(try await device.get(location)?.bytes == [7])
    }

    func policies() async throws {
        let name = "in-two"
        try await device.put(StorageSample.object(name, policy: 0), [0], at: 1)
        try await device.put(StorageSample.object(name, policy: 3), [3], at: 1)
        try await device.deleteObject(StorageSample.object(name, policy: 0), at: StorageSample.time(2))
        #expect(try await device.get(StorageSample.object(name, policy: 0)) == nil)
        #expect(try await device.get(StorageSample.object(name, policy: 3))?.bytes == [3])
        #expect(try await device.openObject(StorageSample.object(name, policy: 7)) == nil)
        let partition = StorageSample.object(name).partition
        #expect(try await device.partitions(.objects(policy: 3)) == [partition])
        #expect(try await device.partitions(.objects(policy: 7)) == [])
    }

    func hostileObjects() async throws {
        for (index, name) in StorageSample.hostileNames.enumerated() {
            try await device.put(StorageSample.object(name), [UInt8(index)], at: Int64(index))
        }
        for (index, name) in StorageSample.hostileNames.enumerated() {
            let found = try #require(await device.get(StorageSample.object(name)), "\(name.prefix(20))")
            #expect(found.bytes == [UInt8(index)])
            #expect(found.record.path.object?.utf8.elementsEqual(name.utf8) == true)
        }
    }

    /// An object that is open can be read whole, whatever befalls it.
    func openObjects() async throws {
        let location = StorageSample.object("open")
        let bytes = StorageSample.bytes(500_000)
        try await device.put(location, bytes, at: 1)
        let object = try #require(try await device.openObject(location))
        let body = try await object.body(0..<500_000)
        try await device.put(location, [1], at: 2)
        try await device.deleteObject(location, at: StorageSample.time(3))
        #expect(try await object.bytes(100..<200) == Array(bytes[100..<200]))
        await object.close()
        #expect(try await body.bytes() == bytes)
    }

    func manyWriters() async throws {
        let location = StorageSample.object("crowd")
        let device = device
        try await withThrowingTaskGroup(of: Void.self) { group in
            for ticks in 1...40 {
                group.addTask { try await device.put(location, [UInt8(ticks)], at: Int64(ticks)) }
                if ticks % 4 == 0 {
                    group.addTask { try await device.deleteObject(location, at: StorageSample.time(Int64(ticks) - 1)) }
                }
                group.addTask { _ = try await device.get(location) }
            }
            try await group.waitForAll()
        }
        #expect(try await device.get(location)?.bytes == [40])
        #expect(try await device.replica(location) == .present(StorageSample.time(40), metadata: nil))
    }

    func objectReplication() async throws {
        let (kept, gone) = (StorageSample.object("kept"), StorageSample.object("gone"))
        try await device.put(kept, [1], at: 1)
        try await device.put(gone, [2], at: 2)
        try await device.deleteObject(gone, at: StorageSample.time(3))
        let kind = StorageKind.objects(policy: 0)
        #expect(try await Set(device.partitions(kind)) == [kept.partition, gone.partition])
        #expect(try await device.contents(kind, partition: kept.partition)[kept] == .present(kept1, metadata: nil))
        #expect(try await device.contents(kind, partition: gone.partition)[gone] == .deleted(StorageSample.time(3)))
        #expect(try await device.contents(kind, partition: 9999).isEmpty)
        // It has changed since it was seen elsewhere.
        try await device.forget(kept, kind, ifStill: .present(StorageSample.time(0), metadata: nil))
        #expect(try await device.get(kept)?.bytes == [1])
        for _ in 1...2 { try await device.forget(kept, kind, ifStill: .present(kept1, metadata: nil)) }
        #expect(try await device.replica(kept) == .absent)
        try await device.forget(gone, kind)
        #expect(try await device.replica(gone) == .absent)
        #expect(try await device.partitions(kind) == [])
    }

    private var kept1: WriteTime { StorageSample.time(1) }

    /// Every object is read once in a round, however small the steps are.
    func audit() async throws {
        for index in 0..<20 {
            try await device.put(StorageSample.object("audited-\(index)"), StorageSample.bytes(1000), at: 1)
        }
        var report = try await device.audit(limitBytes: .max)
        #expect(report.objects == 20 && report.bytes == 20_000 && report.damaged.isEmpty)
        var objects = 0
        var rounds = 0
        while objects < 20, rounds < 40 {
            report = try await device.audit(limitBytes: 2500)
            #expect(report.objects <= 3)
            objects += report.objects
            rounds += 1
        }
        #expect(objects == 20)
    }

    /// What changed is found again in pages.
    func changes() async throws {
        var expected: Set<String> = []
        for index in 0..<12 {
            let location = StorageSample.object("changed-\(index)", policy: index % 3)
            try await device.put(location, [1], at: 1)
            if index % 4 == 0 { try await device.deleteObject(location, at: StorageSample.time(2)) }
            expected.insert("\(index % 3) \(index % 4 == 0) changed-\(index)")
        }
        var found: Set<String> = []
        var position: String?
        var pages = 0
        repeat {
            let page = try await device.objectChanges(since: Timestamp(seconds: 0), after: position, limit: 5)
            for entry in page.entries {
                switch entry.change {
                case .present(let record): found.insert("\(entry.policy) false \(record.path.object ?? "")")
                case .deleted(let path, let time):
                    #expect(time == StorageSample.time(2))
                    found.insert("\(entry.policy) true \(path.object ?? "")")
                }
            }
            position = page.position
            pages += 1
        } while position != nil && pages < 20
        #expect(found == expected && pages >= 3)
        let future = Timestamp(seconds: 10_000_000_000)
        #expect(try await device.objectChanges(since: future, after: nil, limit: 5).entries.isEmpty)
        #expect(try await device.rowsLostSince() == nil)
        try await device.rowsRestored()
    }

    func space() async throws {
        let space = try await device.space()
        #expect(space.totalBytes > 0 && space.freeBytes <= space.totalBytes)
        await expectCode(.insufficientStorage) {
            _ = try await device.beginObject(StorageSample.object("huge"), expecting: space.totalBytes + 1)
        }
    }
}
