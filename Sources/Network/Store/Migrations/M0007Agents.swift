// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// What operators write about hosts of the data plane.
enum M0007Agents {
    static let migration = Migration(
        "network-0007-agents",
        ["CREATE TABLE network_agents (id TEXT PRIMARY KEY, description TEXT NOT NULL)"])
}
