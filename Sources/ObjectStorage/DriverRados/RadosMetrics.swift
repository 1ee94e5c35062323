// SPDX-License-Identifier: Apache-2.0
import LogKit

enum RadosMetrics {
    static let quarantined = MetricsRegistry.shared.counters(
        "haneul_object_storage_ceph_quarantined_total", "Objects in Ceph that were damaged and put aside.")[]
    static let commits = MetricsRegistry.shared.counters(
        "haneul_object_storage_ceph_commits_total", "Objects that were made durable in Ceph.")[]
    static let commitTime = MetricsRegistry.shared.histograms(
        "haneul_object_storage_ceph_commit_seconds", "Time from the end of an object's bytes to its durable head.")[]
    static let swept = MetricsRegistry.shared.counters(
        "haneul_object_storage_ceph_swept_total", "Uploads that were cut off and whose bytes were removed.")[]
}
