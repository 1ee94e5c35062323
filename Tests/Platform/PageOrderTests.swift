// SPDX-License-Identifier: Apache-2.0
import DatabaseKit
import DatabaseSQLite
import TestKit
import Testing

/// Goal: pages cut by a marker hold each row once, in order, whatever the directions; and an index finds a page's first
/// row when the directions agree.
/// Method: rows with equal keys, walked page by page and compared with the whole; plans as SQLite explains them.
@Suite("Order of pages")
struct PageOrderTests {
    private static let schema = [
        Migration(
            "test-0001",
            [
                """
                CREATE TABLE things (
                    id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, name TEXT, made BIGINT NOT NULL)
                """,
                "CREATE INDEX things_page ON things (owner, made, id)",
                "CREATE INDEX things_by_name ON things (owner, (COALESCE(name, '')), made, id)",
            ])
    ]

    private static func order(_ isDescending: [Bool]) -> PageOrder {
        PageOrder([
            .init("COALESCE(name, '')", isText: true, isDescending: isDescending[0]),
            .init("made", isText: false, isDescending: isDescending[1]),
            .init("id", isText: true, isDescending: isDescending[2]),
        ])
    }

    private static let directions = (0..<8).map { bits in (0..<3).map { bits & (1 << $0) != 0 } }

    @Test("pages are the whole, cut", arguments: directions)
    func walk(isDescending: [Bool]) async throws {
        let database = try await TestDatabase.make(Self.schema)
        let order = Self.order(isDescending)
        try await database.write { transaction in
            for number in 0..<60 {
                let name = number % 4 == 0 ? nil : "n\(number % 3)"
                try transaction.execute(
                    "INSERT INTO things VALUES (\("id\(number * 7 % 60)"), 'a', \(name), \(number % 5))")
            }
        }
        let (whole, pages) = try await database.read { transaction in
            let whole = try transaction.query("SELECT id FROM things ORDER BY \(order.clause)") { $0.text(0) }
            var pages: [String] = []
            while pages.count <= whole.count {
                var sql: SQL = "SELECT id FROM things WHERE owner = 'a'"
                if let last = pages.last {
                    let place = try transaction.first(
                        "SELECT \(order.columns) FROM things WHERE id = \(last)", order.values)
                    sql += "AND \(order.after(try #require(place)))"
                }
                let page = try transaction.query(sql + "ORDER BY \(order.clause) LIMIT 7") { $0.text(0) }
                if page.isEmpty { break }
                pages += page
            }
            return (whole, pages)
        }
        #expect(whole.count == 60)
        #expect(pages == whole)
    }

    @Test("an index leads to the marker, and gives the order", arguments: [true, false])
    func plan(isDescending: Bool) async throws {
        let database = try await TestDatabase.make(Self.schema)
        let orders = [
            Self.order([isDescending, isDescending, isDescending]),
            PageOrder([
                .init("made", isText: false, isDescending: isDescending),
                .init("id", isText: true, isDescending: isDescending),
            ]),
        ]
        for order in orders {
            let place = order.keys.map { $0.isText ? SQLValue.text("x") : .integer(1) }
            let plan = try await database.read { transaction in
                try transaction.query(
                    """
                    EXPLAIN QUERY PLAN SELECT id FROM things WHERE owner = 'a' AND \(order.after(place))
                     ORDER BY \(order.clause) LIMIT 7
                    """
                ) { $0.text(3) }
            }
            #expect(plan.count == 1, "\(plan)")
            #expect(plan.first?.contains("(owner=? AND ") == true, "\(plan)")
        }
    }

    @Test("the first row is read alone")
    func first() async throws {
        let database = try await TestDatabase.make(Self.schema)
        let count = try await database.write { transaction in
            for number in 0..<10 {
                try transaction.execute("INSERT INTO things VALUES (\("id\(number)"), 'a', NULL, \(number))")
            }
            var count = 0
            let first = try transaction.first("SELECT id FROM things ORDER BY made") { row in
                count += 1
                return row.text(0)
            }
            #expect(first == "id0")
            return count
        }
        #expect(count == 1)
    }
}
