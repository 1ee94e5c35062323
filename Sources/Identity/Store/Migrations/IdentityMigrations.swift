// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Identity, in order.
package enum IdentityMigrations {
    package static let all: [Migration] = [
        m0001Identity, m0002Catalog, m0003Credentials, m0004Tokens, m0005Limits,
    ]
}
