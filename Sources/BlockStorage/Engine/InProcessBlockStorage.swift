// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

/// What Block Storage does for the other services of its process.
package struct InProcessBlockStorage: BlockStorageService {
    /// How long a volume may take to come to rest between two looks.
    private static let pollInterval = Duration.milliseconds(100)

    private let parts: BlockStorageParts
    private let volumes: VolumeEngine
    private let snapshots: SnapshotEngine
    private let lease: VolumeLease
    private let enforcer: PolicyEnforcer

    /// `enforcer` is the API's: a server's owner may do through Compute what the owner may do here.
    package init(_ parts: BlockStorageParts, sagas: SagaRunner, enforcer: PolicyEnforcer) {
        self.parts = parts
        volumes = VolumeEngine(parts, sagas: sagas)
        snapshots = SnapshotEngine(parts, sagas: sagas)
        lease = VolumeLease(parts: parts, sagas: sagas)
        self.enforcer = enforcer
    }

    private func context(_ principal: Principal, _ policy: PolicyName) -> CallContext {
        CallContext(
            principal: principal, requestID: "req-" + parts.ids.uuid(), policy: policy, enforcer: enforcer)
    }

    // MARK: See

    package func volume(_ id: VolumeID, for principal: Principal) async throws -> VolumeInfo? {
        do {
            return try await info(try await volumes.volume(id, for: context(principal, "volume:get")))
        } catch let error as CloudError where error.code == .notFound {
            return nil
        }
    }

    private func info(_ volume: Volume) async throws -> VolumeInfo {
        let stores = parts.stores
        let attachments = try await parts.database.read { try stores.attachments.attachments(of: volume.id, $0) }
        return VolumeInfo(
            id: volume.id, name: volume.name ?? "", project: volume.projectID, status: volume.status.rawValue,
            sizeGiB: volume.sizeGiB, isBootable: volume.isBootable, isMultiattach: volume.isMultiattach,
            isEncrypted: volume.keyID != nil, availabilityZone: volume.zone,
            attachments: attachments.map { .init(id: $0.id, server: $0.server, device: $0.device) },
            imageMetadata: volume.imageMetadata)
    }

    package func snapshot(_ id: VolumeSnapshotID, for principal: Principal) async throws -> VolumeSnapshotInfo? {
        do {
            return Self.info(try await snapshots.snapshot(id, for: context(principal, "volume:get_snapshot")))
        } catch let error as CloudError where error.code == .notFound {
            return nil
        }
    }

    private static func info(_ snapshot: VolumeSnapshot) -> VolumeSnapshotInfo {
        VolumeSnapshotInfo(
            id: snapshot.id, volume: snapshot.volumeID, status: snapshot.status.rawValue, sizeGiB: snapshot.sizeGiB)
    }

    package func hasVolumeType(_ name: String, for principal: Principal) async throws -> Bool {
        let (stores, context) = (parts.stores, context(principal, "volume:create"))
        return try await parts.database.read { transaction in
            guard let type = try stores.types.find(name, transaction) else { return false }
            return try VolumeTypeEngine.isVisible(type, context, stores, transaction)
        }
    }

    // MARK: Volumes of servers

    package func ensureVolume(
        _ id: VolumeID, _ draft: ServerVolumeDraft, name: String, for principal: Principal
    ) async throws -> VolumeInfo {
        let source: VolumeDraft.Source =
            switch draft.source {
            case .blank: .blank
            case .image(let image): .image(image)
            case .snapshot(let snapshot): .snapshot(snapshot)
            }
        var wanted = VolumeDraft(source: source, sizeGiB: draft.sizeGiB, name: name)
        wanted.id = id
        wanted.type = draft.typeName
        wanted.zone = draft.availabilityZone
        let context = context(principal, "volume:create")
        try context.authorize(PolicyTarget(project: principal.projectID))
        return try await info(try await volumes.create(wanted, for: context))
    }

    package func waitUntilAvailable(_ id: VolumeID, limit: Duration) async throws -> VolumeInfo {
        let end = ContinuousClock.now + limit
        while true {
            guard let volume = try await parts.volume(id) else { throw VolumeErrors.notFound(id) }
            switch volume.status {
            case .available, .reserved, .inUse, .attaching: return try await info(volume)
            case let status where status.isError: throw try await failure(of: volume)
            default: break
            }
            guard ContinuousClock.now < end else {
                throw CloudError(
                    .unavailable, "Volume \(id) did not finish being created in time.", kind: "VolumeNotCreated",
                    cause: "still \(volume.status.rawValue)")
            }
            try await Task.sleep(for: Self.pollInterval)
        }
    }

    package func reimage(
        _ id: VolumeID, from image: String, limit: Duration, for principal: Principal
    ) async throws {
        let end = ContinuousClock.now + limit
        guard let volume = try await parts.volume(id) else { throw VolumeErrors.notFound(id) }
        if volume.status != .downloading {
            try await volumes.reimage(
                id, from: image, allowsReserved: true, for: context(principal, "volume:reimage"))
        }
        while true {
            guard let volume = try await parts.volume(id) else { throw VolumeErrors.notFound(id) }
            guard volume.status == .downloading else {
                guard !volume.status.isError else {
                    throw CloudError(
                        .unavailable, "Compute service failed to reimage volume.", kind: "ReimageException",
                        cause: "volume \(id) is \(volume.status.rawValue)")
                }
                return
            }
            guard ContinuousClock.now < end else {
                throw CloudError(.unavailable, "Volume \(id) was not reimaged in time.", kind: "ReimageException")
            }
            try await Task.sleep(for: Self.pollInterval)
        }
    }

    private func failure(of volume: Volume) async throws -> CloudError {
        CloudError(
            .unavailable,
            "Volume \(volume.id) did not finish being created. And its status is \(volume.status.rawValue).",
            kind: "VolumeNotCreated")
    }

    package func deleteServerVolume(_ id: VolumeID) async throws {
        let (lease, stores, now) = (lease, parts.stores, parts.clock.now())
        try await parts.database.write { transaction in
            guard var volume = try stores.volumes.volume(id, transaction), volume.status != .deleting else { return }
            volume.isDoomed = true
            try stores.volumes.update(volume, at: now, transaction)
            try lease.deleteIfDoomed(id, transaction)
        }
    }

    // MARK: Leases

    package func reserve(
        _ attachment: VolumeAttachmentID, volume: VolumeID, server: String, for principal: Principal
    ) async throws {
        let (lease, stores, context) = (lease, parts.stores, context(principal, "volume:attachment_create"))
        try await parts.database.write { transaction in
            let volume = try VolumeEngine.load(volume, context, nil, stores, transaction)
            if volume.isMultiattach, volume.status == .inUse, volume.isBootable {
                try context.authorize(VolumeEngine.target(volume), as: "volume:multiattach_bootable_volume")
            }
            _ = try lease.reserve(attachment, volume, server: server, mode: "rw", isComputes: true, transaction)
        }
    }

    package func connect(
        _ attachment: VolumeAttachmentID, to connector: HostConnector
    ) async throws -> VolumeConnection {
        try await lease.connect(attachment, to: connector)
    }

    package func complete(_ attachment: VolumeAttachmentID, device: String) async throws {
        try await lease.complete(attachment, device: device)
    }

    package func beginDetaching(_ attachment: VolumeAttachmentID, for principal: Principal) async throws {
        let (lease, stores) = (lease, parts.stores)
        let context = context(principal, "volume_extension:volume_actions:begin_detaching")
        try await parts.database.write { transaction in
            guard let found = try stores.attachments.attachment(attachment, transaction) else {
                throw VolumeErrors.notFound(attachment)
            }
            _ = try VolumeEngine.load(found.volumeID, context, nil, stores, transaction)
            try lease.beginDetaching(found, transaction)
        }
    }

    package func abortDetaching(_ attachment: VolumeAttachmentID) async throws {
        try await lease.abortDetaching(attachment)
    }

    package func disconnect(_ attachment: VolumeAttachmentID) async throws { try await lease.unexport(attachment) }

    package func release(_ attachment: VolumeAttachmentID) async throws { try await lease.release(attachment) }

    package func leases(among attachments: [VolumeAttachmentID]) async throws -> Set<VolumeAttachmentID> {
        let stores = parts.stores
        return try await parts.database.read { try stores.attachments.existing(among: attachments, $0) }
    }

    // MARK: Snapshots of servers

    package func ensureSnapshot(
        _ id: VolumeSnapshotID, of volume: VolumeID, name: String, for principal: Principal
    ) async throws -> VolumeSnapshotInfo {
        var draft = SnapshotEngine.Draft(volume: volume, allowsInUse: true)
        draft.id = id
        draft.name = name
        return Self.info(try await snapshots.create(draft, for: context(principal, "volume:create_snapshot")))
    }
}
