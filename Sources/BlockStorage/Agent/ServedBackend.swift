// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// One storage that a volume agent serves.
package struct ServedBackend: Sendable {
    /// `host@backend`.
    package var address: String
    package var driver: any VolumeDriver

    package init(address: String, driver: any VolumeDriver) {
        self.address = address
        self.driver = driver
    }
}
