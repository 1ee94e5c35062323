// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Network, in order.
package enum NetworkMigrations {
    package static let all: [Migration] = [
        M0001Networks.migration, M0002Ports.migration, M0003Routers.migration,
        M0004SecurityGroups.migration, M0005Bookkeeping.migration, M0006SubnetPools.migration,
        M0007Agents.migration, M0008DirtyOrder.migration,
    ]
}
