// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import TestKit
import Testing

/// Goal: a stored word that the program does not know is told of, and never read as another.
/// Method: words that are known and unknown, in rows made for it.
@Suite("Stored words")
struct StoredWordTests {
    private enum Light: String { case red, green }
    private enum Gear: Int {
        case first = 1
        case second
    }

    private func read<T: Sendable>(_ sql: SQL, _ map: @escaping @Sendable (any Row) throws -> T) async throws -> [T] {
        let database = try await TestDatabase.make()
        return try await database.read { try $0.query(sql, map) }
    }

    @Test("known words and numbers are read; NULL is nil where it may be")
    func known() async throws {
        let row: SQL = "SELECT 'l1' AS id, 'green' AS light, 2 AS gear, NULL AS next"
        let (light, gear, next) = try #require(
            try await read(row) { row -> (Light, Gear, Light?) in
                (try row.word(1), try row.word(2), try row.wordOrNil(3))
            }.first)
        #expect(light == .green && gear == .second && next == nil)
        #expect(try await read(row) { try $0.wordOrNil(1, Light.self) } == [.green])
    }

    @Test("an unknown word names itself, its column and its row", arguments: ["blue", "Red", ""])
    func unknown(_ word: String) async throws {
        let row: SQL = "SELECT 'l1' AS id, \(word) AS light"
        for isOptional in [false, true] {
            let fault = await #expect(throws: CloudError.self) {
                _ = try await read(row) { isOptional ? try $0.wordOrNil(1, Light.self) : try $0.word(1, Light.self) }
            }
            #expect(fault?.code == .bug)
            let cause = try #require(fault?.cause)
            #expect(cause.hasPrefix("row with id 'l1': light is no ") && cause.hasSuffix("Light: '\(word)'"))
        }
        let fault = await #expect(throws: CloudError.self) {
            _ = try await read("SELECT 'l1' AS id, 7 AS gear") { try $0.word(1, Gear.self) }
        }
        #expect(fault?.cause?.hasSuffix("Gear: '7'") == true)
    }

    @Test("who acts on each row alone gets the others; other errors end the reading")
    func readable() async throws {
        let database = try await TestDatabase.make()
        let rows: SQL = "SELECT 1, 'red' UNION ALL SELECT 2, 'blue' UNION ALL SELECT 3, 'green' ORDER BY 1"
        let lights = try await database.read { try $0.readable(rows) { try $0.word(1, Light.self) } }
        #expect(lights == [.red, .green])
        await #expect(throws: CloudError.self) {
            _ = try await database.read { transaction in
                try transaction.readable(rows) { _ in throw CloudError(.unavailable, "") }
            }
        }
    }

    @Test("slices keep the order, and none is longer than a statement's list", arguments: [0, 1, 499, 500, 501, 1_500])
    func slices(_ count: Int) {
        let slices = Array(0..<count).slices()
        #expect(slices.flatMap { $0 } == Array(0..<count))
        #expect(slices.allSatisfy { !$0.isEmpty && $0.count <= SQL.maximumListed })
        #expect(slices.count == (count + SQL.maximumListed - 1) / SQL.maximumListed)
        #expect(Array(0..<count).slices(of: 7).allSatisfy { $0.count <= 7 })
    }
}
