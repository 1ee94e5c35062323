// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PolicyKit

package struct FlavorEngine: Sendable {
    private let parts: ComputeParts

    package init(_ parts: ComputeParts) { self.parts = parts }

    /// Lays the classic flavors, once in the life of a cloud: an administrator may delete them for good.
    package func bootstrap() async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write { transaction in
            guard try stores.settings.value("flavors", transaction) == nil else { return }
            if try !stores.flavors.exists(transaction) {
                for flavor in Flavor.classic(at: now) { try stores.flavors.insert(flavor, transaction) }
            }
            try stores.settings.set("flavors", "laid", transaction)
        }
    }

    package func list(_ filter: FlavorFilter, for context: CallContext) async throws -> [Flavor] {
        let stores = parts.stores
        let project = context.isAdmin ? nil : context.projectID ?? ProjectID("")
        return try await parts.database.read { try stores.flavors.list(filter, visibleTo: project, $0) }
    }

    /// A private flavor is absent for projects that it is not for.
    package func flavor(_ id: String, for context: CallContext) async throws -> Flavor {
        guard let flavor = try await Self.visible(id, for: context, parts) else { throw Self.notFound(id) }
        return flavor
    }

    /// Nil: there is none that the caller may use.
    static func visible(_ id: String, for context: CallContext, _ parts: ComputeParts) async throws -> Flavor? {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            guard let flavor = try stores.flavors.flavor(id, transaction) else { return nil }
            if flavor.isPublic || context.isAdmin { return flavor }
            guard let project = context.projectID else { return nil }
            return try stores.flavors.hasAccess(id, project, transaction) ? flavor : nil
        }
    }

    package static func notFound(_ id: String) -> CloudError {
        .notFound("Flavor \(id.prefix(255)) could not be found.", kind: "FlavorNotFound")
    }

    package func create(_ flavor: Flavor) async throws -> Flavor {
        let stores = parts.stores
        do {
            try await parts.database.write { try stores.flavors.insert(flavor, $0) }
        } catch DatabaseError.unique(let constraint) {
            if constraint.contains("name") {
                throw CloudError.conflict("Flavor with name \(flavor.name) already exists.", kind: "FlavorExists")
            }
            throw CloudError.conflict("Flavor with ID \(flavor.id) already exists.", kind: "FlavorIdExists")
        }
        return flavor
    }

    package func now() -> Timestamp { parts.clock.now() }
    package func newID() -> String { parts.ids.uuid() }

    package func setDescription(_ id: String, _ description: String?) async throws -> Flavor {
        try await edit(id) { stores, _, transaction in
            try stores.flavors.setDescription(id, description, transaction)
        }
    }

    package func delete(_ id: String) async throws {
        let stores = parts.stores
        try await parts.database.write { transaction in
            guard try stores.flavors.flavor(id, transaction) != nil else { throw Self.notFound(id) }
            try stores.flavors.delete(id, transaction)
        }
    }

    /// `change` says what the extra specs become.
    package func editExtraSpecs(
        _ id: String, _ change: @escaping @Sendable (inout [String: String]) throws -> Void
    ) async throws -> Flavor {
        try await edit(id) { stores, flavor, transaction in
            var specs = flavor.extraSpecs
            try change(&specs)
            try stores.flavors.setExtraSpecs(id, specs, transaction)
        }
    }

    private func edit(
        _ id: String, _ body: @escaping @Sendable (ComputeStores, Flavor, any Transaction) throws -> Void
    ) async throws -> Flavor {
        let stores = parts.stores
        return try await parts.database.write { transaction in
            guard let flavor = try stores.flavors.flavor(id, transaction) else { throw Self.notFound(id) }
            try body(stores, flavor, transaction)
            guard let changed = try stores.flavors.flavor(id, transaction) else { throw Self.notFound(id) }
            return changed
        }
    }

    // MARK: Access

    package func access(_ id: String) async throws -> [ProjectID] {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            guard let flavor = try stores.flavors.flavor(id, transaction) else { throw Self.notFound(id) }
            guard !flavor.isPublic else {
                throw CloudError.notFound("Access list not available for public flavors.")
            }
            return try stores.flavors.access(id, transaction)
        }
    }

    /// `refusesPublic`: from nova 2.7 on a public flavor has no list to be on.
    package func setAccess(
        _ id: String, _ project: ProjectID, isAllowed: Bool, refusesPublic: Bool = true
    ) async throws -> [ProjectID] {
        let stores = parts.stores
        return try await parts.database.write { transaction in
            guard let flavor = try stores.flavors.flavor(id, transaction) else { throw Self.notFound(id) }
            if isAllowed {
                guard !flavor.isPublic || !refusesPublic else {
                    throw CloudError.conflict("Can not add access to a public flavor.")
                }
                guard try !stores.flavors.hasAccess(id, project, transaction) else {
                    throw CloudError.conflict(
                        "Flavor access already exists for flavor \(id) and project \(project) combination.",
                        kind: "FlavorAccessExists")
                }
                try stores.flavors.allow(id, project, transaction)
            } else {
                guard try stores.flavors.disallow(id, project, transaction) else {
                    throw CloudError.notFound(
                        "Flavor access not found for \(id) / \(project) combination.", kind: "FlavorAccessNotFound")
                }
            }
            return try stores.flavors.access(id, transaction)
        }
    }
}
