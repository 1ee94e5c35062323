// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

/// What backends have that Block Storage did not make, and how it becomes a volume.
package struct ManageableVolumeEngine: Sendable {
    package let parts: BlockStorageParts
    private let sagas: SagaRunner

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    /// What was taken over already, too (cinder: volume/drivers/lvm.py, `get_manageable_resource_info`).
    package func list(on host: String) async throws -> [ManageableResource] {
        let backend = try await parts.manageableBackend(host)
        let stores = parts.stores
        let foreign = try await parts.call(backend.address, .foreignVolumes).foreign ?? []
        let managed = try await parts.database.read {
            try stores.volumes.volumes(onBackend: backend.address, $0)
        }
        return foreign.map { ManageableResource(reference: $0.reference, sizeGiB: $0.sizeGiB) }
            + managed.filter { !$0.location.isEmpty }.map {
                ManageableResource(reference: $0.location, sizeGiB: $0.sizeGiB, managedID: $0.id.rawValue)
            }
    }

    package struct Draft: Sendable {
        package var host: String
        package var reference: String
        package var name: String?
        package var description: String?
        package var type: String?
        package var zone: String?
        package var metadata: [String: String] = [:]
        package var isBootable = false
        package init(host: String, reference: String) {
            self.host = host
            self.reference = reference
        }
    }

    package func manage(_ draft: Draft, for context: CallContext) async throws -> Volume {
        let project = try context.requireProject()
        let backend = try await parts.manageableBackend(draft.host)
        let found = try VolumeErrors.manageable(draft.reference, "volume", in: try await list(on: draft.host))
        let (parts, sagas, run) = (parts, sagas, parts.ids.next(SagaRunTag.self))
        let (id, now) = (parts.ids.next(VolumeTag.self), parts.clock.now())
        let volumes = VolumeEngine(parts, sagas: sagas)
        return try await parts.database.write { transaction in
            let type =
                try draft.type.map { try volumes.visibleType($0, context, transaction) }
                ?? VolumeTypeEngine.defaultType(of: project, parts, transaction)
            guard type.encryption == nil else {
                throw CloudError.badRequest(
                    "Invalid volume type: Managing to an encrypted volume type is not supported.",
                    kind: "InvalidVolumeType")
            }
            try BlockStorageQuotas(parts).check(
                project, volumes: 1, gigabytes: found.sizeGiB, type: type.id, transaction)
            var volume = Volume(
                id: id, projectID: project, userID: context.principal.userID, sizeGiB: found.sizeGiB, typeID: type.id,
                zone: draft.zone ?? backend.zone, createdAt: now, state: VolumeState(.managing))
            volume.name = draft.name
            volume.description = draft.description
            volume.metadata = draft.metadata
            volume.isMultiattach = type.isMultiattach
            volume.host = backend.pool.name
            volume.sagaRun = run
            try parts.stores.volumes.insert(volume, transaction)
            try sagas.start(
                CreateVolumeSaga.self, id: run,
                ledger: .init(
                    volume: id, project: project, requestID: context.requestID, source: .foreign(draft.reference),
                    backendRequest: BackendRequest(sizeGiB: found.sizeGiB, pool: backend.pool.name),
                    imageMetadata: [:], isBootable: draft.isBootable), in: transaction)
            return volume
        }
    }
}

extension BlockStorageParts {
    /// A backend that is there, up and enabled (cinder: volume/api.py, `_get_service_by_host_cluster`).
    package func manageableBackend(_ host: String) async throws -> VolumeBackend {
        let (stores, address) = (stores, VolumeBackend.address(of: host))
        guard let backend = try await database.read({ try stores.backends.backend(address, $0) }) else {
            throw CloudError.badRequest("Service cinder-volume could not be found on host \(host.prefix(255)).")
        }
        guard !backend.isDisabled, backend.isUp(at: clock.now(), limit: config.backendTimeout) else {
            throw CloudError(.unavailable, "Service is unavailable at this time.", kind: "ServiceUnavailable")
        }
        return backend
    }
}
