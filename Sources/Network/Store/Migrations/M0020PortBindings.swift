// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Hosts that ports are prepared on, besides the one that they are bound to.
enum M0020PortBindings {
    static let migration = Migration(
        "network-0020-port-bindings",
        [
            """
            CREATE TABLE port_bindings (
                port_id TEXT NOT NULL REFERENCES ports (id), host TEXT NOT NULL, vnic_type TEXT NOT NULL,
                profile TEXT NOT NULL, PRIMARY KEY (port_id, host))
            """
        ])
}
