// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Operations that happen together or not at all (RFC 7047, section 5.2).
package struct OVSDBTransaction: Sendable {
    /// A row by its id, or one that this transaction inserts.
    package typealias Reference = OVSDBAtom

    package struct Mutation: Sendable {
        var column: String
        var mutator: String
        var value: OVSDBValue

        /// Adds elements to a set or pairs to a map; what is there stays.
        package static func insert(_ column: String, _ value: OVSDBValue) -> Mutation {
            Mutation(column: column, mutator: "insert", value: value)
        }
        /// Removes elements of a set, pairs of a map, or keys of a map when `value` is a set.
        package static func delete(_ column: String, _ value: OVSDBValue) -> Mutation {
            Mutation(column: column, mutator: "delete", value: value)
        }
        package static func add(_ column: String, _ number: Int) -> Mutation {
            Mutation(column: column, mutator: "+=", value: .int(number))
        }
    }

    private(set) var operations: [JSON] = []
    /// How many rows each operation must touch; nil: any number.
    private(set) var expectedCounts: [Int?] = []
    /// What each insert is called, by its place.
    private(set) var names: [Int: Reference] = [:]

    package init() {}

    package var isEmpty: Bool { operations.isEmpty }
    package var count: Int { operations.count }

    /// The operations as sent, for tests and logs.
    package var json: JSON { .array(operations) }

    /// Inserts a row and returns a reference to it. Any operation of this transaction may use it, also an earlier one
    /// when the caller chooses the `name`: letters, digits and underscores, unique in the transaction.
    @discardableResult
    package mutating func insert(_ table: String, _ row: OVSDBRow, named name: String? = nil) -> Reference {
        let name = name ?? "row\(operations.count)"
        names[operations.count] = .named(name)
        append(
            ["op": "insert", "table": .string(table), "uuid-name": .string(name), "row": Self.json(row)], expecting: nil
        )
        return .named(name)
    }

    package mutating func update(_ table: String, _ id: RowID, _ row: OVSDBRow) {
        append(
            ["op": "update", "table": .string(table), "where": Self.isRow(.uuid(id)), "row": Self.json(row)],
            expecting: 1)
    }

    /// A row that this transaction inserts may be mutated by its named reference, too.
    package mutating func mutate(_ table: String, _ row: Reference, _ mutations: [Mutation]) {
        let list = mutations.map { JSON.array([.string($0.column), .string($0.mutator), $0.value.json]) }
        append(
            [
                "op": "mutate", "table": .string(table), "where": Self.isRow(row), "mutations": .array(list),
            ], expecting: 1)
    }

    /// Mutates every row that `table` has: for tables of one row.
    package mutating func mutateAll(_ table: String, _ mutations: [Mutation]) {
        let list = mutations.map { JSON.array([.string($0.column), .string($0.mutator), $0.value.json]) }
        append(["op": "mutate", "table": .string(table), "where": [], "mutations": .array(list)], expecting: nil)
    }

    package mutating func delete(_ table: String, _ id: RowID) {
        append(["op": "delete", "table": .string(table), "where": Self.isRow(.uuid(id))], expecting: nil)
    }

    /// Fails the transaction unless the row still has these values: somebody else may have been faster.
    package mutating func wait(_ table: String, _ id: RowID, until row: OVSDBRow) {
        append(
            [
                "op": "wait", "table": .string(table), "timeout": 0, "until": "==", "where": Self.isRow(.uuid(id)),
                "columns": .array(row.keys.sorted().map(JSON.string)), "rows": [Self.json(row)],
            ], expecting: nil)
    }

    /// Fails the transaction when a row of `table` has this pair in `column`: two writers must not insert it twice.
    package mutating func waitAbsent(_ table: String, _ column: String, key: String, value: String) {
        append(
            [
                "op": "wait", "table": .string(table), "timeout": 0, "until": "==",
                "where": [[.string(column), "includes", OVSDBValue.pairs([key: value]).json]],
                "columns": [.string(column)], "rows": [],
            ], expecting: nil)
    }

    private mutating func append(_ operation: JSON, expecting count: Int?) {
        operations.append(operation)
        expectedCounts.append(count)
    }

    private static func json(_ row: OVSDBRow) -> JSON { .object(row.mapValues(\.json)) }
    private static func isRow(_ row: Reference) -> JSON { [["_uuid", "==", row.json]] }
}

/// What the server did with a transaction.
package struct OVSDBResult: Sendable {
    /// The new row's id for each insert, by the reference that `insert` returned.
    package let inserted: [OVSDBTransaction.Reference: RowID]
    /// Whether every update and mutation found its row. If not, the replica was behind, and the caller tries again.
    package let isComplete: Bool

    /// Throws `.conflict` when an operation failed. Nothing was done then.
    init(_ json: JSON, of transaction: OVSDBTransaction) throws {
        guard let results = json.array else {
            throw CloudError(
                .unavailable, "The OVSDB server sent a malformed reply.", cause: String(json.text().prefix(500)))
        }
        var inserted: [OVSDBTransaction.Reference: RowID] = [:]
        var isComplete = true
        for (index, result) in results.enumerated() {
            if let error = result["error"]?.string {
                let operation = index < transaction.operations.count ? transaction.operations[index].text() : "commit"
                throw CloudError(
                    .conflict, "The network database refused the change.", kind: error,
                    cause: "\(error): \(result["details"]?.string ?? "") in \(operation.prefix(500))")
            }
            guard index < transaction.operations.count else { continue }
            if let pair = result["uuid"]?.array, pair.count == 2, let text = pair[1].string, let id = RowID(text),
                let name = transaction.names[index]
            {
                inserted[name] = id
            }
            if let expected = transaction.expectedCounts[index], let count = result["count"]?.int, count != expected {
                isComplete = false
            }
        }
        self.inserted = inserted
        self.isComplete = isComplete
    }
}
