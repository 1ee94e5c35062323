// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A number that only grows.
package final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    package init() {}

    package func add(_ amount: Int = 1) { value.add(amount, ordering: .relaxed) }
    package var total: Int { value.load(ordering: .relaxed) }
}

/// A number that goes up and down.
package final class Gauge: Sendable {
    private let value = Atomic<Int>(0)

    package init() {}

    package func set(_ value: Int) { self.value.store(value, ordering: .relaxed) }
    package func add(_ amount: Int = 1) { value.add(amount, ordering: .relaxed) }
    package var current: Int { value.load(ordering: .relaxed) }
}

/// How long things took, in buckets.
package final class Histogram: Sendable {
    /// Upper bounds in seconds, for requests and steps: from 1 ms to 1 minute.
    package static let defaultBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    struct Snapshot: Sendable {
        /// One more than there are bounds; the last is for everything above.
        var counts: [Int]
        var sum = 0.0
    }

    let bounds: [Double]
    private let state: Mutex<Snapshot>

    package init(bounds: [Double] = Histogram.defaultBounds) {
        self.bounds = bounds
        state = Mutex(Snapshot(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    package func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        observe(Double(seconds) + Double(attoseconds) * 1e-18)
    }

    package func observe(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    func snapshot() -> Snapshot { state.withLock { $0 } }
}

/// The metrics of one name, one for each combination of label values. Keep the metric of a hot path in a constant.
package final class MetricFamily<Metric: Sendable>: Sendable {
    /// Labels come from code, not from callers; still a mistake must not fill the memory.
    package static var seriesLimit: Int { 2000 }

    let name: String
    let help: String
    let labels: [String]
    private let make: @Sendable () -> Metric
    private let series = Mutex<[[String]: Metric]>([:])

    init(_ name: String, _ help: String, _ labels: [String], make: @escaping @Sendable () -> Metric) {
        self.name = name
        self.help = help
        self.labels = labels
        self.make = make
    }

    /// The metric with these values, in the order of the labels. Past the limit all share one, labelled `other`.
    package subscript(_ values: String...) -> Metric {
        precondition(values.count == labels.count, "\(name) has \(labels.count) labels")
        return series.withLock { series in
            if let metric = series[values] { return metric }
            let key = series.count < Self.seriesLimit ? values : labels.map { _ in "other" }
            if let metric = series[key] { return metric }
            let metric = make()
            series[key] = metric
            return metric
        }
    }

    func sorted() -> [(values: [String], metric: Metric)] {
        series.withLock { Array($0) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { (values: $0.key, metric: $0.value) }
    }
}
