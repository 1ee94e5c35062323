// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import DatabaseSQLite
import Glibc
import LogKit
import TestKit
import Testing

/// Goal: what the kit promises of a database holds, in memory and in a file.
/// Method: small tables, each promise broken on purpose.
@Suite("Database")
struct DatabaseTests {
    static let schema = [
        Migration(
            "test-0001",
            [
                "CREATE TABLE parents (id TEXT NOT NULL PRIMARY KEY)",
                """
                CREATE TABLE items (
                    id BIGINT NOT NULL PRIMARY KEY, name TEXT, size BIGINT CHECK (size > 0), data BLOB,
                    parent_id TEXT REFERENCES parents (id), place TEXT NOT NULL DEFAULT '',
                    UNIQUE (name, place))
                """,
                "CREATE TABLE late (id BIGINT PRIMARY KEY, parent_id TEXT REFERENCES parents (id) "
                    + "DEFERRABLE INITIALLY DEFERRED)",
            ])
    ]

    private func inFile<T>(_ body: (SQLiteDatabase, String) async throws -> T) async throws -> T {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/cloud.db"
            let database = try SQLiteDatabase(path: path, readers: 2)
            try await Migrator.apply(Self.schema, to: database)
            let result = try await body(database, path)
            await database.close()
            return result
        }
    }

    private func names(_ database: SQLiteDatabase) async throws -> [String] {
        try await database.read { try $0.query("SELECT name FROM items ORDER BY id") { $0.text(0) } }
    }

    // MARK: Values

    @Test("values come back as they were bound")
    func values() async throws {
        let database = try await TestDatabase.make(Self.schema)
        let texts = ["", "plain", "it's \"quoted\"; DROP TABLE items", "하늘 ☁️", "nul\u{0}inside"]
        let bytes: [UInt8] = [0, 1, 255]
        try await database.write { transaction in
            for (index, text) in texts.enumerated() {
                try transaction.execute(
                    "INSERT INTO items (id, name, size, data) VALUES (\(index), \(text), \(Int64.max), \(bytes))")
            }
            try transaction.execute("INSERT INTO items (id, data) VALUES (\(99), \([UInt8]()))")
        }
        let rows = try await database.read { transaction in
            try transaction.query("SELECT name, size, data, id FROM items ORDER BY id") { row in
                (row.textOrNil(0), row.int64OrNil(1), row.blob(2), row.columnName(3), row.columnCount)
            }
        }
        #expect(rows.prefix(texts.count).map(\.0) == texts)
        #expect(rows.prefix(texts.count).allSatisfy { $0.1 == .max && $0.2 == bytes && $0.3 == "id" && $0.4 == 4 })
        #expect(rows.last?.0 == nil && rows.last?.1 == nil && rows.last?.2 == [])
    }

    @Test("lists bind each element, and an empty list matches nothing")
    func lists() async throws {
        let database = try await TestDatabase.make(Self.schema)
        let found = try await database.write { transaction in
            for id in 0..<5 { try transaction.execute("INSERT INTO items (id, name) VALUES (\(id), \("n\(id)"))") }
            func count(_ names: [String]) throws -> Int {
                try transaction.count("SELECT count(*) FROM items WHERE name IN \(list: names)")
            }
            return [try count(["n1", "n3", "none"]), try count([])]
        }
        #expect(found == [2, 0])
    }

    @Test("execute counts the rows it changed")
    func changes() async throws {
        let database = try await TestDatabase.make(Self.schema)
        let counts = try await database.write { transaction in
            [
                try transaction.execute("INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')"),
                try transaction.execute("UPDATE items SET place = 'x' WHERE id > 1"),
                try transaction.execute("UPDATE items SET place = 'x' WHERE id > 100"),
                try transaction.execute("SELECT 1"),
                try transaction.execute("CREATE TABLE more (id BIGINT)"),
                try transaction.execute("DELETE FROM items"),
            ]
        }
        #expect(counts == [3, 2, 0, 0, 0, 3])
    }

    @Test("a query inside the rows of the same query is one of its own")
    func nested() async throws {
        let database = try await TestDatabase.make(Self.schema)
        let pairs = try await database.write { transaction -> [[Int]] in
            try transaction.execute("INSERT INTO items (id) VALUES (1), (2)")
            let all: SQL = "SELECT id FROM items ORDER BY id"
            return try transaction.query(all) { outer in
                let id = outer.int(0)
                return try transaction.query(all) { id * 10 + $0.int(0) }
            }
        }
        #expect(pairs == [[11, 12], [21, 22]])
    }

    @Test("many different texts pass through the cache of statements")
    func manyStatements() async throws {
        let database = try await TestDatabase.make(Self.schema)
        let sum = try await database.read { transaction in
            var sum = 0
            for width in 1...400 {
                let list = Array(repeating: "x", count: width)
                sum += try transaction.count("SELECT count(*) WHERE 'x' IN \(list: list)")
            }
            return sum
        }
        #expect(sum == 400)
    }

    @Test("LIKE tells upper from lower case, as PostgreSQL does")
    func like() async throws {
        let database = try await TestDatabase.make()
        #expect(try await database.read { try $0.count("SELECT 'Abc' LIKE 'a%'") } == 0)
    }

    // MARK: Errors

    @Test("constraints are told apart, and name their columns")
    func constraints() async throws {
        let database = try await TestDatabase.make(Self.schema)
        try await database.write { try $0.execute("INSERT INTO items (id, name) VALUES (1, 'a')") }
        func error(_ sql: SQL) async -> String {
            do {
                try await database.write { try $0.execute(sql) }
                return "none"
            } catch { return "\(error)" }
        }
        #expect(await error("INSERT INTO items (id) VALUES (1)") == "unique constraint: items.id")
        #expect(
            await error("INSERT INTO items (id, name) VALUES (2, 'a')") == "unique constraint: items.name, items.place")
        #expect(await error("INSERT INTO items (id, parent_id) VALUES (2, 'no')") == "foreign key constraint")
        #expect(await error("INSERT INTO items (id, place) VALUES (2, NULL)") == "constraint: not null: items.place")
        #expect(await error("INSERT INTO items (id, size) VALUES (2, 0)").hasPrefix("constraint: "))
        #expect(await error("INSERT INTO missing VALUES (1)").contains("no such table"))
        #expect(await error("DELETE FROM items; DELETE FROM items").contains("more than one statement"))
        #expect(await error("DELETE FROM items WHERE name = \"a\"").contains("no such column"))
        #expect(try await names(database) == ["a"])
    }

    @Test("a closure that throws leaves nothing, and no action runs")
    func rollback() async throws {
        let database = try await TestDatabase.make(Self.schema)
        let counter = Counter()
        await #expect(throws: CloudError.self) {
            try await database.write { transaction in
                try transaction.execute("INSERT INTO items (id, name) VALUES (1, 'a')")
                transaction.afterCommit { counter.add() }
                throw CloudError.conflict("no")
            }
        }
        #expect(try await names(database).isEmpty)
        #expect(counter.total == 0)
        try await database.write { transaction in transaction.afterCommit { counter.add() } }
        #expect(counter.total == 1)
    }

    @Test("a read cannot write")
    func readOnly() async throws {
        try await inFile { database, _ in
            await #expect(throws: DatabaseError.self) {
                try await database.read { try $0.execute("INSERT INTO items (id) VALUES (1)") }
            }
            await #expect(throws: DatabaseError.self) {
                try await database.read { try $0.query("INSERT INTO items (id) VALUES (1) RETURNING id") { $0.int(0) } }
            }
            let left = try await names(database)
            #expect(left.isEmpty)
        }
    }

    // MARK: Sharing

    @Test("closures that share a commit fail alone", arguments: [true, false])
    func sharedCommit(isInFile: Bool) async throws {
        func check(_ database: SQLiteDatabase) async throws {
            let counter = Counter()
            let failures = await withTaskGroup(of: Int.self) { group in
                for id in 0..<300 {
                    group.addTask {
                        do {
                            try await database.write { transaction in
                                try transaction.execute("INSERT INTO items (id, name) VALUES (\(id), \("n\(id)"))")
                                transaction.afterCommit { counter.add() }
                                if id % 3 == 0 { throw CloudError.conflict("third") }
                            }
                            return 0
                        } catch { return 1 }
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(failures == 100)
            #expect(counter.total == 200)
            #expect(try await names(database).count == 200)
        }
        if isInFile {
            try await inFile { database, _ in try await check(database) }
        } else {
            try await check(TestDatabase.make(Self.schema))
        }
    }

    @Test("a commit that one closure makes impossible fails for that one alone")
    func deferredConstraint() async throws {
        let database = try await TestDatabase.make(Self.schema)
        let failures = await withTaskGroup(of: Int.self) { group in
            for id in 0..<50 {
                group.addTask {
                    do {
                        try await database.write { transaction in
                            let parent: String? = id == 25 ? "missing" : nil
                            try transaction.execute("INSERT INTO late (id, parent_id) VALUES (\(id), \(parent))")
                        }
                        return 0
                    } catch { return "\(error)" == "foreign key constraint" ? 1 : 1000 }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(failures == 1)
        #expect(try await database.read { try $0.count("SELECT count(*) FROM late") } == 49)
    }

    @Test("a reader sees one state, whatever is written meanwhile")
    func snapshot() async throws {
        try await inFile { database, _ in
            try await database.write { try $0.execute("INSERT INTO items (id, size) VALUES (1, 50), (2, 50)") }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for amount in 1...200 {
                        try await database.write { transaction in
                            try transaction.execute("UPDATE items SET size = \(100 + amount) WHERE id = 1")
                            try transaction.execute("UPDATE items SET size = \(1000 - 100 - amount) WHERE id = 2")
                        }
                    }
                }
                for _ in 0..<3 {
                    group.addTask {
                        for _ in 0..<100 {
                            let sizes = try await database.read { transaction in
                                let first = try transaction.count("SELECT size FROM items WHERE id = 1")
                                return first + (try transaction.count("SELECT size FROM items WHERE id = 2"))
                            }
                            #expect(sizes == 100 || sizes == 1000)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("what was written is there after the file is opened again")
    func reopen() async throws {
        try await inFile { database, path in
            try await database.write { try $0.execute("INSERT INTO items (id, name) VALUES (1, 'kept')") }
            // Not closed: as after a kill.
            let other = try SQLiteDatabase(path: path, readers: 1)
            #expect(try await names(other) == ["kept"])
            await other.close()
        }
    }

    @Test("nobody else can read the file")
    func fileMode() async throws {
        try await inFile { _, path in
            for suffix in ["", "-wal", "-shm"] {
                var information = stat()
                #expect(stat(path + suffix, &information) == 0)
                #expect(information.st_mode & 0o777 == 0o600)
            }
        }
    }

    @Test("a closed database refuses work")
    func closed() async throws {
        let database = try await TestDatabase.make(Self.schema)
        await database.close()
        await #expect(throws: CloudError.self) { try await database.write { _ in } }
    }
}
