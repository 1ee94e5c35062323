// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import ObjectStorageCore
import TestKit
import Testing

/// Goal: what was acknowledged is read back, whatever befalls one device; what was not leaves nothing.
/// Method: a cluster of devices in memory that are away, full, emptied or damaged at the worst moments.
@Suite("Storage cluster")
struct StorageClusterTests {
    private struct Stop: Error {}

    private func world(devices: Int = 3, replicas: Int = 2) async throws -> StorageWorld {
        let world = try StorageWorld(devices: devices, replicas: replicas)
        try await world.makeContainer()
        try await world.heal()
        return world
    }

    private func primaries(_ world: StorageWorld, _ name: String) throws -> [DeviceNumber] {
        try world.cluster.place(StorageWorld.path(name)).primaries
    }

    @Test("an object lies on its own devices alone, and reads as it was written")
    func putAndRead() async throws {
        let world = try await world()
        let record = try await world.put("song", "la la la")
        #expect(record.sizeBytes == 8)
        #expect(try await world.read("song") == "la la la")
        #expect(try world.holders(StorageWorld.path("song")) == primaries(world, "song").sorted())
        #expect(try await world.names() == ["song"])
        #expect(try await world.read("other") == nil)
        try await world.delete("song")
        #expect(try await world.read("song") == nil)
        #expect(try await world.names().isEmpty)
    }

    @Test("a hand-off stands in for a device that is away, and gives back what it took")
    func handoff() async throws {
        let world = try await world()
        let own = try primaries(world, "song")
        try world.fake(own[0]).faults.setAway(true)
        try await world.put("song", "while away")
        let held = try world.holders(StorageWorld.path("song"))
        #expect(held.count == 2)
        #expect(!held.contains(own[0]))
        #expect(try await world.read("song") == "while away")
        #expect(try await world.names() == ["song"])

        try world.fake(own[0]).faults.setAway(false)
        #expect(try await world.read("song") == "while away")
        #expect(try await world.names() == ["song"])
        try await world.heal()
        #expect(try world.holders(StorageWorld.path("song")) == own.sorted())
        for number in world.numbers where number != own[0] { try world.fake(number).faults.setAway(true) }
        #expect(try await world.read("song") == "while away")
    }

    @Test("a device that was away does not answer with what it had before")
    func stale() async throws {
        let world = try await world()
        try await world.put("song", "first")
        try await world.put("gone", "first")
        for name in ["song", "gone"] {
            let away = try primaries(world, name)[0]
            try world.fake(away).faults.setAway(true)
            if name == "song" { try await world.put(name, "second") } else { try await world.delete(name) }
            try world.fake(away).faults.setAway(false)
        }
        #expect(try await world.read("song") == "second")
        #expect(try await world.read("gone") == nil)
        try await world.heal()
        #expect(try world.holders(StorageWorld.path("gone")).isEmpty)
        for number in try primaries(world, "song") {
            #expect(try world.fake(number).objects[StorageWorld.path("song")] == Array("second".utf8))
        }
        #expect(try await world.names() == ["song"])
    }

    @Test("fewer devices than a majority refuse the write and keep nothing of it")
    func noQuorum() async throws {
        let world = try await world()
        for number in world.numbers.dropFirst() { try world.fake(number).faults.setAway(true) }
        await #expect(throws: CloudError.self) { try await world.put("song", "lost") }
        #expect(try world.fake(world.numbers[0]).objects.isEmpty)
        for number in world.numbers { try world.fake(number).faults.setAway(false) }
        #expect(try await world.read("song") == nil)
    }

