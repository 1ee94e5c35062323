// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

/// Limits that services may look up here.
package struct LimitEngine: Sendable {
    let database: IdentityDatabase
    let ids: IDSource
    package let model: LimitModel
    private let store = LimitStore()
    private let catalog = CatalogStore()
    private let projects = ProjectStore()

    init(database: IdentityDatabase, ids: IDSource, model: LimitModel) {
        self.database = database
        self.ids = ids
        self.model = model
    }

    // MARK: Registered limits

    package func registered(_ filter: LimitFilter, for context: CallContext) async throws -> [RegisteredLimit] {
        try context.authorize([:])
        return try await database.read { try store.registered(Self.stored(filter), $0) }
    }

    package func registered(_ id: RegisteredLimitID, for context: CallContext) async throws -> RegisteredLimit {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    package func register(_ drafts: [RegisteredLimitDraft], for context: CallContext) async throws -> [RegisteredLimit]
    {
        try context.authorize([:])
        let limits = drafts.map { draft in
            RegisteredLimit(
                id: ids.nextHex(), serviceID: draft.serviceID, regionID: draft.regionID,
                resourceName: draft.resourceName, defaultLimit: draft.defaultLimit, description: draft.description)
        }
        return try await database.write("registered_limit") { tx in
            for limit in limits {
                try checkReferences(limit.serviceID, limit.regionID, tx)
                try store.insert(limit, tx)
            }
            return limits
        }
    }

    package func update(_ id: RegisteredLimitID, _ change: RegisteredLimitChange, for context: CallContext) async throws
        -> RegisteredLimit
    {
        try context.authorize([:])
        return try await database.write("registered_limit") { tx in
            let old = try existing(id, tx)
            var limit = old
            limit.serviceID = change.serviceID ?? old.serviceID
            if let region = change.regionID { limit.regionID = region }
            limit.resourceName = change.resourceName ?? old.resourceName
            limit.defaultLimit = change.defaultLimit ?? old.defaultLimit
            if let description = change.description { limit.description = description }
            let movesAway =
                limit.serviceID != old.serviceID || limit.regionID != old.regionID
                || limit.resourceName != old.resourceName
            if movesAway { try checkUnused(old, tx) }
            try checkReferences(limit.serviceID, limit.regionID, tx)
            try store.update(limit, tx)
            return limit
        }
    }

    package func delete(_ id: RegisteredLimitID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("registered_limit") { tx in
            try checkUnused(try existing(id, tx), tx)
            try store.deleteRegistered(id, tx)
        }
    }

    private func existing(_ id: RegisteredLimitID, _ tx: any Transaction) throws -> RegisteredLimit {
        guard let limit = try store.registered(id, tx) else {
            throw CloudError.notFound("Could not find registered limit for \(id).")
        }
        return limit
    }

    private func checkUnused(_ limit: RegisteredLimit, _ tx: any Transaction) throws {
        guard try !store.isUsed(limit, tx) else {
            throw CloudError.forbidden(
                "Unable to update or delete registered limit \(limit.id) because there are project limits associated "
                    + "with it.")
        }
    }

    // MARK: Limits

    /// Everybody sees their own project's or domain's; who may see all does.
    package func list(_ filter: LimitFilter, for context: CallContext) async throws -> [Limit] {
        try context.authorize([:])
        var stored = Self.stored(filter)
        if let project = filter.projectID { stored.owner = .project(project) }
        if let domain = filter.domainID { stored.owner = .domain(domain) }
        let (found, domains) = try await database.read { [stored] tx in
            let limits = try store.list(stored, tx)
            return (limits, try limits.map { try domain(of: $0, tx) })
        }
        return zip(found, domains).filter { limit, domain in
            context.allows("identity:get_limit", Self.target(limit, domain: domain))
        }.map(\.0)
    }

    package func show(_ id: LimitID, for context: CallContext) async throws -> Limit {
        try await database.read { try load(id, for: context, $0) }
    }

    package func create(_ drafts: [LimitDraft], for context: CallContext) async throws -> [Limit] {
        try context.authorize([:])
        let limits = drafts.map { draft in
            Limit(
                id: ids.nextHex(), owner: draft.owner, serviceID: draft.serviceID, regionID: draft.regionID,
                resourceName: draft.resourceName, resourceLimit: draft.resourceLimit, description: draft.description)
        }
        return try await database.write("limit") { tx in
            let limits = try limits.map { try owned($0, tx) }
            for limit in limits {
                try checkReferences(limit.serviceID, limit.regionID, tx)
                try checkOwner(limit.owner, tx)
                guard try store.isRegistered(limit.serviceID, limit.regionID, limit.resourceName, tx) else {
                    throw CloudError.forbidden(
                        "Unable to create a limit that has no corresponding registered limit.")
                }
                try store.insert(limit, tx)
            }
            // After all are in, so that a request may set a domain's limit and its projects' at once.
            for limit in limits { try checkTree(limit, tx) }
            return limits
        }
    }

    package func update(_ id: LimitID, resourceLimit: Int?, description: String??, for context: CallContext)
        async throws -> Limit
    {
        try await database.write("limit") { tx in
            var limit = try load(id, for: context, tx)
            limit.resourceLimit = resourceLimit ?? limit.resourceLimit
            if let description { limit.description = description }
            try store.update(limit, tx)
            try checkTree(limit, tx)
            return limit
        }
    }

    package func delete(_ id: LimitID, for context: CallContext) async throws {
        try await database.write("limit") { tx in
            _ = try load(id, for: context, tx)
            try store.delete(id, tx)
        }
    }

    // MARK: Parts

    private func load(_ id: LimitID, for context: CallContext, _ tx: any Transaction) throws -> Limit {
        let limit = try store.find(id, tx)
        try context.authorize(try limit.map { Self.target($0, domain: try domain(of: $0, tx)) } ?? [:])
        guard let limit else { throw CloudError.notFound("Could not find limit for \(id).") }
        return limit
    }

    private func domain(of limit: Limit, _ tx: any Transaction) throws -> DomainID? {
        switch limit.owner {
        case .domain(let id): id
        case .project(let id): try projects.find(id, tx)?.domainID
        }
    }

    private static func target(_ limit: Limit, domain: DomainID?) -> PolicyTarget {
        var target = PolicyTarget()
        switch limit.owner {
        case .domain(let id):
            target["target.limit.domain.id"] = id.rawValue
            target["target.limit.project_id"] = "None"
        case .project(let id):
            target["target.limit.project_id"] = id.rawValue
            target["target.limit.project.domain_id"] = domain?.rawValue
        }
        return target
    }

    /// A project's limit is no more than its domain's, and a domain's no less than its projects'
    /// (keystone: `StrictTwoLevelModel`). -1 is more than any number.
    private func checkTree(_ limit: Limit, _ tx: any Transaction) throws {
        guard model == .strictTwoLevel else { return }
        let filter = LimitStore.Filter(
            serviceID: limit.serviceID, regionID: limit.regionID, resourceName: limit.resourceName)
        let peers = try store.list(filter, tx).filter { $0.regionID == limit.regionID }
        let isWithin: Bool
        switch limit.owner {
        case .project(let id):
            guard let domain = try projects.find(id, tx)?.domainID else { return }
            let above =
                try peers.first { $0.owner == .domain(domain) }?.resourceLimit
                ?? store.registered(filter, tx).first { $0.regionID == limit.regionID }?.defaultLimit
            isWithin = above.map { LimitModel.amount(limit.resourceLimit) <= LimitModel.amount($0) } ?? true
        case .domain(let id):
            let below = Set(try projects.list(ProjectStore.Filter(domainID: id), tx).map { Limit.Owner.project($0.id) })
            isWithin = peers.allSatisfy { peer in
                !below.contains(peer.owner)
                    || LimitModel.amount(peer.resourceLimit) <= LimitModel.amount(limit.resourceLimit)
            }
        }
        guard isWithin else { throw Self.outsideTree(limit) }
    }

    private static func outsideTree(_ limit: Limit) -> CloudError {
        let (level, id) =
            switch limit.owner {
            case .project(let id): ("project_id", id.rawValue)
            case .domain(let id): ("domain_id", id.rawValue)
            }
        return .forbidden(
            "Invalid resource limit: The resource limit (\(level): \(id), resource_name: \(limit.resourceName), "
                + "resource_limit: \(limit.resourceLimit), service_id: \(limit.serviceID), region_id: "
                + "\(limit.regionID?.rawValue ?? "None")) doesn't satisfy current hierarchy model..")
    }

    /// A domain that is named as a project is meant as a domain (keystone: `_assert_resource_exist`).
    private func owned(_ limit: Limit, _ tx: any Transaction) throws -> Limit {
        guard case .project(let id) = limit.owner, let project = try projects.find(id, tx), project.isDomain else {
            return limit
        }
        var limit = limit
        limit.owner = .domain(project.asDomainID)
        return limit
    }

    private func checkOwner(_ owner: Limit.Owner, _ tx: any Transaction) throws {
        switch owner {
        case .project(let id):
            guard try projects.find(id, tx) != nil else {
                throw CloudError.badRequest("Could not find project: \(id).")
            }
        case .domain(let id):
            guard try projects.findDomain(id, tx) != nil else {
                throw CloudError.badRequest("Could not find domain: \(id).")
            }
        }
    }

    private func checkReferences(_ service: CatalogServiceID, _ region: RegionID?, _ tx: any Transaction) throws {
        guard try catalog.service(service, tx) != nil else {
            throw CloudError.badRequest("Could not find service: \(service).")
        }
        if let region, try catalog.region(region, tx) == nil {
            throw CloudError.badRequest("Could not find region: \(region).")
        }
    }

    private static func stored(_ filter: LimitFilter) -> LimitStore.Filter {
        LimitStore.Filter(
            serviceID: filter.serviceID, regionID: filter.regionID, resourceName: filter.resourceName, owner: nil)
    }
}
