// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PolicyKit

package struct VolumeTypeEngine: Sendable {
    let parts: BlockStorageParts

    package init(_ parts: BlockStorageParts) { self.parts = parts }

    /// Makes the default type of a new cloud. Safe to repeat at each start.
    package func bootstrap() async throws {
        let (stores, now, id, name) = (
            parts.stores, parts.clock.now(), parts.ids.next(VolumeTypeTag.self), parts.config.defaultVolumeType
        )
        try await parts.database.write { transaction in
            let isEmpty = try stores.types.count(transaction) == 0
            let isMissing =
                try name == VolumeType.defaultName && stores.types.type(named: name, transaction) == nil
            guard isEmpty || isMissing else { return }
            try stores.types.insert(
                VolumeType(
                    id: id, name: VolumeType.defaultName, description: "Default Volume Type", createdAt: now),
                transaction)
        }
    }

    // MARK: Read

    package static func notFound(_ id: String) -> CloudError {
        .notFound("Volume type \(id.prefix(255)) could not be found.", kind: "VolumeTypeNotFound")
    }

    /// `identity`: an id or a name.
    static func notFound(identity: String) -> CloudError {
        UUIDText.isUUID(identity)
            ? notFound(identity)
            : .notFound(
                "Volume type with name \(identity.prefix(255)) could not be found.", kind: "VolumeTypeNotFoundByName")
    }

    package func list(_ filter: VolumeTypeFilter, for context: CallContext) async throws -> [VolumeType] {
        let stores = parts.stores
        let project = context.isAdmin ? nil : context.projectID ?? ProjectID("")
        return try await parts.database.read { try stores.types.list(filter, visibleTo: project, $0) }
    }

    /// A private type is absent for projects that it is not for.
    package func type(_ id: String, for context: CallContext) async throws -> VolumeType {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            guard let type = try stores.types.type(VolumeTypeID(id), transaction),
                try Self.isVisible(type, context, stores, transaction)
            else { throw Self.notFound(id) }
            return type
        }
    }

    /// Whether the caller may use `type`: a private one is for administrators and the projects that it was given to.
    static func isVisible(
        _ type: VolumeType, _ context: CallContext, _ stores: BlockStorageStores, _ transaction: any Transaction
    ) throws -> Bool {
        if type.isPublic || context.isAdmin { return true }
        guard let project = context.projectID else { return false }
        return try stores.types.hasAccess(type.id, project, transaction)
    }

    /// The type of new volumes of `project` that name none.
    package static func defaultType(
        of project: ProjectID?, _ parts: BlockStorageParts, _ transaction: any Transaction
    ) throws -> VolumeType {
        if let project, let id = try parts.stores.types.defaultType(of: project, transaction),
            let type = try parts.stores.types.type(id, transaction)
        {
            return type
        }
        let name = parts.config.defaultVolumeType
        guard let type = try parts.stores.types.type(named: name, transaction) else {
            throw CloudError(
                .bug, "The request cannot be fulfilled as the default volume type \(name) cannot be found.",
                kind: "VolumeTypeDefaultMisconfiguredError")
        }
        return type
    }

    package func defaultType(of project: ProjectID?) async throws -> VolumeType {
        let parts = parts
        return try await parts.database.read { try Self.defaultType(of: project, parts, $0) }
    }

    // MARK: Write

    package struct Draft: Sendable {
        package var name: String
        package var description: String?
        package var isPublic: Bool
        package var extraSpecs: [String: String]
        package init(name: String, description: String?, isPublic: Bool, extraSpecs: [String: String]) {
            self.name = name
            self.description = description
            self.isPublic = isPublic
            self.extraSpecs = extraSpecs
        }
    }

    package func create(_ draft: Draft) async throws -> VolumeType {
        let type = VolumeType(
            id: parts.ids.next(), name: draft.name, description: draft.description, isPublic: draft.isPublic,
            extraSpecs: draft.extraSpecs, createdAt: parts.clock.now())
        let stores = parts.stores
        do {
            try await parts.database.write { try stores.types.insert(type, $0) }
        } catch DatabaseError.unique {
            throw CloudError.conflict("Volume Type \(draft.name) already exists.", kind: "VolumeTypeExists")
        }
        return type
    }

    /// What changes; nil leaves it.
    package struct Change: Sendable {
        package var name: String?
        package var description: String?
        package var isPublic: Bool?
        package init(name: String?, description: String?, isPublic: Bool?) {
            self.name = name
            self.description = description
            self.isPublic = isPublic
        }
    }

    package func update(_ id: String, _ change: Change) async throws -> VolumeType {
        let quotas = BlockStorageQuotas(parts)
        do {
            return try await edit(id) { type, transaction in
                if let name = change.name, !name.isEmpty, name != type.name {
                    try quotas.renameType(type.name, to: name, transaction)
                    type.name = name
                }
                if let description = change.description { type.description = description }
                if let isPublic = change.isPublic { type.isPublic = isPublic }
            }
        } catch DatabaseError.unique {
            throw CloudError.conflict("Volume Type \(change.name ?? id) already exists.", kind: "VolumeTypeExists")
        }
    }

    package func delete(_ id: String) async throws {
        let parts = parts
        try await parts.database.write { transaction in
            let types = parts.stores.types
            guard let type = try types.type(VolumeTypeID(id), transaction) else { throw Self.notFound(id) }
            let isDefault =
                try type.name == parts.config.defaultVolumeType || types.isDefault(type.id, transaction)
            guard !isDefault else {
                throw CloudError.badRequest(
                    "The volume type \(id) is a default volume type and cannot be deleted.",
                    kind: "VolumeTypeDefaultDeletionError")
            }
            guard try types.count(transaction) > 1 else {
                throw CloudError.badRequest(
                    "The volume type \(id) is the only currently defined volume type and cannot be deleted.",
                    kind: "VolumeTypeDeletionError")
            }
            guard try !types.isUsed(type.id, transaction), try !types.isUsedByGroups(type.id, transaction) else {
                throw CloudError.badRequest("Target volume type is still in use.", kind: "VolumeTypeInUse")
            }
            try types.delete(type.id, transaction)
            try BlockStorageQuotas(parts).forgetType(type.name, transaction)
        }
    }

    /// Changes what a type promises, which volumes that have it must not notice.
    package func editExtraSpecs(
        _ id: String, _ change: @escaping @Sendable (inout [String: String]) throws -> Void
    ) async throws -> VolumeType {
        let parts = parts
        return try await edit(id) { type, transaction in
            guard try !parts.stores.types.isUsed(type.id, transaction) else {
                throw CloudError.badRequest("Volume Type is currently in use.")
            }
            try change(&type.extraSpecs)
            let isTrue = "<is> True"
            guard type.extraSpecs["multiattach"] != isTrue || type.extraSpecs["cacheable"] != isTrue else {
                throw CloudError.badRequest("cacheable cannot be set with multiattach.")
            }
        }
    }

    /// `change` decides with the encryption of now; `doing` is the word of the refusal for a type in use.
    package func editEncryption(
        _ id: String, doing verb: String,
        _ change: @escaping @Sendable (inout VolumeTypeEncryption?) throws -> Void
    ) async throws -> VolumeType {
        let parts = parts
        return try await edit(id) { type, transaction in
            guard try !parts.stores.types.isUsed(type.id, transaction) else {
                throw CloudError.badRequest("Cannot \(verb) encryption specs. Volume type in use.")
            }
            try change(&type.encryption)
        }
    }

    package func now() -> Timestamp { parts.clock.now() }
    package func newID() -> String { parts.ids.uuid() }

    private func edit(
        _ id: String, _ body: @escaping @Sendable (inout VolumeType, any Transaction) throws -> Void
    ) async throws -> VolumeType {
        let (stores, now) = (parts.stores, parts.clock.now())
        return try await parts.database.write { transaction in
            guard var type = try stores.types.type(VolumeTypeID(id), transaction) else { throw Self.notFound(id) }
            try body(&type, transaction)
            type.updatedAt = now
            try stores.types.update(type, transaction)
            return type
        }
    }

    // MARK: Access

    package func access(_ id: String) async throws -> [ProjectID] {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            guard let type = try stores.types.type(VolumeTypeID(id), transaction) else { throw Self.notFound(id) }
            guard !type.isPublic else {
                throw CloudError.notFound(
                    "Access list not available for public volume types.", kind: "VolumeTypeAccessNotFound")
            }
            return try stores.types.access(type.id, transaction)
        }
    }

    package func setAccess(_ id: String, _ project: ProjectID, isAllowed: Bool) async throws {
        let stores = parts.stores
        try await parts.database.write { transaction in
            guard let type = try stores.types.type(VolumeTypeID(id), transaction) else { throw Self.notFound(id) }
            guard !type.isPublic else {
                throw CloudError.badRequest(
                    "Invalid volume type: Type access modification is not applicable to public volume type.",
                    kind: "InvalidVolumeType")
            }
            if isAllowed {
                guard try !stores.types.hasAccess(type.id, project, transaction) else {
                    throw CloudError.conflict(
                        "Volume type access for \(id) / \(project) combination already exists.",
                        kind: "VolumeTypeAccessExists")
                }
                try stores.types.allow(type.id, project, transaction)
            } else {
                guard try stores.types.disallow(type.id, project, transaction) else {
                    throw CloudError.notFound(
                        "Volume type access not found for \(id) / \(project) combination.",
                        kind: "VolumeTypeAccessNotFound")
                }
            }
        }
    }

    // MARK: Defaults of projects

    package func setDefault(_ identity: String, of project: ProjectID) async throws -> VolumeType {
        let stores = parts.stores
        return try await parts.database.write { transaction in
            guard let type = try stores.types.find(identity, transaction) else {
                throw Self.notFound(identity: identity)
            }
            try stores.types.setDefault(type.id, of: project, transaction)
            return type
        }
    }

    package func ownDefault(of project: ProjectID) async throws -> VolumeTypeID {
        let stores = parts.stores
        guard let type = try await parts.database.read({ try stores.types.defaultType(of: project, $0) }) else {
            throw CloudError.notFound(
                "Default type for project \(project) not found.", kind: "VolumeTypeProjectDefaultNotFound")
        }
        return type
    }

    package func defaults() async throws -> [(project: ProjectID, type: VolumeTypeID)] {
        let stores = parts.stores
        return try await parts.database.read { try stores.types.defaultTypes($0) }
    }

    package func unsetDefault(of project: ProjectID) async throws {
        let stores = parts.stores
        try await parts.database.write { try stores.types.unsetDefault(of: project, $0) }
    }
}
