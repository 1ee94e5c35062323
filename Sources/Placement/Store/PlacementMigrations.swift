// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Placement, in order.
package enum PlacementMigrations {
    package static let all: [Migration] = [M0001Providers.migration, M0002ListIndexes.migration]
}
