// SPDX-License-Identifier: Apache-2.0
import LogKit

enum SQLiteMetrics {
    static let writes = MetricsRegistry.shared.counters("haneul_database_writes_total", "Closures that wrote.")[]
    static let commits = MetricsRegistry.shared.counters(
        "haneul_database_commits_total", "Commits; writes that come together share one.")[]
    static let commitTime = MetricsRegistry.shared.histograms(
        "haneul_database_commit_seconds", "Time from the start of a write transaction to its durable commit.")[]
}
