// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

package struct GroupEngine: Sendable {
    let database: IdentityDatabase
    let ids: IDSource
    private let groups = GroupStore()
    private let users = UserStore()
    private let projects = ProjectStore()
    private let assignments = AssignmentStore()
    private let configs = DomainConfigStore()

    init(database: IdentityDatabase, ids: IDSource) {
        self.database = database
        self.ids = ids
    }

    package func list(
        domain: DomainID?, name: String?, _ range: ListRange, for context: CallContext
    ) async throws -> ListPart<Group> {
        try context.authorize(.listing(context))
        let own = context.principal.domainID
        if let own, let domain, own != domain { return ListPart() }
        return try await database.read { try groups.list(domain: domain ?? own, name: name, range, $0) }
    }

    package func show(_ id: GroupID, for context: CallContext) async throws -> Group {
        try await database.read { try load(id, for: context, $0) }
    }

    package func create(_ draft: GroupDraft, for context: CallContext) async throws -> Group {
        try context.authorize(["target.group.domain_id": draft.domainID.rawValue])
        try draft.extras.checkSize()
        let group = Group(
            id: ids.nextHex(), domainID: draft.domainID, name: draft.name, description: draft.description,
            extras: draft.extras)
        return try await database.write("group") { tx in
            guard try projects.findDomain(group.domainID, tx) != nil else {
                throw IdentityError.notFound("domain", group.domainID.rawValue)
            }
            guard try !configs.hasDirectory(group.domainID, tx) else { throw IdentityError.readOnlyDirectory }
            guard try groups.list(domain: group.domainID, name: group.name, tx).isEmpty else {
                throw IdentityError.duplicate("group", "name", group.name)
            }
            try groups.insert(group, tx)
            return group
        }
    }

    package func update(_ id: GroupID, _ change: GroupChange, for context: CallContext) async throws -> Group {
        try await database.write("group") { tx in
            var group = try load(id, for: context, tx)
            guard group.directoryID == nil else { throw IdentityError.readOnlyDirectory }
            if let name = change.name, name != group.name {
                guard try groups.list(domain: group.domainID, name: name, tx).allSatisfy({ $0.id == id }) else {
                    throw IdentityError.duplicate("group", "name", name)
                }
                group.name = name
            }
            group.description = change.description ?? group.description
            group.extras.merge(change.extras)
            try group.extras.checkSize()
            try groups.update(group, tx)
            return group
        }
    }

    package func delete(_ id: GroupID, for context: CallContext) async throws {
        try await database.write("group") { tx in
            let group = try load(id, for: context, tx)
            guard group.directoryID == nil else { throw IdentityError.readOnlyDirectory }
            try remove(id, tx)
        }
    }

    func remove(_ id: GroupID, _ tx: any Transaction) throws {
        try assignments.deleteAll(of: .group(id), tx)
        try groups.delete(id, tx)
    }

    // MARK: Members

    package func members(of id: GroupID, for context: CallContext) async throws -> [User] {
        try await database.read { tx in
            _ = try load(id, for: context, tx)
            return try users.members(of: id, tx)
        }
    }

    package func addMember(_ user: UserID, to id: GroupID, for context: CallContext) async throws {
        try await database.write("group membership") { tx in
            try loadBoth(id, user, for: context, tx)
            try checkOwn(id, tx)
            try groups.addMember(user, to: id, tx)
        }
    }

    package func checkMember(_ user: UserID, of id: GroupID, for context: CallContext) async throws {
        try await database.read { tx in
            try loadBoth(id, user, for: context, tx)
            guard try groups.hasMember(user, in: id, tx) else {
                throw CloudError.notFound("User '\(user)' not found in group '\(id)'")
            }
        }
    }

    package func removeMember(_ user: UserID, from id: GroupID, for context: CallContext) async throws {
        try await database.write("group membership") { tx in
            try loadBoth(id, user, for: context, tx)
            try checkOwn(id, tx)
            guard try groups.removeMember(user, from: id, tx) else {
                throw CloudError.notFound("User '\(user)' not found in group '\(id)'")
            }
            try AccessResolver().withdrawApplicationCredentials(of: [user], tx)
        }
    }

    // MARK: Parts

    private func checkOwn(_ id: GroupID, _ tx: any Transaction) throws {
        guard try groups.find(id, tx)?.directoryID == nil else { throw IdentityError.readOnlyDirectory }
    }

    private func load(_ id: GroupID, for context: CallContext, _ tx: any Transaction) throws -> Group {
        let group = try groups.find(id, tx)
        try context.authorize(.group(group))
        guard let group else { throw IdentityError.notFound("group", id.rawValue) }
        return group
    }

    private func loadBoth(_ id: GroupID, _ userID: UserID, for context: CallContext, _ tx: any Transaction) throws {
        let (group, user) = (try groups.find(id, tx), try users.find(userID, tx))
        try context.authorize(.group(group, member: user))
        guard group != nil else { throw IdentityError.notFound("group", id.rawValue) }
        guard user != nil else { throw IdentityError.notFound("user", userID.rawValue) }
    }
}
