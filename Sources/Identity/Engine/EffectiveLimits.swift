// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// For the services of this process, which ask what their own projects may have.
extension LimitEngine {
    /// By name of the resource, for services of one type: the project's own limit, else the registered default
    /// (oslo.limit: flat enforcement). Limits of all regions come before those of one.
    package func effective(forServicesOf type: String, project: ProjectID) async throws -> [String: Int] {
        try await database.read { tx in
            var limits: [String: Int] = [:]
            try tx.forEach(
                """
                SELECT resource_name, default_limit FROM identity_registered_limits
                  JOIN identity_services ON identity_services.id = service_id
                 WHERE type = \(type) ORDER BY region_id DESC
                """
            ) { limits[$0.text(0)] = $0.int(1) }
            try tx.forEach(
                """
                SELECT resource_name, resource_limit FROM identity_limits
                  JOIN identity_services ON identity_services.id = service_id
                 WHERE type = \(type) AND owner_kind = 'project' AND owner_id = \(project) ORDER BY region_id DESC
                """
            ) { limits[$0.text(0)] = $0.int(1) }
            return limits
        }
    }
}
