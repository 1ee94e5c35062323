// SPDX-License-Identifier: Apache-2.0
import DatabaseKit
import ObjectStorageContract

/// The rows of a container.
enum ObjectRowTable {
    /// The later of two rows of a name wins; of one time, the one that deletes.
    static func put(_ rows: [ObjectRow], _ transaction: any Transaction) throws {
        var totals = try IndexTotals(transaction)
        for row in rows { try put(row, &totals, transaction) }
        try totals.save(transaction)
    }

    private static func put(_ row: ObjectRow, _ totals: inout IndexTotals, _ transaction: any Transaction) throws {
        let listed = try transaction.first("SELECT ticks, size FROM objects WHERE name = \(row.name)") {
            (ticks: $0.int64(0), size: $0.int64(1))
        }
        let deleted = try transaction.first("SELECT ticks FROM deleted_objects WHERE name = \(row.name)") {
            $0.int64(0)
        }
        let ticks = row.time.ticks
        if let listed, ticks < listed.ticks || (ticks == listed.ticks && !row.isDeleted) { return }
        if let deleted, ticks <= deleted { return }
        totals.sequence += 1
        if let listed {
            totals.objects -= 1
            totals.bytes -= listed.size
        }
        if row.isDeleted {
            if listed != nil { try transaction.execute("DELETE FROM objects WHERE name = \(row.name)") }
            try transaction.execute(
                """
                INSERT INTO deleted_objects (name, ticks, sequence) VALUES (\(row.name), \(ticks), \(totals.sequence))
                ON CONFLICT (name) DO UPDATE SET ticks = excluded.ticks, sequence = excluded.sequence
                """)
            return
        }
        if deleted != nil { try transaction.execute("DELETE FROM deleted_objects WHERE name = \(row.name)") }
        totals.objects += 1
        totals.bytes += row.sizeBytes
        try transaction.execute(
            """
            INSERT INTO objects (name, ticks, size, type, etag, sequence)
            VALUES (\(row.name), \(ticks), \(row.sizeBytes), \(row.contentType), \(row.etag), \(totals.sequence))
            ON CONFLICT (name) DO UPDATE SET ticks = excluded.ticks, size = excluded.size, type = excluded.type,
                etag = excluded.etag, sequence = excluded.sequence
            """)
    }

    static func list(_ query: ListingQuery, _ transaction: any Transaction) throws -> [ListingEntry<ObjectRow>] {
        try ListingScan(query).run(transaction) { range, limit in
            "SELECT name, ticks, size, type, etag FROM objects" + range.condition + "LIMIT \(limit)"
        } entry: { row in
            ObjectRow(
                name: row.text(0), time: WriteTime(ticks: row.int64(1)), sizeBytes: row.int64(2),
                contentType: row.text(3), etag: row.text(4))
        }
    }

    /// In the order in which they came.
    static func rows(after position: Int64, limit: Int, _ transaction: any Transaction) throws -> [(Int64, ObjectRow)] {
        let listed = try transaction.query(
            """
            SELECT sequence, name, ticks, size, type, etag FROM objects
            WHERE sequence > \(position) ORDER BY sequence LIMIT \(limit)
            """
        ) { row in
            let object = ObjectRow(
                name: row.text(1), time: WriteTime(ticks: row.int64(2)), sizeBytes: row.int64(3),
                contentType: row.text(4), etag: row.text(5))
            return (row.int64(0), object)
        }
        let deleted = try transaction.query(
            """
            SELECT sequence, name, ticks FROM deleted_objects
            WHERE sequence > \(position) ORDER BY sequence LIMIT \(limit)
            """
        ) { row in
            let object = ObjectRow(
                name: row.text(1), time: WriteTime(ticks: row.int64(2)), sizeBytes: 0, contentType: "", etag: "",
                isDeleted: true)
            return (row.int64(0), object)
        }
        return Array((listed + deleted).sorted { $0.0 < $1.0 }.prefix(limit))
    }

    /// Forgets some of what was deleted long ago.
    static func reclaim(before time: WriteTime, limit: Int, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            DELETE FROM deleted_objects WHERE name IN (
                SELECT name FROM deleted_objects WHERE ticks < \(time.ticks) ORDER BY ticks LIMIT \(limit))
            """)
    }
}
