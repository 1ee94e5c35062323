// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import Synchronization
import TaskKit
import TestKit
import Testing

/// Goal: reconcilers scan at the start, by timer and when woken; a failing one stops no other.
/// Method: reconcilers that count their scans and wait where they are told to.
@Suite("Reconciler")
struct ReconcilerTests {
    final class Scanner: Reconciler {
        let name: String
        let interval: Duration
        private let body: @Sendable (Int) async throws -> Int
        private let count = Atomic<Int>(0)

        init(
            _ name: String, every interval: Duration = .seconds(3600),
            _ body: @escaping @Sendable (_ scan: Int) async throws -> Int = { _ in 0 }
        ) {
            self.name = name
            self.interval = interval
            self.body = body
        }

        var scans: Int { count.load(ordering: .relaxed) }

        func reconcile() async throws -> Int {
            try await body(count.add(1, ordering: .relaxed).newValue)
        }
    }

    private static var limits: ReconcilerRunner.Limits {
        var limits = ReconcilerRunner.Limits()
        limits.settle = .milliseconds(1)
        limits.firstBackoff = .milliseconds(1)
        limits.lastBackoff = .milliseconds(4)
        return limits
    }

    @Test("scans at the start, and again by its timer")
    func timer() async throws {
        let (often, once) = (Scanner("often", every: .milliseconds(2)), Scanner("once"))
        let runner = ReconcilerRunner([often, once], wakes: ReconcilerWakes(), limits: Self.limits)
        try await withServices([runner]) {
            try await eventually { often.scans >= 5 && once.scans == 1 }
        }
        #expect(once.scans == 1)
    }

    @Test("wakes during a scan are one more scan")
    func coalescing() async throws {
        let (started, release) = (Signal(), Signal())
        let scanner = Scanner("s") { scan in
            if scan == 1 {
                started.wake()
                await release.wait()
            }
            return 0
        }
        let wakes = ReconcilerWakes()
        let runner = ReconcilerRunner([scanner], wakes: wakes, limits: Self.limits)
        try await withServices([runner]) {
            await started.wait()
            for _ in 0..<10 { wakes.wake("s") }
            release.wake()
            try await eventually { scanner.scans == 2 }
            wakes.wake("s")
            try await eventually { scanner.scans == 3 }
        }
        #expect(scanner.scans == 3)
    }

    @Test("a wake before the start is not lost, nor is a wake of nobody a fault")
    func earlyWake() async throws {
        let scanner = Scanner("s")
        let wakes = ReconcilerWakes()
        wakes.wake("s")
        wakes.wake("nobody")
        try await withServices([ReconcilerRunner([scanner], wakes: wakes, limits: Self.limits)]) {
            try await eventually { scanner.scans == 2 }
        }
    }

    @Test("one that fails is tried again, and stops no other")
    func failure() async throws {
        let failing = Scanner("failing") { scan in
            if scan < 4 { throw CloudError(.unavailable, "away") }
            return 1
        }
        let good = Scanner("good", every: .milliseconds(2))
        let runner = ReconcilerRunner([failing, good], wakes: ReconcilerWakes(), limits: Self.limits)
        try await withServices([runner]) {
            try await eventually { failing.scans == 4 && good.scans > 4 }
        }
    }
}
