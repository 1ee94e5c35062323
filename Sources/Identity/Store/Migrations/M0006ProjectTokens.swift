// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// A project that is disabled ends its tokens for good.
enum M0006ProjectTokens {
    static let migration = Migration(
        "identity-0006-project-tokens",
        ["ALTER TABLE identity_projects ADD COLUMN tokens_valid_from BIGINT NOT NULL DEFAULT 0"])
}
