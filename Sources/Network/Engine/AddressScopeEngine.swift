// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Address scopes: made, listed, changed and removed.
package struct AddressScopeEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [AddressScope] {
        let viewer = context.viewer("get_address_scope")
        return try await environment.read { try AddressScopeStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: AddressScopeID, for context: CallContext) async throws -> AddressScope {
        let scope = try await environment.read { try AddressScopeStore.find(id, for: context.projectID, $0) }
        guard let scope else { throw NetworkFault.addressScopeNotFound(id) }
        try context.authorizeSight(
            "get_address_scope", PolicyTarget(scope), missing: NetworkFault.addressScopeNotFound(id))
        return scope
    }

    package func create(_ drafts: [AddressScopeDraft], for context: CallContext) async throws -> [AddressScope] {
        try await environment.write { change in
            try drafts.map { draft in
                let project = try context.projectForNew(draft.project)
                let target = PolicyTarget(project: project)
                try context.authorizeCreation("create_address_scope", target)
                try context.authorizeAttributes("create_address_scope", draft.given, target)
                let scope = AddressScope(
                    id: change.newID(), project: project, name: draft.name ?? "", ipVersion: draft.ipVersion ?? 4,
                    isShared: draft.isShared ?? false)
                try AddressScopeStore.insert(scope, change.transaction)
                if scope.isShared { try RBACEngine.share(scope.id.rawValue, .addressScope, owner: project, change) }
                return scope
            }
        }
    }

    private static func authorized(
        _ id: AddressScopeID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> AddressScope {
        guard let scope = try AddressScopeStore.find(id, for: context.projectID, change.transaction) else {
            throw NetworkFault.addressScopeNotFound(id)
        }
        try context.authorizeChange(
            rule, seenBy: "get_address_scope", PolicyTarget(scope), missing: NetworkFault.addressScopeNotFound(id))
        return scope
    }

    package func update(_ id: AddressScopeID, _ draft: AddressScopeDraft, for context: CallContext) async throws
        -> AddressScope
    {
        try await environment.write { change in
            var scope = try Self.authorized(id, "update_address_scope", for: context, change)
            try context.authorizeAttributes("update_address_scope", draft.given, PolicyTarget(scope))
            scope.name = draft.name ?? scope.name
            if let isShared = draft.isShared, isShared != scope.isShared {
                // neutron: what others may build on is not taken from them.
                guard isShared else {
                    throw CloudError.badRequest(
                        "Unable to update address scope \(id) : Shared address scope can't be unshared.",
                        kind: "AddressScopeUpdateError")
                }
                try RBACEngine.share(id.rawValue, .addressScope, owner: scope.project, change)
                scope.isShared = true
            }
            try AddressScopeStore.update(scope, change.transaction)
            return scope
        }
    }

    package func delete(_ id: AddressScopeID, for context: CallContext) async throws {
        try await environment.write { change in
            _ = try Self.authorized(id, "delete_address_scope", for: context, change)
            guard try SubnetPoolStore.all(where: "b.address_scope = \(id)", change.transaction).isEmpty else {
                throw CloudError.conflict(
                    "Unable to complete operation on address scope \(id). There are one or more subnet "
                        + "pools in use on the "
                        + "address scope.", kind: "AddressScopeInUse")
            }
            try AddressScopeStore.delete(id, change.transaction)
        }
    }
}
