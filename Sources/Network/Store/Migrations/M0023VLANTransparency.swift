// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Networks whose guests may send VLAN tags of their own. Null: nobody said.
enum M0023VLANTransparency {
    static let migration = Migration(
        "network-0023-vlan-transparency",
        [
            "ALTER TABLE networks ADD COLUMN vlan_transparent BIGINT",
            "ALTER TABLE networks ADD COLUMN qinq BIGINT",
        ])
}
