// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// What one pass of the replicator did, and what it could not mend.
package struct ReplicationReport: Sendable {
    package var startedAt: Timestamp
    package var endedAt: Timestamp
    /// The rings whose replicas were compared, as they were then.
    package var versions: [StorageKind: Int] = [:]
    /// Partitions that were looked at.
    package var partitions = 0
    /// Replicas that were made, renewed or removed.
    package var repairs = 0
    /// Devices that could not say what they have.
    package var silent: Set<DeviceNumber> = []
    package var errors = 0
    /// Partitions of which a device that should have a replica does not have all of it, by kind.
    package var missing: [StorageKind: Set<Int>] = [:]

    package var isWhole: Bool { errors == 0 && silent.isEmpty }

    init(startedAt: Timestamp) {
        self.startedAt = startedAt
        endedAt = startedAt
    }
}
