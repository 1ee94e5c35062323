// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// The rows of namespaces and of what they hold. Who may see a namespace is the engine's part.
package struct MetadataStore: Sendable {
    package init() {}

    // MARK: Namespaces

    private static let columns: SQL =
        "id, name, display_name, description, visibility, protected, owner, created_at, updated_at"

    private static func namespace(_ row: any Row) throws -> MetadataNamespace {
        MetadataNamespace(
            id: row.id(0), name: row.text(1), displayName: row.textOrNil(2), description: row.textOrNil(3),
            visibility: try row.word(4), isProtected: row.bool(5),
            owner: row.idOrNil(6), createdAt: row.timestamp(7), updatedAt: row.timestamp(8))
    }

    package func insert(_ namespace: MetadataNamespace, _ tx: any Transaction) throws {
        do {
            try tx.execute(
                """
                INSERT INTO metadata_namespaces (id, name, display_name, description, visibility, protected, owner,
                                                 created_at, updated_at)
                VALUES (\(namespace.id), \(namespace.name), \(namespace.displayName), \(namespace.description),
                        \(namespace.visibility.rawValue), \(namespace.isProtected), \(namespace.owner),
                        \(namespace.createdAt), \(namespace.updatedAt))
                """)
        } catch DatabaseError.unique {
            throw CloudError.conflict("The metadata definition namespace=\(namespace.name) already exists.")
        }
    }

    package func update(_ namespace: MetadataNamespace, _ tx: any Transaction) throws {
        do {
            try tx.execute(
                """
                UPDATE metadata_namespaces
                   SET name = \(namespace.name), display_name = \(namespace.displayName),
                       description = \(namespace.description), visibility = \(namespace.visibility.rawValue),
                       protected = \(namespace.isProtected), owner = \(namespace.owner),
                       updated_at = \(namespace.updatedAt)
                 WHERE id = \(namespace.id)
                """)
        } catch DatabaseError.unique {
            throw CloudError.conflict(
                """
                Invalid update. It would result in a duplicate metadata definition namespace with the same name of \
                \(namespace.name)
                """)
        }
    }

    package func delete(_ id: MetadataNamespaceID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM metadata_definitions WHERE namespace_id = \(id)")
        try tx.execute("DELETE FROM metadata_namespaces WHERE id = \(id)")
    }

    package func namespace(_ name: String, _ tx: any Transaction) throws -> MetadataNamespace? {
        try tx.first("SELECT \(Self.columns) FROM metadata_namespaces WHERE name = \(name)", Self.namespace)
    }

    /// `isAdmin` sees all; others see their project's and the public ones.
    package func namespaces(
        _ query: MetadataQuery, after marker: MetadataNamespace?, viewer: ProjectID?, isAdmin: Bool,
        _ tx: any Transaction
    ) throws -> [MetadataNamespace] {
        var sql: SQL = "SELECT \(Self.columns) FROM metadata_namespaces WHERE 1 = 1"
        if !isAdmin { sql += "AND (visibility = 'public' OR owner = \(viewer) OR owner IS NULL)" }
        if let visibility = query.visibility { sql += "AND visibility = \(visibility.rawValue)" }
        if let types = query.resourceTypes {
            sql += """
                AND id IN (SELECT namespace_id FROM metadata_definitions
                            WHERE kind = \(MetadataDefinition.Kind.resourceType.rawValue) AND name IN \(list: types))
                """
        }
        let key: SQL =
            switch query.sortKey {
            case .created_at: "created_at"
            case .updated_at: "updated_at"
            case .namespace, .name: "name"
            case .id: "id"
            }
        if let marker {
            let value: SQLValue =
                switch query.sortKey {
                case .created_at: .integer(marker.createdAt.microseconds)
                case .updated_at: .integer(marker.updatedAt.microseconds)
                case .namespace, .name: .text(marker.name)
                case .id: .text(marker.id.rawValue)
                }
            sql +=
                query.isAscending
                ? "AND (\(key) > \(value) OR (\(key) = \(value) AND id > \(marker.id)))"
                : "AND (\(key) < \(value) OR (\(key) = \(value) AND id < \(marker.id)))"
        }
        sql += query.isAscending ? "ORDER BY \(key) ASC, id ASC" : "ORDER BY \(key) DESC, id DESC"
        if let limit = query.limit { sql += "LIMIT \(limit)" }
        return try tx.query(sql, Self.namespace)
    }

    // MARK: Definitions

    private static func definition(_ row: any Row) throws -> MetadataDefinition {
        let body = (try? JSONReader.read(row.text(2)))?.object  // this program wrote it; a damaged one is empty
        return MetadataDefinition(
            kind: try row.word(0), name: row.text(1), body: body ?? [:],
            createdAt: row.timestamp(3), updatedAt: row.timestamp(4))
    }

    /// Throws `.conflict` when the namespace has one of that kind and name.
    package func insert(
        _ definition: MetadataDefinition, into namespace: MetadataNamespace, _ tx: any Transaction
    ) throws {
        if definition.kind == .resourceType {
            try tx.execute(
                """
                INSERT INTO metadata_resource_types (name, created_at, updated_at)
                VALUES (\(definition.name), \(definition.createdAt), \(definition.createdAt))
                ON CONFLICT (name) DO NOTHING
                """)
        }
        do {
            try tx.execute(
                """
                INSERT INTO metadata_definitions (namespace_id, kind, name, body, created_at, updated_at)
                VALUES (\(namespace.id), \(definition.kind.rawValue), \(definition.name),
                        \(JSON.object(definition.body).text()), \(definition.createdAt), \(definition.updatedAt))
                """)
        } catch DatabaseError.unique {
            throw Self.duplicate(definition.kind, definition.name, namespace)
        }
    }

    /// False: there is none of that name.
    package func update(
        _ name: String, to definition: MetadataDefinition, in namespace: MetadataNamespace, _ tx: any Transaction
    ) throws -> Bool {
        do {
            return try tx.execute(
                """
                UPDATE metadata_definitions
                   SET name = \(definition.name), body = \(JSON.object(definition.body).text()),
                       updated_at = \(definition.updatedAt)
                 WHERE namespace_id = \(namespace.id) AND kind = \(definition.kind.rawValue) AND name = \(name)
                """) == 1
        } catch DatabaseError.unique {
            throw Self.duplicate(definition.kind, definition.name, namespace)
        }
    }

    private static func duplicate(_ kind: MetadataDefinition.Kind, _ name: String, _ namespace: MetadataNamespace)
        -> CloudError
    {
        switch kind {
        case .object, .property:
            .conflict(
                """
                A metadata definition \(kind.rawValue) with name=\(name) already exists in namespace=\(namespace.name).
                """)
        case .tag: .conflict("A metadata tag with name=\(name) already exists in namespace=\(namespace.name).")
        case .resourceType:
            .conflict(
                """
                The metadata definition resource-type association of resource-type=\(name) to \
                namespace=\(namespace.name) already exists.
                """)
        }
    }

    /// False: there is none of that name.
    package func delete(
        _ kind: MetadataDefinition.Kind, _ name: String, from namespace: MetadataNamespaceID, _ tx: any Transaction
    ) throws -> Bool {
        try tx.execute(
            """
            DELETE FROM metadata_definitions
             WHERE namespace_id = \(namespace) AND kind = \(kind.rawValue) AND name = \(name)
            """) == 1
    }

    package func deleteAll(
        _ kind: MetadataDefinition.Kind, from namespace: MetadataNamespaceID, _ tx: any Transaction
    ) throws {
        try tx.execute("DELETE FROM metadata_definitions WHERE namespace_id = \(namespace) AND kind = \(kind.rawValue)")
    }

    package func definition(
        _ kind: MetadataDefinition.Kind, _ name: String, in namespace: MetadataNamespaceID, _ tx: any Transaction
    ) throws -> MetadataDefinition? {
        try tx.first(
            """
            SELECT kind, name, body, created_at, updated_at FROM metadata_definitions
             WHERE namespace_id = \(namespace) AND kind = \(kind.rawValue) AND name = \(name)
            """, Self.definition)
    }

    /// `after` is the one that the page before ended with.
    package func definitions(
        _ kind: MetadataDefinition.Kind, in namespace: MetadataNamespaceID, _ query: MetadataQuery,
        after marker: MetadataDefinition?, _ tx: any Transaction
    ) throws -> [MetadataDefinition] {
        var sql: SQL = """
            SELECT kind, name, body, created_at, updated_at FROM metadata_definitions
             WHERE namespace_id = \(namespace) AND kind = \(kind.rawValue)
            """
        let key: SQL =
            switch query.sortKey {
            case .created_at: "created_at"
            case .updated_at: "updated_at"
            case .namespace, .name, .id: "name"
            }
        if let marker {
            let value: SQLValue =
                switch query.sortKey {
                case .created_at: .integer(marker.createdAt.microseconds)
                case .updated_at: .integer(marker.updatedAt.microseconds)
                case .namespace, .name, .id: .text(marker.name)
                }
            sql +=
                query.isAscending
                ? "AND (\(key) > \(value) OR (\(key) = \(value) AND name > \(marker.name)))"
                : "AND (\(key) < \(value) OR (\(key) = \(value) AND name < \(marker.name)))"
        }
        sql += query.isAscending ? "ORDER BY \(key) ASC, name ASC" : "ORDER BY \(key) DESC, name DESC"
        if let limit = query.limit { sql += "LIMIT \(limit)" }
        return try tx.query(sql, Self.definition)
    }

    /// Of many namespaces, what types of resources they are about.
    package func resourceTypes(of namespaces: [MetadataNamespaceID], _ tx: any Transaction) throws
        -> [MetadataNamespaceID: [MetadataDefinition]]
    {
        var found: [MetadataNamespaceID: [MetadataDefinition]] = [:]
        guard !namespaces.isEmpty else { return found }
        try tx.forEach(
            """
            SELECT kind, name, body, created_at, updated_at, namespace_id FROM metadata_definitions
             WHERE kind = \(MetadataDefinition.Kind.resourceType.rawValue) AND namespace_id IN \(list: namespaces)
             ORDER BY namespace_id, name
            """
        ) { row in found[row.id(5), default: []].append(try Self.definition(row)) }
        return found
    }

    /// All types of resources that anybody knows, by name.
    package func resourceTypes(_ tx: any Transaction) throws
        -> [(name: String, createdAt: Timestamp, updatedAt: Timestamp)]
    {
        try tx.query("SELECT name, created_at, updated_at FROM metadata_resource_types ORDER BY name") {
            ($0.text(0), $0.timestamp(1), $0.timestamp(2))
        }
    }
}
