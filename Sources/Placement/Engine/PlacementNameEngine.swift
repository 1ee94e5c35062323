// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// Traits and resource classes.
extension PlacementEngine {
    package enum TraitFilter: Sendable {
        case named([String])
        case startingWith(String)
    }

    package struct NameList: Sendable {
        package var names: [String]
        /// Of the youngest; nil when all are standard.
        package var lastModified: Timestamp?
    }

    package func traits(_ filter: TraitFilter?, isAssociated: Bool?) async throws -> NameList {
        try await database.read { tx in
            let custom = try names.customTraits(tx)
            let used = isAssociated == nil ? [] : try names.usedTraits(tx)
            let wanted: Set<String>? = if case .named(let list) = filter { Set(list) } else { nil }
            let all = StandardTraits.names + custom.map(\.name)
            let matching = all.filter { name in
                if let wanted, !wanted.contains(name) { return false }
                if case .startingWith(let prefix) = filter, !name.hasPrefix(prefix) { return false }
                return isAssociated.map { $0 == used.contains(name) } ?? true
            }
            return NameList(names: matching, lastModified: custom.compactMap(\.createdAt).max())
        }
    }

    /// When the trait was made; `.some(nil)` for a standard one. Throws `.notFound`.
    package func trait(_ name: String) async throws -> Timestamp? {
        try await database.read { tx in
            guard let trait = try names.trait(name, tx) else { throw CloudError.notFound("No such trait(s): \(name).") }
            return trait.createdAt
        }
    }

    /// False: it was there.
    package func ensureTrait(_ name: String) async throws -> Bool {
        let now = clock.now()
        return try await database.write { tx in try names.insertTrait(name, at: now, tx) }
    }

    package func deleteTrait(_ name: String) async throws {
        try await database.write { tx in
            guard try names.trait(name, tx) != nil else { throw CloudError.notFound("No such trait(s): \(name).") }
            guard !StandardTraits.set.contains(name) else {
                throw CloudError.badRequest("Cannot delete standard trait \(name).")
            }
            guard try !names.isTraitUsed(name, tx) else {
                throw CloudError.conflict("The trait \(name) is in use by a resource provider.")
            }
            try names.deleteTrait(name, tx)
        }
    }

    // MARK: Resource classes

    package func resourceClasses() async throws -> NameList {
        try await database.read { tx in
            let custom = try names.customClasses(tx)
            return NameList(
                names: StandardResourceClasses.names + custom.map(\.name),
                lastModified: custom.compactMap(\.createdAt).max())
        }
    }

    package func resourceClass(_ name: String) async throws -> Timestamp? {
        try await database.read { tx in
            guard let found = try names.resourceClass(name, tx) else { throw PlacementErrors.noResourceClass(name) }
            return found.createdAt
        }
    }

    /// False: it was there.
    package func ensureResourceClass(_ name: String) async throws -> Bool {
        let now = clock.now()
        return try await database.write { tx in
            if StandardResourceClasses.set.contains(name) { return false }
            return try names.insertClass(name, at: now, tx)
        }
    }

    package func renameResourceClass(_ name: String, to other: String) async throws {
        let now = clock.now()
        try await database.write { tx in
            guard try names.resourceClass(name, tx) != nil else { throw PlacementErrors.noResourceClass(name) }
            guard !StandardResourceClasses.set.contains(name) else {
                throw CloudError.badRequest("Cannot update standard resource class \(name)")
            }
            guard try names.insertClass(other, at: now, tx) else {
                throw CloudError.conflict("Resource class already exists: \(other)")
            }
            try names.deleteClass(name, tx)
            try tx.execute("UPDATE placement_inventories SET resource_class = \(other) WHERE resource_class = \(name)")
            try tx.execute("UPDATE placement_allocations SET resource_class = \(other) WHERE resource_class = \(name)")
        }
    }

    package func deleteResourceClass(_ name: String) async throws {
        try await database.write { tx in
            guard try names.resourceClass(name, tx) != nil else { throw PlacementErrors.noResourceClass(name) }
            guard !StandardResourceClasses.set.contains(name) else {
                throw CloudError.badRequest(
                    "Error in delete resource class: Cannot delete standard resource class \(name).")
            }
            guard try !names.isClassUsed(name, tx) else {
                throw CloudError.conflict(
                    """
                    Error in delete resource class: Cannot delete resource class \(name). Class is in use in inventory.
                    """)
            }
            try names.deleteClass(name, tx)
        }
    }
}