    @Test("an upload that breaks off leaves the object as it was")
    func abort() async throws {
        let world = try await world()
        try await world.put("song", "whole")
        let path = StorageWorld.path("song")
        await #expect(throws: Stop.self) {
            try await world.cluster.put(path, policy: 0) { tee in
                try await tee.write([1, 2, 3])
                throw Stop()
            }
        }
        #expect(try await world.read("song") == "whole")
    }

    @Test("a disk that fills up in the middle of an upload is left behind", arguments: [0, 1])
    func full(_ position: Int) async throws {
        let world = try await world()
        let own = try primaries(world, "song")
        let (path, full) = (StorageWorld.path("song"), try world.fake(own[position]))
        let time = world.cluster.clock.now()
        try await world.cluster.put(path, policy: 0) { tee in
            try await tee.write(Array("one ".utf8))
            full.faults.setFull(true)
            try await tee.write(Array("two".utf8))
            return ObjectRecord(path: path, time: time, sizeBytes: tee.sizeBytes, etag: tee.etag, contentType: "a/b")
        }
        #expect(try world.holders(path).count == 2)
        #expect(try !world.holders(path).contains(own[position]))
        #expect(try await world.read("song") == "one two")
        full.faults.setFull(false)
        try await world.heal()
        #expect(try world.holders(path) == own.sorted())
    }

    @Test("an emptied device gets everything back")
    func wipe() async throws {
        let world = try await world()
        for index in 0..<20 { try await world.put("song-\(index)", "text \(index)") }
        for number in world.numbers {
            world.wipe(number)
            for index in 0..<20 { #expect(try await world.read("song-\(index)") == "text \(index)") }
            #expect(try await world.names().count == 20)
            try await world.heal()
        }
        for index in 0..<20 {
            #expect(
                try world.holders(StorageWorld.path("song-\(index)")) == primaries(world, "song-\(index)").sorted())
        }
        #expect(try await world.cluster.index(StorageWorld.account)?.containerCount == 1)
    }

    @Test("a listing from an emptied device that was written to since is whole")
    func wipedIndex() async throws {
        let world = try await world()
        try await world.put("a", "1")
        let own = try world.cluster.place(StorageWorld.container).primaries
        world.wipe(own[0])
        try await world.put("b", "2")
        #expect(try await world.names() == ["a", "b"])
        world.wipe(own[0])
        try await world.cluster.createIndex(IndexRecord(path: StorageWorld.container, time: world.cluster.clock.now()))
        #expect(try await world.names() == ["a", "b"])
        try await world.heal()
        try world.fake(own[1]).faults.setAway(true)
        #expect(try await world.names() == ["a", "b"])
    }

    @Test("a write that failed, and stays all the same, is listed as what it is")
    func failedWriteStays() async throws {
        let world = try await world(devices: 2)
        try await world.put("song", "old")
        let own = try world.cluster.place(StorageWorld.path("song")).primaries
        // Begun and written; then nothing works any more.
        try world.fake(own[1]).faults.fail(100, skipping: 2)
        await #expect(throws: CloudError.self) { try await world.put("song", "newer") }
        try world.fake(own[1]).faults.fail(0)
        #expect(try await world.read("song") == "newer")
        await world.replicator.mend()
        let query = ListingQuery(limit: 10)
        guard case .row(let row)? = try await world.cluster.listObjects(StorageWorld.container, query).first else {
            Issue.record("no row")
            return
        }
        #expect(row.sizeBytes == 5)
    }

    @Test("damaged bytes are never read; the auditor finds them and a good replica takes their place")
    func damage() async throws {
        let world = try await world()
        try await world.put("song", "clear")
        let place = try world.cluster.place(StorageWorld.path("song"))
        for number in place.primaries {
            try world.fake(number).damage(place.location)
            #expect(try await world.read("song") == "clear")
            await world.auditor.audit()
            await world.replicator.mend()
            #expect(try world.holders(StorageWorld.path("song")) == place.primaries.sorted())
        }
        try world.fake(place.primaries[0]).damage(place.location)
        await world.auditor.audit()
        #expect(world.auditor.damaged.values.reduce(0, +) >= 1)
        try await world.heal()
        #expect(try await world.read("song") == "clear")
    }

    @Test("headers reach a majority even where a replica was lost")
    func headers() async throws {
        let world = try await world()
        var record = try await world.put("song", "text")
        record.headers = ["x-object-meta-a": "1"]
        record.metadataTime = world.cluster.clock.now()
        let own = try primaries(world, "song")
        world.wipe(own[0])
        #expect(try await world.cluster.setHeaders(record, policy: 0))
        try world.fake(own[1]).faults.setAway(true)
        #expect(try await world.cluster.head(record.path, policy: 0)?.headers == ["x-object-meta-a": "1"])
        try world.fake(own[1]).faults.setAway(false)
        record.path = StorageWorld.path("none")
        #expect(try await !world.cluster.setHeaders(record, policy: 0))
    }

    @Test("a device that is away is asked no more for a while, and then comes back")
    func breaker() async throws {
        let world = try StorageWorld(awayTime: .seconds(5))
        try await world.makeContainer()
        try await world.heal()
        let own = try primaries(world, "song")
        let fake = try world.fake(own[0])
        fake.faults.setAway(true)
        try await world.put("song", "one")
        let calls = fake.faults.calls.count
        try await world.put("song", "two")
        #expect(try await world.read("song") == "two")
        #expect(fake.faults.calls.count == calls)
        #expect(world.directory.isAway(own[0]))
        #expect(world.directory.lastError(own[0]) != nil)
        fake.faults.setAway(false)
        world.clock.advance(by: .seconds(6))
        try await world.put("song", "three")
        #expect(fake.objects[StorageWorld.path("song")] == Array("three".utf8))
        #expect(world.directory.lastError(own[0]) == nil)
    }

    @Test("a device that hangs holds up no write")
    func hang() async throws {
        var limits = StorageCluster.Limits()
        limits.deviceTimeout = .seconds(8)
        let world = try StorageWorld(limits: limits)
        try await world.makeContainer()
        let own = try world.cluster.place(StorageWorld.path("song")).primaries
        let fake = try world.fake(own[0])
        try await world.put("song", "text")
        fake.faults.hang(1)
        try await world.cluster.delete(StorageWorld.path("song"), policy: 0, at: world.cluster.clock.now())
        fake.faults.release()
        #expect(try await world.read("song") == nil)
    }

    @Test("an account's totals are those of its containers")
    func totals() async throws {
        let world = try await world()
        try await world.put("a", "12345")
        try await world.put("b", "678")
        let record = try await world.cluster.index(StorageWorld.account)
        #expect(record?.objectCount == 2)
        #expect(record?.bytesUsed == 8)
        try await world.delete("a")
        #expect(try await world.cluster.index(StorageWorld.account)?.bytesUsed == 3)
        try await world.delete("b")
        try await world.cluster.deleteIndex(StorageWorld.container, at: world.cluster.clock.now())
        #expect(try await world.cluster.listContainers(StorageWorld.account, ListingQuery(limit: 10)).isEmpty)
        #expect(try await world.cluster.index(StorageWorld.container) == nil)
        #expect(try await world.cluster.indexEvenDeleted(StorageWorld.container)?.isDeleted == true)
    }

    @Test("an object is acknowledged while its container cannot be reached, and listed later")
    func keptRows() async throws {
        let world = try await world(devices: 1, replicas: 1)
        let fake = try world.fake(world.numbers[0])
        let record = try await world.put("a", "1")
        fake.faults.fail(1)
        var row = record.row
        row.name = "b"
        try await world.cluster.putObjectRows(StorageWorld.container, [row])
        #expect(try await world.names() == ["a"])
        await world.cluster.updater.flushAll(in: world.cluster)
        #expect(try await world.names() == ["a", "b"])
    }
}
