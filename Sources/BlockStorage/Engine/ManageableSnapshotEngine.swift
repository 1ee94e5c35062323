// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

/// Snapshots that backends keep and this cloud does not know, and how they become its own.
package struct ManageableSnapshotEngine: Sendable {
    package let parts: BlockStorageParts
    private let sagas: SagaRunner

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    /// Of all volumes of a backend; those that were taken over already, too.
    package func list(on host: String) async throws -> [ManageableResource] {
        let (stores, backend) = (parts.stores, try await parts.manageableBackend(host))
        let (volumes, managed) = try await parts.database.read { transaction in
            (
                try stores.volumes.volumes(onBackend: backend.address, transaction),
                try stores.snapshots.snapshots(onBackend: backend.address, transaction)
            )
        }
        return try await list(on: backend, of: volumes.filter { !$0.location.isEmpty }, managed)
    }

    private func list(
        on backend: VolumeBackend, of volumes: [Volume], _ managed: [VolumeSnapshot]
    ) async throws -> [ManageableResource] {
        let names = Dictionary(volumes.map { ($0.id, $0.location) }) { first, _ in first }
        let work = VolumeCommand.Work.foreignSnapshots(of: volumes.map { $0.handle(passphrase: nil) })
        let foreign = try await parts.call(backend.address, work).foreignSnapshots ?? []
        return foreign.map { found in
            ManageableResource(
                reference: found.reference, sizeGiB: found.sizeGiB, source: found.volume.flatMap { names[$0] })
        }
            + managed.filter { !$0.location.isEmpty }.map {
                ManageableResource(
                    reference: $0.location, sizeGiB: $0.sizeGiB, source: names[$0.volumeID],
                    managedID: $0.id.rawValue)
            }
    }

    package struct Draft: Sendable {
        package var volume: VolumeID
        package var reference: String
        package var name: String?
        package var description: String?
        package var metadata: [String: String] = [:]
        package init(volume: VolumeID, reference: String) {
            self.volume = volume
            self.reference = reference
        }
    }

    /// cinder: volume/api.py, `manage_existing_snapshot`.
    package func manage(_ draft: Draft, for context: CallContext) async throws -> VolumeSnapshot {
        let (parts, sagas, stores) = (parts, sagas, parts.stores)
        let policy: PolicyName = "snapshot_extension:snapshot_manage"
        let (volume, managed) = try await parts.database.read { transaction in
            let volume = try VolumeEngine.load(draft.volume, context, policy, stores, transaction)
            return (volume, try stores.snapshots.snapshots(of: volume.id, transaction))
        }
        guard let host = volume.host, !volume.location.isEmpty else {
            throw VolumeErrors.invalidVolume(
                "The snapshot cannot be created because volume has not been scheduled to any host.")
        }
        let known = try await list(on: try await parts.manageableBackend(host), of: [volume], managed)
        let found = try VolumeErrors.manageable(draft.reference, "snapshot", in: known)
        guard found.sizeGiB <= volume.sizeGiB else {
            throw VolumeErrors.invalidReference(
                draft.reference, "snapshot", "it is larger than the volume (\(found.sizeGiB) GiB).")
        }
        let id = parts.ids.next(VolumeSnapshotTag.self)
        return try await parts.database.write { transaction in
            let volume = try VolumeEngine.load(draft.volume, context, policy, stores, transaction)
            var snapshot = VolumeSnapshot(
                id: id, of: volume, projectID: context.projectID ?? volume.projectID,
                userID: context.principal.userID, createdAt: parts.clock.now())
            snapshot.sizeGiB = found.sizeGiB
            snapshot.name = draft.name
            snapshot.description = draft.description
            snapshot.metadata = draft.metadata
            return try SnapshotEngine.begin(
                snapshot, of: volume, foreign: draft.reference, allowsInUse: true, request: context.requestID, parts,
                sagas, transaction)
        }
    }
}
