// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// An offer of a volume to whoever holds its key.
package struct VolumeTransfer: Sendable {
    package var id: VolumeTransferID
    package var volumeID: VolumeID
    package var name: String?
    package var salt: String
    /// Of the salt and the key. The key itself is known to the one who made the offer, and to nobody else.
    package var keyHash: String
    package var withoutSnapshots: Bool
    package var sourceProjectID: ProjectID
    package var destinationProjectID: ProjectID?
    package var isAccepted: Bool
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    package init(
        id: VolumeTransferID, volumeID: VolumeID, name: String?, salt: String, keyHash: String,
        withoutSnapshots: Bool, sourceProjectID: ProjectID, createdAt: Timestamp
    ) {
        self.id = id
        self.volumeID = volumeID
        self.name = name
        self.salt = salt
        self.keyHash = keyHash
        self.withoutSnapshots = withoutSnapshots
        self.sourceProjectID = sourceProjectID
        self.createdAt = createdAt
        isAccepted = false
    }
}
