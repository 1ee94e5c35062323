// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

/// Says which endpoints a project's catalog shows: those that it was given, or all when it was given none.
package struct EndpointFilterEngine: Sendable {
    let database: IdentityDatabase
    let ids: IDSource
    private let store = EndpointFilterStore()
    private let catalog = CatalogStore()
    private let projects = ProjectStore()

    init(database: IdentityDatabase, ids: IDSource) {
        self.database = database
        self.ids = ids
    }

    // MARK: Groups

    package func groups(name: String?, for context: CallContext) async throws -> [EndpointGroup] {
        try context.authorize([:])
        return try await database.read { try store.list(name: name, $0) }
    }

    package func group(_ id: EndpointGroupID, for context: CallContext) async throws -> EndpointGroup {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    package func create(name: String, description: String?, _ filter: EndpointGroup.Filter, for context: CallContext)
        async throws -> EndpointGroup
    {
        try context.authorize([:])
        let group = EndpointGroup(id: ids.nextHex(), name: name, description: description, filter: filter)
        try await database.write("endpoint_group") { try store.insert(group, $0) }
        return group
    }

    package func update(_ id: EndpointGroupID, _ change: EndpointGroupChange, for context: CallContext) async throws
        -> EndpointGroup
    {
        try context.authorize([:])
        return try await database.write("endpoint_group") { tx in
            var group = try existing(id, tx)
            group.name = change.name ?? group.name
            if let description = change.description { group.description = description }
            group.filter = change.filter ?? group.filter
            try store.update(group, tx)
            return group
        }
    }

    package func delete(_ id: EndpointGroupID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("endpoint_group") { tx in
            _ = try existing(id, tx)
            try store.delete(id, tx)
        }
    }

    package func endpoints(of id: EndpointGroupID, for context: CallContext) async throws -> [Endpoint] {
        try context.authorize([:])
        return try await database.read { tx in
            let group = try existing(id, tx)
            return try catalog.endpoints(tx).filter(group.filter.takes)
        }
    }

    package func projects(of id: EndpointGroupID, for context: CallContext) async throws -> [Project] {
        try context.authorize([:])
        return try await database.read { tx in
            _ = try existing(id, tx)
            return try store.projects(of: id, tx).compactMap { try projects.find($0, tx) }
        }
    }

    // MARK: What a project has

    package func add(_ group: EndpointGroupID, to project: ProjectID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("project_endpoint_group") { tx in
            try check(project, tx)
            _ = try existing(group, tx)
            try store.add(group, to: project, tx)
        }
    }

    package func check(_ group: EndpointGroupID, of project: ProjectID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.read { tx in
            try check(project, tx)
            _ = try existing(group, tx)
            guard try store.has(project, group, tx) else { throw Self.notAssociated(group, project) }
        }
    }

    package func remove(_ group: EndpointGroupID, from project: ProjectID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("project_endpoint_group") { tx in
            try check(project, tx)
            _ = try existing(group, tx)
            guard try store.remove(group, from: project, tx) else { throw Self.notAssociated(group, project) }
        }
    }

    package func groups(of project: ProjectID, for context: CallContext) async throws -> [EndpointGroup] {
        try context.authorize([:])
        return try await database.read { try store.list(of: project, $0) }
    }

    package func add(_ endpoint: EndpointID, to project: ProjectID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("project_endpoint") { tx in
            try check(endpoint, tx)
            try check(project, tx)
            try store.add(endpoint, to: project, tx)
        }
    }

    package func check(_ endpoint: EndpointID, of project: ProjectID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.read { tx in
            try check(endpoint, tx)
            try check(project, tx)
            guard try store.has(project, endpoint, tx) else { throw Self.notAssociated(endpoint, project) }
        }
    }

    package func remove(_ endpoint: EndpointID, from project: ProjectID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("project_endpoint") { tx in
            guard try store.remove(endpoint, from: project, tx) else { throw Self.notAssociated(endpoint, project) }
        }
    }

    /// Its own and those of its groups.
    package func endpoints(of project: ProjectID, for context: CallContext) async throws -> [Endpoint] {
        try context.authorize([:])
        return try await database.read { tx in
            try check(project, tx)
            let all = try catalog.endpoints(tx)
            let selected = try store.selections(of: all, tx)[project] ?? []
            return all.filter { selected.contains($0.id) }
        }
    }

    package func projects(of endpoint: EndpointID, for context: CallContext) async throws -> [Project] {
        try context.authorize([:])
        return try await database.read { tx in
            try check(endpoint, tx)
            return try store.projects(of: endpoint, tx).compactMap { try projects.find($0, tx) }
        }
    }

    // MARK: Parts

    private func existing(_ id: EndpointGroupID, _ tx: any Transaction) throws -> EndpointGroup {
        guard let group = try store.find(id, tx) else { throw IdentityError.notFound("endpoint group", id.rawValue) }
        return group
    }

    private func check(_ id: ProjectID, _ tx: any Transaction) throws {
        guard try projects.find(id, tx) != nil else { throw IdentityError.notFound("project", id.rawValue) }
    }

    private func check(_ id: EndpointID, _ tx: any Transaction) throws {
        guard try catalog.endpoint(id, tx) != nil else { throw IdentityError.notFound("endpoint", id.rawValue) }
    }

    private static func notAssociated<Tag>(_ id: ID<Tag>, _ project: ProjectID) -> CloudError {
        .notFound("Endpoint \(id) not found in project \(project).")
    }
}
