// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import ObjectStorageContract
import Synchronization

/// Reads every object again and again, slowly, and compares its bytes with its checksum. What a device puts aside as
/// damaged is copied to it anew from another replica.
package final class Auditor: Service {
    package struct Limits: Sendable {
        /// Of each device.
        /// 0: nothing is audited but when `audit` is called.
        package var bytesPerSecond: Int64 = 10 << 20
        package var interval = Duration.seconds(5)
        package init() {}
    }

    package let name = "object-storage-auditor"
    private let cluster: StorageCluster
    private let limits: Limits
    private let found = Mutex<[DeviceNumber: Int]>([:])
    private let log = Logger("object-storage")

    package init(_ cluster: StorageCluster, limits: Limits = Limits()) {
        self.cluster = cluster
        self.limits = limits
    }

    /// Replicas that were found damaged since the start, by device.
    package var damaged: [DeviceNumber: Int] { found.withLock { $0 } }

    package func run() async throws {
        while !Task.isCancelled {
            try? await Task.sleep(for: limits.interval)  // an early end means cancellation, which the loop sees
            if limits.bytesPerSecond > 0, !Task.isCancelled { await audit() }
        }
    }

    /// Reads as much of each device as the limits allow in one interval.
    package func audit() async {
        let seconds = Double(limits.interval.microseconds) / 1_000_000
        let bytes = max(1, Int64(Double(limits.bytesPerSecond) * seconds))
        for number in cluster.devices.numbers where !cluster.devices.isAway(number) {
            do {
                try await audit(number, bytes)
            } catch {
                if Task.isCancelled { return }
                log.warning("a device was not audited", ["device": number, "error": "\(error)"])
            }
        }
    }

    private func audit(_ number: DeviceNumber, _ bytes: Int64) async throws {
        let report = try await cluster.devices.call(number) { try await $0.audit(limitBytes: bytes) }
        StorageMetrics.auditedObjects["\(number)"].add(report.objects)
        StorageMetrics.auditedBytes["\(number)"].add(Int(report.bytes))
        guard !report.damaged.isEmpty else { return }
        StorageMetrics.damaged["\(number)"].add(report.damaged.count)
        found.withLock { $0[number, default: 0] += report.damaged.count }
        for location in report.damaged {
            log.error("a damaged object was put aside", ["device": number, "path": location.path])
            let place = try cluster.place(location.path, policy: location.policy)
            cluster.devices.missed(number, place.kind, place.partition)
            cluster.repairs.add(place)
        }
    }
}
