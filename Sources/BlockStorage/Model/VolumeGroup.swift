// SPDX-License-Identifier: Apache-2.0
import BaseKit
import TaskKit

/// The words of a group's `status`.
package enum VolumeGroupStatus: String, Sendable, CaseIterable, Codable {
    /// Leaves by the end of its run.
    case creating, deleting, updating
    case available, error
    case deleted
    case errorDeleting = "error_deleting"

    package var needsRun: Bool { self == .creating || self == .deleting }
}

/// Volumes that are snapshotted together.
package struct VolumeGroup: Sendable {
    package var id: VolumeGroupID
    package var projectID: ProjectID
    package var userID: UserID
    package var name: String?
    package var description: String?
    package var typeID: GroupTypeID
    package var volumeTypeIDs: [VolumeTypeID]
    package var zone: String
    /// `host@backend#pool`.
    package var host: String?
    package var status: VolumeGroupStatus
    /// The run that holds the status.
    package var sagaRun: SagaRunID?
    package var sourceGroupID: VolumeGroupID?
    package var groupSnapshotID: GroupSnapshotID?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    package init(
        id: VolumeGroupID, projectID: ProjectID, userID: UserID, typeID: GroupTypeID,
        volumeTypeIDs: [VolumeTypeID], zone: String, createdAt: Timestamp
    ) {
        self.id = id
        self.projectID = projectID
        self.userID = userID
        self.typeID = typeID
        self.volumeTypeIDs = volumeTypeIDs
        self.zone = zone
        self.createdAt = createdAt
        status = .creating
    }
}

/// The words of a group snapshot's `status`.
package enum GroupSnapshotStatus: String, Sendable, CaseIterable, Codable {
    /// Leaves by the end of its run.
    case creating, deleting
    case available, error
    case errorDeleting = "error_deleting"

    package var needsRun: Bool { self == .creating || self == .deleting }
}

/// Snapshots of every volume of a group, made in one go.
package struct GroupSnapshot: Sendable {
    package var id: GroupSnapshotID
    package var groupID: VolumeGroupID
    package var projectID: ProjectID
    package var userID: UserID
    package var name: String?
    package var description: String?
    package var typeID: GroupTypeID
    package var status: GroupSnapshotStatus
    package var sagaRun: SagaRunID?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    package init(
        id: GroupSnapshotID, of group: VolumeGroup, projectID: ProjectID, userID: UserID, createdAt: Timestamp
    ) {
        self.id = id
        groupID = group.id
        typeID = group.typeID
        self.projectID = projectID
        self.userID = userID
        self.createdAt = createdAt
        status = .creating
    }

    package init(
        id: GroupSnapshotID, groupID: VolumeGroupID, projectID: ProjectID, userID: UserID, name: String?,
        description: String?, typeID: GroupTypeID, status: GroupSnapshotStatus, sagaRun: SagaRunID?,
        createdAt: Timestamp, updatedAt: Timestamp?
    ) {
        self.id = id
        self.groupID = groupID
        self.projectID = projectID
        self.userID = userID
        self.name = name
        self.description = description
        self.typeID = typeID
        self.status = status
        self.sagaRun = sagaRun
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}
