// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Identity, in order.
package enum IdentityMigrations {
    package static let all: [Migration] = [
        M0001Identity.migration, M0002Catalog.migration, M0003Credentials.migration,
        M0004Tokens.migration, M0005Limits.migration, M0006ProjectTokens.migration,
        M0007EC2Credentials.migration,
        M0008Trusts.migration, M0009Passwords.migration, M0010EndpointFilters.migration, M0011OAuth1.migration,
        M0012DomainConfig.migration, M0013Federation.migration, M0014Directories.migration, M0015Activity.migration,
        M0016FederatedUsers.migration, M0017ListIndexes.migration, M0018SealedCredentials.migration,
    ]
}
