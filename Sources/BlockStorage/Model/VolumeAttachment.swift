// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// A lease of a volume: ends only when the host has confirmed that it closed the volume, or was fenced.
package struct VolumeAttachment: Sendable {
    package var id: VolumeAttachmentID
    package var volumeID: VolumeID
    /// Of the volume.
    package var projectID: ProjectID
    /// `instance_uuid`. Nil: attached to something that is no server.
    package var server: String?
    package var host: String?
    /// `/dev/vdb`.
    package var device: String?
    package var status: VolumeAttachStatus
    /// `rw`, `ro`.
    package var mode: String
    /// The host that the volume is exported to. Nil: to none.
    package var connector: HostConnector?
    /// What clients sent of their own connector, as JSON, to be shown again.
    package var connectorText: String?
    /// Holds secrets.
    package var connection: VolumeConnection?
    package var createdAt: Timestamp
    package var attachedAt: Timestamp?
    /// Compute made it, and ends it.
    package var isComputes = false

    package init(
        id: VolumeAttachmentID, volume: Volume, server: String?, status: VolumeAttachStatus, mode: String,
        createdAt: Timestamp
    ) {
        self.id = id
        volumeID = volume.id
        projectID = volume.projectID
        self.server = server
        self.status = status
        self.mode = mode
        self.createdAt = createdAt
    }

    /// The host finds the volume elsewhere now. What the control plane put into the connection stays in it; the key
    /// stays with the keys.
    package mutating func move(to place: VolumeConnection) {
        let limits = connection?.limits
        connection = place
        connection?.limits = limits
        connection?.passphrase = nil
    }

    /// Of a row.
    init(
        id: VolumeAttachmentID, volumeID: VolumeID, projectID: ProjectID, server: String?, host: String?,
        device: String?, status: VolumeAttachStatus, mode: String, connector: HostConnector?, connectorText: String?,
        connection: VolumeConnection?, createdAt: Timestamp, attachedAt: Timestamp?, isComputes: Bool
    ) {
        self.id = id
        self.volumeID = volumeID
        self.projectID = projectID
        self.server = server
        self.host = host
        self.device = device
        self.status = status
        self.mode = mode
        self.connector = connector
        self.connectorText = connectorText
        self.connection = connection
        self.createdAt = createdAt
        self.attachedAt = attachedAt
        self.isComputes = isComputes
    }
}
