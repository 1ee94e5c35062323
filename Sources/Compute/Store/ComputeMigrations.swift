// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Compute, in order.
package enum ComputeMigrations {
    package static let all: [Migration] = [
        M0001Servers.migration, M0002Hosts.migration, M0003Flavors.migration, M0004BlockDevices.migration,
        M0005ServerMigrations.migration, M0006Shelves.migration, M0007UserQuotas.migration,
        M0008ListIndexes.migration,
    ]
}
