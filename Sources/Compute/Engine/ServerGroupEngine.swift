// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PolicyKit

package struct ServerGroupEngine: Sendable {
    private let parts: ComputeParts

    package init(_ parts: ComputeParts) { self.parts = parts }

    package func list(
        allProjects: Bool, offset: Int, limit: Int, for context: CallContext
    ) async throws -> [ServerGroup] {
        context.authorizeListing()
        let (stores, project) = (parts.stores, allProjects ? nil : try context.requireProject())
        return try await parts.database.read {
            try stores.groups.list(of: project, offset: offset, limit: limit, $0)
        }
    }

    package func group(_ id: ServerGroupID, for context: CallContext) async throws -> ServerGroup {
        let stores = parts.stores
        guard let group = try await parts.database.read({ try stores.groups.group(id, $0) }),
            context.sees(group.projectID)
        else { throw Self.notFound(id) }
        try context.authorize(PolicyTarget(project: group.projectID))
        return group
    }

    private static func notFound(_ id: ServerGroupID) -> CloudError {
        .notFound("Instance group \(id.rawValue.prefix(64)) could not be found.", kind: "InstanceGroupNotFound")
    }

    package func create(
        name: String, policy: ServerGroup.Policy, maximumPerHost: Int?, for context: CallContext
    ) async throws -> ServerGroup {
        let project = try context.requireProject()
        let group = ServerGroup(
            id: parts.ids.next(), name: name, policy: policy, maximumPerHost: maximumPerHost, projectID: project,
            userID: context.principal.userID, members: [])
        let (parts, stores, quotas, now) = (parts, parts.stores, parts.quotas, parts.clock.now())
        let tooMany = CloudError(
            .overQuota, "Quota exceeded, too many server groups.", kind: "ServerGroupLimitExceeded")
        try await parts.database.write { transaction in
            try quotas.check(project, ["server_groups": 1], transaction) { _ in
                tooMany
            } usage: { _ in
                try stores.groups.count(of: project, transaction)
            }
            try parts.checkUserQuota(group.userID, in: project, ["server_groups": 1], transaction) { _ in
                tooMany
            } usage: { _ in
                try stores.groups.count(of: project, user: group.userID, transaction)
            }
            try stores.groups.insert(group, at: now, transaction)
        }
        return group
    }

    package func delete(_ id: ServerGroupID, for context: CallContext) async throws {
        let group = try await group(id, for: context)
        let stores = parts.stores
        try await parts.database.write { try stores.groups.delete(group.id, $0) }
    }
}
