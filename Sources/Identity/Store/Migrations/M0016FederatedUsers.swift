// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Users that an identity provider vouches for. A membership that came with a sign-in ends at its time; the others
/// have none.
enum M0016FederatedUsers {
    static let migration = Migration(
        "identity-0016-federated-users",
        [
            """
            CREATE TABLE identity_federated_users (
                provider_id TEXT NOT NULL,
                protocol_id TEXT NOT NULL,
                unique_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                PRIMARY KEY (provider_id, protocol_id, unique_id)
            )
            """,
            "CREATE INDEX identity_federated_users_user ON identity_federated_users (user_id)",
            "ALTER TABLE identity_group_members ADD COLUMN ends_at BIGINT",
            "CREATE INDEX identity_group_members_end ON identity_group_members (ends_at)",
        ])
}
