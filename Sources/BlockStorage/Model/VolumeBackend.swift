// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// A backend that has reported, with its pool.
package struct VolumeBackend: Sendable {
    /// `host@backend`: where commands go on the bus.
    package var address: String
    package var pool: VolumePool
    package var movesOnSnapshot: Bool
    package var zone: String
    package var isDisabled: Bool
    package var disabledReason: String?
    /// No new volumes and no deletions (`freeze`).
    package var isFrozen: Bool
    package var createdAt: Timestamp
    package var lastSeenAt: Timestamp
    /// Of the last change by an administrator.
    package var updatedAt: Timestamp?
    /// `service_uuid`: stays the same for as long as the row.
    package var serviceID: String

    package init(
        address: String, pool: VolumePool, movesOnSnapshot: Bool, zone: String, createdAt: Timestamp,
        lastSeenAt: Timestamp, serviceID: String
    ) {
        self.address = address
        self.pool = pool
        self.movesOnSnapshot = movesOnSnapshot
        self.zone = zone
        isDisabled = false
        isFrozen = false
        self.createdAt = createdAt
        self.lastSeenAt = lastSeenAt
        self.serviceID = serviceID
    }

    package func isUp(at now: Timestamp, limit: Duration) -> Bool { now - lastSeenAt <= limit }

    /// `host@backend` of `host@backend#pool`.
    package static func address(of host: String) -> String {
        host.firstIndex(of: "#").map { String(host[..<$0]) } ?? host
    }
}
