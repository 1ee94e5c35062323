// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Synchronization

/// Volumes in memory, with their leases. Keeps the promises of `BlockStorageService`.
final class FakeBlockStorage: BlockStorageService {
    struct Lease: Sendable, Equatable {
        var volume: VolumeID
        var server: String
        var host: String?
        var device: String?
        var isDetaching = false
        var isComplete = false
    }
    private struct State {
        var volumes: [VolumeID: VolumeInfo] = [:]
        var snapshots: [VolumeSnapshotID: VolumeSnapshotInfo] = [:]
        var leases: [VolumeAttachmentID: Lease] = [:]
        var failing: Set<String> = []
        var deletedVolumes: [VolumeID] = []
        var connections = 0
    }
    private let state = Mutex(State())

    // MARK: For tests

    var volumes: [VolumeID: VolumeInfo] { state.withLock { $0.volumes } }
    var leases: [Lease] { state.withLock { Array($0.leases.values) } }
    var snapshots: [VolumeSnapshotInfo] { state.withLock { Array($0.snapshots.values) } }
    /// How often a volume was exported.
    var connectionCount: Int { state.withLock { $0.connections } }

    /// The call of this name fails from now on, before it does anything.
    func setFailing(_ call: String, _ fails: Bool = true) {
        state.withLock { state in
            if fails { state.failing.insert(call) } else { state.failing.remove(call) }
        }
    }

    @discardableResult
    func add(
        project: String = "project-demo", sizeGiB: Int = 1, isBootable: Bool = false, isMultiattach: Bool = false,
        metadata: [String: String] = [:]
    ) -> VolumeID {
        let id: VolumeID = IDSource.random.next()
        state.withLock { state in
            state.volumes[id] = VolumeInfo(
                id: id, name: "", project: ProjectID(project), status: "available", sizeGiB: sizeGiB,
                isBootable: isBootable, isMultiattach: isMultiattach, isEncrypted: false, availabilityZone: "nova",
                attachments: [], imageMetadata: metadata)
        }
        return id
    }

    func addSnapshot(of volume: VolumeID) -> VolumeSnapshotID {
        let id: VolumeSnapshotID = IDSource.random.next()
        state.withLock { state in
            state.snapshots[id] = VolumeSnapshotInfo(
                id: id, volume: volume, status: "available", sizeGiB: state.volumes[volume]?.sizeGiB ?? 1)
        }
        return id
    }

    // MARK: BlockStorageService

    func volume(_ id: VolumeID, for principal: Principal) async throws -> VolumeInfo? {
        state.withLock { state in
            guard let volume = Self.shown(id, state),
                principal.hasRole("admin") || volume.project == principal.projectID
            else { return nil }
            return volume
        }
    }

    private static func shown(_ id: VolumeID, _ state: State) -> VolumeInfo? {
        guard var volume = state.volumes[id] else { return nil }
        let leases = state.leases.filter { $0.value.volume == id }
        volume.attachments = leases.map { .init(id: $0.key, server: $0.value.server, device: $0.value.device) }
        if !leases.isEmpty, volume.status == "available" {
            volume.status =
                leases.values.contains(where: \.isDetaching)
                ? "detaching" : leases.values.contains(where: \.isComplete) ? "in-use" : "reserved"
        }
        return volume
    }

    func snapshot(_ id: VolumeSnapshotID, for principal: Principal) async throws -> VolumeSnapshotInfo? {
        state.withLock { $0.snapshots[id] }
    }

    func hasVolumeType(_ name: String, for principal: Principal) async throws -> Bool { name != "unknown" }

    func leases(among attachments: [VolumeAttachmentID]) async throws -> Set<VolumeAttachmentID> {
        state.withLock { Set($0.leases.keys).intersection(attachments) }
    }

    func ensureVolume(
        _ id: VolumeID, _ draft: ServerVolumeDraft, name: String, for principal: Principal
    ) async throws -> VolumeInfo {
        try call("ensureVolume") { state in
            guard !state.deletedVolumes.contains(id) else { throw CloudError.conflict("made after its end") }
            let volume =
                state.volumes[id]
                ?? VolumeInfo(
                    id: id, name: name, project: principal.projectID ?? ProjectID(""), status: "creating",
                    sizeGiB: draft.sizeGiB, isBootable: draft.source != .blank, isMultiattach: false,
                    isEncrypted: false, availabilityZone: "nova", attachments: [], imageMetadata: [:])
            state.volumes[id] = volume
            return volume
        }
    }

