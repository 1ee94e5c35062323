// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Networks that the cloud made for projects that asked for one.
enum M0015AutoTopologies {
    static let migration = Migration(
        "network-0015-auto-topologies",
        [
            """
            CREATE TABLE auto_topologies (
                project_id TEXT PRIMARY KEY, network_id TEXT NOT NULL, router_id TEXT NOT NULL)
            """,
            "CREATE INDEX auto_topologies_network ON auto_topologies (network_id)",
        ])
}
