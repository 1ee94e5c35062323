// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A device's number in the rings. Never given to another device, so that an old ring cannot mean a new device.
package struct DeviceNumber: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    package let rawValue: UInt16
    package init(_ rawValue: UInt16) { self.rawValue = rawValue }
    package static func < (left: DeviceNumber, right: DeviceNumber) -> Bool { left.rawValue < right.rawValue }
    package var description: String { String(rawValue) }
}

/// A device as the ring knows it: where it stands, and how much it takes.
package struct RingDevice: Sendable, Hashable, Codable {
    package var number: DeviceNumber
    /// What fails together: a rack, a room.
    package var zone: String
    package var host: String
    /// Its directory, or its disk's name, on the host.
    package var path: String
    /// Its share beside the others', often its size in GiB. 0: it holds nothing; what lies there moves away.
    package var weight: Double
    /// `ssd`, `archive`: policies may ask for one.
    package var deviceClass: String?

    package init(
        number: DeviceNumber, zone: String, host: String, path: String, weight: Double, deviceClass: String? = nil
    ) {
        self.number = number
        self.zone = zone
        self.host = host
        self.path = path
        self.weight = weight
        self.deviceClass = deviceClass
    }
}
