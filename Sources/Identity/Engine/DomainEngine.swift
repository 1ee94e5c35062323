// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

/// Domains, seen as such.
package struct DomainEngine: Sendable {
    let database: IdentityDatabase
    let ids: IDSource
    let projectEngine: ProjectEngine
    private let projects = ProjectStore()

    init(database: IdentityDatabase, ids: IDSource, projects: ProjectEngine) {
        self.database = database
        self.ids = ids
        projectEngine = projects
    }

    package func list(name: String?, isEnabled: Bool?, for context: CallContext) async throws -> [Project] {
        try context.authorize(.listing(context))
        let own = context.principal.domainID
        return try await database.read { tx in
            try projects.list(ProjectStore.Filter(name: name, isEnabled: isEnabled, isDomain: true), tx)
                .filter { own == nil || $0.asDomainID == own }
        }
    }

    package func show(_ id: DomainID, for context: CallContext) async throws -> Project {
        try await database.read { try load(id, for: context, $0) }
    }

    package func create(_ draft: ProjectDraft, for context: CallContext) async throws -> Project {
        precondition(draft.domainID == nil)
        try context.authorize([:])
        return try await projectEngine.make(draft, id: draft.explicitID.map { ProjectID($0) } ?? ids.nextHex())
    }

    package func update(_ id: DomainID, _ change: ProjectChange, for context: CallContext) async throws -> Project {
        try await database.write("domain") { tx in
            try projectEngine.apply(change, to: try load(id, for: context, tx), tx)
        }
    }

    package func delete(_ id: DomainID, for context: CallContext) async throws {
        try await database.write("domain") { tx in
            try projectEngine.removal.delete(try load(id, for: context, tx), tx)
        }
    }

    private func load(_ id: DomainID, for context: CallContext, _ tx: any Transaction) throws -> Project {
        let domain = try projects.findDomain(id, tx)
        try context.authorize(.domain(id))
        guard let domain else { throw IdentityError.notFound("domain", id.rawValue) }
        return domain
    }
}
