// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import TestKit
import Testing

/// Goal: the fake that other tests trust keeps the promises of the real devices, and fails when it is told to.
/// Method: the same checks as for the real ones; each fault once.
@Suite("Fake storage device")
struct FakeStorageDeviceTests {
    @Test("passes the conformance checks of storage devices", arguments: StorageDeviceConformance.checks.indices)
    func conformance(check: Int) async throws {
        try await StorageDeviceConformance.checks[check].1(StorageDeviceConformance(device: FakeStorageDevice()))
    }

    @Test("fails as often as it is told, then works")
    func fails() async throws {
        let device = FakeStorageDevice()
        let location = StorageSample.object("a")
        device.faults.fail(2, skipping: 1)
        _ = try await device.replica(location)
        for _ in 1...2 { await #expect(throws: CloudError.self) { _ = try await device.replica(location) } }
        #expect(try await device.replica(location) == .absent)
        device.faults.setAway(true)
        await #expect(throws: CloudError.self) { _ = try await device.index(location) }
        device.faults.setAway(false)
        #expect(device.faults.calls == ["replica", "replica", "replica", "replica", "index"])
    }

    @Test("a full one takes nothing and gives what it has")
    func full() async throws {
        let device = FakeStorageDevice()
        let location = StorageSample.object("a")
        try await device.put(location, [1], at: 1)
        device.faults.setFull(true)
        let error = await #expect(throws: CloudError.self) { try await device.put(location, [2], at: 2) }
        #expect(error?.code == .insufficientStorage)
        #expect(try await device.get(location)?.bytes == [1])
        try await device.deleteObject(location, at: StorageSample.time(3))
        #expect(device.objects.isEmpty)
    }

    @Test("hangs until it is released, or the call is cancelled")
    func hangs() async throws {
        let device = FakeStorageDevice()
        let location = StorageSample.object("a")
        device.faults.hang(2)
        try await withThrowingTaskGroup(of: ReplicaState.self) { group in
            for _ in 1...2 { group.addTask { try await device.replica(location) } }
            try await eventually { device.faults.hanging == 2 }
            device.faults.release()
            for try await state in group { #expect(state == .absent) }
        }
        device.faults.hang()
        await withThrowingTaskGroup(of: ReplicaState.self) { group in
            group.addTask { try await device.replica(location) }
            group.cancelAll()
            await #expect(throws: CancellationError.self) { _ = try await group.next() }
        }
    }

    @Test("damaged bytes are put aside when they are read, or audited")
    func damage() async throws {
        let device = FakeStorageDevice()
        let (read, audited) = (StorageSample.object("a"), StorageSample.object("b", policy: 1))
        for location in [read, audited] {
            try await device.put(location, [1], at: 1)
            device.damage(location)
        }
        #expect(try await device.get(read) == nil)
        #expect(try await device.audit(limitBytes: 100).damaged == [audited])
        #expect(Set(device.quarantined) == [read, audited])
    }
}
