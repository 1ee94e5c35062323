// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What other services ask of Identity.
package protocol IdentityService: Sendable {
    /// Who holds `token`. Throws `.unauthorized` for one that is unknown, expired or revoked: revocation counts
    /// with the next request. Costs microseconds for a token seen before.
    func authenticate(token: String) async throws -> Principal

    /// Whether the project exists (enabled or not); quotas and RBAC entries refer to it.
    func projectExists(_ id: ProjectID) async throws -> Bool

    /// Names for display, such as server owners on an operator's list. Unknown ids are left out.
    func projectNames(_ ids: [ProjectID]) async throws -> [ProjectID: String]
}
