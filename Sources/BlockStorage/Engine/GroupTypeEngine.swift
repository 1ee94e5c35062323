// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PolicyKit

package struct GroupTypeEngine: Sendable {
    private let parts: BlockStorageParts

    package init(_ parts: BlockStorageParts) { self.parts = parts }

    /// Lays the type that upstream's clouds have from the start. Safe to repeat.
    package func bootstrap() async throws {
        let (stores, now, id) = (parts.stores, parts.clock.now(), parts.ids.next(GroupTypeTag.self))
        try await parts.database.write { transaction in
            guard try stores.groupTypes.type(named: GroupType.migrationName, transaction) == nil else { return }
            try stores.groupTypes.insert(
                GroupType(
                    id: id, name: GroupType.migrationName, description: "Default group type for migrating cgsnapshot",
                    isPublic: true, specs: ["consistent_group_snapshot_enabled": "<is> True"], createdAt: now),
                transaction)
        }
    }

    package static func notFound(_ id: String) -> CloudError {
        .notFound("Group type \(id.prefix(255)) could not be found.", kind: "GroupTypeNotFound")
    }

    package func list(isPublic: Bool?, _ page: ResourcePage) async throws -> [GroupType] {
        let stores = parts.stores
        return try await parts.database.read { try stores.groupTypes.list(isPublic: isPublic, page, $0) }
    }

    package func type(_ id: String, for context: CallContext) async throws -> GroupType {
        let stores = parts.stores
        let found = try await parts.database.read { try stores.groupTypes.type(GroupTypeID(id), $0) }
        guard let found, found.isPublic || context.isAdmin else { throw Self.notFound(id) }
        return found
    }

    package func create(name: String, description: String?, isPublic: Bool, specs: [String: String]) async throws
        -> GroupType
    {
        let type = GroupType(
            id: parts.ids.next(), name: name, description: description, isPublic: isPublic, specs: specs,
            createdAt: parts.clock.now())
        let stores = parts.stores
        do {
            try await parts.database.write { try stores.groupTypes.insert(type, $0) }
        } catch DatabaseError.unique {
            throw CloudError.conflict("Group Type \(name) already exists.", kind: "GroupTypeExists")
        }
        return type
    }

    /// Nil leaves a field.
    package func update(_ id: String, name: String?, description: String?, isPublic: Bool?) async throws -> GroupType {
        do {
            return try await edit(id) { type in
                if let name, !name.isEmpty { type.name = name }
                if let description { type.description = description }
                if let isPublic { type.isPublic = isPublic }
            }
        } catch DatabaseError.unique {
            throw CloudError.conflict("Group Type \(name ?? id) already exists.", kind: "GroupTypeExists")
        }
    }

    @discardableResult
    package func edit(_ id: String, _ change: @escaping @Sendable (inout GroupType) throws -> Void) async throws
        -> GroupType
    {
        let (stores, now) = (parts.stores, parts.clock.now())
        return try await parts.database.write { transaction in
            guard var type = try stores.groupTypes.type(GroupTypeID(id), transaction) else { throw Self.notFound(id) }
            try change(&type)
            type.updatedAt = now
            try stores.groupTypes.update(type, transaction)
            return type
        }
    }

    package func delete(_ id: String) async throws {
        let stores = parts.stores
        try await parts.database.write { transaction in
            guard let type = try stores.groupTypes.type(GroupTypeID(id), transaction) else { throw Self.notFound(id) }
            guard try !stores.groups.isUsed(type.id, transaction) else {
                throw CloudError.badRequest("Target group type is still in use.", kind: "GroupTypeInUse")
            }
            try stores.groupTypes.delete(type.id, transaction)
        }
    }
}
