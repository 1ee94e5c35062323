// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseSQLite
import ObjectStorageContract
import ObjectStorageCore
import TestKit
import Testing

/// Goal: rings and devices outlive the process, and each change of them makes rings that fit.
/// Method: the engine on a database in memory.
@Suite("Ring engine")
struct RingEngineTests {
    private func engine(_ change: (inout ObjectStorageConfig) -> Void = { _ in }) async throws -> RingEngine {
        var config = ObjectStorageConfig()
        config.partitionPower = 6
        change(&config)
        return RingEngine(
            database: try await TestDatabase.make(ObjectStorageMigrations.all), config: config,
            clock: TestClock().clock,
            ids: .random)
    }

    @Test("one directory is a store of one replica")
    func first() async throws {
        let engine = try await engine()
        await #expect(throws: CloudError.self) { try await engine.layout() }
        let devices = try await engine.prepare(host: "here", directories: ["/srv/objects"])
        #expect(devices.map(\.path) == ["/srv/objects"])
        let layout = try await engine.layout()
        #expect(layout.objects[0]?.replicas == 1)
        #expect(layout.indexes.devices(of: 0) == [devices[0].number])
        #expect(try await engine.prepare(host: "here", directories: ["/srv/objects"]) == devices)
        #expect(try await engine.layout().indexes == layout.indexes)
    }

    @Test("devices come, change and go; numbers are never given again")
    func change() async throws {
        let engine = try await engine { $0.replicas = 2 }
        try await engine.prepare(host: "here", directories: ["/a", "/b"])
        let third = try await engine.add(RingDraft(zone: "2", host: "there", path: "/c"))
        await #expect(throws: CloudError.self) {
            try await engine.add(RingDraft(zone: "2", host: "there", path: "/c"))
        }
        let grown = try await engine.layout().objects[0]
        #expect(grown?.version == 2)
        #expect(grown?.loads[third.number] ?? 0 > 0)
        #expect(grown?.former.isEmpty == false)

        _ = try await engine.change(third.number, RingChange(weight: 0))
        #expect(try await engine.layout().objects[0]?.loads[third.number] == nil)
        await #expect(throws: CloudError.self) { try await engine.remove(third.number) }
        let moving = try await engine.layout()
        _ = try await engine.settle(
            indexes: true, policy: 0, version: moving.indexes.version, Set(moving.indexes.former.keys))
        _ = try await engine.settle(
            indexes: false, policy: 0, version: moving.objects[0]?.version ?? 0, Set(0..<64))
        try await engine.remove(third.number)
        #expect(try await engine.all().count == 2)
        #expect(try await engine.layout().objects[0]?.former.values.joined().contains(third.number) == false)
        let fourth = try await engine.add(RingDraft(zone: "2", host: "there", path: "/c"))
        #expect(fourth.number > third.number)
        #expect(try await engine.rebalance().isEmpty)
        await #expect(throws: CloudError.self) { try await engine.remove(third.number, isForced: true) }
        await #expect(throws: CloudError.self) { try await engine.change(fourth.number, RingChange(weight: -1)) }
    }

    @Test("the last device cannot be removed")
    func last() async throws {
        let engine = try await engine()
        let devices = try await engine.prepare(host: "here", directories: ["/a"])
        await #expect(throws: CloudError.self) { try await engine.remove(devices[0].number, isForced: true) }
    }

    @Test("what has moved is settled, but only in the ring it was seen in")
    func settle() async throws {
        let engine = try await engine()
        try await engine.prepare(host: "here", directories: ["/a"])
        _ = try await engine.add(RingDraft(zone: "2", host: "there", path: "/b"))
        let layout = try await engine.layout()
        let ring = layout.indexes
        let stale = try await engine.settle(
            indexes: true, policy: 0, version: ring.version - 1, Set(ring.former.keys))
        #expect(stale.indexes.former == ring.former)
        let settled = try await engine.settle(indexes: true, policy: 0, version: ring.version, Set(ring.former.keys))
        #expect(settled.indexes.former.isEmpty)
        #expect(settled.objects[0]?.former.isEmpty == false)
    }

    @Test("a policy of a class has a ring of the devices of that class")
    func classes() async throws {
        let engine = try await engine { $0.policies = ["fast:2:ssd", "wide:2"] }
        try await engine.prepare(host: "here", directories: ["/a", "/b"])
        #expect(try await engine.layout().objects.keys.sorted() == [0, 2])
        let first = try await engine.add(RingDraft(zone: "1", host: "here", path: "/c", deviceClass: "ssd"))
        let ring = try await engine.layout().objects[1]
        #expect(ring?.replicas == 1)
        #expect(ring?.devices.keys.sorted() == [first.number])
        #expect(try await engine.layout().policies["FAST"]?.index == 1)
        #expect(try await engine.layout().policies.defaultPolicy.index == 0)
    }

    @Test("the salts are made once")
    func salts() async throws {
        let engine = try await engine()
        let path = ObjectPath(account: "a", container: "c", object: "o")
        #expect(try await engine.pathHash().digest(path) == engine.pathHash().digest(path))
        #expect(PathHash(prefix: [], suffix: []).digest(path) != PathHash(prefix: [1], suffix: []).digest(path))
    }
}
