// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import SecurityKit
import Synchronization

/// The keys that tokens are made with. They live in the database, so that every API process knows them.
final class KeyRepository: Sendable {
    /// The one in use and two that still open tokens.
    private static let keptKeys = 3

    /// The option, or more: the two old keys must last as long as a token, its window included.
    static func lifetime(_ config: IdentityConfig) -> Duration {
        max(config.keyLifetime, (config.tokenLifetime + config.expiredTokenWindow) / (keptKeys - 1))
    }

    private let database: IdentityDatabase
    private let store = TokenStore()
    private let clock: WallClock
    private let loaded = Mutex<Fernet?>(nil)

    init(database: IdentityDatabase, clock: WallClock) {
        self.database = database
        self.clock = clock
    }

    /// Loaded once; made when there are none.
    func fernet() async throws -> Fernet {
        if let fernet = loaded.withLock({ $0 }) { return fernet }
        var keys = try await database.read { [store] in try store.keys($0) }
        if keys.isEmpty { keys = try await addKey(unlessThereIsOne: true) }
        return keep(keys)
    }

    /// A new key when the newest is older than `age`.
    func rotate(after age: Duration) async throws {
        let newest = try await database.read { [store] in try store.newestKeyTime($0) }
        guard let newest, clock.now() - newest >= age else { return }
        _ = keep(try await addKey(unlessThereIsOne: false))
    }

    private func addKey(unlessThereIsOne: Bool) async throws -> [FernetKey] {
        let (store, now) = (store, clock.now())
        return try await database.write("key") { tx in
            let existing = try store.keys(tx)
            if unlessThereIsOne, !existing.isEmpty { return existing }
            try store.addKey(FernetKey(), at: now, keeping: Self.keptKeys, tx)
            return try store.keys(tx)
        }
    }

    private func keep(_ keys: [FernetKey]) -> Fernet {
        let fernet = Fernet(keys: keys)
        loaded.withLock { $0 = fernet }
        return fernet
    }
}
