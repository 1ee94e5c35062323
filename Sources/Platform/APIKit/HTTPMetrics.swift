// SPDX-License-Identifier: Apache-2.0
import HTTPKit

/// Counts requests by service, method and status class.
enum HTTPMetrics {
    static func record(service: String, method: HTTPMethod, status: Int, _ elapsed: Duration) {}
}
