// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import ImageContract
import PolicyKit
import QuotaKit
import TaskKit

extension ServerEngine {
    /// Accepts the making of an image of a server. Returns the image, which has no bytes yet.
    package func createImage(
        _ id: ServerID, name: String, metadata: [String: String], for context: CallContext
    ) async throws -> ImageID {
        let server = try await server(id, for: context, as: "os_compute_api:servers:create_image")
        let stores = stores
        let (devices, limit) = try await parts.database.read { [parts] transaction in
            (
                try stores.blockDevices.of(id, transaction),
                try parts.quotas.limit("metadata_items", of: server.projectID, transaction)
            )
        }
        try Self.checkMetadata(metadata, limit, context)
        let source = try await imageSource(of: server)
        var draft = Self.imageDraft(name, server, source, metadata, context)
        guard devices.contains(where: { $0.isRoot && $0.isVolume }) else {
            return try await begin(draft, of: server, context)
        }
        try context.authorize(
            Self.target(server), as: "os_compute_api:servers:create_image:allow_volume_backed")
        return try await beginVolumeImage(&draft, of: server, devices, context)
    }

    /// nova: not from 2.39 on, where Image itself is the judge.
    private static func checkMetadata(_ metadata: [String: String], _ limit: Int, _ context: CallContext) throws {
        guard limit < 0 || metadata.count <= limit || context.microversion >= Microversion(2, 39) else {
            throw CloudError(.overQuota, "Image metadata limit exceeded", kind: "MetadataLimitExceeded")
        }
    }

    /// Accepts the making of a backup, which is an image with a type, of which a server keeps so many.
    package func createBackup(
        _ id: ServerID, name: String, type: String, rotation: Int, metadata: [String: String],
        for context: CallContext
    ) async throws -> ImageID {
        let server = try await server(
            id, for: .backUp, context, as: "os_compute_api:os-create-backup", checksLock: false)
        let quotas = parts.quotas
        let limit = try await parts.database.read { try quotas.limit("metadata_items", of: server.projectID, $0) }
        try Self.checkMetadata(metadata, limit, context)
        guard try await !isVolumeBacked(server) else {
            throw CloudError.badRequest(
                "Backup is not supported for volume-backed instances.", kind: "InvalidRequest")
        }
        guard let host = server.host else { throw Self.notReady(id) }
        var draft = Self.imageDraft(name, server, try await imageSource(of: server), metadata, context)
        draft.properties["image_type"] = "backup"
        draft.properties["backup_type"] = type
        let image: ImageID = parts.ids.next()
        let actor = Requester(context.principal, project: context.projectID ?? server.projectID)
        let (sagas, request) = (sagas, context.requestID)
        try await withNewImage(image, draft, context) {
            try await begin(.backUp, on: id, for: context) { server, run, transaction in
                try sagas.start(
                    CreateImageSaga.self, id: run,
                    ledger: .init(
                        server: server.id, requestID: request, actor: actor, host: host, image: image,
                        backup: .init(type: type, rotation: rotation)),
                    in: transaction)
            }
        }
        return image
    }

    /// An image without bytes, which goes again if what shall fill it does not begin.
    func withNewImage(
        _ image: ImageID, _ draft: ImageUploadDraft, _ context: CallContext, _ body: () async throws -> Void
    ) async throws {
        _ = try await parts.images.ensureImage(image, draft, for: context.principal)
        do {
            try await body()
        } catch {
            try await parts.images.discard(image, for: context.principal)
            throw error
        }
    }

    /// The image that the server was made of, as it was then.
    func imageSource(of server: Server) async throws -> ImageInfo? {
        guard let extras = try await extras(of: server), !extras.imageSnapshot.isEmpty else { return nil }
        return try JSONValueDecoder.decode(ImageInfo.self, from: extras.imageSnapshot)
    }

    /// Properties that a new image does not have of an old one (nova: `non_inheritable_image_properties`).
    private static let ownProperties: Set<String> = [
        "cache_in_nova", "bittorrent", "img_signature_hash_method", "img_signature", "img_signature_key_type",
        "img_signature_certificate_uuid", "block_device_mapping", "bdm_v2", "root_device_name", "mappings",
        "os_hash_algo", "os_hash_value", "stores", "direct_url", "locations",
    ]

