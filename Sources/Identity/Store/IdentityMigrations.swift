// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Identity, in order.
package enum IdentityMigrations {
    package static let all: [Migration] = [
        M0001Identity.migration, M0002Catalog.migration, M0003Credentials.migration,
        M0004Tokens.migration, M0005Limits.migration, M0006ProjectTokens.migration,
        M0007EC2Credentials.migration,
    ]
}
