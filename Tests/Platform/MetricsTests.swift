// SPDX-License-Identifier: Apache-2.0
import LogKit
import Testing

/// Goal: metrics render as Prometheus reads them. Method: a registry of the test's own, compared as text.
@Suite("Metrics")
struct MetricsTests {
    @Test("counters, gauges and histograms with labels")
    func render() {
        let registry = MetricsRegistry()
        let requests = registry.counters("requests_total", "Requests.", ["service", "status"])
        requests["compute", "2xx"].add(3)
        requests["a\"b\\c\nd", "5xx"].add()
        registry.gauges("queue", "Length.")[].set(7)
        let seconds = registry.histograms("seconds", "Time.", ["step"], bounds: [0.1, 1])
        seconds["build"].observe(.milliseconds(50))
        seconds["build"].observe(0.5)
        seconds["build"].observe(5)
        registry.computed("answer", "The answer.") { 42 }
        #expect(
            registry.render() == """
                # HELP answer The answer.
                # TYPE answer gauge
                answer 42.0
                # HELP queue Length.
                # TYPE queue gauge
                queue 7
                # HELP requests_total Requests.
                # TYPE requests_total counter
                requests_total{service="a\\"b\\\\c\\nd",status="5xx"} 1
                requests_total{service="compute",status="2xx"} 3
                # HELP seconds Time.
                # TYPE seconds histogram
                seconds_bucket{step="build",le="0.1"} 1
                seconds_bucket{step="build",le="1.0"} 2
                seconds_bucket{step="build",le="+Inf"} 3
                seconds_sum{step="build"} 5.55
                seconds_count{step="build"} 3

                """)
    }

    @Test("a label that takes ever new values does not fill the memory")
    func seriesLimit() {
        let family = MetricsRegistry().counters("c", "C.", ["id"])
        for number in 0..<(MetricFamily<Counter>.seriesLimit + 10) { family["\(number)"].add() }
        #expect(family["other"].total == 10)
    }
}
