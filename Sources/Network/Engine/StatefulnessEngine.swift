// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// What new security groups are when their makers do not say: set by a project's managers, and by administrators for
/// all.
package struct StatefulnessEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    private static let sight: PolicyName = "get_security_groups_default_statefulness"

    private static func target(_ project: ProjectID?) -> PolicyTarget {
        project.map { PolicyTarget(project: $0) } ?? [:]
    }

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [DefaultStatefulness] {
        let viewer = context.viewer(Self.sight)
        return try await environment.read { try StatefulnessStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: StatefulnessID, for context: CallContext) async throws -> DefaultStatefulness {
        guard let setting = try await environment.read({ try StatefulnessStore.find(id, $0) }) else {
            throw NetworkFault.statefulnessNotFound(id)
        }
        try context.authorizeSight(
            Self.sight, Self.target(setting.project), missing: NetworkFault.statefulnessNotFound(id))
        return setting
    }

    /// `project` nil: all projects without a setting of their own.
    package func create(_ project: ProjectID?, isStateful: Bool, for context: CallContext) async throws
        -> DefaultStatefulness
    {
        if let project { _ = try context.projectForNew(project) }
        try context.authorizeCreation("create_security_groups_default_statefulness", Self.target(project))
        try check(isStateful)
        return try await environment.write { change in
            guard try StatefulnessStore.find(of: project, change.transaction) == nil else {
                throw CloudError.conflict(
                    "A security group default statefulness setting already exists for project "
                        + "'\(project?.rawValue ?? "system-wide")'.",
                    kind: "SecurityGroupDefaultStatefulnessAlreadyExists")
            }
            let setting = DefaultStatefulness(id: change.newID(), project: project, isStateful: isStateful)
            try StatefulnessStore.insert(setting, change.transaction)
            return setting
        }
    }

    private func check(_ isStateful: Bool) throws {
        guard isStateful || environment.driver.capabilities.hasStatelessGroups else {
            throw NetworkFault.invalidInput("The data plane has no stateless security groups")
        }
    }

    package func update(_ id: StatefulnessID, isStateful: Bool?, for context: CallContext) async throws
        -> DefaultStatefulness
    {
        if let isStateful { try check(isStateful) }
        return try await environment.write { change in
            var setting = try Self.authorized(
                id, "update_security_groups_default_statefulness", for: context, change)
            setting.isStateful = isStateful ?? setting.isStateful
            try StatefulnessStore.update(setting, change.transaction)
            return setting
        }
    }

    private static func authorized(
        _ id: StatefulnessID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> DefaultStatefulness {
        guard let setting = try StatefulnessStore.find(id, change.transaction) else {
            throw NetworkFault.statefulnessNotFound(id)
        }
        try context.authorizeChange(
            rule, seenBy: sight, target(setting.project), missing: NetworkFault.statefulnessNotFound(id))
        return setting
    }

    package func delete(_ id: StatefulnessID, for context: CallContext) async throws {
        try await environment.write { change in
            _ = try Self.authorized(id, "delete_security_groups_default_statefulness", for: context, change)
            try StatefulnessStore.delete(id, change.transaction)
        }
    }
}
