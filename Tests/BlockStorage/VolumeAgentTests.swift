// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import LifecycleKit
import MessagingKit
import Synchronization
import TestKit
import Testing

@testable import BlockStorageAgent

/// Goal: the agent does commands in the order that volumes demand, and says what its backends are.
/// Method: the in-process bus, and a driver that notes what overlaps.
@Suite("Volume agent")
struct VolumeAgentTests {
    @Test("commands that share a volume or a snapshot never overlap, and none waits for another in a circle")
    func order() async throws {
        let driver = NotingDriver()
        let worker = VolumeWorker(backend: ServedBackend(address: "host@notes", driver: driver))
        let volumes = (0..<4).map { _ in VolumeHandle(id: VolumeID(IDSource.random.uuid()), sizeGiB: 1) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<200 {
                let (left, right) = (volumes[round % 4], volumes[(round * 7 + 1) % 4])
                group.addTask { _ = try await worker.perform(VolumeCommand(.create(left, from: .volume(right)))) }
                group.addTask { _ = try await worker.perform(VolumeCommand(.extend(right, toGiB: 2, isOpen: false))) }
            }
            try await group.waitForAll()
        }
        #expect(driver.overlaps == 0 && driver.calls == 400)
    }

    @Test("keys name everything that a command reads, in one order")
    func keys() {
        let volume = VolumeHandle(id: VolumeID("b"), sizeGiB: 1)
        let other = VolumeHandle(id: VolumeID("a"), sizeGiB: 1)
        let snapshot = VolumeSnapshotHandle(id: VolumeSnapshotID("c"), volume: VolumeID("a"), sizeGiB: 1)
        #expect(VolumeWorker.keys(.create(volume, from: .volume(other))) == ["a", "b"])
        #expect(VolumeWorker.keys(.create(volume, from: .snapshot(snapshot))) == ["b", "c"])
        #expect(VolumeWorker.keys(.deleteSnapshot(snapshot)) == ["a", "c"])
        #expect(VolumeWorker.keys(.create(volume, from: .volume(volume))) == ["b"])
    }

    @Test("backends report; one that cannot start keeps no other from it")
    func reports() async throws {
        let tasks = BackgroundTasks()
        let bus = InProcessBus(tasks: tasks)
        let heard = Heard()
        let listener = BusServer(bus, topic: "listener", host: "here")
        listener.hear(VolumeBackendReport.self) { report in heard.add(report.address) }
        let registrations = try await listener.register()
        let agent = VolumeAgent(
            bus: bus,
            backends: [
                ServedBackend(address: "host@broken", driver: NotingDriver(startFailure: true)),
                ServedBackend(address: "host@notes", driver: NotingDriver()),
            ], reportInterval: .milliseconds(5))
        try await withServices([tasks, agent]) {
            try await eventually { heard.count(of: "host@notes") >= 2 }
            let volume = VolumeHandle(id: VolumeID(IDSource.random.uuid()), sizeGiB: 1)
            let reply = try await bus.call(
                "host@notes", VolumeCommand(.create(volume, from: .blank)), timeout: .seconds(5))
            #expect(reply.location == "there")
            #expect(heard.count(of: "host@broken") == 0)
        }
        for registration in registrations { registration.cancel() }
    }
}

private final class Heard: Sendable {
    private let addresses = Mutex<[String]>([])
    func add(_ address: String) { addresses.withLock { $0.append(address) } }
    func count(of address: String) -> Int { addresses.withLock { $0.count { $0 == address } } }
}

/// Notes when two calls work with one volume at a time.
private final class NotingDriver: VolumeDriver {
    private struct State {
        var busy: Set<VolumeID> = []
        var overlaps = 0
        var calls = 0
    }
    private let state = Mutex(State())
    private let startFailure: Bool

    init(startFailure: Bool = false) { self.startFailure = startFailure }

    var overlaps: Int { state.withLock { $0.overlaps } }
    var calls: Int { state.withLock { $0.calls } }
    let movesOnSnapshot = false

    private func work(_ volumes: Set<VolumeID>) async {
        state.withLock { state in
            state.calls += 1
            if !state.busy.isDisjoint(with: volumes) { state.overlaps += 1 }
            state.busy.formUnion(volumes)
        }
        await Task.yield()
        state.withLock { $0.busy.subtract(volumes) }
    }

    func start() async throws {
        if startFailure { throw CloudError(.unavailable, "The storage failed.") }
    }
    func pool() async throws -> VolumePool {
        VolumePool(
            name: "host@notes#notes", backendName: "notes", totalGiB: 1, freeGiB: 1, provisionedGiB: 0,
            storageProtocol: "file")
    }
    func create(_ volume: VolumeHandle, from source: VolumeSource) async throws -> String {
        var volumes: Set = [volume.id]
        if case .volume(let other) = source { volumes.insert(other.id) }
        await work(volumes)
        return "there"
    }
    func reimage(_ volume: VolumeHandle, from image: VolumeImage) async throws -> String {
        await work([volume.id])
        return "there"
    }
    func delete(_ volume: VolumeHandle) async throws { await work([volume.id]) }
    func extend(_ volume: VolumeHandle, toGiB size: Int, isOpen: Bool) async throws { await work([volume.id]) }
    func createSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle
    ) async throws -> VolumeSnapshotResult { VolumeSnapshotResult(snapshotLocation: "", volumeLocation: "") }
    func deleteSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {}
    func revert(_ volume: VolumeHandle, to snapshot: VolumeSnapshotHandle) async throws -> String { "" }
    func connect(
        _ volume: VolumeHandle, to connector: HostConnector, isReadOnly: Bool
    ) async throws -> VolumeConnection {
        VolumeConnection(volume: volume.id, source: .file(path: "", format: .raw), sizeBytes: 0)
    }
    func disconnect(_ volume: VolumeHandle, from connector: HostConnector) async throws {}
    func export(_ content: VolumeContent, to path: String, format: VolumeConnection.Format) async throws {}
    func restore(
        _ volume: VolumeHandle, from path: String, format: VolumeConnection.Format
    ) async throws -> String { "" }
    func sweep(
        keeping volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle], olderThan age: Duration
    ) async throws -> [String] { [] }
    func foreignVolumes() async throws -> [ForeignVolume] { [] }
    func manage(_ volume: VolumeHandle, reference: String) async throws -> String { "" }
    func foreignSnapshots(of volumes: [VolumeHandle]) async throws -> [ForeignSnapshot] { [] }
    func manageSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle, reference: String
    ) async throws -> String { "" }
    func unmanageSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {}
    func unmanage(_ volume: VolumeHandle) async throws {}
}
