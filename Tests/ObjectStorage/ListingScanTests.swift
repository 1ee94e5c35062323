// SPDX-License-Identifier: Apache-2.0
import DatabaseKit
import DatabaseSQLite
import ObjectStorageContract
import TestKit
import Testing

@testable import ObjectStorageDriverDisk

/// Goal: a page of a listing costs what it shows, however much lies below its subdirectories or was deleted.
/// Method: the rows that the scan looks at are counted.
@Suite("Listing scan")
struct ListingScanTests {
    /// Hands statements on and counts what comes back.
    private final class Counting: Transaction {
        private let inner: any Transaction
        private(set) var rows = 0
        private(set) var statements = 0

        init(_ inner: any Transaction) { self.inner = inner }

        var isWritable: Bool { inner.isWritable }
        func execute(_ sql: SQL) throws -> Int { try inner.execute(sql) }
        func forEach(_ sql: SQL, _ body: (any Row) throws -> Void) throws {
            statements += 1
            try inner.forEach(sql) { row in
                rows += 1
                try body(row)
            }
        }
        func afterCommit(_ action: @escaping @Sendable () -> Void) { inner.afterCommit(action) }
    }

    private struct Cost: Sendable {
        var entries: [String]
        var rows: Int
        var statements: Int
    }

    private func list(_ query: ListingQuery) async throws -> Cost {
        let database = try SQLiteDatabase.inMemory()
        let container = IndexRecord(path: ObjectPath(account: "a", container: "c"), time: WriteTime(ticks: 0))
        try await database.write { tx in
            try IndexRecordTable.create(container, tx)
            let listed = (0..<3).flatMap { folder in (0..<1000).map { "folder-\(folder)/object-\($0)" } }
            let deleted = (0..<3000).map { "deleted-\($0)" }
            try ObjectRowTable.put(listed.map { StorageSample.row($0, at: 1) }, tx)
            try ObjectRowTable.put(deleted.map { StorageSample.row($0, at: 1, isDeleted: true) }, tx)
        }
        let cost = try await database.read { tx in
            let counting = Counting(tx)
            let entries = try ObjectRowTable.list(query, counting).map { entry in
                switch entry {
                case .row(let row): row.name
                case .subdirectory(let name): name
                }
            }
            return Cost(entries: entries, rows: counting.rows, statements: counting.statements)
        }
        await database.close()
        return cost
    }

    @Test("subdirectories are stepped over, in both directions", arguments: [false, true])
    func subdirectories(isReversed: Bool) async throws {
        var query = ListingQuery(limit: 10_000)
        query.delimiter = "/"
        query.isReversed = isReversed
        let cost = try await list(query)
        let expected = ["folder-0/", "folder-1/", "folder-2/"]
        #expect(cost.entries == (isReversed ? expected.reversed() : expected))
        #expect(cost.rows == 3 && cost.statements == 4)
    }

    @Test("a page is read in one piece from where it begins")
    func pages() async throws {
        var query = ListingQuery(limit: 10)
        query.marker = "folder-1/object-5"
        let cost = try await list(query)
        #expect(cost.entries.count == 10 && cost.rows == 10 && cost.statements == 1)
        query.prefix = "folder-2/object-99"
        query.delimiter = "/"
        let narrow = try await list(query)
        #expect(narrow.entries == ["folder-2/object-99"] + (0..<9).map { "folder-2/object-99\($0)" })
        #expect(narrow.rows == 10 && narrow.statements == 1)
    }

    @Test("what follows a prefix is the first name that does not begin with it")
    func successors() {
        #expect(NameRange.successor(of: "a") == "b")
        #expect(NameRange.successor(of: "a/") == "a0")
        #expect(NameRange.successor(of: "a\u{D7FF}") == "a\u{E000}")
        #expect(NameRange.successor(of: "a\u{10FFFF}") == "b")
        #expect(NameRange.successor(of: "\u{10FFFF}\u{10FFFF}") == nil)
        #expect(NameRange.successor(of: "\u{7F}") == "\u{80}")
    }
}
