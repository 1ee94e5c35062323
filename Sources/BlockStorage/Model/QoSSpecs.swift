// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// Limits of volumes, and who enforces them.
package struct QoSSpecs: Sendable, Equatable {
    package enum Consumer: String, Sendable, CaseIterable {
        case frontEnd = "front-end"
        case backEnd = "back-end"
        case both
    }

    package var id: QoSSpecsID
    package var name: String
    package var consumer: Consumer
    package var specs: [String: String]
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    package init(
        id: QoSSpecsID, name: String, consumer: Consumer, specs: [String: String], createdAt: Timestamp,
        updatedAt: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.consumer = consumer
        self.specs = specs
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// What the hypervisor enforces for a volume of `sizeGiB`; nil: nothing.
    ///
    /// A limit ending in `_per_gb` grows with the volume; one ending in `_min` is its floor (cinder:
    /// volume/manager.py, `_parse_connection_options`).
    package func limits(sizeGiB: Int) -> VolumeConnection.Limits? {
        guard consumer != .backEnd else { return nil }
        func limit(_ name: String) -> Int64? {
            if let text = specs[name], let number = Int64(text) { return number }
            guard let text = specs[name + "_per_gb"], let each = Int64(text) else { return nil }
            let (product, isTooLarge) = each.multipliedReportingOverflow(by: Int64(sizeGiB))
            let floor = specs[name + "_per_gb_min"].flatMap { Int64($0) } ?? 0
            return max(isTooLarge ? Int64.max : product, floor)
        }
        var limits = VolumeConnection.Limits()
        limits.totalBytesPerSecond = limit("total_bytes_sec")
        limits.readBytesPerSecond = limit("read_bytes_sec")
        limits.writeBytesPerSecond = limit("write_bytes_sec")
        limits.totalOperationsPerSecond = limit("total_iops_sec")
        limits.readOperationsPerSecond = limit("read_iops_sec")
        limits.writeOperationsPerSecond = limit("write_iops_sec")
        return limits == VolumeConnection.Limits() ? nil : limits
    }
}
