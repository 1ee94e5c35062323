// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The oldest marks are sent first.
enum M0008DirtyOrder {
    static let migration = Migration(
        "network-0008-dirty-order", ["CREATE INDEX network_dirty_stamp ON network_dirty (stamp)"])
}
