// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

/// Policies that operators keep here, and which endpoints they are for.
package struct PolicyBlobEngine: Sendable {
    let database: IdentityDatabase
    let ids: IDSource
    private let store = PolicyBlobStore()
    private let catalog = CatalogStore()

    init(database: IdentityDatabase, ids: IDSource) {
        self.database = database
        self.ids = ids
    }

    package func list(type: String?, for context: CallContext) async throws -> [PolicyBlob] {
        try context.authorize([:])
        return try await database.read { try store.list(type: type, $0) }
    }

    package func show(_ id: PolicyBlobID, for context: CallContext) async throws -> PolicyBlob {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    package func create(type: String, blob: String, extras: Extras, for context: CallContext) async throws -> PolicyBlob
    {
        try context.authorize([:])
        try extras.checkSize()
        let policy = PolicyBlob(id: ids.nextHex(), type: type, blob: blob, extras: extras)
        try await database.write("policy") { try store.insert(policy, $0) }
        return policy
    }

    package func update(_ id: PolicyBlobID, _ change: PolicyBlobChange, for context: CallContext) async throws
        -> PolicyBlob
    {
        try context.authorize([:])
        return try await database.write("policy") { tx in
            var policy = try existing(id, tx)
            policy.type = change.type ?? policy.type
            policy.blob = change.blob ?? policy.blob
            policy.extras.merge(change.extras)
            try policy.extras.checkSize()
            try store.update(policy, tx)
            return policy
        }
    }

    package func delete(_ id: PolicyBlobID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("policy") { tx in
            _ = try existing(id, tx)
            try store.delete(id, tx)
        }
    }

    // MARK: Associations

    package func associate(_ id: PolicyBlobID, _ subject: PolicySubject, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("policy_association") { tx in
            try check(id, subject, tx)
            try store.associate(id, subject, tx)
        }
    }

    package func check(_ id: PolicyBlobID, _ subject: PolicySubject, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.read { tx in
            try check(id, subject, tx)
            guard try store.policy(of: subject, tx) == id else {
                throw CloudError.notFound("Could not find policy association.")
            }
        }
    }

    package func dissociate(_ id: PolicyBlobID, _ subject: PolicySubject, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("policy_association") { tx in
            try check(id, subject, tx)
            try store.dissociate(id, subject, tx)
        }
    }

    /// Those that it was tied to: one by one, by their service, or by their service in a region and below it.
    package func endpoints(of id: PolicyBlobID, for context: CallContext) async throws -> [Endpoint] {
        try context.authorize([:])
        return try await database.read { tx in
            _ = try existing(id, tx)
            let subjects = try store.subjects(of: id, tx)
            return try catalog.endpoints(tx).filter { endpoint in
                try self.subjects(of: endpoint, tx).contains { subjects.contains($0) }
            }
        }
    }

    /// The closest one: of the endpoint, of its service in its region or one above, of its service.
    package func policy(of id: EndpointID, for context: CallContext) async throws -> PolicyBlob {
        try context.authorize([:])
        return try await database.read { tx in
            guard let endpoint = try catalog.endpoint(id, tx) else {
                throw IdentityError.notFound("endpoint", id.rawValue)
            }
            for subject in try subjects(of: endpoint, tx) {
                if let policy = try store.policy(of: subject, tx) { return try existing(policy, tx) }
            }
            throw CloudError.notFound("No policy is associated with endpoint \(id).")
        }
    }

    // MARK: Parts

    /// Everything that stands for the endpoint, the closest first.
    private func subjects(of endpoint: Endpoint, _ tx: any Transaction) throws -> [PolicySubject] {
        var subjects: [PolicySubject] = [.endpoint(endpoint.id)]
        var seen = Set<RegionID>()
        var next = endpoint.regionID
        while let region = next, seen.insert(region).inserted {
            subjects.append(.region(region, of: endpoint.serviceID))
            next = try catalog.region(region, tx)?.parentID
        }
        return subjects + [.service(endpoint.serviceID)]
    }

    private func existing(_ id: PolicyBlobID, _ tx: any Transaction) throws -> PolicyBlob {
        guard let policy = try store.find(id, tx) else { throw IdentityError.notFound("policy", id.rawValue) }
        return policy
    }

    private func check(_ id: PolicyBlobID, _ subject: PolicySubject, _ tx: any Transaction) throws {
        _ = try existing(id, tx)
        switch subject {
        case .endpoint(let id):
            guard try catalog.endpoint(id, tx) != nil else { throw IdentityError.notFound("endpoint", id.rawValue) }
        case .service(let id):
            guard try catalog.service(id, tx) != nil else { throw IdentityError.notFound("service", id.rawValue) }
        case .region(let region, let service):
            guard try catalog.service(service, tx) != nil else {
                throw IdentityError.notFound("service", service.rawValue)
            }
            guard try catalog.region(region, tx) != nil else {
                throw IdentityError.notFound("region", region.rawValue)
            }
        }
    }
}
