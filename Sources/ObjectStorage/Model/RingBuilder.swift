// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Makes a ring of devices, or another one when devices come, go or change their weight.
///
/// Replicas of a partition never share a device, nor a zone or host where there are others. Within that each device
/// holds its share by weight. No more moves than that needs. Pure: the same input gives the same ring.
package enum RingBuilder {
    package static let partitionPowers = 0...20
    package static let replicaRange = 1...16

    /// `old`: the ring to change; nil makes the first one. Throws `.badRequest` for what cannot be a ring.
    package static func ring(
        from old: Ring?, devices: [RingDevice], replicas: Int, partitionPower: Int
    ) throws -> Ring {
        let usable = devices.filter { $0.weight > 0 }.sorted { $0.number < $1.number }
        guard !usable.isEmpty else { throw CloudError.badRequest("A ring needs a device with a weight.") }
        guard partitionPowers.contains(partitionPower), replicaRange.contains(replicas) else {
            throw CloudError.badRequest("A ring has 1 to 16 replicas and up to 2^20 partitions.")
        }
        guard Set(devices.map(\.number)).count == devices.count else {
            throw CloudError.badRequest("Two devices of a ring have one number.")
        }
        guard old == nil || old?.partitionPower == partitionPower else {
            throw CloudError.badRequest("The number of partitions cannot change.")
        }
        let count = min(replicas, usable.count)
        var work = RingAssignment(RingTiers(usable, replicas: count, partitions: 1 << partitionPower), partitionPower)
        if let old { work.keep(old) }
        work.build()
        let assignment = work.slots.map { usable[$0].number }
        return Ring(
            version: (old?.version ?? 0) + 1, partitionPower: partitionPower, replicas: count, devices: devices,
            assignment: assignment, former: former(old, Set(devices.map(\.number)), assignment, count))
    }

    /// Where each partition was and no longer belongs.
    private static func former(
        _ old: Ring?, _ known: Set<DeviceNumber>, _ assignment: [DeviceNumber], _ replicas: Int
    ) -> [Int: [DeviceNumber]] {
        guard let old else { return [:] }
        var former: [Int: [DeviceNumber]] = [:]
        for partition in 0..<old.partitionCount {
            let now = assignment[partition * replicas..<(partition + 1) * replicas]
            var left: [DeviceNumber] = []
            for device in old.devices(of: partition) + old.former(of: partition)
            where known.contains(device) && !now.contains(device) && !left.contains(device) {
                left.append(device)
            }
            if !left.isEmpty { former[partition] = left }
        }
        return former
    }
}
