// SPDX-License-Identifier: Apache-2.0
import HTTPKit
import LogKit

/// Counts requests and their time by service, method and status class.
package enum HTTPMetrics {
    private static let requests = MetricsRegistry.shared.counters(
        "haneul_http_requests_total", "Requests answered.", ["service", "method", "status"])
    private static let durations = MetricsRegistry.shared.histograms(
        "haneul_http_request_seconds", "Time from the request's head to the answer's.", ["service"])
    private static let classes = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"]

    package static func record(service: String, method: HTTPMethod, status: Int, _ elapsed: Duration) {
        requests[service, method.rawValue, classes[min(max(status / 100, 0), 5)]].add()
        durations[service].observe(elapsed)
    }
}
