// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// A backend that keeps a number for each volume's bytes, so that a copy equals its source. For tests, and for clouds
/// without storage.
package final class FakeVolumeDriver: VolumeDriver {
    /// What a volume holds: equal contents are equal bytes.
    package enum Content: Sendable, Equatable {
        case zeros
        case image(String)
        case foreign(String)
        case file(String)
        /// What a guest wrote, by `write`.
        case written(Int)
    }

    package struct Stored: Sendable, Equatable {
        package var content: Content
        package var sizeGiB: Int
        package init(content: Content, sizeGiB: Int) {
            self.content = content
            self.sizeGiB = sizeGiB
        }
    }

    private struct State {
        var volumes: [VolumeID: Stored] = [:]
        var snapshots: [VolumeSnapshotID: Stored] = [:]
        var connections: [VolumeID: Set<String>] = [:]
        var foreign: [String: Int] = [:]
        /// What was a volume and is the operator's now.
        var unmanaged: [String: Content] = [:]
        var foreignSnapshots: [String: (stored: Stored, volume: VolumeID)] = [:]
        var failure: CloudError?
        var failureCount = 0
        var calls: [String] = []
        /// How often each volume has been frozen: where its bytes go from then on.
        var heads: [VolumeID: Int] = [:]
    }
    private let state = Mutex(State())
    private let poolName: String
    private let backendName: String
    private let storageProtocol: String
    private let totalGiB: Double
    private let folder: String
    package let movesOnSnapshot: Bool

    /// `pool` is `host@backend#pool`. Volumes of two backends are in two folders.
    package init(
        pool: String = "node-1@fake#fake", backendName: String = "fake", storageProtocol: String = "iSCSI",
        totalGiB: Double = 1000, movesOnSnapshot: Bool = false, folder: String = "/fake"
    ) {
        poolName = pool
        self.backendName = backendName
        self.storageProtocol = storageProtocol
        self.totalGiB = totalGiB
        self.folder = folder
        self.movesOnSnapshot = movesOnSnapshot
    }

    // MARK: For tests

    package var volumes: [VolumeID: Stored] { state.withLock { $0.volumes } }
    package var snapshots: [VolumeSnapshotID: Stored] { state.withLock { $0.snapshots } }
    /// Hosts that each volume is exported to.
    package var connections: [VolumeID: Set<String>] { state.withLock { $0.connections } }
    /// Names of the calls so far.
    package var calls: [String] { state.withLock { $0.calls } }

    package func write(_ number: Int, to volume: VolumeID) {
        state.withLock { $0.volumes[volume]?.content = .written(number) }
    }

    /// As a hypervisor does that copies a volume below its guest.
    package func copy(_ volume: VolumeID, from other: FakeVolumeDriver) {
        guard let content = other.volumes[volume]?.content else { return }
        state.withLock { $0.volumes[volume]?.content = content }
    }

    package func addForeign(_ name: String, sizeGiB: Int) { state.withLock { $0.foreign[name] = sizeGiB } }

    /// The next `count` calls that change something fail.
    package func fail(_ count: Int = 1, with error: CloudError = CloudError(.bug, "the fake backend failed")) {
        state.withLock {
            $0.failure = error
            $0.failureCount = count
        }
    }

    private func change<T>(_ name: String, _ body: (inout State) throws -> T) throws -> T {
        try state.withLock { state in
            state.calls.append(name)
            if state.failureCount > 0, let failure = state.failure {
                state.failureCount -= 1
                throw failure
            }
            return try body(&state)
        }
    }

    private static func absent(_ what: String) -> CloudError {
        CloudError(.bug, "the fake backend has no \(what)")
    }

    // MARK: Backend

    package func start() async throws {}

    package func pool() async throws -> VolumePool {
        let used = state.withLock { $0.volumes.values.reduce(0) { $0 + Double($1.sizeGiB) } }
        return VolumePool(
            name: poolName, backendName: backendName, totalGiB: totalGiB, freeGiB: max(0, totalGiB - used),
            provisionedGiB: used, storageProtocol: storageProtocol)
    }

    // MARK: Volumes

    package func create(_ volume: VolumeHandle, from source: VolumeSource) async throws -> String {
        try change("create") { state in
            let content: Content
            switch source {
            case .blank: content = .zeros
            case .image(let id, _, let bytes):
                guard bytes <= Int64(volume.sizeGiB) << 30 else {
                    throw CloudError.badRequest(
                        "The image does not fit in a volume of size \(volume.sizeGiB)GB.", kind: "ImageUnacceptable")
                }
                content = .image(id)
            case .snapshot(let snapshot):
                guard let stored = state.snapshots[snapshot.id] else { throw Self.absent("snapshot \(snapshot.id)") }
                content = stored.content
            case .volume(let origin):
                guard let stored = state.volumes[origin.id] else { throw Self.absent("volume \(origin.id)") }
                content = stored.content
            }
            // A repeated call finds the volume as it made it.
            if state.volumes[volume.id] == nil {
                state.volumes[volume.id] = Stored(content: content, sizeGiB: volume.sizeGiB)
            }
            return location(of: volume.id, state)
        }
    }

    private func location(of volume: VolumeID, _ state: State) -> String {
        "\(folder)/volume-\(volume)" + (state.heads[volume].map { ".\($0)" } ?? "")
    }

    package func reimage(_ volume: VolumeHandle, from image: VolumeImage) async throws -> String {
        try change("reimage") { state in
            state.volumes[volume.id] = Stored(content: .image(image.id), sizeGiB: volume.sizeGiB)
            return location(of: volume.id, state)
        }
    }

    package func delete(_ volume: VolumeHandle) async throws {
        try change("delete") { state in
            state.volumes[volume.id] = nil
            state.connections[volume.id] = nil
        }
    }

    package func extend(_ volume: VolumeHandle, toGiB size: Int, isOpen: Bool) async throws {
        try change("extend") { state in
            guard state.volumes[volume.id] != nil else { throw Self.absent("volume \(volume.id)") }
            state.volumes[volume.id]?.sizeGiB = size
        }
    }

    // MARK: Snapshots

    package func createSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle
    ) async throws -> VolumeSnapshotResult {
        try change("createSnapshot") { state in
            guard let stored = state.volumes[volume.id] else { throw Self.absent("volume \(volume.id)") }
            if state.snapshots[snapshot.id] == nil {
                state.snapshots[snapshot.id] = stored
                if movesOnSnapshot { state.heads[volume.id, default: 0] += 1 }
            }
            return VolumeSnapshotResult(
                snapshotLocation: "\(folder)/snapshot-\(snapshot.id)", volumeLocation: location(of: volume.id, state))
        }
    }

    package func deleteSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {
        try change("deleteSnapshot") { $0.snapshots[snapshot.id] = nil }
    }

    package func revert(_ volume: VolumeHandle, to snapshot: VolumeSnapshotHandle) async throws -> String {
        try change("revert") { state in
            guard let stored = state.snapshots[snapshot.id] else { throw Self.absent("snapshot \(snapshot.id)") }
            state.volumes[volume.id] = Stored(content: stored.content, sizeGiB: max(stored.sizeGiB, volume.sizeGiB))
            return location(of: volume.id, state)
        }
    }

    // MARK: Connections

    package func connect(
        _ volume: VolumeHandle, to connector: HostConnector, isReadOnly: Bool
    ) async throws -> VolumeConnection {
        try change("connect") { state in
            guard let stored = state.volumes[volume.id] else { throw Self.absent("volume \(volume.id)") }
            state.connections[volume.id, default: []].insert(connector.host)
            return VolumeConnection(
                volume: volume.id, source: .file(path: location(of: volume.id, state), format: .qcow2),
                isReadOnly: isReadOnly, sizeBytes: Int64(stored.sizeGiB) << 30,
                passphrase: volume.passphrase)
        }
    }

    package func disconnect(_ volume: VolumeHandle, from connector: HostConnector) async throws {
        try change("disconnect") { state in
            state.connections[volume.id]?.remove(connector.host)
            if state.connections[volume.id]?.isEmpty == true { state.connections[volume.id] = nil }
        }
    }

    // MARK: Files

    package func export(
        _ content: VolumeContent, to path: String, format: VolumeConnection.Format
    ) async throws {
        try change("export") { state in
            let stored: Stored?
            switch content {
            case .volume(let volume): stored = state.volumes[volume.id]
            case .snapshot(let snapshot): stored = state.snapshots[snapshot.id]
            }
            guard let stored else { throw Self.absent("such content") }
            try FakeVolumeFile.write(stored, to: path, format)
        }
    }

    package func restore(
        _ volume: VolumeHandle, from path: String, format: VolumeConnection.Format
    ) async throws -> String {
        try change("restore") { state in
            guard state.volumes[volume.id] != nil else { throw Self.absent("volume \(volume.id)") }
            state.volumes[volume.id]?.content = FakeVolumeFile.read(path) ?? .file(path)
            return location(of: volume.id, state)
        }
    }

    // MARK: Care

    package func sweep(
        keeping volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle], olderThan age: Duration
    ) async throws -> [String] {
        let (kept, keptSnapshots) = (Set(volumes.map(\.id)), Set(snapshots.map(\.id)))
        return try change("sweep") { state in
            let lost = state.volumes.keys.filter { !kept.contains($0) }.sorted()
            let lostSnapshots = state.snapshots.keys.filter { !keptSnapshots.contains($0) }.sorted()
            for id in lost { state.volumes[id] = nil }
            for id in lostSnapshots { state.snapshots[id] = nil }
            return lost.map { "volume-\($0)" } + lostSnapshots.map { "snapshot-\($0)" }
        }
    }

    package func foreignVolumes() async throws -> [ForeignVolume] {
        state.withLock { state in
            state.foreign.sorted { $0.key < $1.key }.map { ForeignVolume(reference: $0.key, sizeGiB: $0.value) }
        }
    }

    package func manage(_ volume: VolumeHandle, reference: String) async throws -> String {
        try change("manage") { state in
            if state.volumes[volume.id] == nil {
                guard let size = state.foreign.removeValue(forKey: reference) else {
                    throw CloudError.notFound(
                        "There is no volume '\(reference)' that could be managed.",
                        kind: "ManageExistingInvalidReference")
                }
                let content = state.unmanaged.removeValue(forKey: reference) ?? .foreign(reference)
                state.volumes[volume.id] = Stored(content: content, sizeGiB: max(size, volume.sizeGiB))
            }
            return location(of: volume.id, state)
        }
    }

    package func unmanage(_ volume: VolumeHandle) async throws {
        try change("unmanage") { state in
            guard let stored = state.volumes.removeValue(forKey: volume.id) else { return }
            if case .foreign(let name) = stored.content {
                state.foreign[name] = stored.sizeGiB
            } else {
                state.foreign["volume-\(volume.id)"] = stored.sizeGiB
                state.unmanaged["volume-\(volume.id)"] = stored.content
            }
        }
    }

    package func foreignSnapshots(of volumes: [VolumeHandle]) async throws -> [ForeignSnapshot] {
        let wanted = Set(volumes.map(\.id))
        return state.withLock { state in
            state.foreignSnapshots.sorted { $0.key < $1.key }.filter { wanted.contains($0.value.volume) }.map {
                ForeignSnapshot(reference: $0.key, sizeGiB: $0.value.stored.sizeGiB, volume: $0.value.volume)
            }
        }
    }

    package func manageSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle, reference: String
    ) async throws -> String {
        try change("manageSnapshot") { state in
            if state.snapshots[snapshot.id] == nil {
                guard let found = state.foreignSnapshots[reference], found.volume == volume.id else {
                    throw CloudError.notFound(
                        "There is no snapshot '\(reference)' that could be managed.",
                        kind: "ManageExistingInvalidReference")
                }
                state.foreignSnapshots[reference] = nil
                state.snapshots[snapshot.id] = found.stored
            }
            return "\(folder)/snapshot-\(snapshot.id)"
        }
    }

    package func unmanageSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {
        try change("unmanageSnapshot") { state in
            guard let stored = state.snapshots.removeValue(forKey: snapshot.id) else { return }
            state.foreignSnapshots["_snapshot-\(snapshot.id)"] = (stored, snapshot.volume)
        }
    }
}
