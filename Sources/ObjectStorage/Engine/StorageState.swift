// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// How the store is: what `haneul ring` shows.
package struct StorageState: Sendable, Codable {
    package struct Device: Sendable, Codable {
        package var device: RingDevice
        package var isUp: Bool
        /// Why it does not answer.
        package var error: String?
        package var space: DeviceSpace?
        /// Replicas of partitions that it should hold, by ring.
        package var replicas: [String: Int]
        /// Damaged objects that were put aside since the start of the process.
        package var damaged: Int
    }

    package struct RingState: Sendable, Codable {
        package var name: String
        package var version: Int
        package var partitions: Int
        package var replicas: Int
        /// Partitions that have not all their replicas.
        package var missingReplicas: Int
        /// Partitions that are on their way to other devices.
        package var moving: Int
        /// Partitions that cannot be used now: none of their devices answers, or fewer than a write needs.
        package var unserved: Int
        /// Whether replicas were compared since the ring is as it is: before, nobody knows what is missing.
        package var isCompared: Bool
        /// How far the fullest device is above its share, or the emptiest below, in percent of the share.
        package var imbalancePercent: Double
    }

    package struct Pass: Sendable, Codable {
        package var startedAt: Timestamp
        package var endedAt: Timestamp
        package var partitions: Int
        package var repairs: Int
        package var errors: Int
        package var isWhole: Bool
    }

    package var devices: [Device]
    package var rings: [RingState]
    /// Nil: none has ended since the start.
    package var lastPass: Pass?
    /// Places that wait to be mended.
    package var waitingRepairs: Int

    /// Nothing is missing, moving or away, as far as is known; and it is known.
    package var isWhole: Bool {
        devices.allSatisfy(\.isUp)
            && rings.allSatisfy { $0.missingReplicas == 0 && $0.moving == 0 && $0.isCompared } && waitingRepairs == 0
    }

    /// Whether everything can be read and written, if not at every replica.
    package var isServing: Bool { rings.allSatisfy { $0.unserved == 0 } }

    /// In one line: `2 of 3 devices up, 120 partitions lack replicas`.
    package var summary: String {
        func count(_ number: Int, _ one: String, _ many: String, _ rest: String) -> String? {
            number == 0 ? nil : "\(number) \(number == 1 ? one : many) \(rest)"
        }
        let up = devices.count(where: \.isUp)
        let lacking = rings.reduce(0) { $0 + $1.missingReplicas }
        let faults = [
            count(rings.reduce(0) { $0 + $1.unserved }, "partition", "partitions", "out of reach"),
            count(lacking, "partition lacks", "partitions lack", "replicas"),
            count(rings.reduce(0) { $0 + $1.moving }, "partition", "partitions", "moving"),
            count(waitingRepairs, "repair", "repairs", "waiting"),
            rings.allSatisfy(\.isCompared) ? nil : "replicas not compared yet",
        ].compactMap { $0 }
        return "\(up) of \(devices.count) device\(devices.count == 1 ? "" : "s") up"
            + (isWhole ? ", whole" : faults.map { ", " + $0 }.joined())
    }
}

