// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import ObjectStorageCore
import TestKit
import Testing

/// Goal: the store comes to rest with every replica where it belongs and nothing anywhere else, without an hour when
/// something cannot be read.
/// Method: rings that change, deletions that age, power failures, and a long storm of faults by a fixed seed.
@Suite("Replicator")
struct ReplicatorTests {
    private func world(devices: Int = 3, replicas: Int = 2) async throws -> StorageWorld {
        let world = try StorageWorld(devices: devices, replicas: replicas)
        try await world.makeContainer()
        try await world.heal()
        return world
    }

    private func expectHome(_ world: StorageWorld, _ names: [String]) throws {
        for name in names {
            let path = StorageWorld.path(name)
            #expect(try world.holders(path) == world.cluster.place(path).primaries.sorted())
        }
    }

    @Test("objects are there before, while and after a device comes", arguments: [1, 2])
    func grow(replicas: Int) async throws {
        let world = try await world(devices: replicas, replicas: replicas)
        let names = (0..<40).map { "song-\($0)" }
        for name in names { try await world.put(name, name) }
        try world.changeRing(devices: replicas + 2)
        #expect(world.cluster.layout.objects[0]?.former.isEmpty == false)
        for name in names { #expect(try await world.read(name) == name) }
        #expect(try await world.names().count == 40)
        try await world.delete(names[0])
        try await world.put(names[1], "again")
        #expect(try await world.read(names[0]) == nil)
        #expect(try await world.names().count == 39)
        try await world.heal()
        #expect(world.cluster.layout.objects[0]?.former.isEmpty == true)
        #expect(world.cluster.layout.indexes.former.isEmpty)
        try expectHome(world, Array(names.dropFirst()))
        #expect(try await world.read(names[0]) == nil)
        #expect(try await world.read(names[1]) == "again")
        #expect(try await world.names().count == 39)
    }

    @Test("a device of weight 0 is emptied")
    func drain() async throws {
        let world = try await world(devices: 4)
        let names = (0..<40).map { "song-\($0)" }
        for name in names { try await world.put(name, name) }
        try world.changeRing(devices: 4, weights: [2: 0])
        for name in names { #expect(try await world.read(name) == name) }
        try await world.heal()
        let fake = try world.fake(DeviceNumber(2))
        #expect(fake.objects.isEmpty)
        #expect(try await fake.partitions(.containers).isEmpty)
        #expect(try await fake.partitions(.accounts).isEmpty)
        try expectHome(world, names)
        #expect(try await world.names().count == 40)
    }

    @Test("a large listing is merged whole into an emptied device")
    func largeListing() async throws {
        let world = try await world()
        let time = world.cluster.clock.now()
        for page in 0..<5 {
            let rows = (0..<500).map { index in
                ObjectRow(name: "o-\(page)-\(index)", time: time, sizeBytes: 1, contentType: "a/b", etag: "")
            }
            try await world.cluster.putObjectRows(StorageWorld.container, rows)
        }
        try await world.heal()
        let own = try world.cluster.place(StorageWorld.container).primaries
        world.wipe(own[1])
        try await world.heal()
        try world.fake(own[0]).faults.setAway(true)
        #expect(try await world.names().count == 2500)
    }

    @Test("old deletions are forgotten everywhere, young ones are not")
    func reclaim() async throws {
        let world = try await world()
        try await world.put("old", "text")
        try await world.delete("old")
        world.clock.advance(by: .seconds(1800))
        try await world.put("young", "text")
        try await world.delete("young")
        world.clock.advance(by: .seconds(2000))
        try await world.heal()
        let (old, young) = (StorageWorld.path("old"), StorageWorld.path("young"))
        for (path, isForgotten) in [(old, true), (young, false)] {
            let place = try world.cluster.place(path)
            for number in place.primaries {
                let state = try await world.fake(number).replica(place.location)
                #expect((state == .absent) == isForgotten)
            }
        }
        try await world.cluster.deleteIndex(StorageWorld.container, at: world.cluster.clock.now())
        try await world.heal()
        #expect(try await world.cluster.indexEvenDeleted(StorageWorld.container) != nil)
        world.clock.advance(by: .seconds(7300))
        try await world.heal()
        #expect(try await world.cluster.indexEvenDeleted(StorageWorld.container) == nil)
    }

    @Test("rows that a power failure took are put again from the objects")
    func powerFailure() async throws {
        let world = try await world(devices: 1, replicas: 1)
        try await world.put("before", "1")
        try await world.put("deleted", "1")
        world.clock.advance(by: .seconds(60))
        let failure = world.clock.clock.now()
        world.clock.advance(by: .seconds(1))
        try await world.put("after", "2")
        try await world.delete("deleted")
        try world.fake(world.numbers[0]).loseRows(since: failure)
        try await world.replicator.restoreRows()
        #expect(try await world.names() == ["after", "before"])
        #expect(try await world.fake(world.numbers[0]).rowsLostSince() == nil)
        #expect(try await world.cluster.index(StorageWorld.account)?.objectCount == 2)
    }

    @Test("what a pass cannot mend is said, and mended when the device is back")
    func missing() async throws {
        let world = try await world()
        try await world.put("song", "text")
        let own = try world.cluster.place(StorageWorld.path("song")).primaries
        try world.fake(own[0]).faults.setAway(true)
        let report = try await world.replicator.pass()
        #expect(!report.isWhole)
        #expect(report.silent == [own[0]])
        #expect(report.missing[.objects(policy: 0)]?.isEmpty == false)
        let reader = StorageStateReader(cluster: world.cluster, replicator: world.replicator, auditor: world.auditor)
        let state = try await reader.state()
        #expect(!state.isWhole)
        #expect(state.devices.first { $0.device.number == own[0] }?.isUp == false)
        try world.fake(own[0]).faults.setAway(false)
        try await world.heal()
        #expect(try await reader.state().isWhole)
    }

    @Test("for a device that stays away others get its replicas, and give them back")
    func standIns() async throws {
        let world = try await world()
        for name in ["one", "two", "three"] { try await world.put(name, name) }
        let own = try world.cluster.place(StorageWorld.path("one")).primaries
        try world.fake(own[0]).faults.setAway(true)
        try await world.replicator.pass()
        #expect(try world.holders(StorageWorld.path("one")) == own.sorted())
        world.clock.advance(by: .seconds(700))
        let report = try await world.replicator.pass()
        #expect(report.missing.values.allSatisfy { $0.isEmpty })
        #expect(try world.holders(StorageWorld.path("one")).count == 3)

        try world.fake(own[1]).faults.setAway(true)
        #expect(try await world.read("one") == "one")
        for number in own { try world.fake(number).faults.setAway(false) }
        try await world.heal()
        try expectHome(world, ["one", "two", "three"])
        #expect(try await world.names().count == 3)
    }

    /// One device at a time breaks; between two faults the store heals, as an operator would have it.
    @Test("acknowledged objects survive a storm of faults", arguments: [1, 2, 3, 4, 5])
    func storm(seed: UInt64) async throws {
        var random = seed &* 0x9E37_79B9_7F4A_7C15
        func next(_ bound: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((random >> 33) % UInt64(bound))
        }
        let world = try await world(devices: 4)
        var expected: [String: String] = [:]
        for round in 0..<12 {
            let victim = world.numbers[next(world.numbers.count)]
            let kind = next(4)
            switch kind {
            case 0: try world.fake(victim).faults.setAway(true)
            case 1: try world.fake(victim).faults.setFull(true)
            case 2: world.wipe(victim)
            default:
                for name in expected.keys {
                    try world.fake(victim).damage(world.cluster.place(StorageWorld.path(name)).location)
                }
            }
            for step in 0..<15 {
                let name = "song-\(next(12))"
                if next(4) == 0 {
                    try await world.delete(name)
                    expected[name] = nil
                } else {
                    let text = "round \(round) step \(step)"
                    try await world.put(name, text)
                    expected[name] = text
                }
            }
            for index in 0..<12 {
                #expect(try await world.read("song-\(index)") == expected["song-\(index)"])
            }
            #expect(try await world.names() == expected.keys.sorted())
            try world.fake(victim).faults.setAway(false)
            try world.fake(victim).faults.setFull(false)
            for index in 0..<12 {
                #expect(try await world.read("song-\(index)") == expected["song-\(index)"])
            }
            #expect(try await world.names() == expected.keys.sorted())
            await world.auditor.audit()
            try await world.heal()
            try expectHome(world, Array(expected.keys))
        }
    }
}
