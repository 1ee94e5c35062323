// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Options that a domain has of its own. `value` is JSON; a sensitive one is never shown.
enum M0012DomainConfig {
    static let migration = Migration(
        "identity-0012-domain-config",
        [
            """
            CREATE TABLE identity_domain_options (
                domain_id TEXT NOT NULL,
                option_group TEXT NOT NULL,
                option_name TEXT NOT NULL,
                value TEXT NOT NULL,
                sensitive BIGINT NOT NULL,
                PRIMARY KEY (domain_id, option_group, option_name)
            )
            """
        ])
}