    static func imageDraft(
        _ name: String, _ server: Server, _ source: ImageInfo?, _ metadata: [String: String], _ context: CallContext
    ) -> ImageUploadDraft {
        var properties = (source?.properties ?? [:]).filter { !ownProperties.contains($0.key) }
        properties["instance_uuid"] = server.id.rawValue
        properties["user_id"] = context.principal.userID.rawValue
        properties["image_type"] = "snapshot"
        properties["base_image_ref"] = server.imageID?.rawValue ?? ""
        properties.merge(metadata) { _, new in new }
        return ImageUploadDraft(
            name: name, diskFormat: "qcow2", containerFormat: "bare", visibility: "private",
            minDiskGiB: max(server.flavor.rootGiB, source?.minDiskGiB ?? 0), minRAMMiB: source?.minRAMMiB ?? 0,
            properties: properties)
    }

    // MARK: Disk

    private func begin(
        _ draft: ImageUploadDraft, of server: Server, _ context: CallContext
    ) async throws -> ImageID {
        guard server.state.after(.imageRequested) != nil, let host = server.host else {
            throw Self.invalidState(server, "createImage")
        }
        let (image, run): (ImageID, SagaRunID) = (parts.ids.next(), parts.ids.next())
        let actor = Requester(context.principal, project: context.projectID ?? server.projectID)
        let (stores, sagas, now, request) = (stores, sagas, parts.clock.now(), context.requestID)
        try await withNewImage(image, draft, context) {
            try await parts.database.write { transaction in
                guard let server = try stores.servers.server(server.id, transaction), !server.isDeleted else {
                    throw Self.notFound(server.id)
                }
                guard let state = server.state.after(.imageRequested),
                    try stores.servers.move(server, to: state, run: run, at: now, transaction)
                else { throw Self.invalidState(server, "createImage") }
                try stores.actions.begin(
                    server.id, action: "createImage", event: "compute_snapshot_instance", request: request,
                    user: actor.userID, project: server.projectID, at: now, transaction)
                try sagas.start(
                    CreateImageSaga.self, id: run,
                    ledger: .init(server: server.id, requestID: request, actor: actor, host: host, image: image),
                    in: transaction)
            }
        }
        return image
    }

    // MARK: Volumes

    private static let freezableStates: Set<VMState> = [.active, .stopped, .paused, .suspended]

    private func beginVolumeImage(
        _ draft: inout ImageUploadDraft, of server: Server, _ devices: [ServerBlockDevice], _ context: CallContext
    ) async throws -> ImageID {
        guard server.state.task == nil, Self.freezableStates.contains(server.state.vm) else {
            throw Self.invalidState(server, "createImage")
        }
        var snapshots: [BlockDeviceID: VolumeSnapshotID] = [:]
        var freezes: [CreateVolumeImageSaga.Freeze] = []
        for device in devices where device.state == .attached {
            guard let volume = device.volume else { continue }
            let snapshot: VolumeSnapshotID = parts.ids.next()
            snapshots[device.id] = snapshot
            freezes.append(.init(volume: volume, snapshot: snapshot))
        }
        draft.diskFormat = "raw"
        draft.properties["root_device_name"] = devices.first { $0.isRoot }?.device ?? "/dev/vda"
        draft.properties["bdm_v2"] = "True"
        draft.properties["block_device_mapping"] = ImageBlockDevices.text(devices, snapshots: snapshots)
        let (image, run): (ImageID, SagaRunID) = (parts.ids.next(), parts.ids.next())
        let ledger = CreateVolumeImageSaga.Ledger(
            server: server.id, requestID: context.requestID,
            actor: Requester(context.principal, project: context.projectID ?? server.projectID), image: image,
            snapshotName: "snapshot for \(draft.name)", volumes: freezes)
        let (stores, sagas, now) = (stores, sagas, parts.clock.now())
        try await withNewImage(image, draft, context) {
            try await parts.database.write { transaction in
                try stores.actions.begin(
                    server.id, action: "createImage", event: "api_snapshot_instance", request: ledger.requestID,
                    user: ledger.actor.userID, project: server.projectID, at: now, transaction)
                try sagas.start(CreateVolumeImageSaga.self, id: run, ledger: ledger, in: transaction)
            }
        }
        return image
    }
}
