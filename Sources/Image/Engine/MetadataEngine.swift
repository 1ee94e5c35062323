// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PolicyKit

/// Definitions of metadata: namespaces and what they hold. Administrators write, projects read what they see.
package struct MetadataEngine: Sendable {
    /// A namespace with all it holds.
    package struct Content: Sendable {
        package var namespace: MetadataNamespace
        package var definitions: [MetadataDefinition.Kind: [MetadataDefinition]]
    }

    private let database: any Database
    private let clock: WallClock
    private let ids: IDSource
    package let config: ImageConfig
    private let store = MetadataStore()

    package init(_ engine: ImageEngine) {
        database = engine.database
        clock = engine.clock
        ids = engine.ids
        config = engine.config
    }

    // MARK: Who may

    private static func target(_ namespace: MetadataNamespace) -> PolicyTarget {
        var target = PolicyTarget(project: namespace.owner)
        target["visibility"] = namespace.visibility.rawValue
        return target
    }

    /// Throws `.notFound` for a missing and for an unseen namespace alike, then `.forbidden` when a rule refuses.
    private func load(_ name: String, _ rules: [PolicyName], _ context: CallContext, _ tx: any Transaction) throws
        -> MetadataNamespace
    {
        guard let namespace = try store.namespace(name, tx), isSeen(namespace, context) else {
            throw CloudError.notFound("Namespace \(name) not found")
        }
        for rule in rules { try context.authorize(Self.target(namespace), as: rule) }
        return namespace
    }

    private func isSeen(_ namespace: MetadataNamespace, _ context: CallContext) -> Bool {
        guard namespace.visibility != .public, let owner = namespace.owner else { return true }
        return context.allows(.contextIsAdmin, [:]) || owner == context.projectID
    }

    // MARK: Namespaces

    package func create(_ draft: MetadataNamespaceDraft, for context: CallContext) async throws -> Content {
        for rule in Set(draft.definitions.map { MetadataRules.add($0.kind) }) {
            try context.authorize(PolicyTarget(project: context.projectID), as: rule)
        }
        let now = clock.now()
        let namespace = MetadataNamespace(
            id: ids.next(), name: draft.name, displayName: draft.displayName, description: draft.description,
            visibility: draft.visibility ?? .private, isProtected: draft.isProtected ?? false,
            owner: draft.owner ?? context.projectID, createdAt: now, updatedAt: now)
        let definitions = draft.definitions.map { MetadataDefinition($0, at: now) }
        try await database.write { tx in
            try store.insert(namespace, tx)
            for definition in definitions { try store.insert(definition, into: namespace, tx) }
        }
        return Content(namespace: namespace, definitions: Dictionary(grouping: definitions, by: \.kind))
    }

    /// One page, each with the types of resources it is about.
    package func namespaces(_ query: MetadataQuery, for context: CallContext) async throws -> [Content] {
        context.authorizeListing()
        return try await database.read { tx in
            var marker: MetadataNamespace?
            if let name = query.marker { marker = try load(name, [], context, tx) }
            let namespaces = try store.namespaces(
                query, after: marker, viewer: context.projectID, isAdmin: context.allows(.contextIsAdmin, [:]), tx)
            let types = try store.resourceTypes(of: namespaces.map(\.id), tx)
            return namespaces.map { Content(namespace: $0, definitions: [.resourceType: types[$0.id] ?? []]) }
        }
    }

    package func namespace(_ name: String, for context: CallContext) async throws -> Content {
        try await database.read { tx in
            let namespace: MetadataNamespace
            do {
                namespace = try load(name, [.getMetadataNamespace], context, tx)
            } catch let error as CloudError where error.code == .forbidden {
                throw CloudError.notFound("Namespace \(name) not found")
            }
            for rule in [
                PolicyName.listMetadataResourceTypes, .getMetadataObjects, .getMetadataProperties, .getMetadataTags,
            ] { try context.authorize(Self.target(namespace), as: rule) }
            var query = MetadataQuery()
            query.sortKey = .name
            query.isAscending = true
            var definitions: [MetadataDefinition.Kind: [MetadataDefinition]] = [:]
            for kind in MetadataDefinition.Kind.allCases {
                definitions[kind] = try store.definitions(kind, in: namespace.id, query, after: nil, tx)
            }
            return Content(namespace: namespace, definitions: definitions)
        }
    }

    /// What is not named goes back to its default (glance: `update`).
    package func update(_ name: String, _ draft: MetadataNamespaceDraft, for context: CallContext) async throws
        -> MetadataNamespace
    {
        let now = clock.now()
        return try await database.write { tx in
            var namespace = try load(name, [.modifyMetadataNamespace], context, tx)
            namespace.name = draft.name
            namespace.displayName = draft.displayName
            namespace.description = draft.description
            namespace.visibility = draft.visibility ?? .private
            namespace.isProtected = draft.isProtected ?? false
            namespace.owner = draft.owner ?? context.projectID
            namespace.updatedAt = now
            try store.update(namespace, tx)
            return namespace
        }
    }

    package func delete(_ name: String, for context: CallContext) async throws {
        try await database.write { tx in
            let namespace = try load(name, [.deleteMetadataNamespace], context, tx)
            try Self.checkUnprotected(namespace)
            try store.delete(namespace.id, tx)
        }
    }

    private static func checkUnprotected(_ namespace: MetadataNamespace) throws {
        guard namespace.isProtected else { return }
        throw CloudError.forbidden(
            "Metadata definition namespace \(namespace.name) is protected and cannot be deleted.")
    }

    // MARK: Definitions

    package func add(_ drafts: [MetadataDefinitionDraft], to name: String, rule: PolicyName, replacing: Bool = false,
        for context: CallContext
    ) async throws -> [MetadataDefinition] {
        let now = clock.now()
        let definitions = drafts.map { MetadataDefinition($0, at: now) }
        try await database.write { tx in
            let namespace = try load(name, [rule], context, tx)
            if replacing { try store.deleteAll(.tag, from: namespace.id, tx) }
            for definition in definitions { try store.insert(definition, into: namespace, tx) }
        }
        return definitions
    }

    package func definitions(
        _ kind: MetadataDefinition.Kind, in name: String, _ query: MetadataQuery, for context: CallContext
    ) async throws -> [MetadataDefinition] {
        try await database.read { tx in
            let namespace = try load(name, [MetadataRules.list(kind)], context, tx)
            var marker: MetadataDefinition?
            if let name = query.marker { marker = try find(kind, name, in: namespace, tx) }
            return try store.definitions(kind, in: namespace.id, query, after: marker, tx)
        }
    }

    package func definition(
        _ kind: MetadataDefinition.Kind, _ definition: String, in name: String, resourceType: String? = nil,
        for context: CallContext
    ) async throws -> MetadataDefinition {
        try await database.read { tx in
            let namespace = try load(name, [MetadataRules.get(kind)], context, tx)
            guard let resourceType else { return try find(kind, definition, in: namespace, tx) }
            try context.authorize(Self.target(namespace), as: .getMetadataResourceType)
            let type = try find(.resourceType, resourceType, in: namespace, tx)
            let prefix = type.body["prefix"]?.string ?? ""
            guard !prefix.isEmpty, definition.hasPrefix(prefix) else {
                throw CloudError.notFound(
                    """
                    Property \(definition) does not start with the expected resource type association prefix of \
                    '\(prefix)'.
                    """)
            }
            return try find(kind, String(definition.dropFirst(prefix.count)), in: namespace, tx)
        }
    }

    private func find(
        _ kind: MetadataDefinition.Kind, _ name: String, in namespace: MetadataNamespace, _ tx: any Transaction
    ) throws -> MetadataDefinition {
        guard let definition = try store.definition(kind, name, in: namespace.id, tx) else {
            throw Self.absent(kind, name, namespace.name)
        }
        return definition
    }

    private static func absent(_ kind: MetadataDefinition.Kind, _ name: String, _ namespace: String) -> CloudError {
        switch kind {
        case .resourceType: .notFound("Failed to find resource type \(name) to delete")
        case .object, .property, .tag:
            .notFound(
                """
                The metadata definition \(kind.rawValue) with name=\(name) was not found in namespace=\(namespace).
                """)
        }
    }

    package func update(
        _ definition: String, in name: String, to draft: MetadataDefinitionDraft, for context: CallContext
    ) async throws -> MetadataDefinition {
        let now = clock.now()
        return try await database.write { tx in
            let namespace = try load(name, [MetadataRules.modify(draft.kind)], context, tx)
            var changed = try find(draft.kind, definition, in: namespace, tx)
            changed.name = draft.name
            changed.body = draft.body
            changed.updatedAt = now
            guard try store.update(definition, to: changed, in: namespace, tx) else {
                throw Self.absent(draft.kind, definition, name)
            }
            return changed
        }
    }

    package func delete(
        _ kind: MetadataDefinition.Kind, _ definition: String, from name: String, for context: CallContext
    ) async throws {
        try await database.write { tx in
            let namespace = try load(name, [MetadataRules.delete(kind)], context, tx)
            _ = try find(kind, definition, in: namespace, tx)
            guard !namespace.isProtected else {
                let what = kind == .resourceType ? "resource-type-association" : kind.rawValue
                throw CloudError.forbidden(
                    "Metadata definition \(what) \(definition) is protected and cannot be deleted.")
            }
            _ = try store.delete(kind, definition, from: namespace.id, tx)
        }
    }

    /// Everything of one kind. The namespace's own rule decides (glance: `delete_objects`).
    package func deleteAll(_ kind: MetadataDefinition.Kind, from name: String, for context: CallContext) async throws {
        let rules: [PolicyName] = [.deleteMetadataNamespace] + (kind == .tag ? [.deleteMetadataTags] : [])
        try await database.write { tx in
            let namespace = try load(name, rules, context, tx)
            try Self.checkUnprotected(namespace)
            try store.deleteAll(kind, from: namespace.id, tx)
        }
    }

    package func resourceTypes() async throws -> [(name: String, createdAt: Timestamp, updatedAt: Timestamp)] {
        let store = store
        return try await database.read { tx in try store.resourceTypes(tx) }
    }
}
