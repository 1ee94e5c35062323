// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Protocols that routers look into.
package struct ConntrackHelperEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    package func list(_ query: ListQuery, of id: RouterID, for context: CallContext) async throws
        -> [ConntrackHelper]
    {
        let found = try await environment.read { transaction -> (Router, [ConntrackHelper])? in
            guard let router = try RouterStore.find(id, transaction) else { return nil }
            return (router, try ConntrackHelperStore.list(query, of: id, transaction))
        }
        guard let (router, helpers) = found else { throw NetworkFault.routerNotFound(id) }
        try context.authorizeSight(
            "get_router_conntrack_helper", PolicyTarget(parentOwner: router.project),
            missing: NetworkFault.routerNotFound(id))
        return helpers
    }

    package func get(_ id: ConntrackHelperID, of parent: RouterID, for context: CallContext) async throws
        -> ConntrackHelper
    {
        let (helper, router) = try await environment.read { try Self.find(id, of: parent, $0) }
        try context.authorizeSight(
            "get_router_conntrack_helper", PolicyTarget(parentOwner: router.project),
            missing: NetworkFault.conntrackHelperNotFound(id))
        return helper
    }

    private static func find(_ id: ConntrackHelperID, of parent: RouterID, _ transaction: any Transaction) throws
        -> (ConntrackHelper, Router)
    {
        guard let router = try RouterStore.find(parent, transaction) else { throw NetworkFault.routerNotFound(parent) }
        guard let helper = try ConntrackHelperStore.find(id, transaction), helper.router == parent else {
            throw NetworkFault.conntrackHelperNotFound(id)
        }
        return (helper, router)
    }

    package func create(_ drafts: [ConntrackHelperDraft], of id: RouterID, for context: CallContext) async throws
        -> [ConntrackHelper]
    {
        try await environment.write { change in
            guard let router = try RouterStore.find(id, change.transaction) else {
                throw NetworkFault.routerNotFound(id)
            }
            try context.authorizeChange(
                "create_router_conntrack_helper", seenBy: "get_router_conntrack_helper",
                PolicyTarget(parentOwner: router.project), missing: NetworkFault.routerNotFound(id))
            return try drafts.map { draft in
                let helper = ConntrackHelper(
                    id: change.newID(), router: id, helper: draft.helper ?? "",
                    protocolName: draft.protocolName ?? "", port: draft.port ?? 0, createdAt: change.now)
                try Self.check(helper, change)
                try ConntrackHelperStore.insert(helper, change.transaction)
                change.mark(.router(id))
                return helper
            }
        }
    }

    package func update(
        _ id: ConntrackHelperID, _ draft: ConntrackHelperDraft, of parent: RouterID, for context: CallContext
    ) async throws -> ConntrackHelper {
        try await environment.write { change in
            var helper = try Self.authorized(id, of: parent, "update_router_conntrack_helper", for: context, change)
            helper.helper = draft.helper ?? helper.helper
            helper.protocolName = draft.protocolName ?? helper.protocolName
            helper.port = draft.port ?? helper.port
            try Self.check(helper, change)
            try ConntrackHelperStore.update(helper, change.transaction)
            change.mark(.router(parent))
            return helper
        }
    }

    package func delete(_ id: ConntrackHelperID, of parent: RouterID, for context: CallContext) async throws {
        try await environment.write { change in
            _ = try Self.authorized(id, of: parent, "delete_router_conntrack_helper", for: context, change)
            try ConntrackHelperStore.delete(id, change.transaction)
            change.mark(.router(parent))
        }
    }

    private static func authorized(
        _ id: ConntrackHelperID, of parent: RouterID, _ rule: PolicyName, for context: CallContext,
        _ change: NetworkChange
    ) throws -> ConntrackHelper {
        let (helper, router) = try find(id, of: parent, change.transaction)
        try context.authorizeChange(
            rule, seenBy: "get_router_conntrack_helper", PolicyTarget(parentOwner: router.project),
            missing: NetworkFault.conntrackHelperNotFound(id))
        return helper
    }

    private static func check(_ helper: ConntrackHelper, _ change: NetworkChange) throws {
        guard let protocols = ConntrackHelper.known[helper.helper] else {
            throw CloudError.badRequest(
                "Conntrack Helper \(helper.helper) is not allowed.", kind: "ConntrackHelperNotAllowed")
        }
        guard protocols.contains(helper.protocolName) else {
            throw CloudError.badRequest(
                "Conntrack Helper \(helper.helper) does not support: \(helper.protocolName). Supported protocols are: "
                    + protocols.sorted().joined(separator: ", "), kind: "InvalidProtocolForHelper")
        }
        let others = try ConntrackHelperStore.all(of: [helper.router], change.transaction)[helper.router] ?? []
        let isTaken = others.contains {
            $0.id != helper.id && $0.protocolName == helper.protocolName && $0.port == helper.port
        }
        guard !isTaken else {
            throw NetworkFault.badRequest(
                "conntrack_helper",
                "A duplicate conntrack helper entry with same attributes already exists, conflicting values are "
                    + "protocol \(helper.protocolName), port \(helper.port)")
        }
    }
}
