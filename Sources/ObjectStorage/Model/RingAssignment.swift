// SPDX-License-Identifier: Apache-2.0

/// The work of `RingBuilder`: fills what is empty, then moves what is too much, with devices as indices.
struct RingAssignment {
    private static let empty = -1
    /// Sweeps that look for exchanges in two steps, when no single move is left.
    private static let exchangeSweeps = 4

    private let tiers: RingTiers
    private let partitions: Int
    private var isFresh = true
    /// `replicas` of each partition.
    private(set) var slots: [Int]
    /// Slots whose device is the one of before: what lies there is copied if they move.
    private var isKept: [Bool]
    private var deviceLoads: [Int]
    private var hostLoads: [Int]
    private var zoneLoads: [Int]
    /// Partitions in an order that looks random.
    private let order: [Int]

    private var replicas: Int { tiers.replicas }

    init(_ tiers: RingTiers, _ partitionPower: Int) {
        self.tiers = tiers
        partitions = 1 << partitionPower
        slots = Array(repeating: Self.empty, count: tiers.replicas << partitionPower)
        isKept = Array(repeating: false, count: slots.count)
        deviceLoads = tiers.deviceTargets.map { _ in 0 }
        hostLoads = tiers.hostTargets.map { _ in 0 }
        zoneLoads = tiers.zoneTargets.map { _ in 0 }
        order = (0..<partitions).map { ($0, RingMix.mix(UInt64($0))) }.sorted { $0.1 < $1.1 }.map(\.0)
    }

    /// Starts from what `old` assigns to devices that are still there.
    mutating func keep(_ old: Ring) {
        isFresh = false
        let indices = Dictionary(uniqueKeysWithValues: tiers.devices.enumerated().map { ($1.number, $0) })
        for partition in 0..<partitions {
            var kept: [Int] = []
            for number in old.devices(of: partition) {
                guard let device = indices[number], kept.count < replicas else { continue }
                put(device, partition * replicas + kept.count)
                isKept[partition * replicas + kept.count] = true
                kept.append(device)
            }
        }
    }

    mutating func build() {
        for partition in 0..<partitions { releaseCrowded(partition) }
        for partition in order { fill(partition) }
        // What is new costs nothing yet.
        if !isFresh { balance(newOnly: true) }
        balance(newOnly: false)
    }

    // MARK: Slots

    private func range(_ partition: Int) -> Range<Int> { partition * replicas..<(partition + 1) * replicas }

    private mutating func put(_ device: Int, _ slot: Int) {
        slots[slot] = device
        deviceLoads[device] += 1
        hostLoads[tiers.hostOf[device]] += 1
        zoneLoads[tiers.zoneOf[device]] += 1
    }

    private mutating func clear(_ slot: Int) {
        let device = slots[slot]
        slots[slot] = Self.empty
        isKept[slot] = false
        deviceLoads[device] -= 1
        hostLoads[tiers.hostOf[device]] -= 1
        zoneLoads[tiers.zoneOf[device]] -= 1
    }

    private func inZone(_ zone: Int, _ partition: Int) -> Int {
        range(partition).reduce(0) { $0 + (slots[$1] >= 0 && tiers.zoneOf[slots[$1]] == zone ? 1 : 0) }
    }

    private func onHost(_ host: Int, _ partition: Int) -> Int {
        range(partition).reduce(0) { $0 + (slots[$1] >= 0 && tiers.hostOf[slots[$1]] == host ? 1 : 0) }
    }

    private func surplus(_ device: Int) -> Int { deviceLoads[device] - tiers.deviceTargets[device] }

    // MARK: Spread

    /// Takes away replicas that stand in one zone or on one host while another could have them.
    private mutating func releaseCrowded(_ partition: Int) {
        while let slot = crowded(partition) { clear(slot) }
    }

    private func crowded(_ partition: Int) -> Int? {
        let held = range(partition).filter { slots[$0] >= 0 }
        let zones = held.map { tiers.zoneOf[slots[$0]] }
        let counts = zones.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
        let isAnyShort =
            held.count == replicas
            && (0..<tiers.zoneCount).contains { counts[$0, default: 0] < tiers.zoneFloor[$0] }
        let candidates = held.filter { slot in
            let (zone, host) = (tiers.zoneOf[slots[slot]], tiers.hostOf[slots[slot]])
            let count = counts[zone, default: 0]
            return count > tiers.zoneCeiling[zone] || (isAnyShort && count > tiers.zoneFloor[zone])
                || onHost(host, partition) > tiers.hostCeiling(zone: zone, count: count)
        }
        return candidates.max { surplus(slots[$0]) < surplus(slots[$1]) }
    }

    /// Whether the replica may go from one device to another without crowding a zone or a host.
    private func mayMove(_ partition: Int, from old: Int, to new: Int) -> Bool {
        if range(partition).contains(where: { slots[$0] == new }) { return false }
        let (oldZone, zone) = (tiers.zoneOf[old], tiers.zoneOf[new])
        let (oldHost, host) = (tiers.hostOf[old], tiers.hostOf[new])
        if host == oldHost { return true }
        var count = inZone(zone, partition)
        if zone != oldZone {
            count += 1
            if count > tiers.zoneCeiling[zone] { return false }
            if inZone(oldZone, partition) - 1 < tiers.zoneFloor[oldZone] { return false }
        }
        return onHost(host, partition) + 1 <= tiers.hostCeiling(zone: zone, count: count)
    }

