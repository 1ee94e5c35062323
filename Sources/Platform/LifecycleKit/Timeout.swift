// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Runs `body` and cancels it when it takes longer than `limit`; then throws `.unavailable`, naming `name`.
///
/// Structured: it returns after `body` has, so nothing of `body` runs on behind the caller. A body that ignores
/// cancellation is therefore not cut short; blocking calls choose with `BlockingPool.Cancellation`.
package func withTimeout<T: Sendable>(
    _ limit: Duration, _ name: String, _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    let hasExpired = Flag()
    return try await withThrowingTaskGroup(of: T?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        do {
            if let value = try await group.next().flatMap({ $0 }) { return value }
            // The limit has passed. Wait for the body: a result that came all the same is not thrown away.
            hasExpired.set()
            group.cancelAll()
            if let value = try await group.next().flatMap({ $0 }) { return value }
            throw CancellationError()
        } catch  where hasExpired.isSet {
            throw CloudError(.unavailable, "\(name) did not answer in time.", cause: "after \(limit): \(error)")
        }
    }
}

/// Runs `body` to its end even when the caller is cancelled meanwhile: a saga's step, a clean-up.
package func shielded<T: Sendable>(_ body: @escaping @Sendable () async -> T) async -> T {
    await Task { await body() }.value
}

/// Runs `body` to its end even when the caller is cancelled meanwhile; throws what it throws.
package func shielded<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
    try await Task { try await body() }.value
}
