// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import SecurityKit
import Synchronization

/// Objects that are open for other hosts, by names that nobody can guess.
final class OpenHandles: Sendable {
    private static let limit = 8192
    /// A reader that waits longer opens the object anew.
    private static let idleTime = Duration.seconds(300)

    private struct Entry {
        let object: any OpenObject
        var usedAt: Timestamp
    }

    private let entries = Mutex<[String: Entry]>([:])
    private let clock: WallClock

    init(clock: WallClock) { self.clock = clock }

    /// When there are too many, the one that was not read of for longest is closed.
    func add(_ object: any OpenObject) async -> String {
        let (name, now) = (Hex.encode(SecureRandom.bytes(16)), clock.now())
        let oldest = entries.withLock { entries -> (any OpenObject)? in
            var oldest: (any OpenObject)?
            if entries.count >= Self.limit, let first = entries.min(by: { $0.value.usedAt < $1.value.usedAt }) {
                oldest = first.value.object
                entries[first.key] = nil
            }
            entries[name] = Entry(object: object, usedAt: now)
            return oldest
        }
        await oldest?.close()
        return name
    }

    func find(_ name: String) -> (any OpenObject)? {
        let now = clock.now()
        return entries.withLock { entries in
            entries[name]?.usedAt = now
            return entries[name]?.object
        }
    }

    func take(_ name: String) -> (any OpenObject)? {
        entries.withLock { $0.removeValue(forKey: name)?.object }
    }

    var count: Int { entries.withLock { $0.count } }

    func closeIdle() async {
        let limit = clock.now() - Self.idleTime
        let idle = entries.withLock { entries in
            let names = entries.filter { $0.value.usedAt < limit }.map(\.key)
            return names.compactMap { entries.removeValue(forKey: $0)?.object }
        }
        for object in idle { await object.close() }
    }
}
