// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Devices and rings.
enum M0001Rings {
    static let migration = Migration(
        "object-storage-0001-rings",
        [
            """
            CREATE TABLE object_storage_devices (
                number BIGINT NOT NULL PRIMARY KEY,
                zone TEXT NOT NULL,
                host TEXT NOT NULL,
                path TEXT NOT NULL,
                weight_milli BIGINT NOT NULL,
                device_class TEXT,
                is_removed BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT)
            """,
            "CREATE INDEX object_storage_devices_by_host ON object_storage_devices (host, path)",
            """
            CREATE TABLE object_storage_rings (
                name TEXT NOT NULL PRIMARY KEY,
                version BIGINT NOT NULL,
                partition_power BIGINT NOT NULL,
                replicas BIGINT NOT NULL,
                devices TEXT NOT NULL,
                assignment TEXT NOT NULL,
                former TEXT NOT NULL,
                changed_at BIGINT NOT NULL)
            """,
            """
            CREATE TABLE object_storage_salts (
                name TEXT NOT NULL PRIMARY KEY,
                salt TEXT NOT NULL)
            """,
        ])
}
