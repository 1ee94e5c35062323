// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// What whoever may open a volume is told of it.
extension VolumeAttachmentEngine {
    /// With passphrases, by attachment. One look at the database for all of them.
    package func connections(
        of attachments: [VolumeAttachment]
    ) async throws -> [VolumeAttachmentID: VolumeConnection] {
        let connected = attachments.filter { $0.connection != nil }
        guard !connected.isEmpty else { return [:] }
        let (stores, volumes) = (parts.stores, Set(connected.map(\.volumeID)).sorted())
        let sealed = try await parts.database.read { try stores.keys.sealed(ofVolumes: volumes, $0) }
        let passphrases = try sealed.mapValues { sealed in
            guard let sealed else { throw BlockStorageParts.keyLost }
            return try parts.keyring.open(sealed)
        }
        var connections: [VolumeAttachmentID: VolumeConnection] = [:]
        for attachment in connected {
            connections[attachment.id] = attachment.connection
            connections[attachment.id]?.passphrase = passphrases[attachment.volumeID]
        }
        return connections
    }
}
