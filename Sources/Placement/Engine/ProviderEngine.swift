// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// Providers, their place in a tree, their aggregates and traits.
extension PlacementEngine {
    package func createProvider(
        _ id: ResourceProviderID?, name: String, parent: ResourceProviderID?
    ) async throws -> ResourceProvider {
        let id = id ?? ids.next()
        let now = clock.now()
        return try await database.write { tx in
            func refused(_ reason: String) -> CloudError {
                .badRequest(
                    "Unable to create resource provider \"\(name)\", \(id): Object action create failed because: \(reason)"
                )
            }
            var root = id
            if let parent {
                guard parent != id else {
                    throw refused(
                        """
                        parent provider UUID cannot be same as UUID. Please set parent provider UUID to None if there is no \
                        parent.
                        """)
                }
                guard let found = try providers.provider(parent, tx) else {
                    throw refused("parent provider UUID does not exist.")
                }
                root = found.root
            }
            try checkUnique(id, name, tx)
            let provider = ResourceProvider(
                id: id, name: name, generation: 0, parent: parent, root: root, createdAt: now, updatedAt: now)
            try providers.insert(provider, tx)
            return provider
        }
    }

    private func checkUnique(_ id: ResourceProviderID, _ name: String, _ tx: any Transaction) throws {
        var duplicates: [String] = []
        if try providers.provider(id, tx) != nil { duplicates.append("uuid: \(id)") }
        if try isNameTaken(name, by: id, tx) { duplicates.append("name: \(name)") }
        guard duplicates.isEmpty else {
            throw CloudError.conflict(
                "Conflicting resource provider \(duplicates.joined(separator: ", ")) already exists.",
                kind: PlacementErrors.duplicateName)
        }
    }

    private func isNameTaken(_ name: String, by id: ResourceProviderID, _ tx: any Transaction) throws -> Bool {
        var filter = ProviderFilter()
        filter.name = name
        return try providers.list(filter, tx).contains { $0.id != id }
    }

    package func provider(_ id: ResourceProviderID) async throws -> ResourceProvider {
        try await database.read { tx in try require(id, tx) }
    }

    /// `inTree` names any provider of the tree.
    package func listProviders(_ filter: ProviderFilter, inTree: ResourceProviderID?) async throws -> [ResourceProvider]
    {
        try await database.read { tx in
            var filter = filter
            if let inTree {
                guard let member = try providers.provider(inTree, tx) else { return [] }
                filter.root = member.root
            }
            let missing = try names.missingClasses(filter.resources.keys, tx)
            if let name = missing.sorted().first {
                throw CloudError.badRequest(
                    "Invalid resource class in resources parameter: No such resource class \(name).")
            }
            let missingTraits = try names.missingTraits(
                filter.requiredTraits.flatMap { $0 } + filter.forbiddenTraits, tx)
            guard missingTraits.isEmpty else {
                throw CloudError.badRequest(
                    """
                    Invalid trait(s) in "required" parameter: No such trait(s): \
                    \(missingTraits.sorted().joined(separator: ", ")).
                    """)
            }
            return try providers.list(filter, tx)
        }
    }

    /// `parent`: `.none` leaves it, `.some(nil)` makes the provider a root of its own.
    package func updateProvider(
        _ id: ResourceProviderID, name: String, parent: ResourceProviderID??, mayReparent: Bool
    ) async throws -> ResourceProvider {
        let now = clock.now()
        return try await database.write { tx in
            var provider = try require(id, tx)
            guard try !isNameTaken(name, by: id, tx) else {
                throw CloudError.conflict(
                    "Conflicting resource provider \(name) already exists.", kind: PlacementErrors.duplicateName)
            }
            provider.name = name
            provider.updatedAt = now
            if case .some(let parent) = parent { try move(&provider, below: parent, mayReparent: mayReparent, tx) }
            try providers.update(provider, tx)
            return provider
        }
    }