    // MARK: Filling

    private mutating func fill(_ partition: Int) {
        let slotRange = range(partition)
        var isFilled = false
        for slot in slotRange where slots[slot] == Self.empty {
            put(place(partition), slot)
            isFilled = true
        }
        // The devices that lack most come first; reads ask the first replica, so turn them.
        guard isFresh, isFilled else { return }
        let turn = Int(RingMix.mix(UInt64(partition) &+ 1) % UInt64(replicas))
        let held = Array(slots[slotRange])
        for index in held.indices { slots[slotRange.lowerBound + index] = held[(index + turn) % replicas] }
    }

    /// Zone, then host, then device: where the partition has fewest, and of those the one that lacks most.
    private func place(_ partition: Int) -> Int {
        let used = Set(range(partition).map { slots[$0] })
        let zone = best(Array(0..<tiers.zoneCount), partition) { zone in
            guard tiers.hosts[zone].contains(where: { host in tiers.devicesOf[host].contains { !used.contains($0) } })
            else { return nil }
            let count = inZone(zone, partition)
            let rank = count >= tiers.zoneCeiling[zone] ? 2 : count < tiers.zoneFloor[zone] ? 0 : 1
            return (rank, zoneLoads[zone] - tiers.zoneTargets[zone])
        }
        let count = inZone(zone, partition)
        let host = best(tiers.hosts[zone], partition) { host in
            guard tiers.devicesOf[host].contains(where: { !used.contains($0) }) else { return nil }
            let isCrowded = onHost(host, partition) >= tiers.hostCeiling(zone: zone, count: count + 1)
            return (isCrowded ? 1 : 0, hostLoads[host] - tiers.hostTargets[host])
        }
        return best(tiers.devicesOf[host], partition) { used.contains($0) ? nil : (0, surplus($0)) }
    }

    private func best(_ candidates: [Int], _ partition: Int, _ key: (Int) -> (Int, Int)?) -> Int {
        var best: (rank: Int, surplus: Int, tie: UInt64, candidate: Int)?
        for candidate in candidates {
            guard let (rank, surplus) = key(candidate) else { continue }
            let tie = RingMix.mix(UInt64(partition) << 20 | UInt64(candidate))
            if let best, (best.rank, best.surplus, best.tie) <= (rank, surplus, tie) { continue }
            best = (rank, surplus, tie, candidate)
        }
        guard let best else { preconditionFailure("fewer devices than replicas") }
        return best.candidate
    }

    // MARK: Balance

    private mutating func balance(newOnly: Bool) {
        // First one replica of a partition at most; the others only where balance needs it.
        moveSurplus(oncePerPartition: true, newOnly: newOnly)
        moveSurplus(oncePerPartition: false, newOnly: newOnly)
        for _ in 0..<Self.exchangeSweeps where !exchangeSurplus(newOnly: newOnly) { break }
    }

    private func lacking() -> [Int] { deviceLoads.indices.filter { surplus($0) < 0 } }

    private mutating func moveSurplus(oncePerPartition: Bool, newOnly: Bool) {
        var lacking = lacking()
        for partition in order where !lacking.isEmpty {
            for slot in range(partition) where surplus(slots[slot]) > 0 && !(newOnly && isKept[slot]) {
                let old = slots[slot]
                let targets = lacking.filter { surplus($0) < 0 && mayMove(partition, from: old, to: $0) }
                guard let new = targets.min(by: { surplus($0) < surplus($1) }) else { continue }
                clear(slot)
                put(new, slot)
                if surplus(new) >= 0 { lacking = self.lacking() }
                if oncePerPartition { break }
            }
        }
    }

    /// Where what is too much here cannot go to who lacks it: a third device takes it, and gives another one.
    /// False: nothing was left to do.
    private mutating func exchangeSurplus(newOnly: Bool) -> Bool {
        var hasMoved = false
        let givers = deviceLoads.indices.filter { surplus($0) > 0 }
        for giver in givers {
            for taker in lacking() {
                for middle in deviceLoads.indices where middle != giver && middle != taker {
                    while surplus(giver) > 0, surplus(taker) < 0, exchange(giver, middle, taker, newOnly) {
                        hasMoved = true
                    }
                }
            }
        }
        return hasMoved
    }

    private mutating func exchange(_ giver: Int, _ middle: Int, _ taker: Int, _ newOnly: Bool) -> Bool {
        guard let first = movable(from: giver, to: middle, except: nil, newOnly) else { return false }
        guard let second = movable(from: middle, to: taker, except: first / replicas, newOnly) else {
            return false
        }
        clear(first)
        put(middle, first)
        clear(second)
        put(taker, second)
        return true
    }

    private func movable(from old: Int, to new: Int, except: Int?, _ newOnly: Bool) -> Int? {
        for partition in order where partition != except {
            for slot in range(partition) 
            where slots[slot] == old && !(newOnly && isKept[slot]) && mayMove(partition, from: old, to: new) {
                return slot
            }
        }
        return nil
    }
}
