// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Says which devices hold the replicas of each partition. A value: a change makes another one (`RingBuilder`).
package struct Ring: Sendable, Hashable {
    /// Grows by one with each change.
    package let version: Int
    /// There are 2 to this power partitions.
    package let partitionPower: Int
    /// Replicas of a partition: as many as are wanted, or as there are devices with a weight, if those are fewer.
    package let replicas: Int
    package let devices: [DeviceNumber: RingDevice]
    /// `replicas` devices for each partition, one partition after the other.
    let assignment: [DeviceNumber]
    /// Devices that may still hold what has moved: partitions that were not yet seen whole at their new places.
    package private(set) var former: [Int: [DeviceNumber]]

    package init(
        version: Int, partitionPower: Int, replicas: Int, devices: [RingDevice], assignment: [DeviceNumber],
        former: [Int: [DeviceNumber]] = [:]
    ) {
        precondition(assignment.count == replicas << partitionPower, "a ring assigns every replica")
        self.version = version
        self.partitionPower = partitionPower
        self.replicas = replicas
        self.devices = Dictionary(devices.map { ($0.number, $0) }) { _, last in last }
        self.assignment = assignment
        self.former = former
    }

    package var partitionCount: Int { 1 << partitionPower }

    /// The first bits of a path's digest.
    package func partition(of digest: [UInt8]) -> Int {
        let head = digest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Int(head >> UInt32(32 - partitionPower))
    }

    package func devices(of partition: Int) -> [DeviceNumber] {
        Array(assignment[partition * replicas..<(partition + 1) * replicas])
    }

    package func former(of partition: Int) -> [DeviceNumber] { former[partition] ?? [] }

    /// Devices that stand in for the partition's own, best first: those of other zones, of other hosts, and the rest;
    /// among equals each partition has another order, so that a device that is away burdens all others alike.
    package func handoffs(of partition: Int) -> [DeviceNumber] {
        let own = devices(of: partition)
        let zones = Set(own.compactMap { devices[$0]?.zone })
        let hosts = Set(own.compactMap { devices[$0]?.host })
        let candidates = devices.values.filter { $0.weight > 0 && !own.contains($0.number) }
        return candidates.map { device -> (rank: Int, order: UInt64, number: DeviceNumber) in
            let rank = zones.contains(device.zone) ? (hosts.contains(device.host) ? 2 : 1) : 0
            return (rank, RingMix.mix(UInt64(partition) << 16 | UInt64(device.number.rawValue)), device.number)
        }.sorted { ($0.rank, $0.order) < ($1.rank, $1.order) }.map(\.number)
    }

    /// How many replicas each device holds.
    package var loads: [DeviceNumber: Int] {
        assignment.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// These partitions lie whole at their own devices: the former ones are forgotten.
    package func settled(_ partitions: some Sequence<Int>) -> Ring {
        var ring = self
        for partition in partitions { ring.former[partition] = nil }
        return ring
    }
}

/// Numbers that look random and are always the same.
enum RingMix {
    /// The finisher of SplitMix64.
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
