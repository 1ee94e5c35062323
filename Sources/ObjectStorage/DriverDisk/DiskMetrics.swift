// SPDX-License-Identifier: Apache-2.0
import LogKit

enum DiskMetrics {
    static let quarantined = MetricsRegistry.shared.counters(
        "haneul_object_storage_quarantined_total", "Files that were damaged and put aside.")[]
    static let commits = MetricsRegistry.shared.counters(
        "haneul_object_storage_commits_total", "Files of objects that devices have made durable.")[]
    static let commitTime = MetricsRegistry.shared.histograms(
        "haneul_object_storage_commit_seconds", "Time from the end of an object's bytes to its durable name.")[]
}
