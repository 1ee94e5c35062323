// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Every metric of the process. A module registers its families once, in constants:
///
///     private static let requests = MetricsRegistry.shared.counters("haneul_http_requests_total", "…", ["service"])
package final class MetricsRegistry: Sendable {
    package static let shared = MetricsRegistry()

    private enum Entry: Sendable {
        case counters(MetricFamily<Counter>)
        case gauges(MetricFamily<Gauge>)
        case histograms(MetricFamily<Histogram>)
        case computed(name: String, help: String, type: String, @Sendable () -> Double)
    }
    private let entries = Mutex<[String: Entry]>([:])

    package init() {}

    package func counters(_ name: String, _ help: String, _ labels: [String] = []) -> MetricFamily<Counter> {
        let family = MetricFamily(name, help, labels) { Counter() }
        add(name, .counters(family))
        return family
    }

    package func gauges(_ name: String, _ help: String, _ labels: [String] = []) -> MetricFamily<Gauge> {
        let family = MetricFamily(name, help, labels) { Gauge() }
        add(name, .gauges(family))
        return family
    }

    package func histograms(
        _ name: String, _ help: String, _ labels: [String] = [], bounds: [Double] = Histogram.defaultBounds
    ) -> MetricFamily<Histogram> {
        let family = MetricFamily(name, help, labels) { Histogram(bounds: bounds) }
        add(name, .histograms(family))
        return family
    }

    /// A number that is read when the metrics are: a queue's length, the memory in use. A later one of the same
    /// name takes the place of the earlier.
    package func computed(
        _ name: String, _ help: String, type: String = "gauge", _ read: @escaping @Sendable () -> Double
    ) {
        add(name, .computed(name: name, help: help, type: type, read))
    }

    private func add(_ name: String, _ entry: Entry) {
        entries.withLock { $0[name] = entry }
    }

    /// All metrics in Prometheus' text format 0.0.4, by name.
    package func render() -> String {
        let entries = entries.withLock { $0 }.sorted { $0.key < $1.key }
        var text = ""
        for (_, entry) in entries {
            switch entry {
            case .counters(let family):
                head(&text, family.name, family.help, "counter")
                for (values, counter) in family.sorted() {
                    line(&text, family.name, pairs(family.labels, values), "\(counter.total)")
                }
            case .gauges(let family):
                head(&text, family.name, family.help, "gauge")
                for (values, gauge) in family.sorted() {
                    line(&text, family.name, pairs(family.labels, values), "\(gauge.current)")
                }
            case .histograms(let family):
                head(&text, family.name, family.help, "histogram")
                for (values, histogram) in family.sorted() {
                    render(histogram, family.name, pairs(family.labels, values), &text)
                }
            case .computed(let name, let help, let type, let read):
                head(&text, name, help, type)
                line(&text, name, "", "\(read())")
            }
        }
        return text
    }

    private func render(_ histogram: Histogram, _ name: String, _ labels: String, _ text: inout String) {
        let snapshot = histogram.snapshot()
        let separator = labels.isEmpty ? "" : ","
        var total = 0
        for (bound, count) in zip(histogram.bounds, snapshot.counts) {
            total += count
            line(&text, "\(name)_bucket", "\(labels)\(separator)le=\"\(bound)\"", "\(total)")
        }
        total += snapshot.counts.last ?? 0
        line(&text, "\(name)_bucket", "\(labels)\(separator)le=\"+Inf\"", "\(total)")
        line(&text, "\(name)_sum", labels, "\(snapshot.sum)")
        line(&text, "\(name)_count", labels, "\(total)")
    }

    private func head(_ text: inout String, _ name: String, _ help: String, _ type: String) {
        text += "# HELP \(name) \(escape(help, quote: false))\n# TYPE \(name) \(type)\n"
    }

    private func line(_ text: inout String, _ name: String, _ labels: String, _ value: String) {
        text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    private func pairs(_ names: [String], _ values: [String]) -> String {
        zip(names, values).map { "\($0)=\"\(escape($1, quote: true))\"" }.joined(separator: ",")
    }

    private func escape(_ text: String, quote: Bool) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quote: result += "\\\""
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
