// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The order in which providers are listed.
enum M0002ListIndexes {
    static let migration = Migration(
        "placement-0002-list-indexes",
        ["CREATE INDEX placement_providers_by_age ON placement_providers (created_at, id)"])
}
