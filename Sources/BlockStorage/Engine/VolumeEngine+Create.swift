// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import ImageContract
import PolicyKit
import TaskKit

extension VolumeEngine {
    /// Accepts a volume: its row and its run are there when this returns.
    package func create(_ draft: VolumeDraft, for context: CallContext) async throws -> Volume {
        let project = try context.requireProject()
        if case .image = draft.source {
            try context.authorize(PolicyTarget(project: project), as: "volume:create_from_image")
        }
        var draft = draft
        var image: ImageInfo?
        if case .image(let reference) = draft.source {
            let found = try await self.image(reference, for: context.principal)
            if let snapshot = Self.bootSnapshot(of: found) {
                draft.source = .snapshot(snapshot)
                draft.imageMetadata = Self.metadata(of: found)
            } else {
                image = found
            }
        }
        let plan = Plan(draft: draft, image: image, project: project)
        let (engine, id) = (self, draft.id ?? parts.ids.next(VolumeTag.self))
        return try await parts.database.write { transaction in
            // A caller that lost the answer asks again.
            if let volume = try engine.stores.volumes.volume(id, transaction), volume.projectID == project {
                return volume
            }
            return try engine.create(id, plan, context, transaction)
        }
    }

    /// In the caller's transaction, from a snapshot or a volume: for groups, whose volumes are made all or none.
    func createCopy(_ draft: VolumeDraft, for context: CallContext, _ transaction: any Transaction) throws -> Volume {
        if case .image = draft.source { preconditionFailure("an image is looked up outside of transactions") }
        let plan = Plan(draft: draft, image: nil, project: try context.requireProject())
        return try create(draft.id ?? parts.ids.next(VolumeTag.self), plan, context, transaction)
    }

    struct Plan: Sendable {
        var draft: VolumeDraft
        var image: ImageInfo?
        var project: ProjectID
    }

    func create(
        _ id: VolumeID, _ plan: Plan, _ context: CallContext, _ transaction: any Transaction
    ) throws -> Volume {
        let (draft, now, run) = (plan.draft, parts.clock.now(), parts.ids.next(SagaRunTag.self))
        let source = try load(draft.source, context, transaction)
        let size = try size(draft, source, plan.image)
        let type = try type(draft, source, plan.image, context, transaction)
        try Self.checkSize(size, type)
        let group = try draft.groupID.map { try self.group($0, type, context, transaction) }
        let zones = try zones(group?.zone ?? draft.zone, source, type, transaction)
        try checkQuota(plan.project, size, type, transaction)

        var volume = Volume(
            id: id, projectID: plan.project, userID: context.principal.userID, sizeGiB: size, typeID: type.id,
            zone: zones.first ?? parts.config.defaultZone, createdAt: now)
        volume.name = draft.name
        volume.description = draft.description
        volume.metadata = draft.metadata
        volume.isMultiattach = type.isMultiattach
        volume.groupID = draft.groupID
        volume.groupSnapshotID = draft.groupSnapshotID
        volume.sagaRun = run
        volume.keyID = try key(type, source, plan.project, transaction)
        var request = BackendRequest(
            sizeGiB: size, isMultiattach: volume.isMultiattach, extraSpecs: type.extraSpecs, zones: zones,
            pool: group?.host, hints: draft.hints, project: plan.project)
        var ledger = CreateVolumeSaga.Ledger(
            volume: id, project: plan.project, requestID: context.requestID, source: .blank, backendRequest: request,
            imageMetadata: draft.imageMetadata ?? [:], isBootable: false)
        switch source {
        case .blank:
            if let image = plan.image {
                volume.imageID = image.id.rawValue
                ledger.source = .image(image)
                ledger.imageMetadata = Self.metadata(of: image)
                ledger.isBootable = true
            }
        case .snapshot(let snapshot, let origin):
            volume.snapshotID = snapshot.id
            ledger.source = .snapshot(snapshot.id)
            inherit(origin, &request, &ledger)
        case .volume(let origin):
            volume.sourceVolumeID = origin.id
            ledger.source = .volume(origin.id)
            inherit(origin, &request, &ledger)
        }
        ledger.backendRequest = request
        try stores.volumes.insert(volume, transaction)
        try sagas.start(CreateVolumeSaga.self, id: run, ledger: ledger, in: transaction)
        return volume
    }

