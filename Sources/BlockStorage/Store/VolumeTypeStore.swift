// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// SQL of `volume_types`, `volume_type_access` and `volume_default_types`.
package struct VolumeTypeStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        id, name, description, is_public, extra_specs, qos_id, encryption, created_at, updated_at
        """

    private static let page = PagedSelect(
        "volume_types", columns: columns,
        keys: [
            "id": .init("id"), "name": .init("name"), "description": .init("COALESCE(description, '')"),
            "is_public": .init("is_public", isNumeric: true), "created_at": .init("created_at", isNumeric: true),
            "updated_at": .init("COALESCE(updated_at, 0)", isNumeric: true),
            "qos_specs_id": .init("COALESCE(qos_id, '')"),
        ],
        notFound: { .notFound("Volume type \($0.prefix(64)) could not be found.", kind: "VolumeTypeNotFound") })

    private static func type(_ row: any Row) throws -> VolumeType {
        VolumeType(
            id: row.id(0), name: row.text(1), description: row.textOrNil(2), isPublic: row.bool(3),
            extraSpecs: TextMap.map(row.text(4)), qosID: row.idOrNil(5),
            encryption: try row.textOrNil(6).map { try JSONValueDecoder.decode(VolumeTypeEncryption.self, from: $0) },
            createdAt: row.timestamp(7), updatedAt: row.timestampOrNil(8))
    }

    // MARK: Read

    package func type(_ id: VolumeTypeID, _ transaction: any Transaction) throws -> VolumeType? {
        try transaction.first("SELECT \(Self.columns) FROM volume_types WHERE id = \(id)", Self.type)
    }

    package func type(named name: String, _ transaction: any Transaction) throws -> VolumeType? {
        try transaction.first("SELECT \(Self.columns) FROM volume_types WHERE name = \(name)", Self.type)
    }

    /// By id, else by name.
    package func find(_ identity: String, _ transaction: any Transaction) throws -> VolumeType? {
        try type(VolumeTypeID(identity), transaction) ?? type(named: identity, transaction)
    }

    package func types(_ ids: some Sequence<VolumeTypeID>, _ transaction: any Transaction) throws
        -> [VolumeTypeID: VolumeType]
    {
        let found = try transaction.query(
            "SELECT \(Self.columns) FROM volume_types WHERE id IN \(list: ids)", Self.type)
        return Dictionary(found.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    package func all(_ transaction: any Transaction) throws -> [VolumeType] {
        try transaction.query("SELECT \(Self.columns) FROM volume_types ORDER BY created_at, id", Self.type)
    }

    package func count(_ transaction: any Transaction) throws -> Int {
        try transaction.count("SELECT COUNT(*) FROM volume_types")
    }

    /// `project` sees its own private types beside the public ones; nil: an administrator, whom the filter obeys.
    package func list(
        _ filter: VolumeTypeFilter, visibleTo project: ProjectID?, _ transaction: any Transaction
    ) throws -> [VolumeType] {
        var sql: SQL = ""
        if let project {
            sql += """
                AND (is_public = 1
                     OR id IN (SELECT type_id FROM volume_type_access WHERE project_id = \(project)))
                """
        } else if let isPublic = filter.isPublic {
            sql += "AND is_public = \(isPublic)"
        }
        if let name = filter.name { sql += "AND name = \(name)" }
        guard !filter.extraSpecs.isEmpty else {
            return try Self.page.query(where: sql, filter.page, transaction, Self.type)
        }
        // Few clouds have more types than a page, so specifications are compared here.
        var whole = filter.page
        whole.limit = Int(Int32.max)
        whole.offset = 0
        let matching = try Self.page.query(where: sql, whole, transaction, Self.type).lazy.filter { type in
            filter.extraSpecs.allSatisfy { type.extraSpecs[$0.key] == $0.value }
        }
        return Array(matching.dropFirst(filter.page.offset).prefix(filter.page.limit))
    }

    package func types(ofQoS id: QoSSpecsID, _ transaction: any Transaction) throws -> [VolumeType] {
        try transaction.query(
            "SELECT \(Self.columns) FROM volume_types WHERE qos_id = \(id) ORDER BY created_at, id", Self.type)
    }

    /// Whether volumes or groups are of the type.
    package func isUsed(_ id: VolumeTypeID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM volumes WHERE type_id = \(id)")
    }

    package func isUsedByGroups(_ id: VolumeTypeID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists(
            "SELECT 1 FROM volume_groups WHERE volume_type_ids LIKE \("%\"" + id.rawValue + "\"%")")
    }

    // MARK: Write

    private static func encoded(_ encryption: VolumeTypeEncryption?) throws -> String? {
        try encryption.map { try JSONValueEncoder.text($0) }
    }

    package func insert(_ type: VolumeType, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_types (\(Self.columns)) VALUES (
                \(type.id), \(type.name), \(type.description), \(type.isPublic), \(TextMap.text(type.extraSpecs)),
                \(type.qosID), \(try Self.encoded(type.encryption)), \(type.createdAt), \(type.updatedAt)
            )
            """)
    }

    package func update(_ type: VolumeType, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE volume_types
               SET name = \(type.name), description = \(type.description), is_public = \(type.isPublic),
                   extra_specs = \(TextMap.text(type.extraSpecs)), qos_id = \(type.qosID),
                   encryption = \(try Self.encoded(type.encryption)), updated_at = \(type.updatedAt)
             WHERE id = \(type.id)
            """)
    }

    package func setQoS(_ id: QoSSpecsID?, of type: VolumeTypeID, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE volume_types SET qos_id = \(id) WHERE id = \(type)")
    }

    package func removeQoS(_ id: QoSSpecsID, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE volume_types SET qos_id = NULL WHERE qos_id = \(id)")
    }

    package func delete(_ id: VolumeTypeID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_type_access WHERE type_id = \(id)")
        try transaction.execute("DELETE FROM volume_types WHERE id = \(id)")
    }

    // MARK: Access

    package func hasAccess(_ id: VolumeTypeID, _ project: ProjectID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists(
            "SELECT 1 FROM volume_type_access WHERE type_id = \(id) AND project_id = \(project)")
    }

    package func access(_ id: VolumeTypeID, _ transaction: any Transaction) throws -> [ProjectID] {
        try transaction.query(
            "SELECT project_id FROM volume_type_access WHERE type_id = \(id) ORDER BY project_id"
        ) { $0.id(0) }
    }

    package func allow(_ id: VolumeTypeID, _ project: ProjectID, _ transaction: any Transaction) throws {
        try transaction.execute("INSERT INTO volume_type_access (type_id, project_id) VALUES (\(id), \(project))")
    }

    /// False: it had no access.
    package func disallow(_ id: VolumeTypeID, _ project: ProjectID, _ transaction: any Transaction) throws -> Bool {
        try transaction.execute(
            "DELETE FROM volume_type_access WHERE type_id = \(id) AND project_id = \(project)") > 0
    }

    // MARK: Defaults of projects

    /// The type of new volumes of `project` that name none, when an administrator has set one for it.
    package func defaultType(of project: ProjectID, _ transaction: any Transaction) throws -> VolumeTypeID? {
        try transaction.first("SELECT type_id FROM volume_default_types WHERE project_id = \(project)") { $0.id(0) }
    }

    package func defaultTypes(_ transaction: any Transaction) throws -> [(project: ProjectID, type: VolumeTypeID)] {
        try transaction.query("SELECT project_id, type_id FROM volume_default_types ORDER BY project_id") {
            ($0.id(0), $0.id(1))
        }
    }

    package func isDefault(_ id: VolumeTypeID, _ transaction: any Transaction) throws -> Bool {
        try transaction.exists("SELECT 1 FROM volume_default_types WHERE type_id = \(id)")
    }

    package func setDefault(_ id: VolumeTypeID, of project: ProjectID, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO volume_default_types (project_id, type_id) VALUES (\(project), \(id))
            ON CONFLICT (project_id) DO UPDATE SET type_id = excluded.type_id
            """)
    }

    package func unsetDefault(of project: ProjectID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM volume_default_types WHERE project_id = \(project)")
    }
}
