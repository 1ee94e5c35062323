// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Rows of `network_segments`.
enum SegmentStore {
    static let schema = ListSchema(
        from: "FROM network_segments e", id: "e.id", tags: nil,
        [
            ListAttribute("id", "e.id"), ListAttribute("network_id", "e.network_id"),
            ListAttribute("name", "e.name", isNullable: true),
            ListAttribute("description", "e.description", isNullable: true), ListAttribute("network_type", "e.kind"),
            ListAttribute("physical_network", "e.physical_network", isNullable: true),
            ListAttribute("segmentation_id", "e.segment", .integer, isNullable: true),
            ListAttribute("revision_number", "e.revision", .integer),
            ListAttribute("created_at", "e.created_at", .time), ListAttribute("updated_at", "e.updated_at", .time),
        ])

    private static let columns: SQL = """
        e.id, e.network_id, e.name, e.description, e.kind, e.physical_network, e.segment, e.position, e.revision, \
        e.created_at, e.updated_at
        """

    private static func segment(_ row: any Row) throws -> NetworkSegment {
        NetworkSegment(
            id: row.id(0), network: row.id(1), name: row.textOrNil(2), description: row.textOrNil(3),
            kind: try row.word(4), physicalNetwork: row.textOrNil(5),
            number: row.intOrNil(6), position: row.int(7), revision: row.int(8), createdAt: row.timestamp(9),
            updatedAt: row.timestamp(10))
    }

    static func list(_ query: ListQuery, _ transaction: any Transaction) throws -> [NetworkSegment] {
        try schema.list(
            query, columns: columns, where: "1 = 1", transaction,
            missing: { NetworkFault.segmentNotFound(SegmentID($0)) }, segment)
    }

    static func find(_ id: SegmentID, _ transaction: any Transaction) throws -> NetworkSegment? {
        try transaction.first("SELECT \(columns) \(schema.from) WHERE e.id = \(id)", segment)
    }

    /// In order; the network's own comes first.
    static func all(of network: NetworkID, _ transaction: any Transaction) throws -> [NetworkSegment] {
        try transaction.query(
            "SELECT \(columns) \(schema.from) WHERE e.network_id = \(network) ORDER BY e.position", segment)
    }

    /// Those of networks that have more than their own, in order.
    static func several(of networks: some Sequence<NetworkID>, _ transaction: any Transaction) throws
        -> [NetworkID: [NetworkSegment]]
    {
        let segments = try transaction.query(
            """
            SELECT \(columns) \(schema.from)
             WHERE e.network_id IN (SELECT network_id FROM network_segments
                                     WHERE position > 0 AND network_id IN \(list: networks))
             ORDER BY e.position
            """, segment)
        return Dictionary(grouping: segments, by: \.network)
    }

    static func insert(_ segment: NetworkSegment, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO network_segments (id, network_id, name, description, kind, physical_network, segment, position,
                revision, created_at, updated_at)
            VALUES (\(segment.id), \(segment.network), \(segment.name), \(segment.description),
                \(segment.kind.rawValue), \(segment.physicalNetwork), \(segment.number), \(segment.position),
                \(segment.revision), \(segment.createdAt), \(segment.updatedAt))
            """)
    }

    static func update(_ segment: NetworkSegment, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE network_segments
               SET name = \(segment.name), description = \(segment.description), revision = \(segment.revision),
                   updated_at = \(segment.updatedAt)
             WHERE id = \(segment.id)
            """)
    }

    /// The network's own segment is another number now.
    static func renumber(_ network: NetworkID, _ number: Int?, at now: Timestamp, _ transaction: any Transaction) throws
    {
        try transaction.execute(
            """
            UPDATE network_segments SET segment = \(number), revision = revision + 1, updated_at = \(now)
             WHERE network_id = \(network) AND position = 0
            """)
    }

    static func delete(_ id: SegmentID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM network_segments WHERE id = \(id)")
    }

    /// Subnets that are tied to the segment.
    static func subnets(of id: SegmentID, _ transaction: any Transaction) throws -> [SubnetID] {
        try transaction.query("SELECT id FROM subnets WHERE segment_id = \(id) ORDER BY created_at, id") { $0.id(0) }
    }
}
