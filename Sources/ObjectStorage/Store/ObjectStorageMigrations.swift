// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Object Storage in the cloud's database, in order. Accounts, containers and objects are not in it: they
/// are on the devices.
package enum ObjectStorageMigrations {
    package static let all: [Migration] = [M0001Rings.migration]
}
