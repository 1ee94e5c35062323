// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import Synchronization

/// Counts the changes of Identity, so that what was worked out before a change is not used after it.
package final class IdentityGeneration: Sendable {
    private let value = Atomic<UInt64>(1)

    package init() {}

    /// Read it before the rows that are worked with: a change in between makes the result old at once.
    package var current: UInt64 { value.load(ordering: .acquiring) }

    func advance() { value.add(1, ordering: .acquiringAndReleasing) }
}

/// Identity's way to the database: every write moves the generation on, so that none can be forgotten.
package struct IdentityDatabase: Sendable {
    private let database: any Database
    package let generation: IdentityGeneration

    package init(_ database: any Database, generation: IdentityGeneration = IdentityGeneration()) {
        self.database = database
        self.generation = generation
    }

    package func read<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        try await database.read(body)
    }

    /// For what changes nothing that a token or a catalog means, such as a count: what was worked out stays good.
    package func note<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        try await database.write(body)
    }

    /// `noun` names what is stored, for a caller that lost a race for a name.
    package func write<T: Sendable>(
        _ noun: String, _ body: @escaping @Sendable (any Transaction) throws -> T
    ) async throws -> T {
        let generation = generation
        do {
            return try await database.write { transaction in
                transaction.afterCommit { generation.advance() }
                return try body(transaction)
            }
        } catch DatabaseError.unique {
            throw CloudError.conflict("Conflict occurred attempting to store \(noun) - Duplicate entry found.")
        }
    }
}
