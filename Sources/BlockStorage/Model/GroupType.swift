// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A kind of volume groups.
package struct GroupType: Sendable, Equatable {
    /// Upstream keeps it for the consistency groups of old clouds.
    package static let migrationName = "default_cgsnapshot_type"

    package var id: GroupTypeID
    package var name: String
    package var description: String?
    package var isPublic: Bool
    package var specs: [String: String]
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    package init(
        id: GroupTypeID, name: String, description: String?, isPublic: Bool, specs: [String: String],
        createdAt: Timestamp, updatedAt: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.isPublic = isPublic
        self.specs = specs
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}
