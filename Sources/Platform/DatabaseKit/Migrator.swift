// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit

/// Brings a database's schema to what the program needs.
package enum Migrator {
    /// Applies those of `migrations` that the database does not have, in order. Returns how many.
    ///
    /// All in one transaction: an upgrade that fails leaves the database as the old program knows it. Throws
    /// `.conflict` for a database that a newer program has changed, and for a migration that was edited after it
    /// was applied.
    @discardableResult
    package static func apply(
        _ migrations: [Migration], to database: any Database, clock: WallClock = .system
    ) async throws -> Int {
        precondition(Set(migrations.map(\.name)).count == migrations.count, "two migrations have one name")
        let now = clock.now()
        let applied = try await database.write { transaction in
            try transaction.execute(
                """
                CREATE TABLE IF NOT EXISTS schema_migrations (
                    name TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, applied_at BIGINT NOT NULL)
                """)
            let missing = try missing(migrations, transaction)
            for migration in missing { try apply(migration, at: now, transaction) }
            return missing.map(\.name)
        }
        if !applied.isEmpty {
            Logger("database").info("schema migrated", ["count": applied.count, "last": applied[applied.count - 1]])
        }
        return applied.count
    }

    private static func missing(_ migrations: [Migration], _ transaction: any Transaction) throws -> [Migration] {
        let rows = try transaction.query("SELECT name, digest FROM schema_migrations ORDER BY name") {
            ($0.text(0), $0.text(1))
        }
        let known = Set(migrations.map(\.name))
        if let newer = rows.first(where: { !known.contains($0.0) }) {
            throw CloudError(
                .conflict,
                "The database was changed by a newer version of this program (\(newer.0)). "
                    + "Start that version, or restore a copy from before.")
        }
        let digests = Dictionary(uniqueKeysWithValues: rows)
        for migration in migrations {
            if let digest = digests[migration.name], digest != migration.digest {
                throw CloudError(
                    .conflict, "Migration \(migration.name) is not the one that this database has had.")
            }
        }
        return migrations.filter { digests[$0.name] == nil }
    }

    private static func apply(_ migration: Migration, at now: Timestamp, _ transaction: any Transaction) throws {
        do {
            for statement in migration.statements { try transaction.execute(SQL(stringLiteral: statement)) }
        } catch let error as DatabaseError {
            throw DatabaseError.failed("migration \(migration.name): \(error)")
        }
        try transaction.execute(
            """
            INSERT INTO schema_migrations (name, digest, applied_at)
            VALUES (\(migration.name), \(migration.digest), \(now))
            """)
    }
}

extension Migration {
    /// FNV-1a over the statements, without regard to white space: tells an edit, not an attack.
    fileprivate var digest: String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for statement in statements {
            for word in statement.split(whereSeparator: \.isWhitespace) {
                for byte in word.utf8 { mix(byte) }
                mix(0x20)
            }
            mix(0)
        }
        return Hex.encode((0..<8).map { UInt8(truncatingIfNeeded: hash >> UInt64(56 - 8 * $0)) })
    }
}
