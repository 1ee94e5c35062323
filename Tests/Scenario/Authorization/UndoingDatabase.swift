// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// A database that takes back what a call writes, as long as that call asks for it: who gets through to a change has
/// passed every check, and the next one finds everything as it was.
struct UndoingDatabase: Database {
    /// Calls that leave nothing behind. Others, and what runs beside them, write as ever.
    @TaskLocal static var undoes = false

    /// What a call that came through to its change is answered with: 503.
    private static let undone = CloudError(.unavailable, "This call was undone.")

    let base: any Database

    init(_ base: any Database) { self.base = base }

    var dialect: SQLDialect { base.dialect }

    func read<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        try await base.read(body)
    }

    @discardableResult
    func write<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        guard Self.undoes else { return try await base.write(body) }
        return try await base.write { transaction in
            _ = try body(transaction)
            throw Self.undone
        }
    }
}
