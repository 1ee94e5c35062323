// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What a backend has that is, or could be, a volume or a snapshot of this cloud.
package struct ManageableResource: Sendable, Equatable {
    /// The backend's own name for it.
    package var reference: String
    package var sizeGiB: Int
    /// The backend's name for the volume that a snapshot is of.
    package var source: String?
    /// What it is already. Nil: it can be managed.
    package var managedID: String?

    package init(reference: String, sizeGiB: Int, source: String? = nil, managedID: String? = nil) {
        self.reference = reference
        self.sizeGiB = sizeGiB
        self.source = source
        self.managedID = managedID
    }
}
