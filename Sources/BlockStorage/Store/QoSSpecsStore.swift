// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// SQL of `volume_qos_specs`.
package struct QoSSpecsStore: Sendable {
    package init() {}

    private static let columns: SQL = "id, name, consumer, specs, created_at, updated_at"

    private static let page = PagedSelect(
        "volume_qos_specs", columns: columns,
        keys: [
            "id": .init("id"), "name": .init("name"), "consumer": .init("consumer"),
            "created_at": .init("created_at", isNumeric: true),
            "updated_at": .init("COALESCE(updated_at, 0)", isNumeric: true),
        ],
        filters: ["id": "id", "name": "name", "consumer": "consumer"],
        notFound: { .notFound("No such QoS spec \($0.prefix(64)).", kind: "QoSSpecsNotFound") })

    private static func specs(_ row: any Row) throws -> QoSSpecs {
        QoSSpecs(
            id: row.id(0), name: row.text(1), consumer: try row.word(2),
            specs: TextMap.map(row.text(3)), createdAt: row.timestamp(4), updatedAt: row.timestampOrNil(5))
    }

    package func specs(_ id: QoSSpecsID, _ transaction: any Transaction) throws -> QoSSpecs? {
        try transaction.first("SELECT \(Self.columns) FROM volume_qos_specs WHERE id = \(id)", Self.specs)
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage, _ transaction: any Transaction) throws
        -> [QoSSpecs]
    {
        try Self.page.list(filter, page, transaction, Self.specs)
    }

    package func insert(_ specs: QoSSpecs, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_qos_specs (\(Self.columns)) VALUES (
                \(specs.id), \(specs.name), \(specs.consumer.rawValue), \(TextMap.text(specs.specs)),
                \(specs.createdAt), \(specs.updatedAt)
            )
            """)
    }

    package func update(_ specs: QoSSpecs, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE volume_qos_specs
               SET consumer = \(specs.consumer.rawValue), specs = \(TextMap.text(specs.specs)),
                   updated_at = \(specs.updatedAt)
             WHERE id = \(specs.id)
            """)
    }

    package func delete(_ id: QoSSpecsID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_qos_specs WHERE id = \(id)")
    }
}