/// Gathers the store's state, and keeps the metrics of devices.
package struct StorageStateReader: Sendable {
    /// A device that takes longer to say what room it has is shown as one that does not answer.
    private static let limit = Duration.seconds(2)

    /// Slow to say that is not yet away: no call is kept from the device for it.
    private struct Silence: Error {}

    private let cluster: StorageCluster
    private let replicator: Replicator
    private let auditor: Auditor

    package init(cluster: StorageCluster, replicator: Replicator, auditor: Auditor) {
        self.cluster = cluster
        self.replicator = replicator
        self.auditor = auditor
    }

    package func state() async throws -> StorageState {
        let layout = cluster.layout
        let named =
            [(RingEngine.indexRing, layout.indexes)]
            + layout.objects.sorted { $0.key < $1.key }.map { (RingEngine.ringName(policy: $0.key), $0.value) }
        var known: [DeviceNumber: RingDevice] = [:]
        for (_, ring) in named { known.merge(ring.devices) { _, last in last } }
        let spaces = try await cluster.askAll(known.keys.sorted(), Self.space)
        let loads = named.map { ($0.0, $0.1.loads) }
        let damaged = auditor.damaged
        let devices = spaces.compactMap { number, answer -> StorageState.Device? in
            guard let device = known[number] else { return nil }
            let space = try? answer.get()  // one that does not answer has none to show
            report(number, space)
            let error = cluster.devices.lastError(number) ?? "no answer within \(Self.limit)"
            return StorageState.Device(
                device: device, isUp: space != nil, error: space == nil ? error : nil, space: space,
                replicas: Dictionary(uniqueKeysWithValues: loads.map { ($0.0, $0.1[number] ?? 0) }),
                damaged: damaged[number] ?? 0)
        }
        let silent = Set(devices.filter { !$0.isUp }.map(\.device.number))
        let last = replicator.lastReport
        return StorageState(
            devices: devices, rings: named.map { state($0.0, $0.1, layout, last, silent) },
            lastPass: last.map {
                .init(
                    startedAt: $0.startedAt, endedAt: $0.endedAt, partitions: $0.partitions, repairs: $0.repairs,
                    errors: $0.errors, isWhole: $0.isWhole)
            }, waitingRepairs: cluster.repairs.count)
    }

    private static func space(_ device: any StorageDevice) async throws -> DeviceSpace {
        try await withThrowingTaskGroup(of: DeviceSpace?.self) { group in
            group.addTask { try await device.space() }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            guard let space = try await group.next().flatMap({ $0 }) else { throw Silence() }
            return space
        }
    }

    private func report(_ number: DeviceNumber, _ space: DeviceSpace?) {
        StorageMetrics.deviceUp["\(number)"].set(space == nil ? 0 : 1)
        guard let space else { return }
        StorageMetrics.usedBytes["\(number)"].set(Int(space.totalBytes - space.freeBytes))
        StorageMetrics.freeBytes["\(number)"].set(Int(space.freeBytes))
    }

    private func state(
        _ name: String, _ ring: Ring, _ layout: StorageLayout, _ last: ReplicationReport?, _ silent: Set<DeviceNumber>
    ) -> StorageState.RingState {
        let kinds = layout.kinds.filter { layout.ring($0)?.version == ring.version && Self.name($0) == name }
        let missed = cluster.devices.missedPartitions
        var missing: Set<Int> = []
        for kind in kinds {
            missing.formUnion(missed[kind] ?? [])
            missing.formUnion(last?.missing[kind] ?? [])
        }
        // What a device that does not answer should hold counts at once, before the next pass finds it.
        let unseen = silent.subtracting(last?.silent ?? [])
        for partition in 0..<ring.partitionCount where !unseen.isEmpty {
            if ring.devices(of: partition).contains(where: { unseen.contains($0) }) { missing.insert(partition) }
        }
        return StorageState.RingState(
            name: name, version: ring.version, partitions: ring.partitionCount, replicas: ring.replicas,
            missingReplicas: missing.count, moving: ring.former.count, unserved: Self.unserved(ring, silent),
            isCompared: ring.devices.count == 1 || kinds.allSatisfy { last?.versions[$0] == ring.version },
            imbalancePercent: Self.imbalance(ring))
    }

    private static func unserved(_ ring: Ring, _ silent: Set<DeviceNumber>) -> Int {
        guard !silent.isEmpty else { return 0 }
        // Others take a write for those that are away, if there are enough of them.
        let answering = ring.devices.values.count { $0.weight > 0 && !silent.contains($0.number) }
        guard answering >= ring.replicas / 2 + 1 else { return ring.partitionCount }
        return (0..<ring.partitionCount).count { partition in
            (ring.devices(of: partition) + ring.former(of: partition)).allSatisfy { silent.contains($0) }
        }
    }

    private static func name(_ kind: StorageKind) -> String {
        if case .objects(let policy) = kind { return RingEngine.ringName(policy: policy) }
        return RingEngine.indexRing
    }

    /// Against the shares that spread allows.
    private static func imbalance(_ ring: Ring) -> Double {
        let usable = ring.devices.values.filter { $0.weight > 0 }.sorted { $0.number < $1.number }
        let tiers = RingTiers(usable, replicas: ring.replicas, partitions: ring.partitionCount)
        let loads = ring.loads
        return zip(usable, tiers.deviceTargets).map { device, target in
            target == 0 ? 0 : abs(Double((loads[device.number] ?? 0) - target)) / Double(target) * 100
        }.max() ?? 0
    }
}

extension DeviceNumber {
    package init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(UInt16.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}
