// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The segments of networks. A network that was there has one: its own, under its own id.
enum M0017Segments {
    static let migration = Migration(
        "network-0017-segments",
        [
            """
            CREATE TABLE network_segments (
                id TEXT PRIMARY KEY, network_id TEXT NOT NULL REFERENCES networks (id), name TEXT, description TEXT,
                kind TEXT NOT NULL, physical_network TEXT, segment BIGINT, position BIGINT NOT NULL,
                revision BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)
            """,
            "CREATE UNIQUE INDEX network_segments_position ON network_segments (network_id, position)",
            """
            INSERT INTO network_segments (id, network_id, name, description, kind, physical_network, segment, position,
                revision, created_at, updated_at)
            SELECT id, id, NULL, NULL, kind, physical_network, segment, 0, 1, created_at, updated_at FROM networks
            """,
            "ALTER TABLE subnets ADD COLUMN segment_id TEXT",
            "CREATE INDEX subnets_segment ON subnets (segment_id)",
        ])
}
