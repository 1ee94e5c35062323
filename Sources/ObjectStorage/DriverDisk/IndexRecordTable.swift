// SPDX-License-Identifier: Apache-2.0
import DatabaseKit
import ObjectStorageContract

/// What an account or a container is: one row, and its headers.
enum IndexRecordTable {
    static func create(_ record: IndexRecord, _ transaction: any Transaction) throws {
        for statement in IndexSchema.statements { try transaction.execute(statement) }
        let rows = record.path.container == nil ? IndexSchema.containers : IndexSchema.objects
        for statement in rows { try transaction.execute(statement) }
        // Totals count rows, and there are none yet.
        try transaction.execute(
            """
            INSERT INTO info (id, account, container, created_ticks, put_ticks, delete_ticks, objects, bytes,
                containers, policy, sequence)
            VALUES (1, \(record.path.account), \(record.path.container), \(record.createdTime.ticks),
                \(record.putTime.ticks), \(record.deleteTime?.ticks), 0, 0, 0, \(record.policy), 0)
            """)
        try setHeaders(record.headers, transaction)
    }

    static func read(_ transaction: any Transaction) throws -> IndexRecord {
        let record = try transaction.first(
            """
            SELECT account, container, created_ticks, put_ticks, delete_ticks, objects, bytes, containers, policy
            FROM info WHERE id = 1
            """
        ) { row in
            var record = IndexRecord(
                path: ObjectPath(account: row.text(0), container: row.textOrNil(1)),
                time: WriteTime(ticks: row.int64(2)), policy: row.int(8))
            record.putTime = WriteTime(ticks: row.int64(3))
            record.deleteTime = row.int64OrNil(4).map(WriteTime.init(ticks:))
            record.objectCount = row.int64(5)
            record.bytesUsed = row.int64(6)
            record.containerCount = row.int64(7)
            return record
        }
        guard var record else { throw DatabaseError.damaged("no info") }
        try transaction.forEach("SELECT name, value, ticks FROM headers") { row in
            record.headers[row.text(0)] = IndexRecord.TimedValue(row.text(1), WriteTime(ticks: row.int64(2)))
        }
        return record
    }

    /// Takes what is later of `other`, field by field. One that was deleted and is made anew takes its policy, too.
    static func merge(_ other: IndexRecord, _ transaction: any Transaction) throws {
        let old = try read(transaction)
        let created = min(old.createdTime, other.createdTime)
        let put = max(old.putTime, other.putTime)
        let deleted = [old.deleteTime, other.deleteTime].compactMap { $0 }.max()
        let policy = old.isDeleted && !other.isDeleted && other.putTime == put ? other.policy : old.policy
        try transaction.execute(
            """
            UPDATE info SET created_ticks = \(created.ticks), put_ticks = \(put.ticks),
                delete_ticks = \(deleted?.ticks), policy = \(policy)
            WHERE id = 1
            """)
        if let deleted { try clearHeaders(upTo: deleted, transaction) }
        // What was set before the deletion went with it.
        try setHeaders(other.headers.filter { deleted == nil || $0.value.time > deleted ?? put }, transaction)
    }

    static func delete(at time: WriteTime, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE info SET delete_ticks = \(time.ticks)
            WHERE id = 1 AND (delete_ticks IS NULL OR delete_ticks < \(time.ticks))
            """)
        try clearHeaders(upTo: time, transaction)
    }

    /// The later of two values of a name stays.
    static func setHeaders(_ headers: [String: IndexRecord.TimedValue], _ transaction: any Transaction) throws {
        for (name, header) in headers {
            try transaction.execute(
                """
                INSERT INTO headers (name, value, ticks) VALUES (\(name), \(header.value), \(header.time.ticks))
                ON CONFLICT (name) DO UPDATE SET value = excluded.value, ticks = excluded.ticks
                WHERE excluded.ticks >= headers.ticks
                """)
        }
    }

    /// Forgets headers that were removed long ago.
    static func reclaimHeaders(before time: WriteTime, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM headers WHERE value = '' AND ticks < \(time.ticks)")
    }

    private static func clearHeaders(upTo time: WriteTime, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE headers SET value = '', ticks = \(time.ticks) WHERE ticks <= \(time.ticks)")
    }
}
