// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Block Storage, in order.
package enum BlockStorageMigrations {
    package static let all: [Migration] = [
        M0001Volumes.migration, M0002VolumeTypes.migration, M0003VolumeGroups.migration,
        M0004VolumeIndexes.migration, M0005VolumeMigrationTarget.migration, M0006ListIndexes.migration,
    ]
}
