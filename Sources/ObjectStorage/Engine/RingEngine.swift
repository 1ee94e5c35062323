// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LogKit
import ObjectStorageContract

/// Keeps the rings and their devices: what `haneul ring` shows and changes. Every change makes new rings, which the
/// clusters that were given take over at once.
package struct RingEngine: Sendable {
    package static let indexRing = "indexes"
    /// Changes that meet another one are tried again.
    private static let attempts = 10

    private let database: any Database
    private let config: ObjectStorageConfig
    private let clock: WallClock
    private let ids: IDSource
    private let rings = RingStore()
    private let devices = RingDeviceStore()
    private let log = Logger("object-storage")

    package init(database: any Database, config: ObjectStorageConfig, clock: WallClock, ids: IDSource) {
        self.database = database
        self.config = config
        self.clock = clock
        self.ids = ids
    }

    package static func ringName(policy: Int) -> String { policy == 0 ? "objects" : "objects-\(policy)" }

    // MARK: Start

    /// The cloud's own salts: made once, the same for good.
    package func pathHash() async throws -> PathHash {
        let (devices, prefix, suffix) = (devices, ids.hex(), ids.hex())
        let salts = try await database.write { tx in
            (try devices.salt("prefix", fresh: prefix, tx), try devices.salt("suffix", fresh: suffix, tx))
        }
        return PathHash(prefix: Array(salts.0.utf8), suffix: Array(salts.1.utf8))
    }

    /// Makes the host's directories devices, where they never were, and the rings of what there is. What was removed
    /// stays away: an operator has done that, and adds it again if he wants. Returns the devices of this host.
    @discardableResult
    package func prepare(host: String, zone: String = "1", directories: [String]) async throws -> [RingDevice] {
        for path in directories {
            let devices = devices
            let (isDevice, wasDevice) = try await database.read { tx in
                (
                    try devices.device(host: host, path: path, tx) != nil,
                    try devices.wasRemoved(host: host, path: path, tx)
                )
            }
            if isDevice { continue }
            guard !wasDevice else {
                log.warning("a directory was removed from the rings and stays out; see haneul ring", ["path": path])
                continue
            }
            _ = try await insert(RingDraft(zone: zone, host: host, path: path))
        }
        try await rebalance()
        return try await all().filter { $0.host == host }
    }

    /// The rings as the database has them. Throws `.unavailable` when there are no devices yet.
    package func layout() async throws -> StorageLayout {
        let (rings, policies) = (rings, config.storagePolicies)
        let (indexes, objects) = try await database.read { tx in
            let indexes = try rings.ring(Self.indexRing, tx)
            var objects: [Int: Ring] = [:]
            for policy in policies.all {
                objects[policy.index] = try rings.ring(Self.ringName(policy: policy.index), tx)
            }
            return (indexes, objects)
        }
        guard let indexes else {
            throw CloudError(.unavailable, "Object storage has no devices yet.", cause: "no ring in the database")
        }
        return StorageLayout(policies: policies, indexes: indexes, objects: objects)
    }

    // MARK: Devices

    /// By number.
    package func all() async throws -> [RingDevice] {
        let devices = devices
        return try await database.read { try devices.all($0) }
    }

    /// Adds a device; its share of the partitions begins to move to it. Throws `.conflict` when the directory is one
    /// already.
    package func add(_ draft: RingDraft) async throws -> RingDevice {
        let device = try await insert(draft)
        try await rebalance()
        return device
    }

    /// Changes weight, zone or class. Weight 0 empties the device.
    package func change(_ number: DeviceNumber, _ change: RingChange) async throws -> RingDevice {
        if let weight = change.weight { try RingDraft.check(weight) }
        let (devices, now) = (devices, clock.now())
        let device = try await database.write { tx in
            guard var device = try devices.device(number, tx) else { throw Self.unknown(number) }
            device.weight = change.weight ?? device.weight
            device.zone = change.zone ?? device.zone
            device.deviceClass = change.deviceClass.map { $0.isEmpty ? nil : $0 } ?? device.deviceClass
            _ = try devices.update(device, at: now, tx)
            return device
        }
        try await rebalance()
        return device
    }

    /// Takes a device out of the rings. Throws `.conflict` while it holds something that belongs there or has yet to
    /// move, which weight 0 makes it do; unless forced: then what it alone holds is lost, and the rest is made again
    /// from other replicas.
    package func remove(_ number: DeviceNumber, isForced: Bool = false) async throws {
        if !isForced, try await isHolding(number) {
            throw CloudError.conflict(
                "Device \(number) still holds partitions. Set its weight to 0 and wait until they have moved.")
        }
        let (devices, now) = (devices, clock.now())
        try await database.write { tx in
            let others = try devices.all(tx).filter { $0.number != number && $0.weight > 0 }
            guard !others.isEmpty else { throw CloudError.conflict("The last device cannot be removed.") }
            guard try devices.remove(number, at: now, tx) else { throw Self.unknown(number) }
        }
        try await rebalance()
    }

    private func isHolding(_ number: DeviceNumber) async throws -> Bool {
        let layout = try await layout()
        return ([layout.indexes] + layout.objects.values).contains { ring in
            ring.assignment.contains(number) || ring.former.values.contains { $0.contains(number) }
        }
    }

    private func insert(_ draft: RingDraft) async throws -> RingDevice {
        try draft.check()
        let (devices, now) = (devices, clock.now())
        return try await database.write { tx in
            guard try devices.device(host: draft.host, path: draft.path, tx) == nil else {
                throw CloudError.conflict("\(draft.path) on \(draft.host) is a device already.")
            }
            let device = RingDevice(
                number: try devices.nextNumber(tx), zone: draft.zone, host: draft.host, path: draft.path,
                weight: draft.weight, deviceClass: draft.deviceClass)
            try devices.insert(device, at: now, tx)
            return device
        }
    }

    private static func unknown(_ number: DeviceNumber) -> CloudError {
        CloudError.notFound("There is no device \(number).")
    }

    // MARK: Rings

    /// Makes each ring fit the devices and the configuration. Does nothing to one that does. Returns those it changed.
    @discardableResult
    package func rebalance() async throws -> [String] {
        let known = try await all()
        var changed: [String] = []
        if try await rebalance(Self.indexRing, known, replicas: config.replicasOfIndexes) {
            changed.append(Self.indexRing)
        }
        for policy in config.storagePolicies.all {
            let fitting = known.filter { policy.deviceClass == nil || $0.deviceClass == policy.deviceClass }
            let name = Self.ringName(policy: policy.index)
            if try await rebalance(name, fitting, replicas: policy.replicas) { changed.append(name) }
        }
        return changed
    }

    private func rebalance(_ name: String, _ known: [RingDevice], replicas: Int) async throws -> Bool {
        guard known.contains(where: { $0.weight > 0 }) else { return false }
        let rings = rings
        for _ in 0..<Self.attempts {
            let old = try await database.read { try rings.ring(name, $0) }
            // Partitions once counted stay so many, whatever the configuration says later.
            let power = old?.partitionPower ?? config.partitionPower
            let ring = try RingBuilder.ring(from: old, devices: known, replicas: replicas, partitionPower: power)
            if let old, old.assignment == ring.assignment, old.devices == ring.devices { return false }
            let now = clock.now()
            if try await database.write({ try rings.save(ring, name, over: old?.version, at: now, $0) }) {
                log.info(
                    "ring changed",
                    ["ring": name, "version": ring.version, "devices": known.count, "moving": ring.former.count])
                return true
            }
        }
        throw CloudError.conflict("The ring \(name) is being changed by others.")
    }

    /// Partitions that have left their former devices: the ring of that version looks there no more. Returns the rings
    /// as they are now.
    package func settle(
        indexes: Bool, policy: Int, version: Int, _ partitions: Set<Int>
    ) async throws -> StorageLayout {
        let (rings, now) = (rings, clock.now())
        let name = indexes ? Self.indexRing : Self.ringName(policy: policy)
        try await database.write { tx in
            guard let ring = try rings.ring(name, tx), ring.version == version else { return }
            _ = try rings.save(ring.settled(partitions), name, over: version, at: now, tx)
        }
        return try await layout()
    }
}

/// A device to add.
package struct RingDraft: Sendable {
    package var zone: String
    package var host: String
    package var path: String
    package var weight: Double
    package var deviceClass: String?

    package init(zone: String, host: String, path: String, weight: Double = 100, deviceClass: String? = nil) {
        self.zone = zone
        self.host = host
        self.path = path
        self.weight = weight
        self.deviceClass = deviceClass
    }

    func check() throws {
        try Self.check(weight)
        for text in [zone, host, path] where text.isEmpty || text.utf8.count > 255 {
            throw CloudError.badRequest("Zone, host and path of a device have 1 to 255 bytes.")
        }
    }

    static func check(_ weight: Double) throws {
        guard weight.isFinite, weight >= 0, weight <= 1_000_000_000 else {
            throw CloudError.badRequest("A device's weight is a number from 0 to 1000000000.")
        }
    }
}

/// What changes of a device; nil stays. An empty class: none.
package struct RingChange: Sendable {
    package var weight: Double?
    package var zone: String?
    package var deviceClass: String?
    package init(weight: Double? = nil, zone: String? = nil, deviceClass: String? = nil) {
        self.weight = weight
        self.zone = zone
        self.deviceClass = deviceClass
    }
}