    /// A copy is made where the original is.
    func inherit(
        _ origin: Volume, _ request: inout BackendRequest, _ ledger: inout CreateVolumeSaga.Ledger
    ) {
        request.pool = origin.host
        request.extraSpecs = [:]
        ledger.isBootable = origin.isBootable || !ledger.imageMetadata.isEmpty
        ledger.imageMetadata.merge(origin.imageMetadata) { own, _ in own }
    }

    // MARK: Sources

    enum Source: Sendable {
        case blank
        case snapshot(VolumeSnapshot, Volume)
        case volume(Volume)

        var origin: Volume? {
            switch self {
            case .blank: nil
            case .snapshot(_, let volume), .volume(let volume): volume
            }
        }
    }

    func load(
        _ source: VolumeDraft.Source, _ context: CallContext, _ transaction: any Transaction
    ) throws -> Source {
        switch source {
        case .blank, .image: return .blank
        case .snapshot(let id):
            let snapshot = try SnapshotEngine.load(id, context, "volume:get_snapshot", stores, transaction)
            guard snapshot.status == .available else {
                throw VolumeErrors.invalidSnapshot("Originating snapshot status must be one of 'available' values")
            }
            guard let volume = try stores.volumes.volume(snapshot.volumeID, transaction) else {
                throw VolumeErrors.notFound(snapshot.volumeID)
            }
            return .snapshot(snapshot, volume)
        case .volume(let id):
            let volume = try Self.load(id, context, "volume:get", stores, transaction)
            guard [.available, .inUse].contains(volume.status) else {
                throw VolumeErrors.invalidVolume(
                    "Originating source volume status must be one of 'available, in-use' values")
            }
            guard !volume.isMigrating else {
                throw VolumeErrors.invalidVolume("Volume \(id) cannot be copied while it is migrating.")
            }
            return .volume(volume)
        }
    }

    /// By id, else by name. Throws `.badRequest` when the caller sees none.
    func image(_ reference: String, for principal: Principal) async throws -> ImageInfo {
        let id = reference.split(separator: "/").last.map(String.init) ?? reference
        guard UUIDText.isUUID(id), let image = try await parts.images.image(ImageID(id), for: principal) else {
            throw CloudError.badRequest("Invalid image identifier or unable to access requested image.")
        }
        return image
    }

    /// The snapshot that stands for the root disk in an image that Compute made of a server which boots from a volume.
    static func bootSnapshot(of image: ImageInfo) -> VolumeSnapshotID? {
        guard let text = image.properties["block_device_mapping"],
            case .array(let devices)? = try? JSONReader.read(text)  // another's text: no mapping then
        else { return nil }
        return devices.first { $0["source_type"] == "snapshot" && $0["boot_index"]?.int == 0 }?["snapshot_id"]?.string
            .map { VolumeSnapshotID($0) }
    }

    /// What a volume remembers of its image (cinder: volume_glance_metadata).
    static func metadata(of image: ImageInfo) -> [String: String] {
        var metadata = image.properties.filter { !reserved.contains($0.key) && !$0.key.hasPrefix("os_glance") }
        metadata["image_id"] = image.id.rawValue
        metadata["image_name"] = image.name
        metadata["container_format"] = image.containerFormat ?? "bare"
        metadata["disk_format"] = image.diskFormat ?? "raw"
        metadata["min_disk"] = "\(image.minDiskGiB)"
        metadata["min_ram"] = "\(image.minRAMMiB)"
        metadata["size"] = "\(image.sizeBytes)"
        if let checksum = image.checksum { metadata["checksum"] = checksum }
        return metadata
    }

    private static let reserved: Set<String> = ["block_device_mapping", "bdm_v2", "root_device_name"]
}
