// SPDX-License-Identifier: Apache-2.0
import LogKit

/// What the store counts. Devices are labelled by their numbers.
enum StorageMetrics {
    private static let registry = MetricsRegistry.shared

    static let deviceErrors = registry.counters(
        "haneul_object_storage_device_errors_total", "Calls of a device that failed.", ["device"])
    static let handoffs = registry.counters(
        "haneul_object_storage_handoffs_total", "Writes that a hand-off device took for one that was away.", ["kind"])
    static let quorumFailures = registry.counters(
        "haneul_object_storage_quorum_failures_total", "Writes that fewer devices took than must.", ["kind"])
    static let comparedReads = registry.counters(
        "haneul_object_storage_compared_reads_total", "Reads that compared all replicas.", ["kind"])
    static let repairs = registry.counters(
        "haneul_object_storage_repairs_total", "Replicas that were made, renewed or removed.", ["kind", "action"])
    static let replicatedBytes = registry.counters(
        "haneul_object_storage_replicated_bytes_total", "Bytes of objects copied between devices.")[]
    static let passes = registry.counters(
        "haneul_object_storage_replication_passes_total", "Passes of the replicator, by outcome.", ["outcome"])
    static let passTime = registry.histograms(
        "haneul_object_storage_replication_pass_seconds", "Time of a pass over all partitions.",
        bounds: [0.1, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400])[]
    static let lastPass = registry.gauges(
        "haneul_object_storage_replication_last_success_seconds", "When the last pass without an error ended.")[]
    static let partitionsMissing = registry.gauges(
        "haneul_object_storage_partitions_missing_replicas", "Partitions that lack a whole replica.",
        ["kind"])
    static let partitionsMoving = registry.gauges(
        "haneul_object_storage_partitions_moving", "Partitions that have not left their former devices yet.", ["kind"])
    static let auditedObjects = registry.counters(
        "haneul_object_storage_audited_objects_total", "Objects whose bytes were compared with their checksums.",
        ["device"])
    static let auditedBytes = registry.counters(
        "haneul_object_storage_audited_bytes_total", "Bytes that were compared with their checksums.", ["device"])
    static let damaged = registry.counters(
        "haneul_object_storage_damaged_total", "Replicas that were found damaged and put aside.", ["device"])
    static let usedBytes = registry.gauges("haneul_object_storage_device_used_bytes", "Bytes in use.", ["device"])
    static let freeBytes = registry.gauges("haneul_object_storage_device_free_bytes", "Bytes free.", ["device"])
    static let deviceUp = registry.gauges(
        "haneul_object_storage_device_up", "Whether the device answers: 1 or 0.", ["device"])
    static let waitingRows = registry.gauges(
        "haneul_object_storage_waiting_rows", "Rows of listings that could not be put yet.")[]
}
