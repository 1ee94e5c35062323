// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Orders to write down traffic. The hosts write; this says which groups.
package struct NetworkLogEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [NetworkLog] {
        let viewer = context.viewer("get_log")
        return try await environment.read { try NetworkLogStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: NetworkLogID, for context: CallContext) async throws -> NetworkLog {
        guard let log = try await environment.read({ try NetworkLogStore.find(id, $0) }) else {
            throw NetworkFault.logNotFound(id)
        }
        try context.authorizeSight("get_log", PolicyTarget(project: log.project), missing: NetworkFault.logNotFound(id))
        return log
    }

    /// Kinds of objects whose traffic can be written down; empty for those who may see none.
    package func resourceTypes(for context: CallContext) -> [String] {
        context.authorizeListing()
        return context.allows("get_loggable_resource", [:]) ? [NetworkLog.resourceType] : []
    }

    // MARK: Change

    package func create(_ drafts: [NetworkLogDraft], for context: CallContext) async throws -> [NetworkLog] {
        try await environment.write { change in
            try drafts.map { draft in
                let project = try context.projectForNew(draft.project)
                try context.authorizeCreation("create_log", PolicyTarget(project: project))
                try Self.check(draft, for: context, change)
                let log = NetworkLog(
                    id: change.newID(), project: project, name: draft.name ?? "", group: draft.group, port: draft.port,
                    event: draft.event ?? .all, isEnabled: draft.isEnabled ?? true,
                    standard: change.standard(draft.description, nil))
                try NetworkLogStore.insert(log, change.transaction)
                try Self.markGroups(of: log, change)
                return log
            }
        }
    }

    private static func check(_ draft: NetworkLogDraft, for context: CallContext, _ change: NetworkChange) throws {
        guard draft.resourceType == NetworkLog.resourceType else {
            throw CloudError.badRequest(
                "Invalid input for operation: Invalid log resource_type: \(draft.resourceType?.prefix(64) ?? "").",
                kind: "InvalidLogResourceType")
        }
        if let group = draft.group, try SecurityGroupStore.find(group, for: nil, change.transaction) == nil {
            throw CloudError.notFound("Resource \(group) could not be found.", kind: "ResourceNotFound")
        }
        guard let id = draft.port else { return }
        guard let port = try PortStore.find(id, change.transaction) else {
            throw CloudError.notFound("Target resource \(id) could not be found.", kind: "TargetResourceNotFound")
        }
        guard let group = draft.group, try !port.groups.contains(group) else { return }
        throw CloudError.badRequest(
            "Invalid input for operation: Invalid resource constraint between resource (security_group \(group)) and "
                + "target resource (port \(id)).", kind: "InvalidResourceConstraint")
    }

    package func update(_ id: NetworkLogID, _ draft: NetworkLogDraft, ifMatch: Int? = nil, for context: CallContext)
        async throws -> NetworkLog
    {
        try await environment.write { change in
            var log = try Self.authorized(id, "update_log", for: context, change)
            try log.standard.check(ifMatch)
            let wasEnabled = log.isEnabled
            log.name = draft.name ?? log.name
            log.isEnabled = draft.isEnabled ?? log.isEnabled
            log.standard.apply(description: draft.description)
            log.standard.touch(change)
            try NetworkLogStore.update(log, change.transaction)
            if log.isEnabled != wasEnabled { try Self.markGroups(of: log, change) }
            return log
        }
    }

    package func delete(_ id: NetworkLogID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let log = try Self.authorized(id, "delete_log", for: context, change)
            try log.standard.check(ifMatch)
            try NetworkLogStore.delete(id, change.transaction)
            try Self.markGroups(of: log, change)
        }
    }

    private static func authorized(
        _ id: NetworkLogID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> NetworkLog {
        guard let log = try NetworkLogStore.find(id, change.transaction) else { throw NetworkFault.logNotFound(id) }
        try context.authorizeChange(
            rule, seenBy: "get_log", PolicyTarget(project: log.project), missing: NetworkFault.logNotFound(id))
        return log
    }

    // MARK: Data plane

    private static func markGroups(of log: NetworkLog, _ change: NetworkChange) throws {
        if let group = log.group { return change.mark(.securityGroup(group)) }
        if let port = log.port {
            for group in try PortStore.find(port, change.transaction)?.groups ?? [] {
                change.mark(.securityGroup(group))
            }
            return
        }
        for group in try SecurityGroupStore.all(change.transaction) { change.mark(.securityGroup(group)) }
    }

    /// The port has other groups now, or none: what is written down of them may change.
    static func portChanged(_ port: Port, from old: Port?, _ change: NetworkChange) throws {
        guard port.groupsJSON != old?.groupsJSON, try NetworkLogStore.names(port.id, change.transaction) else { return }
        for group in try (old?.groups ?? []) + port.groups { change.mark(.securityGroup(group)) }
    }

    /// Orders about the port go with it.
    static func portRemoved(_ port: Port, _ change: NetworkChange) throws {
        guard try NetworkLogStore.names(port.id, change.transaction) else { return }
        try NetworkLogStore.delete(about: port.id.rawValue, change.transaction)
        for group in try port.groups { change.mark(.securityGroup(group)) }
    }
}
