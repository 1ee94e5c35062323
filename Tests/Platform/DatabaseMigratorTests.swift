// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import DatabaseSQLite
import TestKit
import Testing

/// Goal: a schema is brought forward once, wholly or not at all, and never by a program that does not know it.
/// Method: lists of migrations applied in the ways that upgrades, downgrades and mistakes apply them.
@Suite("Migrator")
struct DatabaseMigratorTests {
    private let first = Migration("a-0001", ["CREATE TABLE a (id BIGINT)"])
    private let second = Migration("a-0002", ["ALTER TABLE a ADD COLUMN name TEXT", "CREATE INDEX a_name ON a (name)"])

    @Test("applies what is missing, once")
    func once() async throws {
        let database = try SQLiteDatabase.inMemory()
        #expect(try await Migrator.apply([first], to: database) == 1)
        #expect(try await Migrator.apply([first, second], to: database) == 1)
        #expect(try await Migrator.apply([first, second], to: database) == 0)
        try await database.write { try $0.execute("INSERT INTO a (id, name) VALUES (1, 'x')") }
        let names = try await database.read {
            try $0.query("SELECT name FROM schema_migrations ORDER BY name") { $0.text(0) }
        }
        #expect(names == ["a-0001", "a-0002"])
    }

    @Test("a migration that fails leaves the database as it was")
    func allOrNothing() async throws {
        let database = try SQLiteDatabase.inMemory()
        try await Migrator.apply([first], to: database)
        let broken = Migration("a-0003", ["CREATE TABLE b (id BIGINT)", "CREATE TABLE a (id BIGINT)"])
        let error = await #expect(throws: DatabaseError.self) {
            try await Migrator.apply([first, second, broken], to: database)
        }
        #expect(error?.description.contains("a-0003") == true)
        #expect(try await Migrator.apply([first, second], to: database) == 1)
    }

    @Test("refuses a database that is newer than the program")
    func newer() async throws {
        let database = try SQLiteDatabase.inMemory()
        try await Migrator.apply([first, second], to: database)
        let error = await #expect(throws: CloudError.self) { try await Migrator.apply([first], to: database) }
        #expect(error?.code == .conflict)
        #expect(error?.message.contains("a-0002") == true)
    }

    @Test("refuses a migration that was edited; white space is no edit")
    func edited() async throws {
        let database = try SQLiteDatabase.inMemory()
        try await Migrator.apply([first], to: database)
        let spaced = Migration("a-0001", ["CREATE TABLE  a\n    (id BIGINT)"])
        #expect(try await Migrator.apply([spaced], to: database) == 0)
        let edited = Migration("a-0001", ["CREATE TABLE a (id TEXT)"])
        await #expect(throws: CloudError.self) { try await Migrator.apply([edited], to: database) }
    }
}
