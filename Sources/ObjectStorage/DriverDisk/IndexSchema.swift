// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The tables of an account's or a container's database.
///
/// What is listed and what was deleted are apart, so that a listing never steps over tombstones. Both are kept in the
/// order of their names. `sequence` says in which order rows came, for replication.
enum IndexSchema {
    static let statements: [SQL] = [
        """
        CREATE TABLE info (
            id BIGINT NOT NULL PRIMARY KEY, account TEXT NOT NULL, container TEXT, created_ticks BIGINT NOT NULL,
            put_ticks BIGINT NOT NULL, delete_ticks BIGINT, objects BIGINT NOT NULL, bytes BIGINT NOT NULL,
            containers BIGINT NOT NULL, policy BIGINT NOT NULL, sequence BIGINT NOT NULL)
        """,
        """
        CREATE TABLE headers (
            name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, ticks BIGINT NOT NULL) WITHOUT ROWID
        """,
    ]

    static let objects: [SQL] = [
        """
        CREATE TABLE objects (
            name TEXT NOT NULL PRIMARY KEY, ticks BIGINT NOT NULL, size BIGINT NOT NULL, type TEXT NOT NULL,
            etag TEXT NOT NULL, sequence BIGINT NOT NULL) WITHOUT ROWID
        """,
        """
        CREATE TABLE deleted_objects (
            name TEXT NOT NULL PRIMARY KEY, ticks BIGINT NOT NULL, sequence BIGINT NOT NULL) WITHOUT ROWID
        """,
        "CREATE INDEX objects_sequence ON objects (sequence)",
        "CREATE INDEX deleted_objects_sequence ON deleted_objects (sequence)",
        "CREATE INDEX deleted_objects_ticks ON deleted_objects (ticks)",
    ]

    static let containers: [SQL] = [
        """
        CREATE TABLE containers (
            name TEXT NOT NULL PRIMARY KEY, put_ticks BIGINT NOT NULL, delete_ticks BIGINT, objects BIGINT NOT NULL,
            bytes BIGINT NOT NULL, policy BIGINT NOT NULL, totals_ticks BIGINT NOT NULL,
            sequence BIGINT NOT NULL) WITHOUT ROWID
        """,
        """
        CREATE TABLE deleted_containers (
            name TEXT NOT NULL PRIMARY KEY, put_ticks BIGINT NOT NULL, delete_ticks BIGINT, objects BIGINT NOT NULL,
            bytes BIGINT NOT NULL, policy BIGINT NOT NULL, totals_ticks BIGINT NOT NULL,
            sequence BIGINT NOT NULL) WITHOUT ROWID
        """,
        "CREATE INDEX containers_sequence ON containers (sequence)",
        "CREATE INDEX deleted_containers_sequence ON deleted_containers (sequence)",
        "CREATE INDEX deleted_containers_ticks ON deleted_containers (delete_ticks)",
    ]
}

/// How many, and how much, in one row that changes in the transaction that changes the rows it counts.
struct IndexTotals {
    var objects: Int64
    var bytes: Int64
    var containers: Int64
    /// Of the row that came last.
    var sequence: Int64

    init(_ transaction: any Transaction) throws {
        let row = try transaction.first("SELECT objects, bytes, containers, sequence FROM info WHERE id = 1") {
            ($0.int64(0), $0.int64(1), $0.int64(2), $0.int64(3))
        }
        guard let row else { throw DatabaseError.damaged("no info") }
        (objects, bytes, containers, sequence) = row
    }

    func save(_ transaction: any Transaction) throws {
        let changed = try transaction.execute(
            """
            UPDATE info SET objects = \(objects), bytes = \(bytes), containers = \(containers), sequence = \(sequence)
            WHERE id = 1
            """)
        precondition(changed == 1, "info has one row")
    }
}
