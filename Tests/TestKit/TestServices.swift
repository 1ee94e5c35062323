// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit

/// Runs `services` while `body` runs, then stops them. `body` has `limit` to end.
@discardableResult
package func withServices<T: Sendable>(
    _ services: [any Service], limit: Duration = .seconds(300), _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for service in services { group.addTask { try await service.run() } }
        defer { group.cancelAll() }
        return try await withTimeout(limit, "The body of the test", body)
    }
}

/// Waits until `condition` holds. Throws after `limit`, which is for what hangs: hundreds of tests share two cores. For
/// the same reason it looks less and less often.
package func eventually(
    within limit: Duration = .seconds(120), _ what: String = "The condition",
    _ condition: @escaping @Sendable () async throws -> Bool
) async throws {
    try await withTimeout(limit, what) {
        var pause = Duration.milliseconds(1)
        while try await !condition() {
            try await Task.sleep(for: pause)
            pause = min(pause * 3 / 2, .milliseconds(100))
        }
    }
}
