// SPDX-License-Identifier: Apache-2.0
import LogKit

enum SagaMetrics {
    static let ended = MetricsRegistry.shared.counters(
        "haneul_saga_runs_total", "Saga runs that ended, by outcome.", ["saga", "outcome"])
    static let repeated = MetricsRegistry.shared.counters(
        "haneul_saga_repeats_total", "Steps and undos that were tried again.", ["saga"])
    static let active = MetricsRegistry.shared.gauges("haneul_saga_runs_active", "Saga runs in memory.")
    static let stuck = MetricsRegistry.shared.gauges(
        "haneul_saga_runs_stuck_undo", "Ended saga runs with an undo that gave up.")
    static let quarantined = MetricsRegistry.shared.counters(
        "haneul_saga_runs_quarantined_total", "Saga runs that this program cannot load.", ["saga"])
    static let duration = MetricsRegistry.shared.histograms(
        "haneul_saga_duration_seconds", "Time from the start of a saga run to its end.", ["saga"])
}
