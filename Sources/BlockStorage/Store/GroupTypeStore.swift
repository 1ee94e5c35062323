// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// SQL of `volume_group_types`.
package struct GroupTypeStore: Sendable {
    package init() {}

    private static let columns: SQL = "id, name, description, is_public, specs, created_at, updated_at"

    private static let page = PagedSelect(
        "volume_group_types", columns: columns,
        keys: [
            "id": .init("id"), "name": .init("name"), "description": .init("COALESCE(description, '')"),
            "is_public": .init("is_public", isNumeric: true), "created_at": .init("created_at", isNumeric: true),
            "updated_at": .init("COALESCE(updated_at, 0)", isNumeric: true),
        ],
        notFound: { .notFound("Group type \($0.prefix(64)) could not be found.", kind: "GroupTypeNotFound") })

    private static func type(_ row: any Row) throws -> GroupType {
        GroupType(
            id: row.id(0), name: row.text(1), description: row.textOrNil(2), isPublic: row.bool(3),
            specs: TextMap.map(row.text(4)), createdAt: row.timestamp(5), updatedAt: row.timestampOrNil(6))
    }

    package func type(_ id: GroupTypeID, _ transaction: any Transaction) throws -> GroupType? {
        try transaction.first("SELECT \(Self.columns) FROM volume_group_types WHERE id = \(id)", Self.type)
    }

    package func type(named name: String, _ transaction: any Transaction) throws -> GroupType? {
        try transaction.first("SELECT \(Self.columns) FROM volume_group_types WHERE name = \(name)", Self.type)
    }

    /// By id, else by name.
    package func find(_ identity: String, _ transaction: any Transaction) throws -> GroupType? {
        try type(GroupTypeID(identity), transaction) ?? type(named: identity, transaction)
    }

    package func list(isPublic: Bool?, _ page: ResourcePage, _ transaction: any Transaction) throws -> [GroupType] {
        let condition: SQL = isPublic.map { "AND is_public = \($0)" } ?? ""
        return try Self.page.query(where: condition, page, transaction, Self.type)
    }

    package func insert(_ type: GroupType, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_group_types (\(Self.columns)) VALUES (
                \(type.id), \(type.name), \(type.description), \(type.isPublic), \(TextMap.text(type.specs)),
                \(type.createdAt), \(type.updatedAt)
            )
            """)
    }

    package func update(_ type: GroupType, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE volume_group_types
               SET name = \(type.name), description = \(type.description), is_public = \(type.isPublic),
                   specs = \(TextMap.text(type.specs)), updated_at = \(type.updatedAt)
             WHERE id = \(type.id)
            """)
    }

    package func delete(_ id: GroupTypeID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_group_types WHERE id = \(id)")
    }
}
