// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import MessagingKit

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

/// Waits until `number` is not 0 and has been the same at `looks` looks in a row: for what tells nobody that it has
/// stopped, such as a source of bytes that is not asked any more.
///
/// A machine that stands still for so long makes this return too soon. So it suits a test that asks whether the number
/// is too large: that one may then miss a fault, and never sees one that is not there.
package func untilStill<Number: BinaryInteger & Sendable>(
    looks: Int = 4, every pause: Duration = .milliseconds(150), within limit: Duration = .seconds(120),
    _ number: @escaping @Sendable () -> Number
) async throws {
    try await withTimeout(limit, "What should stand still") {
        var (last, same) = (number(), 0)
        while same < looks {
            try await Task.sleep(for: pause)
            let now = number()
            same = now == last && now != 0 ? same + 1 : 0
            last = now
        }
    }
}

/// Runs `body` with a controller on the bus and `services`, once `isReady` holds: the hosts have reported. Ends when all
/// that was begun has.
package func withController<T: Sendable>(
    _ controller: BusServer, _ tasks: BackgroundTasks, _ services: [any Service],
    until isReady: @escaping @Sendable () async throws -> Bool, _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    let registrations = try await controller.register()
    let result = try await withServices(services) {
        try await eventually("the first reports", isReady)
        return try await body()
    }
    for registration in registrations { registration.cancel() }
    await tasks.drain()
    return result
}
