// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Servers with all that hangs on them.
enum M0001Servers {
    static let migration = Migration(
        "compute-0001-servers",
        [
            """
            CREATE TABLE servers (
                id TEXT PRIMARY KEY, number BIGINT NOT NULL, project_id TEXT NOT NULL, user_id TEXT NOT NULL,
                name TEXT NOT NULL, hostname TEXT NOT NULL, description TEXT,
                vm_state TEXT NOT NULL, task_state TEXT, power_state BIGINT NOT NULL, saga_run TEXT,
                host TEXT, hypervisor_hostname TEXT, zone TEXT, pinned_zone TEXT,
                reservation_id TEXT NOT NULL, launch_index BIGINT NOT NULL,
                image_id TEXT, image_properties TEXT NOT NULL,
                flavor_id TEXT NOT NULL, flavor_name TEXT NOT NULL, vcpus BIGINT NOT NULL, memory_mib BIGINT NOT NULL,
                root_gib BIGINT NOT NULL, ephemeral_gib BIGINT NOT NULL, swap_mib BIGINT NOT NULL,
                extra_specs TEXT NOT NULL,
                key_name TEXT, config_drive BIGINT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL,
                access_ipv4 TEXT NOT NULL, access_ipv6 TEXT NOT NULL, disk_config TEXT NOT NULL,
                locked_by TEXT, locked_reason TEXT, trusted_certificates TEXT, scheduler_hints TEXT NOT NULL,
                fault_code BIGINT, fault_message TEXT, fault_details TEXT, fault_at BIGINT,
                created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, launched_at BIGINT, terminated_at BIGINT,
                is_deleted BIGINT NOT NULL, key_data TEXT, key_type TEXT, network_tags TEXT NOT NULL,
                guest_password TEXT NOT NULL, image_snapshot TEXT NOT NULL, user_data TEXT
            )
            """,
            "CREATE UNIQUE INDEX servers_number ON servers (number)",
            "CREATE INDEX servers_page ON servers (project_id, is_deleted, created_at, id)",
            "CREATE INDEX servers_all ON servers (is_deleted, created_at, id)",
            "CREATE INDEX servers_host ON servers (host, is_deleted)",
            "CREATE INDEX servers_image ON servers (image_id)",
            "CREATE INDEX servers_flavor ON servers (flavor_id)",
            "CREATE INDEX servers_updated ON servers (updated_at)",
            "CREATE INDEX servers_user ON servers (user_id)",
            "CREATE INDEX servers_reservation ON servers (reservation_id)",
            """
            CREATE TABLE server_tags (
                server_id TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (server_id, tag)
            )
            """,
            "CREATE INDEX server_tags_tag ON server_tags (tag)",
            """
            CREATE TABLE server_actions (
                server_id TEXT NOT NULL, request_id TEXT NOT NULL, action TEXT NOT NULL, user_id TEXT NOT NULL,
                project_id TEXT NOT NULL, started_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, message TEXT,
                PRIMARY KEY (server_id, request_id)
            )
            """,
            "CREATE INDEX server_actions_started ON server_actions (server_id, started_at)",
            """
            CREATE TABLE server_action_events (
                server_id TEXT NOT NULL, request_id TEXT NOT NULL, name TEXT NOT NULL, started_at BIGINT NOT NULL,
                finished_at BIGINT, result TEXT, details TEXT, traceback TEXT, host TEXT,
                PRIMARY KEY (server_id, request_id, name)
            )
            """,
            """
            CREATE TABLE server_groups (
                id TEXT PRIMARY KEY, name TEXT NOT NULL, policy TEXT NOT NULL, maximum_per_host BIGINT,
                project_id TEXT NOT NULL, user_id TEXT NOT NULL, created_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX server_groups_page ON server_groups (project_id, created_at, id)",
            """
            CREATE TABLE server_group_members (
                server_id TEXT PRIMARY KEY, group_id TEXT NOT NULL
            )
            """,
            "CREATE INDEX server_group_members_group ON server_group_members (group_id)",
            """
            CREATE TABLE compute_console_tokens (
                token_hash TEXT PRIMARY KEY, server_id TEXT NOT NULL, kind TEXT NOT NULL, console_type TEXT NOT NULL,
                host TEXT NOT NULL, endpoint TEXT NOT NULL, expires_at BIGINT NOT NULL
            )
            """,
            "CREATE INDEX compute_console_tokens_expiry ON compute_console_tokens (expires_at)",
            "CREATE INDEX compute_console_tokens_server ON compute_console_tokens (server_id)",
        ])
}
