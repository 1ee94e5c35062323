// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// What the data plane has not been told yet.
enum M0005Bookkeeping {
    static let migration = Migration(
        "network-0005-bookkeeping",
        [
            // `stamp` changes with each mark, so newer dirt survives older work.
            """
            CREATE TABLE network_dirty (
                kind TEXT NOT NULL, id TEXT NOT NULL, stamp BIGINT NOT NULL, PRIMARY KEY (kind, id))
            """
        ])
}
