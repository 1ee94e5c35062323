// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum MetadataNamespaceTag {}
package typealias MetadataNamespaceID = ID<MetadataNamespaceTag>

/// A named set of definitions of metadata, by which people find out what properties mean.
package struct MetadataNamespace: Sendable, Equatable {
    package enum Visibility: String, Sendable, CaseIterable { case `public`, `private` }

    package var id: MetadataNamespaceID
    package var name: String
    package var displayName: String?
    package var description: String?
    package var visibility: Visibility
    package var isProtected: Bool
    package var owner: ProjectID?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
}

/// One definition in a namespace.
package struct MetadataDefinition: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        case object, property, tag
        /// That the namespace is about a type of resource.
        case resourceType = "resource_type"
    }

    package var kind: Kind
    package var name: String
    /// What its schema allows, without the name.
    package var body: [String: JSON]
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(_ draft: MetadataDefinitionDraft, at time: Timestamp) {
        kind = draft.kind
        name = draft.name
        body = draft.body
        createdAt = time
        updatedAt = time
    }

    init(kind: Kind, name: String, body: [String: JSON], createdAt: Timestamp, updatedAt: Timestamp) {
        self.kind = kind
        self.name = name
        self.body = body
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// A definition as a caller describes it.
package struct MetadataDefinitionDraft: Sendable, Equatable {
    package var kind: MetadataDefinition.Kind
    package var name: String
    package var body: [String: JSON]

    package init(_ kind: MetadataDefinition.Kind, _ name: String, _ body: [String: JSON] = [:]) {
        self.kind = kind
        self.name = name
        self.body = body
    }
}

/// A namespace as a caller describes it, with what it shall hold.
package struct MetadataNamespaceDraft: Sendable {
    package var name: String
    package var displayName: String?
    package var description: String?
    package var visibility: MetadataNamespace.Visibility?
    package var isProtected: Bool?
    package var owner: ProjectID?
    package var definitions: [MetadataDefinitionDraft] = []

    package init(name: String) { self.name = name }
}

/// What a list of namespaces, or of a namespace's definitions, asks for.
package struct MetadataQuery: Sendable {
    package enum SortKey: String, Sendable, CaseIterable { case created_at, updated_at, namespace, name, id }

    package var visibility: MetadataNamespace.Visibility?
    /// Only namespaces about one of these.
    package var resourceTypes: [String]?
    package var sortKey = SortKey.created_at
    package var isAscending = false
    /// Nil: all.
    package var limit: Int?
    /// The name of the last one of the page before.
    package var marker: String?

    package init() {}
}
