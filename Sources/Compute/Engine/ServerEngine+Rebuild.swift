// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import ImageContract
import PolicyKit
import TaskKit

/// What a rebuild shall make of a server. Nil: as it is.
package struct RebuildDraft: Sendable {
    package var imageID: String
    package var adminPassword: String
    package var name: String?
    package var hostname: String?
    package var description: String??
    package var metadata: [String: String]?
    package var accessIPv4: String?
    package var accessIPv6: String?
    package var diskConfig: String?
    package var files: [ServerDraft.File] = []
    package var userData: String??
    package var keyName: String??
    package var certificates: [String]??
    package var keepsEphemeral = false
    /// 2.93: a root volume gets the image's bytes. Before, the image must be the one that it has.
    package var reimagesVolume = false

    package init(imageID: String, adminPassword: String) {
        self.imageID = imageID
        self.adminPassword = adminPassword
    }
}

extension ServerEngine {
    /// Accepts a rebuild; the row is what was asked for at once, the guest later (nova: compute/api.py, `rebuild`).
    package func rebuild(_ id: ServerID, _ draft: RebuildDraft, for context: CallContext) async throws {
        let server = try await server(id, for: .rebuild, context, as: "os_compute_api:servers:rebuild")
        try checkCertificates(draft, server, context)
        let key = try await key(draft.keyName.flatMap(\.self), context)
        guard let image = try await parts.images.image(ID(draft.imageID), for: context.principal) else {
            throw CloudError.badRequest("Cannot find image for rebuild", kind: "ImageNotFound")
        }
        guard let host = server.host else { throw Self.notReady(id) }
        let (stores, sagas) = (stores, sagas)
        let devices = try await parts.database.read { try stores.blockDevices.of(id, $0) }
        let root = devices.first { $0.isRoot && $0.isVolume }
        let reimage = try await reimage(root, image, draft, context)
        try Self.checkBootable(image, with: server.flavor, isVolumeBacked: root != nil)
        try await checkQuotas(of: draft, server)
        try await checkAttached(devices, context)
        let change = try Self.change(draft, key, image: image, isVolumeBacked: root != nil)
        let ledger = RebuildServerSaga.Ledger(
            server: id, requestID: context.requestID,
            actor: Requester(context.principal, project: context.projectID ?? server.projectID), host: host,
            origin: server.state.vm, adminPassword: server.hasConfigDrive ? draft.adminPassword : nil,
            files: server.hasConfigDrive ? draft.files : [], keepsEphemeral: draft.keepsEphemeral, reimage: reimage)
        try await begin(.rebuild, on: id, for: context) { server, run, transaction in
            var final = ledger
            final.origin = server.state.vm
            try stores.servers.rebuild(server, change, transaction)
            try sagas.start(RebuildServerSaga.self, id: run, ledger: final, in: transaction)
        }
    }

    /// Nobody checks an image's signature here, so nobody may believe that somebody does.
    private func checkCertificates(_ draft: RebuildDraft, _ server: Server, _ context: CallContext) throws {
        guard let certificates = draft.certificates else { return }
        try context.authorize(Self.target(server), as: "os_compute_api:servers:rebuild:trusted_certs")
        guard certificates == nil else {
            throw CloudError.badRequest(
                "Image signature certificate validation is not supported.", kind: "CertificateValidationFailed")
        }
    }

    private func checkQuotas(of draft: RebuildDraft, _ server: Server) async throws {
        var wanted = ServerDraft(name: "", flavorID: "", imageID: nil)
        wanted.metadata = draft.metadata ?? [:]
        wanted.files = draft.files
        try await checkQuotaOfFiles(wanted, server.projectID)
    }

    private func reimage(
        _ root: ServerBlockDevice?, _ image: ImageInfo, _ draft: RebuildDraft, _ context: CallContext
    ) async throws -> RebuildServerSaga.Reimage? {
        guard let root, let id = root.volume, let attachment = root.attachment else { return nil }
        let volume = try await parts.volumes.volume(id, for: context.principal)
        guard draft.reimagesVolume else {
            guard volume?.imageMetadata["image_id"] == image.id.rawValue else {
                throw CloudError.badRequest(
                    "Image \(image.id) is unacceptable: Unable to rebuild with a different image for a volume-backed "
                        + "server.", kind: "ImageUnacceptable")
            }
            return nil
        }
        let size = Int64(volume?.sizeGiB ?? 0) << 30
        guard max(Int64(image.minDiskGiB) << 30, image.virtualSizeBytes) <= size else {
            throw CloudError.badRequest(
                "Volume is smaller than the minimum size specified in image metadata. Volume size is \(size) bytes, "
                    + "minimum size is \(max(Int64(image.minDiskGiB) << 30, image.virtualSizeBytes)) bytes.",
                kind: "VolumeSmallerThanMinDisk")
        }
        return .init(volume: id, attachment: attachment, image: image.id.rawValue)
    }

    /// Volumes that are attached, and not on their way (nova: `_check_volume_status`).
    func checkAttached(_ devices: [ServerBlockDevice], _ context: CallContext) async throws {
        for device in devices where device.isVolume {
            guard let id = device.volume, device.state != .releasing else { continue }
            guard device.state == .attached else {
                throw CloudError.badRequest(
                    "Invalid volume: volume '\(id)' status must be 'in-use'. Currently in '\(device.state.rawValue)' "
                        + "status", kind: "InvalidVolume")
            }
            guard let volume = try await parts.volumes.volume(id, for: context.principal), volume.status != "in-use"
            else { continue }
            throw CloudError.badRequest(
                "Invalid volume: volume '\(id)' status must be 'in-use'. Currently in '\(volume.status)' status",
                kind: "InvalidVolume")
        }
    }

    private static func change(
        _ draft: RebuildDraft, _ key: KeyPair?, image: ImageInfo, isVolumeBacked: Bool
    ) throws -> ServerStore.Rebuild {
        // A server that boots from a volume shows no image.
        var change = ServerStore.Rebuild(
            image: isVolumeBacked ? nil : image.id, imageSnapshot: try JSONValueEncoder.text(image),
            imageProperties: StoredMap.text(shownProperties(image)))
        change.name = draft.name
        change.hostname = draft.hostname
        change.description = draft.description
        change.metadata = draft.metadata.map { StoredMap.text($0) }
        change.accessIPv4 = draft.accessIPv4
        change.accessIPv6 = draft.accessIPv6
        change.diskConfig = draft.diskConfig
        change.userData = draft.userData
        if draft.keyName != nil { change.key = .some(key) }
        change.dropsCertificates = draft.certificates != nil
        return change
    }
}
