// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit
import Synchronization

/// Regions, services, endpoints, and the catalog that they make.
package struct CatalogEngine: Sendable {
    let database: IdentityDatabase
    let ids: IDSource
    let store = CatalogStore()
    private let limits = LimitStore()
    private let latest = LatestCatalog()

    init(database: IdentityDatabase, ids: IDSource) {
        self.database = database
        self.ids = ids
    }

    /// Moves on with every change of Identity: what was rendered of an older catalog is stale.
    package var generation: UInt64 { database.generation.current }

    /// Enabled endpoints of enabled services; from memory until something changes.
    package func catalog() async throws -> Catalog {
        let generation = database.generation.current
        if let catalog = latest.get(generation) { return catalog }
        let (store, filters) = (store, EndpointFilterStore())
        let catalog = try await database.read { tx in
            let all = try store.endpoints(tx)
            let endpoints = Dictionary(grouping: all.filter(\.isEnabled), by: \.serviceID)
            return Catalog(
                try store.services(tx).filter(\.isEnabled).map { service in
                    Catalog.Entry(service: service, endpoints: endpoints[service.id] ?? [])
                }, selections: try filters.selections(of: all, tx))
        }
        latest.set(catalog, generation)
        return catalog
    }

    // MARK: Regions

    package func regions(parent: RegionID?, for context: CallContext) async throws -> [Region] {
        try context.authorize([:])
        return try await database.read { try store.regions(parent: parent, $0) }
    }

    package func region(_ id: RegionID, for context: CallContext) async throws -> Region {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    package func create(_ region: Region, for context: CallContext) async throws -> Region {
        try context.authorize([:])
        try region.extras.checkSize()
        return try await database.write("region") { tx in
            if let parent = region.parentID { _ = try existing(parent, tx) }
            guard try store.region(region.id, tx) == nil else {
                throw CloudError.conflict(
                    "Conflict occurred attempting to store region - Duplicate ID, \(region.id).")
            }
            try store.insert(region, tx)
            return region
        }
    }

    package func newRegionID() -> RegionID { ids.nextHex() }

    package func update(_ id: RegionID, _ change: RegionChange, for context: CallContext) async throws -> Region {
        try context.authorize([:])
        return try await database.write("region") { tx in
            var region = try existing(id, tx)
            if let parent = change.parentID {
                try checkLine(of: id, under: parent, tx)
                region.parentID = parent
            }
            region.description = change.description ?? region.description
            region.extras.merge(change.extras)
            try region.extras.checkSize()
            try store.update(region, tx)
            return region
        }
    }

    package func delete(_ id: RegionID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("region") { tx in
            _ = try existing(id, tx)
            let line = try subtree(of: id, tx)
            guard try line.allSatisfy({ try store.endpoints(region: $0, tx).isEmpty }) else {
                throw CloudError.forbidden(
                    "Unable to delete region \(id) because it or its child regions have associated endpoints.")
            }
            for region in line.reversed() { try store.delete(region, tx) }
        }
    }

    private func existing(_ id: RegionID, _ tx: any Transaction) throws -> Region {
        guard let region = try store.region(id, tx) else { throw IdentityError.notFound("region", id.rawValue) }
        return region
    }

    private func checkLine(of id: RegionID, under parent: RegionID?, _ tx: any Transaction) throws {
        var next = parent
        while let above = next {
            guard above != id else {
                throw CloudError.badRequest(
                    "The specified parent region \(parent?.rawValue ?? "") would create a circular region hierarchy.")
            }
            next = try existing(above, tx).parentID
        }
    }

    private func subtree(of id: RegionID, _ tx: any Transaction) throws -> [RegionID] {
        try [id] + store.regions(parent: id, tx).flatMap { try subtree(of: $0.id, tx) }
    }

    // MARK: Services

    package func services(type: String?, name: String?, for context: CallContext) async throws -> [CatalogService] {
        try context.authorize([:])
        return try await database.read { try store.services(type: type, name: name, $0) }
    }

    package func service(_ id: CatalogServiceID, for context: CallContext) async throws -> CatalogService {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    package func createService(
        type: String, name: String?, description: String?, isEnabled: Bool, extras: Extras, for context: CallContext
    ) async throws -> CatalogService {
        try context.authorize([:])
        try extras.checkSize()
        let service = CatalogService(
            id: ids.nextHex(), type: type, name: name, description: description, isEnabled: isEnabled, extras: extras)
        return try await database.write("service") { tx in
            try store.insert(service, tx)
            return service
        }
    }

    package func update(_ id: CatalogServiceID, _ change: CatalogServiceChange, for context: CallContext) async throws
        -> CatalogService
    {
        try context.authorize([:])
        return try await database.write("service") { tx in
            var service = try existing(id, tx)
            service.type = change.type ?? service.type
            if let name = change.name { service.name = name }
            if let description = change.description { service.description = description }
            service.isEnabled = change.isEnabled ?? service.isEnabled
            service.extras.merge(change.extras)
            try service.extras.checkSize()
            try store.update(service, tx)
            return service
        }
    }

    package func delete(_ id: CatalogServiceID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("service") { tx in
            _ = try existing(id, tx)
            guard try limits.registered(LimitStore.Filter(serviceID: id), tx).isEmpty else {
                throw CloudError.forbidden("Unable to delete service \(id) because registered limits refer to it.")
            }
            try store.delete(id, tx)
        }
    }

    private func existing(_ id: CatalogServiceID, _ tx: any Transaction) throws -> CatalogService {
        guard let service = try store.service(id, tx) else { throw IdentityError.notFound("service", id.rawValue) }
        return service
    }

    // MARK: Endpoints

    package func endpoints(
        service: CatalogServiceID?, region: RegionID?, interface: Endpoint.Interface?, for context: CallContext
    ) async throws -> [Endpoint] {
        try context.authorize([:])
        return try await database.read {
            try store.endpoints(service: service, region: region, interface: interface, $0)
        }
    }

    package func endpoint(_ id: EndpointID, for context: CallContext) async throws -> Endpoint {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    package func create(_ draft: EndpointDraft, for context: CallContext) async throws -> Endpoint {
        try context.authorize([:])
        try draft.extras.checkSize()
        let endpoint = Endpoint(
            id: ids.nextHex(), serviceID: draft.serviceID, regionID: draft.regionID, interface: draft.interface,
            url: draft.url, isEnabled: draft.isEnabled, extras: draft.extras)
        return try await database.write("endpoint") { tx in
            try checkReferences(endpoint, makesRegion: draft.makesRegion, tx)
            try store.insert(endpoint, tx)
            return endpoint
        }
    }

    package func update(_ id: EndpointID, _ change: EndpointChange, for context: CallContext) async throws -> Endpoint {
        try context.authorize([:])
        return try await database.write("endpoint") { tx in
            var endpoint = try existing(id, tx)
            endpoint.serviceID = change.serviceID ?? endpoint.serviceID
            if let region = change.regionID { endpoint.regionID = region }
            endpoint.interface = change.interface ?? endpoint.interface
            endpoint.url = change.url ?? endpoint.url
            endpoint.isEnabled = change.isEnabled ?? endpoint.isEnabled
            endpoint.extras.merge(change.extras)
            try endpoint.extras.checkSize()
            try checkReferences(endpoint, makesRegion: change.makesRegion, tx)
            try store.update(endpoint, tx)
            return endpoint
        }
    }

    package func delete(_ id: EndpointID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("endpoint") { tx in
            guard try store.delete(id, tx) else { throw IdentityError.notFound("endpoint", id.rawValue) }
        }
    }

    private func existing(_ id: EndpointID, _ tx: any Transaction) throws -> Endpoint {
        guard let endpoint = try store.endpoint(id, tx) else { throw IdentityError.notFound("endpoint", id.rawValue) }
        return endpoint
    }

    /// What a body refers to and does not exist is the body's fault: 400, not 404.
    private func checkReferences(_ endpoint: Endpoint, makesRegion: Bool, _ tx: any Transaction) throws {
        guard try store.service(endpoint.serviceID, tx) != nil else {
            throw CloudError.badRequest("Could not find service: \(endpoint.serviceID).")
        }
        if let region = endpoint.regionID, try store.region(region, tx) == nil {
            guard !makesRegion else {
                return try store.insert(Region(id: region, parentID: nil, description: "", extras: Extras()), tx)
            }
            throw CloudError.badRequest("Could not find region: \(region).")
        }
    }
}

/// The catalog of one generation.
private final class LatestCatalog: Sendable {
    private let latest = Mutex<(generation: UInt64, catalog: Catalog)?>(nil)

    func get(_ generation: UInt64) -> Catalog? {
        latest.withLock { $0?.generation == generation ? $0?.catalog : nil }
    }

    func set(_ catalog: Catalog, _ generation: UInt64) { latest.withLock { $0 = (generation, catalog) } }
}
