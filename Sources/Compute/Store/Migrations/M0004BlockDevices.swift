// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The disks of servers.
enum M0004BlockDevices {
    static let migration = Migration(
        "compute-0004-block-devices",
        [
            """
            CREATE TABLE server_block_devices (
                id TEXT PRIMARY KEY, server_id TEXT NOT NULL, source TEXT NOT NULL, destination TEXT NOT NULL,
                source_id TEXT, volume_id TEXT, attachment_id TEXT, device TEXT, boot_index BIGINT,
                deletes_on_termination BIGINT NOT NULL, size BIGINT NOT NULL, volume_type TEXT, guest_format TEXT,
                device_type TEXT, disk_bus TEXT, tag TEXT, is_shared BIGINT NOT NULL, state TEXT NOT NULL,
                saga_run TEXT, host TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX server_block_devices_server ON server_block_devices (server_id, created_at, id)",
            "CREATE INDEX server_block_devices_volume ON server_block_devices (volume_id)",
            "CREATE INDEX server_block_devices_attachment ON server_block_devices (attachment_id)",
            "CREATE INDEX server_block_devices_state ON server_block_devices (state)",
            // Two attachments at once cannot take the same name, nor the same volume.
            "CREATE UNIQUE INDEX server_block_devices_device ON server_block_devices (server_id, device)",
            "CREATE UNIQUE INDEX server_block_devices_pair ON server_block_devices (server_id, volume_id)",
        ])
}
