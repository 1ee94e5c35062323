// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// What credentials hold is sealed. Rows of before stay readable until the keeper has sealed them.
enum M0018SealedCredentials {
    static let migration = Migration(
        "identity-0018-sealed-credentials",
        [
            "ALTER TABLE identity_credentials ADD COLUMN is_sealed BIGINT NOT NULL DEFAULT 0",
            "CREATE INDEX identity_credentials_plain ON identity_credentials (id) WHERE is_sealed = 0",
        ])
}
