// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import Synchronization

/// How often an account may make containers, and how often objects of one container may change. What comes too early
/// waits; what would wait too long is refused with 498.
package struct RateLimitLayer: SwiftLayer {
    package struct Limits: Sendable {
        /// Writes of containers a second, for each account; 0: as many as come.
        package var accountWrites = 0.0
        /// From so many objects in a container on, so many writes a second; in between, in proportion.
        package var containerWrites: [(objects: Int64, rate: Double)] = []
        package var maximumWait = Duration.seconds(60)
        package init() {}
    }

    private let gate: AccessGate
    private let limits: Limits
    private let clock: WallClock
    private let paces = Paces()

    package init(gate: AccessGate, limits: Limits, clock: WallClock) {
        self.gate = gate
        self.limits = limits
        self.clock = clock
    }

    package var info: InfoPage.Section {
        let containers = limits.containerWrites.map { JSON.array([.int($0.objects), .double($0.rate)]) }
        return (
            "ratelimit",
            [
                "account_ratelimit": .double(limits.accountWrites),
                "max_sleep_time_seconds": .double(Double(limits.maximumWait.components.seconds)),
                "container_ratelimits": .array(containers), "container_listing_ratelimits": [],
            ]
        )
    }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard !request.isRead, request.method != .options, let (key, rate) = try await pace(request) else {
            return await next(request)
        }
        let now = clock.now().microseconds
        let wait = paces.take(key, every: Int64(1_000_000 / rate), now: now, limit: limits.maximumWait.microseconds)
        guard let wait else { return .text(498, "Slow down") }
        if wait > 0 { try await Task.sleep(for: .microseconds(wait)) }
        return await next(request)
    }

    private func pace(_ request: SwiftRequest) async throws -> (String, Double)? {
        if request.isContainer, limits.accountWrites > 0, request.method == .put || request.method == .delete {
            return (request.path.ofAccount.description, limits.accountWrites)
        }
        guard request.isObject, !limits.containerWrites.isEmpty else { return nil }
        let access = try await gate.object(request.path, .writeObject, for: request.caller, seen: request.seen)
        guard let rate = rate(access.container.objectCount) else { return nil }
        return (request.path.ofContainer.description, rate)
    }

    private func rate(_ objects: Int64) -> Double? {
        let steps = limits.containerWrites.sorted { $0.objects < $1.objects }
        guard let below = steps.last(where: { $0.objects <= objects }), below.rate > 0 else { return nil }
        guard let above = steps.first(where: { $0.objects > objects }) else { return below.rate }
        let share = Double(objects - below.objects) / Double(above.objects - below.objects)
        return below.rate + (above.rate - below.rate) * share
    }
}

/// When each may go next.
private final class Paces: Sendable {
    private static let limit = 10_000
    private let following = Mutex<[ByteText: Int64]>([:])

    /// Microseconds to wait; nil: more than `limit`.
    func take(_ name: String, every step: Int64, now: Int64, limit: Int64) -> Int64? {
        let key = ByteText(name)
        return following.withLock { following in
            if following.count >= Self.limit { following = following.filter { $0.value > now } }
            let start = max(following[key] ?? now, now)
            guard start - now <= limit else { return nil }
            following[key] = start + step
            return start - now
        }
    }
}
