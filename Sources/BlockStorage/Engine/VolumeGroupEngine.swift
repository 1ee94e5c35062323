// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

/// What users do with groups of volumes. Copies and deletions are in `VolumeGroupEngine+Volumes`.
package struct VolumeGroupEngine: Sendable {
    let parts: BlockStorageParts
    let sagas: SagaRunner
    var stores: BlockStorageStores { parts.stores }

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    package static func notFound(_ id: VolumeGroupID) -> CloudError {
        .notFound("Group \(id.rawValue.prefix(255)) could not be found.", kind: "GroupNotFound")
    }

    static func invalid(_ reason: String) -> CloudError {
        .badRequest("Invalid Group: \(reason)", kind: "InvalidGroup")
    }

    // MARK: Load

    static func load(
        _ id: VolumeGroupID, _ context: CallContext, _ policy: PolicyName?, _ stores: BlockStorageStores,
        _ transaction: any Transaction
    ) throws -> VolumeGroup {
        guard let group = try stores.groups.group(id, transaction),
            context.sees(group.projectID)
        else { throw notFound(id) }
        try context.authorize(PolicyTarget(project: group.projectID, user: group.userID), as: policy)
        return group
    }

    package func group(_ id: VolumeGroupID, for context: CallContext, as policy: PolicyName? = nil) async throws
        -> VolumeGroup
    {
        let stores = stores
        return try await parts.database.read { try Self.load(id, context, policy, stores, $0) }
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage) async throws -> [VolumeGroup] {
        let stores = stores
        return try await parts.database.read { try stores.groups.list(filter, page, $0) }
    }

    package func volumes(of groups: [VolumeGroupID]) async throws -> [VolumeGroupID: [VolumeID]] {
        let stores = stores
        return try await parts.database.read { try stores.volumes.ids(inGroups: groups, $0) }
    }

    // MARK: Create

    package struct Draft: Sendable {
        package var name: String?
        package var description: String?
        /// An id or a name.
        package var type: String
        /// Ids or names.
        package var volumeTypes: [String]
        package var zone: String?
        package init(type: String, volumeTypes: [String]) {
            self.type = type
            self.volumeTypes = volumeTypes
        }
    }

    /// A group is made at once: it is a place for volumes, and has no bytes.
    package func create(_ draft: Draft, for context: CallContext) async throws -> VolumeGroup {
        let project = try context.requireProject()
        let (parts, id, now) = (parts, parts.ids.next(VolumeGroupTag.self), parts.clock.now())
        return try await parts.database.write { transaction in
            let stores = parts.stores
            guard let type = try stores.groupTypes.find(draft.type, transaction), type.isPublic || context.isAdmin
            else {
                throw UUIDText.isUUID(draft.type)
                    ? GroupTypeEngine.notFound(draft.type)
                    : CloudError.notFound(
                        "Group type with name \(draft.type.prefix(255)) could not be found.",
                        kind: "GroupTypeNotFoundByName")
            }
            guard type.name != GroupType.migrationName else { throw Self.reserved(type.id) }
            let types = try draft.volumeTypes.map { name in
                guard let type = try stores.types.find(name, transaction),
                    try VolumeTypeEngine.isVisible(type, context, stores, transaction)
                else { throw VolumeTypeEngine.notFound(name) }
                return type
            }
            let zone = draft.zone ?? parts.config.defaultZone
            guard try VolumeScheduler(parts).zones(transaction).contains(zone) else {
                throw VolumeErrors.invalidInput("Availability zone '\(zone.prefix(255))' is invalid.")
            }
            try BlockStorageQuotas(parts).checkGroup(of: project, transaction)
            var group = VolumeGroup(
                id: id, projectID: project, userID: context.principal.userID, typeID: type.id,
                volumeTypeIDs: types.map(\.id), zone: zone, createdAt: now)
            group.name = draft.name
            group.description = draft.description
            group.host = try Self.place(types, zone, parts, transaction)
            group.status = group.host == nil ? .error : .available
            try stores.groups.insert(group, transaction)
            return group
        }
    }

    static func reserved(_ type: GroupTypeID) -> CloudError {
        .badRequest(
            "Group_type \(type) is reserved for migrating CGs to groups. Migrated group can only be operated by "
                + "CG APIs.")
    }

    /// The pool that can hold volumes of every type; nil: there is none.
    private static func place(
        _ types: [VolumeType], _ zone: String, _ parts: BlockStorageParts, _ transaction: any Transaction
    ) throws -> String? {
        var request = BackendRequest(sizeGiB: 0, zones: [zone])
        for type in types {
            request.extraSpecs.merge(type.extraSpecs) { first, _ in first }
            request.isMultiattach = request.isMultiattach || type.isMultiattach
        }
        do {
            return try VolumeScheduler(parts).place(request, transaction).pool.name
        } catch let error as CloudError where error.kind == "NoValidBackend" {
            return nil
        }
    }

    // MARK: Change

    package struct Change: Sendable {
        package var name: String?
        package var description: String?
        package var added: [VolumeID] = []
        package var removed: [VolumeID] = []
        package init() {}
    }

    package func update(_ id: VolumeGroupID, _ change: Change, for context: CallContext) async throws {
        let (stores, now) = (stores, parts.clock.now())
        try await parts.database.write { transaction in
            let group = try Self.load(id, context, nil, stores, transaction)
            let both = change.added.filter(change.removed.contains)
            guard both.isEmpty else {
                let list = both.map { "'\($0)'" }.joined(separator: ", ")
                throw VolumeErrors.invalidVolume("UUIDs [\(list)] are in both add and remove volume list.")
            }
            let members = try stores.volumes.volumes(inGroup: id, transaction)
            let removed = try change.removed.map { try Self.removable($0, members, group) }
            let added = try change.added.filter { id in !members.contains { $0.id == id } }
                .map { try Self.addable($0, group, stores, transaction) }
            let name = change.name == group.name ? nil : change.name
            let description = change.description == group.description ? nil : change.description
            guard name != nil || description != nil || !added.isEmpty || !removed.isEmpty else {
                throw Self.invalid(
                    "Cannot update group \(id) because no valid name, description, add_volumes, or remove_volumes "
                        + "were provided.")
            }
            if !added.isEmpty || !removed.isEmpty {
                guard group.status == .available else { throw Self.invalid("Group status must be available.") }
            }
            for var volume in added {
                volume.groupID = id
                try stores.volumes.update(volume, at: now, transaction)
            }
            for var volume in removed {
                volume.groupID = nil
                try stores.volumes.update(volume, at: now, transaction)
            }
            try stores.groups.setNames(
                id, name: name ?? group.name, description: description ?? group.description, at: now, transaction)
        }
    }

    private static func removable(_ id: VolumeID, _ members: [Volume], _ group: VolumeGroup) throws -> Volume {
        guard let volume = members.first(where: { $0.id == id }) else {
            throw VolumeErrors.invalidVolume(
                "Cannot remove volume \(id) from group \(group.id) because it is not in the group.")
        }
        guard [.available, .inUse, .error, .errorDeleting].contains(volume.status) else {
            throw VolumeErrors.invalidVolume(
                "Cannot remove volume \(id) from group \(group.id) because volume is in an invalid state: "
                    + "\(volume.status.rawValue). Valid states are: "
                    + "('available', 'in-use', 'error', 'error_deleting').")
        }
        return volume
    }

    private static func addable(
        _ id: VolumeID, _ group: VolumeGroup, _ stores: BlockStorageStores, _ transaction: any Transaction
    ) throws -> Volume {
        let start = "Cannot add volume \(id) to group \(group.id) because"
        guard let volume = try stores.volumes.volume(id, transaction), volume.projectID == group.projectID else {
            throw VolumeErrors.invalidVolume("\(start) volume cannot be found.")
        }
        if let other = volume.groupID {
            throw VolumeErrors.invalidVolume(
                "Cannot add volume \(id) to group \(group.id) because it is already in group \(other).")
        }
        guard group.volumeTypeIDs.contains(volume.typeID) else {
            throw VolumeErrors.invalidVolume(
                "\(start) volume type \(volume.typeID) is not supported by the group.")
        }
        guard volume.status == .available || volume.status == .inUse else {
            throw VolumeErrors.invalidVolume(
                "\(start) volume is in an invalid state: \(volume.status.rawValue). Valid states are: "
                    + "('available', 'in-use').")
        }
        guard volume.host == group.host else {
            throw VolumeErrors.invalidVolume("Volume is not local to this node.")
        }
        return volume
    }

    package func resetStatus(
        _ id: VolumeGroupID, _ status: VolumeGroupStatus, for context: CallContext, as policy: PolicyName
    ) async throws {
        let (stores, now) = (stores, parts.clock.now())
        try await parts.database.write { transaction in
            let group = try Self.load(id, context, policy, stores, transaction)
            try stores.groups.setStatus(group.id, status, run: nil, at: now, transaction)
        }
    }
}
