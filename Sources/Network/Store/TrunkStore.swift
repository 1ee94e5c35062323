// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `trunks` and `trunk_subports`. A port is in at most one of them, once.
enum TrunkStore {
    static let schema = ListSchema(
        from: "FROM trunks t", id: "t.id", tags: "t.tags",
        [
            ListAttribute("id", "t.id"), ListAttribute("name", "t.name"), ListAttribute("project_id", "t.project_id"),
            ListAttribute("tenant_id", "t.project_id"), ListAttribute("description", "t.description"),
            ListAttribute("admin_state_up", "t.is_enabled", .boolean), ListAttribute("port_id", "t.port_id"),
            ListAttribute("status", "t.status"), ListAttribute("revision_number", "t.revision", .integer),
            ListAttribute("created_at", "t.created_at", .time),
            ListAttribute("updated_at", "t.updated_at", .time),
            .filter("sub_ports") { values in
                let ports = values.map { $0.hasPrefix("port_id=") ? String($0.dropFirst(8)) : $0 }
                return "t.id IN (SELECT trunk_id FROM trunk_subports WHERE port_id IN \(list: ports))"
            },
        ])

    private static let columns: SQL = """
        t.id, t.project_id, t.name, t.port_id, t.is_enabled, t.status, t.description, t.tags, t.revision, \
        t.created_at, t.updated_at
        """

    private static func trunk(_ row: any Row) throws -> Trunk {
        Trunk(
            id: row.id(0), project: row.id(1), name: row.text(2), port: row.id(3), isEnabled: row.bool(4),
            status: try row.word(5), subports: [], standard: row.standard(6))
    }

    static func list(_ query: ListQuery, for viewer: Viewer, _ transaction: any Transaction) throws -> [Trunk] {
        var trunks = try schema.list(
            query, columns: columns, where: Visibility([viewer.owns("t.project_id")]), transaction,
            missing: { NetworkFault.trunkNotFound(TrunkID($0)) }, trunk)
        guard query.fields?.contains("sub_ports") ?? true else { return trunks }
        let subports = try subports(of: trunks.map(\.id), transaction)
        for index in trunks.indices { trunks[index].subports = subports[trunks[index].id] ?? [] }
        return trunks
    }

    static func find(_ id: TrunkID, _ transaction: any Transaction) throws -> Trunk? {
        try first("t.id = \(id)", transaction)
    }

    /// The trunk whose parent the port is.
    static func trunk(on port: PortID, _ transaction: any Transaction) throws -> Trunk? {
        try first("t.port_id = \(port)", transaction)
    }

    private static func first(_ condition: SQL, _ transaction: any Transaction) throws -> Trunk? {
        guard var trunk = try transaction.first("SELECT \(columns) \(schema.from) WHERE \(condition)", trunk) else {
            return nil
        }
        trunk.subports = try subports(of: [trunk.id], transaction)[trunk.id] ?? []
        return trunk
    }

    static func insert(_ trunk: Trunk, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO trunks (id, project_id, name, description, port_id, is_enabled, status, tags, revision,
                created_at, updated_at)
            VALUES (\(trunk.id), \(trunk.project), \(trunk.name), \(trunk.standard.description), \(trunk.port),
                \(trunk.isEnabled), \(trunk.status.rawValue), \(trunk.standard.tags), \(trunk.standard.revision),
                \(trunk.standard.createdAt), \(trunk.standard.updatedAt))
            """)
    }

    static func update(_ trunk: Trunk, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE trunks
               SET name = \(trunk.name), description = \(trunk.standard.description), is_enabled = \(trunk.isEnabled),
                   status = \(trunk.status.rawValue), tags = \(trunk.standard.tags),
                   revision = \(trunk.standard.revision), updated_at = \(trunk.standard.updatedAt)
             WHERE id = \(trunk.id)
            """)
    }

    static func delete(_ id: TrunkID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM trunk_subports WHERE trunk_id = \(id)")
        try transaction.execute("DELETE FROM trunks WHERE id = \(id)")
    }

    /// What the data plane says of the parent.
    static func setStatus(_ status: Trunk.Status, ofTrunkOn port: PortID, _ transaction: any Transaction) throws {
        try transaction.execute(
            "UPDATE trunks SET status = \(status.rawValue) WHERE port_id = \(port) AND status <> \(status.rawValue)")
    }

    // MARK: Subports

    /// In the order they were added.
    static func subports(of trunks: [TrunkID], _ transaction: any Transaction) throws -> [TrunkID: [Trunk.Subport]] {
        var subports: [TrunkID: [Trunk.Subport]] = [:]
        for chunk in trunks.slices() {
            try transaction.forEach(
                """
                SELECT trunk_id, port_id, segmentation_type, segmentation_id FROM trunk_subports
                 WHERE trunk_id IN \(list: chunk) ORDER BY created_at, segmentation_id
                """
            ) { row in
                subports[row.id(0), default: []].append(
                    Trunk.Subport(port: row.id(1), segmentationType: row.text(2), segmentation: row.int(3)))
            }
        }
        return subports
    }

    static func insert(
        _ subport: Trunk.Subport, of trunk: TrunkID, at time: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO trunk_subports (port_id, trunk_id, segmentation_type, segmentation_id, created_at)
            VALUES (\(subport.port), \(trunk), \(subport.segmentationType), \(subport.segmentation), \(time))
            """)
    }

    static func deleteSubport(_ port: PortID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM trunk_subports WHERE port_id = \(port)")
    }

    /// The trunk that the port is a subport of.
    static func trunk(carrying port: PortID, _ transaction: any Transaction) throws -> TrunkID? {
        try transaction.first("SELECT trunk_id FROM trunk_subports WHERE port_id = \(port)") { $0.id(0) }
    }

    /// The parent and the tag of a subport.
    static func parent(of port: PortID, _ transaction: any Transaction) throws -> LogicalPort.Parent? {
        try transaction.first(
            """
            SELECT t.port_id, s.segmentation_id FROM trunk_subports s JOIN trunks t ON t.id = s.trunk_id
             WHERE s.port_id = \(port)
            """
        ) { LogicalPort.Parent(port: $0.id(0), vlan: $0.int(1)) }
    }
}
