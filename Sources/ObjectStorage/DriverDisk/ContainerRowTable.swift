// SPDX-License-Identifier: Apache-2.0
import DatabaseKit
import ObjectStorageContract

/// The rows of an account.
enum ContainerRowTable {
    /// Merges each row with the one of its name: the later of each time stays, and the totals that were counted later.
    static func put(_ rows: [ContainerRow], _ transaction: any Transaction) throws {
        var totals = try IndexTotals(transaction)
        for row in rows { try put(row, &totals, transaction) }
        try totals.save(transaction)
    }

    private static func put(_ row: ContainerRow, _ totals: inout IndexTotals, _ transaction: any Transaction) throws {
        let listed = try find(row.name, in: "containers", transaction)
        let old = try listed ?? find(row.name, in: "deleted_containers", transaction)
        let new = old.map { $0.merged(with: row) } ?? row.counted
        if new == old { return }
        totals.sequence += 1
        if let listed { totals.add(listed, times: -1) }
        if !new.isDeleted { totals.add(new, times: 1) }
        if old != nil, (listed == nil) != new.isDeleted {
            let table: StaticString = listed == nil ? "deleted_containers" : "containers"
            try transaction.execute("DELETE FROM \(name: table) WHERE name = \(row.name)")
        }
        try save(new, in: new.isDeleted ? "deleted_containers" : "containers", totals.sequence, transaction)
    }

    static func list(_ query: ListingQuery, _ transaction: any Transaction) throws -> [ListingEntry<ContainerRow>] {
        try ListingScan(query).run(transaction) { range, limit in
            "SELECT \(columns) FROM containers" + range.condition + "LIMIT \(limit)"
        } entry: {
            read($0)
        }
    }

    /// In the order in which they came.
    static func rows(
        after position: Int64, limit: Int, _ transaction: any Transaction
    ) throws -> [(Int64, ContainerRow)] {
        func rows(_ table: StaticString) throws -> [(Int64, ContainerRow)] {
            try transaction.query(
                """
                SELECT \(columns), sequence FROM \(name: table)
                WHERE sequence > \(position) ORDER BY sequence LIMIT \(limit)
                """
            ) { ($0.int64(7), read($0)) }
        }
        return Array(try (rows("containers") + rows("deleted_containers")).sorted { $0.0 < $1.0 }.prefix(limit))
    }

    /// Forgets some of what was deleted long ago.
    static func reclaim(before time: WriteTime, limit: Int, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            DELETE FROM deleted_containers WHERE name IN (
                SELECT name FROM deleted_containers WHERE delete_ticks < \(time.ticks)
                ORDER BY delete_ticks LIMIT \(limit))
            """)
    }

    private static let columns: SQL = "name, put_ticks, delete_ticks, objects, bytes, policy, totals_ticks"

    private static func read(_ row: any Row) -> ContainerRow {
        ContainerRow(
            name: row.text(0), putTime: WriteTime(ticks: row.int64(1)),
            deleteTime: row.int64OrNil(2).map(WriteTime.init(ticks:)), objectCount: row.int64(3),
            bytesUsed: row.int64(4), policy: row.int(5), totalsTime: WriteTime(ticks: row.int64(6)))
    }

    private static func find(
        _ name: String, in table: StaticString, _ transaction: any Transaction
    ) throws -> ContainerRow? {
        try transaction.first("SELECT \(columns) FROM \(name: table) WHERE name = \(name)", read)
    }

    private static func save(
        _ row: ContainerRow, in table: StaticString, _ sequence: Int64, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO \(name: table) (name, put_ticks, delete_ticks, objects, bytes, policy, totals_ticks, sequence)
            VALUES (\(row.name), \(row.putTime.ticks), \(row.deleteTime?.ticks), \(row.objectCount), \(row.bytesUsed),
                \(row.policy), \((row.totalsTime ?? row.putTime).ticks), \(sequence))
            ON CONFLICT (name) DO UPDATE SET put_ticks = excluded.put_ticks, delete_ticks = excluded.delete_ticks,
                objects = excluded.objects, bytes = excluded.bytes, policy = excluded.policy,
                totals_ticks = excluded.totals_ticks, sequence = excluded.sequence
            """)
    }
}

extension IndexTotals {
    fileprivate mutating func add(_ row: ContainerRow, times sign: Int64) {
        containers += sign
        objects += sign * row.objectCount
        bytes += sign * row.bytesUsed
    }
}

extension ContainerRow {
    /// With the time of its totals said.
    fileprivate var counted: ContainerRow {
        var row = self
        row.totalsTime = totalsTime ?? putTime
        return row
    }

    fileprivate func merged(with other: ContainerRow) -> ContainerRow {
        var row = counted
        let other = other.counted
        row.putTime = max(putTime, other.putTime)
        row.deleteTime = [deleteTime, other.deleteTime].compactMap { $0 }.max()
        if other.putTime > putTime { row.policy = other.policy }
        if let time = row.totalsTime, let otherTime = other.totalsTime, otherTime >= time {
            row.objectCount = other.objectCount
            row.bytesUsed = other.bytesUsed
            row.totalsTime = otherTime
        }
        return row
    }
}
