// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import DatabaseSQLite
import LinuxKit
import TestKit
import Testing

/// Goal: many small databases share threads and stay what each of them is.
/// Method: more of them than may be open, used, removed and made anew at the same time.
@Suite("Many databases")
struct SQLiteDatabasesTests {
    private func make(_ path: String) throws {
        try SQLiteDatabases.create(path) { tx in
            try tx.execute("CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY)")
        }
    }

    private func insert(_ id: Int, _ databases: SQLiteDatabases, _ path: String, isDurable: Bool = false) async throws {
        try await databases.write(path, isDurable: isDurable) { tx in
            _ = try tx.execute("INSERT INTO items (id) VALUES (\(id))")
        }
    }

    private func count(_ databases: SQLiteDatabases, _ path: String) async throws -> Int {
        try await databases.read(path) { try $0.count("SELECT COUNT(*) FROM items") }
    }

    @Test("more than may be open at once are all written and read", arguments: [1, 3])
    func openLimit(limit: Int) async throws {
        try await withTemporaryDirectory { folder in
            let databases = SQLiteDatabases("test", threads: 2, openLimit: limit)
            let paths = (0..<8).map { "\(folder)/\($0).db" }
            for path in paths { try make(path) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for id in 0..<25 {
                    for path in paths {
                        group.addTask { try await insert(id, databases, path, isDurable: id % 5 == 0) }
                    }
                }
                try await group.waitForAll()
            }
            for path in paths { #expect(try await count(databases, path) == 25) }
            #expect(databases.hasUnsynced)
            try await databases.sync()
            #expect(!databases.hasUnsynced)
            await databases.close()
            #expect(try FileSystem.list(folder) == (0..<8).map { "\($0).db" })
            await #expect(throws: CloudError.self) { _ = try await count(databases, paths[0]) }
        }
    }

    @Test("a closure that throws takes back its own changes alone")
    func rollback() async throws {
        try await withTemporaryDirectory { folder in
            let databases = SQLiteDatabases("test")
            let path = "\(folder)/a.db"
            try make(path)
            await withThrowingTaskGroup(of: Void.self) { group in
                for id in 0..<40 {
                    group.addTask {
                        try await databases.write(path, isDurable: false) { tx in
                            try tx.execute("INSERT INTO items (id) VALUES (\(id))")
                            if id % 2 == 1 { throw CloudError(.conflict, "odd") }
                        }
                    }
                }
                while let result = await group.nextResult() {
                    if case .failure(let error) = result { #expect((error as? CloudError)?.code == .conflict) }
                }
            }
            #expect(try await count(databases, path) == 20)
            await databases.close()
        }
    }

    @Test("a file that is not there is missing, and none is made; one that is no database is damaged")
    func missing() async throws {
        try await withTemporaryDirectory { folder in
            let databases = SQLiteDatabases("test")
            func outcome(_ path: String) async -> String {
                do {
                    return "\(try await count(databases, path))"
                } catch DatabaseError.missing {
                    return "missing"
                } catch DatabaseError.damaged {
                    return "damaged"
                } catch {
                    return "\(error)"
                }
            }
            #expect(await outcome("\(folder)/none.db") == "missing")
            await #expect(throws: DatabaseError.self) { try await insert(1, databases, "\(folder)/none.db") }
            #expect(try FileSystem.list(folder) == [])
            try FileSystem.writeAtomically("\(folder)/text.db", String(repeating: "no database ", count: 1000))
            #expect(await outcome("\(folder)/text.db") == "damaged")
            // It may come later.
            try make("\(folder)/none.db")
            #expect(await outcome("\(folder)/none.db") == "0")
            await databases.close()
        }
    }

    @Test("nobody uses a file while it is replaced, and none meets the old one afterwards")
    func replaced() async throws {
        try await withTemporaryDirectory { folder in
            let databases = SQLiteDatabases("test", threads: 3)
            let path = "\(folder)/a.db"
            try make(path)
            for round in 0..<10 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for id in 0..<10 {
                        group.addTask { try await insert(round * 100 + id, databases, path) }
                        group.addTask { _ = try await count(databases, path) }
                    }
                    try await group.waitForAll()
                }
                #expect(try await count(databases, path) == 10)
                try await databases.withoutUsers(path) {
                    // No log is left of the one that goes.
                    #expect(try FileSystem.list(folder) == ["a.db"])
                    try FileSystem.removeTree(path)
                    try make(path)
                }
                #expect(try await count(databases, path) == 0)
            }
            await databases.close()
        }
    }
}
