// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import NetworkContract
import PolicyKit
import TaskKit

extension ServerEngine {
    /// The rule of each power action.
    private static func policy(of kind: PowerAction.Kind) -> PolicyName {
        switch kind {
        case .start: "os_compute_api:servers:start"
        case .stop: "os_compute_api:servers:stop"
        case .softReboot, .hardReboot: "os_compute_api:servers:reboot"
        case .pause: "os_compute_api:os-pause-server:pause"
        case .unpause: "os_compute_api:os-pause-server:unpause"
        case .suspend: "os_compute_api:os-suspend-server:suspend"
        case .resume: "os_compute_api:os-suspend-server:resume"
        }
    }

    /// Accepts a power action; the host does it later.
    package func power(_ id: ServerID, _ kind: PowerAction.Kind, for context: CallContext) async throws {
        let server = try await server(id, for: context, as: Self.policy(of: kind))
        try Self.checkLock(server, context)
        let run: SagaRunID = parts.ids.next()
        let (stores, sagas, now, request) = (stores, sagas, parts.clock.now(), context.requestID)
        let (user, grace) = (context.principal.userID, Int(parts.config.shutdownGrace.components.seconds))
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else {
                throw Self.notFound(id)
            }
            guard let state = server.state.after(.powerRequested(kind)) else {
                throw Self.invalidState(server, kind.actionName)
            }
            guard let host = server.host else {
                throw CloudError.conflict("Instance \(id) is not ready", kind: "InstanceNotReady")
            }
            guard try stores.servers.move(server, to: state, run: run, at: now, transaction) else {
                throw Self.invalidState(server, kind.actionName)
            }
            try stores.actions.begin(
                id, action: kind.actionName, event: "compute_\(kind.actionName)_instance", request: request,
                user: user, project: server.projectID, at: now, transaction)
            try sagas.start(
                PowerActionSaga.self, id: run,
                ledger: .init(
                    server: id, requestID: request, host: host, kind: kind,
                    graceSeconds: kind == .stop || kind == .softReboot ? grace : 0),
                in: transaction)
        }
    }

    /// An administrator says what is true.
    package func reset(_ id: ServerID, to state: VMState, for context: CallContext) async throws {
        _ = try await server(id, for: context, as: "os_compute_api:os-admin-actions:reset_state")
        let (stores, now, request, user) = (stores, parts.clock.now(), context.requestID, context.principal.userID)
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else {
                throw Self.notFound(id)
            }
            // Without a holder, whatever run was at work finds that it has lost the row.
            guard let next = server.state.after(.reset(state)),
                try stores.servers.move(server, to: next, run: nil, at: now, transaction)
            else { throw Self.invalidState(server, "resetState") }
            if state == .active { try stores.servers.setFault(id, nil, transaction) }
            try stores.actions.begin(
                id, action: "resetState", event: nil, request: request, user: user, project: server.projectID,
                at: now, transaction)
        }
    }

    // MARK: Lock

    package func lock(_ id: ServerID, reason: String?, for context: CallContext) async throws {
        let server = try await server(id, for: context, as: "os_compute_api:os-lock-server:lock")
        let isOwner = server.projectID == context.projectID && !context.isAdmin
        try await setLock(server, by: isOwner ? "owner" : "admin", reason: reason, "lock", context)
    }

    /// What an administrator locked, the owner cannot unlock.
    package func unlock(_ id: ServerID, for context: CallContext) async throws {
        let server = try await server(id, for: context, as: "os_compute_api:os-lock-server:unlock")
        if server.lockedBy == "admin", !context.isAdmin {
            try context.authorize(Self.target(server), as: "os_compute_api:os-lock-server:unlock:unlock_override")
        }
        try await setLock(server, by: nil, reason: nil, "unlock", context)
    }

    private func setLock(
        _ server: Server, by holder: String?, reason: String?, _ action: String, _ context: CallContext
    ) async throws {
        let (stores, now, request, user) = (stores, parts.clock.now(), context.requestID, context.principal.userID)
        try await parts.database.write { transaction in
            try stores.servers.setLock(server.id, by: holder, reason: reason, transaction)
            try stores.actions.begin(
                server.id, action: action, event: nil, request: request, user: user, project: server.projectID,
                at: now, transaction)
        }
    }

    // MARK: Security groups

    /// By name or id. A group that does not exist is `.notFound` here, as nova has it.
    package func setSecurityGroup(
        _ id: ServerID, _ name: String, isMember: Bool, for context: CallContext
    ) async throws {
        let policy: PolicyName =
            isMember ? "os_compute_api:os-security-groups:add" : "os_compute_api:os-security-groups:remove"
        let server = try await server(id, for: context, as: policy)
        let group: [SecurityGroupID]
        do {
            group = try await parts.networks.securityGroups(named: [name], for: context.principal)
        } catch let error as CloudError where error.kind == "SecurityGroupNotFound" {
            throw CloudError.notFound(error.message, kind: error.kind)
        } catch let error as CloudError where error.kind == "NoUniqueMatch" {
            throw CloudError.conflict(error.message, kind: error.kind)
        }
        try await parts.networks.setSecurityGroup(
            group[0], isMember: isMember, ofServer: server.id.rawValue, in: server.projectID)
    }

    // MARK: Console

    package func consoleOutput(_ id: ServerID, lines: Int?, for context: CallContext) async throws -> String {
        let server = try await server(id, for: context, as: "os_compute_api:os-console-output")
        guard let host = server.host, server.state.vm != .building else {
            throw CloudError.conflict("Instance \(id) is not ready", kind: "InstanceNotReady")
        }
        return try await parts.call(host, ConsoleOutput(server: id, lines: lines), timeout: .seconds(30)).output
    }

    // MARK: Metadata and tags

    /// Where metadata and tags may change (nova: compute/api.py).
    private static let editableStates: Set<VMState> = [.active, .paused, .suspended, .stopped]

    private func edit<T: Sendable>(
        _ id: ServerID, _ context: CallContext, _ action: String,
        _ body: @escaping @Sendable (Server, any Transaction) throws -> T
    ) async throws -> T {
        let server = try await server(id, for: context)
        try Self.checkLock(server, context)
        let stores = stores
        return try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else {
                throw Self.notFound(id)
            }
            guard Self.editableStates.contains(server.state.vm) else { throw Self.invalidState(server, action) }
            return try body(server, transaction)
        }
    }

    /// `change` says what the metadata becomes. Returns it.
    package func editMetadata(
        _ id: ServerID, for context: CallContext,
        _ change: @escaping @Sendable (inout [String: String]) throws -> Void
    ) async throws -> [String: String] {
        let (stores, quotas, now) = (stores, parts.quotas, parts.clock.now())
        return try await edit(id, context, "update_instance_metadata") { server, transaction in
            let old = try StoredMap.read(server.metadata)
            var metadata = old
            try change(&metadata)
            let limit = try quotas.limit("metadata_items", of: server.projectID, transaction)
            guard limit < 0 || metadata.count <= max(limit, old.count) else {
                throw CloudError(
                    .overQuota, "Maximum number of metadata items exceeds \(limit)", kind: "MetadataLimitExceeded")
            }
            try stores.servers.setMetadata(id, metadata, at: now, transaction)
            return metadata
        }
    }

    package static let maximumTags = 50

    /// `change` says what the tags become. Returns them.
    package func editTags(
        _ id: ServerID, for context: CallContext, _ change: @escaping @Sendable (inout [String]) throws -> Void
    ) async throws -> [String] {
        let (stores, now) = (stores, parts.clock.now())
        return try await edit(id, context, "update_tags") { server, transaction in
            var tags = try Self.tags(of: server)
            try change(&tags)
            guard tags.count <= Self.maximumTags else {
                throw CloudError.badRequest("The number of tags exceeded the per-server limit \(Self.maximumTags)")
            }
            try stores.servers.setTags(id, tags, at: now, transaction)
            return tags
        }
    }

    package static func tags(of server: Server) throws -> [String] {
        try JSONReader.read(server.tags).array?.compactMap(\.string) ?? []
    }

    package static func metadata(of server: Server) throws -> [String: String] { try StoredMap.read(server.metadata) }

    // MARK: Timeline

    package func actions(
        of id: ServerID, since: Timestamp?, before: Timestamp?, marker: String?, limit: Int, for context: CallContext
    ) async throws -> [ServerAction] {
        if let since, let before, before < since {
            throw CloudError.badRequest("The value of changes-since must be less than or equal to changes-before.")
        }
        // Deleted servers keep their timeline (nova 2.21).
        let server = try await server(id, for: context, includesDeleted: context.microversion >= Microversion(2, 21))
        let stores = stores
        return try await parts.database.read {
            try stores.actions.list(server.id, since: since, before: before, marker: marker, limit: limit, $0)
        }
    }

    package func action(
        of id: ServerID, _ request: String, for context: CallContext
    ) async throws -> (Server, ServerAction) {
        let server = try await server(id, for: context, includesDeleted: context.microversion >= Microversion(2, 21))
        let stores = stores
        guard let action = try await parts.database.read({ try stores.actions.action(server.id, request, $0) }) else {
            throw CloudError.notFound("Action \(request.prefix(64)) not found")
        }
        return (server, action)
    }

    package func clearPassword(_ id: ServerID, for context: CallContext) async throws {
        let server = try await server(id, for: context)
        let stores = stores
        try await parts.database.write { try stores.servers.setGuestPassword(server.id, "", $0) }
    }
}