    private func move(
        _ provider: inout ResourceProvider, below parent: ResourceProviderID?, mayReparent: Bool, _ tx: any Transaction
    ) throws {
        let id = provider.id
        func refused(_ action: String, _ reason: String) -> CloudError {
            .badRequest("Unable to save resource provider \(id): Object action \(action) failed because: \(reason)")
        }
        guard let parent else {
            guard provider.parent != nil else { return }
            guard mayReparent else { throw refused("update", "un-parenting a provider is not currently allowed.") }
            try providers.setRoot(id, of: try providers.subtree(of: provider, tx), tx)
            provider.parent = nil
            provider.root = id
            return
        }
        guard let above = try providers.provider(parent, tx) else {
            throw refused("create", "parent provider UUID does not exist.")
        }
        if provider.parent != nil, provider.parent != parent, !mayReparent {
            throw refused("update", "re-parenting a provider is not currently allowed.")
        }
        let subtree = try providers.subtree(of: provider, tx)
        guard !subtree.contains(parent) else {
            throw refused("update", "creating loop in the provider tree is not allowed.")
        }
        try providers.setRoot(above.root, of: subtree, tx)
        provider.parent = parent
        provider.root = above.root
    }

    package func deleteProvider(_ id: ResourceProviderID) async throws {
        try await database.write { tx in
            guard try providers.provider(id, tx) != nil else {
                throw CloudError.notFound("No resource provider with uuid \(id) found for delete")
            }
            guard try !providers.hasChildren(id, tx) else {
                throw CloudError.conflict(
                    "Unable to delete parent resource provider \(id): It has child resource providers.",
                    kind: PlacementErrors.cannotDeleteParent)
            }
            guard try !allocations.hasAllocations(atProvider: id, tx) else {
                throw CloudError.conflict(
                    "Unable to delete resource provider \(id): Resource provider has allocations.",
                    kind: PlacementErrors.providerInUse)
            }
            try providers.delete(id, tx)
        }
    }

    // MARK: Aggregates

    package func aggregates(of id: ResourceProviderID) async throws -> (provider: ResourceProvider, ids: [String]) {
        try await database.read { tx in (try require(id, tx), try providers.aggregates(of: id, tx)) }
    }

    /// Without a generation (before 1.19) the change is not checked, nor does it advance the provider.
    package func setAggregates(_ aggregates: [String], of id: ResourceProviderID, generation: Int64?) async throws
        -> ResourceProvider
    {
        let now = clock.now()
        return try await database.write { tx in
            var provider = try require(id, tx)
            if let generation {
                guard generation == provider.generation else { throw Self.alreadyChanged }
                provider = try advance(provider, at: now, tx)
            }
            try providers.setAggregates(aggregates, of: id, tx)
            return provider
        }
    }

    static let alreadyChanged = CloudError.conflict(
        "Resource provider's generation already changed. Please update the generation and try again.",
        kind: PlacementErrors.concurrentUpdate)

    // MARK: Traits of a provider

    package func traits(of id: ResourceProviderID) async throws -> (provider: ResourceProvider, traits: [String]) {
        try await database.read { tx in (try require(id, tx), try providers.traits(of: id, tx)) }
    }

    package func setTraits(_ traits: [String], of id: ResourceProviderID, generation: Int64) async throws
        -> (provider: ResourceProvider, traits: [String])
    {
        let now = clock.now()
        return try await database.write { tx in
            let provider = try require(id, tx)
            guard provider.generation == generation else { throw Self.alreadyChanged }
            let missing = try names.missingTraits(traits, tx)
            guard missing.isEmpty else {
                throw CloudError.badRequest("No such trait \(missing.sorted().joined(separator: ", "))")
            }
            return (try replaceTraits(Set(traits), of: provider, at: now, tx), Set(traits).sorted())
        }
    }

    package func clearTraits(of id: ResourceProviderID) async throws {
        let now = clock.now()
        try await database.write { tx in
            _ = try replaceTraits([], of: try require(id, tx), at: now, tx)
        }
    }

    /// Leaves the generation alone when nothing changes, as upstream does.
    func replaceTraits(
        _ traits: Set<String>, of provider: ResourceProvider, at time: Timestamp, _ tx: any Transaction
    ) throws -> ResourceProvider {
        guard Set(try providers.traits(of: provider.id, tx)) != traits else { return provider }
        try providers.setTraits(traits, of: provider.id, tx)
        return try advance(provider, at: time, tx)
    }
}
