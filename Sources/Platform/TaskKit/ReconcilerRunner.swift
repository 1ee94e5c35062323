// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import Synchronization

/// Wakes reconcilers by name. Made before engines and reconcilers, so that both can hold it.
package final class ReconcilerWakes: Sendable {
    private let signals = Mutex<[String: Signal]>([:])

    package init() {}

    /// Asks for a scan soon. Cheap, from any thread: fit for `afterCommit`. Ten wakes during a scan are one more scan.
    package func wake(_ name: String) { signal(name).wake() }

    func signal(_ name: String) -> Signal {
        signals.withLock { signals in
            if let signal = signals[name] { return signal }
            let signal = Signal()
            signals[name] = signal
            return signal
        }
    }
}

/// Runs reconcilers side by side, each by its own timer and signal. One that fails is tried again, less and less often.
package struct ReconcilerRunner: Service {
    package struct Limits: Sendable {
        /// How long one scan may take.
        package var scan = Duration.seconds(600)
        /// Collects wakes that come together, so that a burst of changes costs one scan.
        package var settle = Duration.milliseconds(10)
        package var firstBackoff = Duration.seconds(1)
        package var lastBackoff = Duration.seconds(60)
        package init() {}
    }

    package let name = "reconcilers"
    private let reconcilers: [any Reconciler]
    private let wakes: ReconcilerWakes
    private let limits: Limits
    private let clock: WallClock
    private let log = Logger("reconcilers")

    package init(
        _ reconcilers: [any Reconciler], wakes: ReconcilerWakes, clock: WallClock = .system, limits: Limits = Limits()
    ) {
        precondition(Set(reconcilers.map(\.name)).count == reconcilers.count, "two reconcilers have one name")
        self.reconcilers = reconcilers
        self.wakes = wakes
        self.clock = clock
        self.limits = limits
    }

    /// The first scan of each is at once: after a start nothing is known of the world.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            for reconciler in reconcilers {
                group.addTask { await self.loop(reconciler) }
            }
        }
    }

    private func loop(_ reconciler: any Reconciler) async {
        let signal = wakes.signal(reconciler.name)
        var failures = 0
        while !Task.isCancelled {
            if await scan(reconciler) {
                failures = 0
                await signal.wait(atMost: reconciler.interval)
                await pause(limits.settle)
            } else {
                failures += 1
                // Not ended by a wake: what is broken would be called in a circle.
                await pause(min(limits.lastBackoff, limits.firstBackoff * (1 << min(failures - 1, 16))))
            }
        }
    }

    /// True: it went well.
    private func scan(_ reconciler: any Reconciler) async -> Bool {
        let start = ContinuousClock.now
        do {
            let repairs = try await withTimeout(limits.scan, "reconciler \(reconciler.name)") {
                try await reconciler.reconcile()
            }
            ReconcilerMetrics.repairs[reconciler.name].add(repairs)
            ReconcilerMetrics.lastSuccess[reconciler.name].set(Int(clock.now().seconds))
            ReconcilerMetrics.duration[reconciler.name].observe(ContinuousClock.now - start)
            if repairs > 0 { log.warning("repaired", ["reconciler": reconciler.name, "count": repairs]) }
            return true
        } catch {
            guard !Task.isCancelled else { return false }
            ReconcilerMetrics.failures[reconciler.name].add()
            log.error("reconciler failed", ["reconciler": reconciler.name, "error": "\(error)"])
            return false
        }
    }

    private func pause(_ duration: Duration) async {
        try? await Task.sleep(for: duration)  // an early end means cancellation, which the loop sees
    }
}

private enum ReconcilerMetrics {
    static let repairs = MetricsRegistry.shared.counters(
        "haneul_reconciler_repairs_total", "Things that reconcilers repaired.", ["reconciler"])
    static let failures = MetricsRegistry.shared.counters(
        "haneul_reconciler_failures_total", "Scans that failed.", ["reconciler"])
    static let lastSuccess = MetricsRegistry.shared.gauges(
        "haneul_reconciler_last_success_seconds", "When the last whole scan ended, since 1970.", ["reconciler"])
    static let duration = MetricsRegistry.shared.histograms(
        "haneul_reconciler_scan_seconds", "Time of a whole scan.", ["reconciler"])
}
