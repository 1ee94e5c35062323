// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

package struct RoleEngine: Sendable {
    /// One rule for roles of the cloud, another for those of a domain.
    package struct Rules: Sendable {
        package let role: PolicyName
        package let domainRole: PolicyName
        package init(role: PolicyName, domainRole: PolicyName) {
            self.role = role
            self.domainRole = domainRole
        }
    }

    /// keystone: `[assignment] prohibited_implied_role`.
    private static let neverImplied: Set<String> = ["admin"]

    let database: IdentityDatabase
    let ids: IDSource
    private let roles = RoleStore()
    private let projects = ProjectStore()

    init(database: IdentityDatabase, ids: IDSource) {
        self.database = database
        self.ids = ids
    }

    package func list(domain: DomainID?, name: String?, _ rules: Rules, for context: CallContext) async throws -> [Role]
    {
        try context.authorize(.listing(context), as: domain == nil ? rules.role : rules.domainRole)
        return try await database.read { try roles.list(domain: domain, name: name, $0) }
    }

    package func show(_ id: RoleID, _ rules: Rules, for context: CallContext) async throws -> Role {
        try await database.read { try load(id, rules, for: context, $0) }
    }

    package func create(_ draft: RoleDraft, _ rules: Rules, for context: CallContext) async throws -> Role {
        try context.authorize([:], as: draft.domainID == nil ? rules.role : rules.domainRole)
        return try await make(draft, id: ids.nextHex())
    }

    func make(_ draft: RoleDraft, id: RoleID) async throws -> Role {
        try draft.extras.checkSize()
        let role = Role(
            id: id, domainID: draft.domainID, name: draft.name, description: draft.description, options: draft.options,
            extras: draft.extras)
        return try await database.write("role") { tx in
            if let domain = role.domainID, try projects.findDomain(domain, tx) == nil {
                throw IdentityError.notFound("domain", domain.rawValue)
            }
            guard try roles.find(named: role.name, in: role.domainID, tx) == nil else {
                throw IdentityError.duplicate("role", "name", role.name)
            }
            try roles.insert(role, tx)
            return role
        }
    }

    package func update(_ id: RoleID, _ change: RoleChange, _ rules: Rules, for context: CallContext) async throws
        -> Role
    {
        try await database.write("role") { tx in
            var role = try load(id, rules, for: context, tx)
            if role.options.isImmutable {
                guard change.touchesOptionsOnly, change.options?["immutable"] != nil else {
                    throw IdentityError.immutable("role", id.rawValue)
                }
            }
            if let name = change.name, name != role.name {
                if let other = try roles.find(named: name, in: role.domainID, tx), other.id != id {
                    throw IdentityError.duplicate("role", "name", name)
                }
                role.name = name
            }
            if let description = change.description { role.description = description }
            if let options = change.options { role.options = role.options.changed(by: options) }
            role.extras.merge(change.extras)
            try role.extras.checkSize()
            try roles.update(role, tx)
            return role
        }
    }

    package func delete(_ id: RoleID, _ rules: Rules, for context: CallContext) async throws {
        try await database.write("role") { tx in
            let role = try load(id, rules, for: context, tx)
            guard !role.options.isImmutable else { throw IdentityError.immutable("role", id.rawValue, deletes: true) }
            try roles.delete(id, tx)
        }
    }

    private func load(_ id: RoleID, _ rules: Rules, for context: CallContext, _ tx: any Transaction) throws -> Role {
        let role = try roles.find(id, tx)
        try context.authorize(.role(role), as: role?.domainID == nil ? rules.role : rules.domainRole)
        guard let role else { throw IdentityError.notFound("role", id.rawValue) }
        return role
    }

    // MARK: Implications

    package struct Inference: Sendable {
        package var prior: Role
        package var implied: [Role]
    }

    package func inferences(for context: CallContext) async throws -> [Inference] {
        try context.authorize([:])
        return try await database.read { tx in
            let all = try roles.all(tx)
            var order: [RoleID] = []
            var implied: [RoleID: [Role]] = [:]
            for pair in try roles.implications(tx) {
                guard let role = all[pair.implied] else { continue }
                if implied[pair.prior] == nil { order.append(pair.prior) }
                implied[pair.prior, default: []].append(role)
            }
            return order.compactMap { id in all[id].map { Inference(prior: $0, implied: implied[id] ?? []) } }
        }
    }

    package func implied(by prior: RoleID, for context: CallContext) async throws -> Inference {
        try context.authorize([:])
        return try await database.read { tx in
            let role = try existing(prior, tx)
            let implied = try roles.graph(tx).directlyImplied(by: prior).compactMap { try roles.find($0, tx) }
            return Inference(prior: role, implied: implied)
        }
    }

    package func implication(of implied: RoleID, by prior: RoleID, for context: CallContext) async throws -> Inference {
        try context.authorize([:])
        return try await database.read { tx in
            let (priorRole, impliedRole) = (try existing(prior, tx), try existing(implied, tx))
            guard try roles.graph(tx).directlyImplied(by: prior).contains(implied) else {
                throw CloudError.notFound("\(prior) does not imply \(implied).")
            }
            return Inference(prior: priorRole, implied: [impliedRole])
        }
    }

    package func addImplication(of implied: RoleID, by prior: RoleID, for context: CallContext) async throws
        -> Inference
    {
        try context.authorize([:])
        return try await database.write("implied_role") { tx in
            let (priorRole, impliedRole) = (try existing(prior, tx), try existing(implied, tx))
            // A role of the cloud stands above those of a domain.
            let isFromCloudToDomain = priorRole.domainID == nil && impliedRole.domainID != nil
            guard !isFromCloudToDomain, !Self.neverImplied.contains(impliedRole.name.nameKey) else {
                throw CloudError.forbidden("\(implied) cannot be an implied roles.")
            }
            guard try !roles.graph(tx).directlyImplied(by: prior).contains(implied) else {
                throw CloudError.conflict("Conflict occurred attempting to store implied_role - Duplicate entry.")
            }
            try roles.addImplication(prior, implied, tx)
            return Inference(prior: priorRole, implied: [impliedRole])
        }
    }

    package func removeImplication(of implied: RoleID, by prior: RoleID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("implied_role") { tx in
            _ = (try existing(prior, tx), try existing(implied, tx))
            guard try roles.removeImplication(prior, implied, tx) else {
                throw CloudError.notFound("\(prior) does not imply \(implied).")
            }
        }
    }

    private func existing(_ id: RoleID, _ tx: any Transaction) throws -> Role {
        guard let role = try roles.find(id, tx) else { throw IdentityError.notFound("role", id.rawValue) }
        return role
    }
}
