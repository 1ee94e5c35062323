// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// SQL of `object_storage_devices` and `object_storage_salts`.
package struct RingDeviceStore: Sendable {
    package init() {}

    private static let columns: SQL = "number, zone, host, path, weight_milli, device_class"

    private static func device(_ row: any Row) -> RingDevice {
        RingDevice(
            number: DeviceNumber(UInt16(clamping: row.int(0))), zone: row.text(1), host: row.text(2), path: row.text(3),
            weight: Double(row.int(4)) / 1000, deviceClass: row.textOrNil(5))
    }

    /// Those that were not removed, by number.
    package func all(_ transaction: any Transaction) throws -> [RingDevice] {
        try transaction.query(
            "SELECT \(Self.columns) FROM object_storage_devices WHERE is_removed = 0 ORDER BY number", Self.device)
    }

    package func device(_ number: DeviceNumber, _ transaction: any Transaction) throws -> RingDevice? {
        try transaction.first(
            """
            SELECT \(Self.columns) FROM object_storage_devices
             WHERE number = \(Int(number.rawValue)) AND is_removed = 0
            """, Self.device)
    }

    package func device(host: String, path: String, _ transaction: any Transaction) throws -> RingDevice? {
        try transaction.first(
            """
            SELECT \(Self.columns) FROM object_storage_devices
             WHERE host = \(host) AND path = \(path) AND is_removed = 0
            """, Self.device)
    }

    /// Whether a device was there that was removed.
    package func wasRemoved(host: String, path: String, _ transaction: any Transaction) throws -> Bool {
        try transaction.first(
            """
            SELECT number FROM object_storage_devices
             WHERE host = \(host) AND path = \(path) AND is_removed = 1
            """
        ) { $0.int(0) } != nil
    }

    /// The first number that no device ever had. Throws `.conflict` when there is none left.
    package func nextNumber(_ transaction: any Transaction) throws -> DeviceNumber {
        let last = try transaction.first("SELECT MAX(number) FROM object_storage_devices") { $0.intOrNil(0) } ?? nil
        guard let number = UInt16(exactly: (last ?? -1) + 1) else {
            throw CloudError.conflict("There are no numbers left for devices.")
        }
        return DeviceNumber(number)
    }

    package func insert(_ device: RingDevice, at time: Timestamp, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO object_storage_devices (
                number, zone, host, path, weight_milli, device_class, is_removed, created_at)
            VALUES (\(Int(device.number.rawValue)), \(device.zone), \(device.host), \(device.path),
                \(Self.milli(device.weight)), \(device.deviceClass), 0, \(time))
            """)
    }

    /// False: there is no such device.
    package func update(_ device: RingDevice, at time: Timestamp, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute(
            """
            UPDATE object_storage_devices
               SET zone = \(device.zone), host = \(device.host), path = \(device.path),
                   weight_milli = \(Self.milli(device.weight)), device_class = \(device.deviceClass),
                   updated_at = \(time)
             WHERE number = \(Int(device.number.rawValue)) AND is_removed = 0
            """) == 1
    }

    /// The row stays, so that its number is never given again. False: there is no such device.
    package func remove(_ number: DeviceNumber, at time: Timestamp, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute(
            """
            UPDATE object_storage_devices SET is_removed = 1, weight_milli = 0, updated_at = \(time)
             WHERE number = \(Int(number.rawValue)) AND is_removed = 0
            """) == 1
    }

    private static func milli(_ weight: Double) -> Int { Int((weight * 1000).rounded()) }

    /// The cloud's own salt of this name; `fresh` becomes it when there is none.
    package func salt(_ name: String, fresh: String, _ transaction: any Transaction) throws -> String {
        try transaction.execute(
            """
            INSERT INTO object_storage_salts (name, salt) VALUES (\(name), \(fresh)) ON CONFLICT (name) DO NOTHING
            """)
        return try transaction.first("SELECT salt FROM object_storage_salts WHERE name = \(name)") { $0.text(0) }
            ?? fresh
    }
}
