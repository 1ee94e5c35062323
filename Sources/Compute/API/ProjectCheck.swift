// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// Whether a project that a request names is one (nova: identity.py, `verify_project_id`).
struct ProjectCheck: Sendable {
    let identity: any IdentityService

    func require(_ project: ProjectID) async throws {
        guard try await identity.projectExists(project) else {
            throw CloudError.badRequest("Project ID \(project.rawValue.prefix(64)) is not a valid project.")
        }
    }
}