    func waitUntilAvailable(_ id: VolumeID, limit: Duration) async throws -> VolumeInfo {
        try call("waitUntilAvailable") { state in
            guard state.volumes[id] != nil else { throw CloudError.notFound("no volume \(id)") }
            state.volumes[id]?.status = "available"
            guard let volume = Self.shown(id, state) else { throw CloudError.notFound("no volume \(id)") }
            return volume
        }
    }

    func deleteServerVolume(_ id: VolumeID) async throws {
        try call("deleteServerVolume") { state in
            state.deletedVolumes.append(id)
            guard !state.leases.values.contains(where: { $0.volume == id }) else { return }
            state.volumes[id] = nil
        }
    }

    func reserve(
        _ attachment: VolumeAttachmentID, volume: VolumeID, server: String, for principal: Principal
    ) async throws {
        try call("reserve") { state in
            guard state.leases[attachment] == nil else { return }
            guard let info = Self.shown(volume, state) else { throw CloudError.notFound("no volume \(volume)") }
            guard info.status == "available" || (info.isMultiattach && info.status == "in-use") else {
                throw CloudError.badRequest("Invalid volume: status is \(info.status)", kind: "InvalidVolume")
            }
            state.leases[attachment] = Lease(volume: volume, server: server)
        }
    }

    func connect(_ attachment: VolumeAttachmentID, to connector: HostConnector) async throws -> VolumeConnection {
        try call("connect") { state in
            guard var lease = state.leases[attachment], let volume = state.volumes[lease.volume] else {
                throw CloudError.notFound("no attachment \(attachment)")
            }
            lease.host = connector.host
            state.leases[attachment] = lease
            state.connections += 1
            return VolumeConnection(
                volume: volume.id, source: .file(path: "/volumes/\(volume.id)", format: .qcow2),
                sizeBytes: Int64(volume.sizeGiB) << 30)
        }
    }

    func complete(_ attachment: VolumeAttachmentID, device: String) async throws {
        try call("complete") { state in
            guard state.leases[attachment] != nil else { throw CloudError.notFound("no attachment \(attachment)") }
            state.leases[attachment]?.isComplete = true
            state.leases[attachment]?.device = device
        }
    }

    func disconnect(_ attachment: VolumeAttachmentID) async throws {
        try call("disconnect") { state in
            state.leases[attachment]?.host = nil
            state.leases[attachment]?.isComplete = false
        }
    }

    func reimage(_ volume: VolumeID, from image: String, limit: Duration, for principal: Principal) async throws {
        try call("reimage") { state in
            guard state.volumes[volume] != nil else { throw CloudError.notFound("no volume \(volume)") }
            guard state.leases.values.allSatisfy({ $0.volume != volume || $0.host == nil }) else {
                throw CloudError.conflict("a host has volume \(volume) open")
            }
            state.volumes[volume]?.imageMetadata["image_id"] = image
        }
    }

    func beginDetaching(_ attachment: VolumeAttachmentID, for principal: Principal) async throws {
        try call("beginDetaching") { state in
            guard let lease = state.leases[attachment], lease.isComplete, !lease.isDetaching else {
                throw CloudError.badRequest("Invalid volume: not attached", kind: "InvalidVolume")
            }
            state.leases[attachment]?.isDetaching = true
        }
    }

    func abortDetaching(_ attachment: VolumeAttachmentID) async throws {
        try call("abortDetaching") { $0.leases[attachment]?.isDetaching = false }
    }

    func release(_ attachment: VolumeAttachmentID) async throws {
        try call("release") { state in
            guard let lease = state.leases.removeValue(forKey: attachment) else { return }
            if state.deletedVolumes.contains(lease.volume) { state.volumes[lease.volume] = nil }
        }
    }

    func ensureSnapshot(
        _ id: VolumeSnapshotID, of volume: VolumeID, name: String, for principal: Principal
    ) async throws -> VolumeSnapshotInfo {
        try call("ensureSnapshot") { state in
            let snapshot =
                state.snapshots[id]
                ?? VolumeSnapshotInfo(
                    id: id, volume: volume, status: "available", sizeGiB: state.volumes[volume]?.sizeGiB ?? 1)
            state.snapshots[id] = snapshot
            return snapshot
        }
    }

    private func call<T: Sendable>(_ name: String, _ body: (inout State) throws -> T) throws -> T {
        try state.withLock { state in
            guard !state.failing.contains(name) else {
                throw CloudError(.unavailable, "The storage did not answer.", cause: name)
            }
            return try body(&state)
        }
    }
}
