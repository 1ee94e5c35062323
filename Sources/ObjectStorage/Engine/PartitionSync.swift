// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import ObjectStorageContract

/// Makes the replicas of one partition alike.
struct PartitionSync: Sendable {
    /// Of larger indexes the replicator remembers how far they were merged.
    private static let largeRows: Int64 = 1000

    struct Outcome: Sendable {
        var repairs = 0
        var errors = 0
        /// All of the partition's own devices have everything.
        var isWhole = true
        /// They have, or others have it in their place.
        var hasAllReplicas = true
        /// Nothing of it is anywhere else.
        var isHome = true
    }

    let cluster: StorageCluster
    let kind: StorageKind
    let ring: Ring
    let partition: Int
    /// Devices that have something of it.
    let holders: [DeviceNumber]
    let silent: Set<DeviceNumber>
    /// Those of them that others stand in for.
    let gone: Set<DeviceNumber>
    /// Deletions before this are forgotten; nil: none is now.
    let reclaimBefore: WriteTime?
    /// False for a while after the ring has changed: a call that began before may still write to a former device.
    let mayEmptyFormer: Bool

    private var own: [DeviceNumber] { ring.devices(of: partition) }

    /// Those that get everything: its own, and one in the place of each that is gone.
    private var targets: [DeviceNumber] {
        let count = own.count { gone.contains($0) }
        return count == 0 ? own : own + ring.handoffs(of: partition).filter { !silent.contains($0) }.prefix(count)
    }
    private var devices: DeviceDirectory { cluster.devices }

    func run(_ replicator: Replicator) async -> Outcome {
        var outcome = Outcome()
        var contents: [DeviceNumber: [StorageLocation: ReplicaState]] = [:]
        let targets = targets
        for number in targets where !silent.contains(number) && !holders.contains(number) { contents[number] = [:] }
        for number in holders {
            do {
                let (kind, partition) = (kind, partition)
                contents[number] = try await devices.call(number) { try await $0.contents(kind, partition: partition) }
            } catch {
                fail(&outcome, "\(number)", error)
            }
        }
        if own.contains(where: { contents[$0] == nil }) { outcome.isWhole = false }
        if targets.count(where: { contents[$0] != nil }) < own.count { outcome.hasAllReplicas = false }
        var locations: Set<StorageLocation> = []
        for held in contents.values { locations.formUnion(held.keys) }
        for location in locations.sorted(by: { $0.hash < $1.hash }) {
            let states = contents.mapValues { $0[location] ?? .absent }
            do {
                if case .objects = kind {
                    try await object(location, states, &outcome)
                } else {
                    try await index(location, states, replicator, &outcome)
                }
            } catch {
                fail(&outcome, location.path.description, error)
            }
            if Task.isCancelled {
                outcome.isWhole = false
                outcome.hasAllReplicas = false
                return outcome
            }
        }
        return outcome
    }

    private func fail(_ outcome: inout Outcome, _ what: String, _ error: any Error) {
        outcome.errors += 1
        outcome.isWhole = false
        outcome.hasAllReplicas = false
        outcome.isHome = false
        if !(error is CancellationError) {
            Logger("object-storage").warning(
                "a partition is not whole",
                ["kind": kind.name, "partition": partition, "at": what, "error": "\(error)"])
        }
    }

    private func mayEmpty(_ number: DeviceNumber) -> Bool {
        mayEmptyFormer || !ring.former(of: partition).contains(number)
    }

    private func isReclaimable(_ state: ReplicaState) -> Bool {
        guard let reclaimBefore, case .deleted(let time) = state else { return false }
        return time < reclaimBefore
    }

    // MARK: Objects

    private func object(
        _ location: StorageLocation, _ listed: [DeviceNumber: ReplicaState], _ outcome: inout Outcome
    ) async throws {
        var states = listed
        let newest = states.values.max { $0.isOlder(than: $1) } ?? .absent
        let copy = ReplicaCopy(cluster: cluster, kind: kind, location: location)
        let holders = states.filter { $0.value.hasBytes(of: newest) }.sorted { $0.key < $1.key }
        // With the newest metadata first.
        let sources =
            holders.filter { !$0.value.isOlder(than: newest) }.map(\.key)
            + holders.filter { $0.value.isOlder(than: newest) }.map(\.key)
        for target in targets {
            guard let state = states[target], state.isOlder(than: newest) else { continue }
            // A deletion that nobody else needs to hear of any more.
            if isReclaimable(newest), state == .absent { continue }
            guard try await copy.bring(newest, from: sources, to: target) else {
                // What was listed a moment ago is gone: deleted since, or damaged. The next pass sees.
                outcome.isWhole = false
                outcome.hasAllReplicas = false
                continue
            }
            states[target] = newest
            outcome.repairs += 1
        }
        let isEverywhere = own.allSatisfy { number in
            states[number].map { !$0.isOlder(than: newest) || isReclaimable(newest) } ?? false
        }
        for (number, state) in listed where !own.contains(number) && state != .absent {
            guard isEverywhere, mayEmpty(number) else {
                outcome.isHome = false
                continue
            }
            try await forget(location, at: number, if: state, &outcome)
        }
        guard isReclaimable(newest), isEverywhere, silent.isEmpty else { return }
        for number in own {
            if let state = listed[number], state != .absent {
                try await forget(location, at: number, if: states[number] ?? state, &outcome)
            }
        }
    }

    /// Only what is still as it was when its other places were seen.
    private func forget(
        _ location: StorageLocation, at number: DeviceNumber, if state: ReplicaState, _ outcome: inout Outcome
    ) async throws {
        let kind = kind
        let left = try await devices.call(number) { device in
            try await device.forget(location, kind, ifStill: state)
            return try await device.replica(location)
        }
        guard left == .absent else {
            outcome.isHome = false
            return
        }
        outcome.repairs += 1
        StorageMetrics.repairs[kind.name, "forget"].add()
    }

    // MARK: Indexes

    private func index(
        _ location: StorageLocation, _ states: [DeviceNumber: ReplicaState], _ replicator: Replicator,
        _ outcome: inout Outcome
    ) async throws {
        var records: [DeviceNumber: IndexRecord] = [:]
        for number in states.keys {
            records[number] = try await devices.call(number) { try await $0.index(location) }
        }
        let copy = ReplicaCopy(cluster: cluster, kind: kind, location: location)
        for source in records.keys.sorted() {
            guard let record = records[source] else { continue }
            for target in targets where target != source && states[target] != nil {
                if isAlike(record, source, records[target], target) { continue }
                if let found = records[target], isReclaimable(record), found.isDeleted { continue }
                try await merge(copy, record, source, target, replicator, records[target] == nil)
                outcome.repairs += 1
            }
        }
        guard own.allSatisfy({ states[$0] != nil }) else {
            outcome.isHome = outcome.isHome && !states.keys.contains { !own.contains($0) && records[$0] != nil }
            return
        }
        try await takeHome(location, records, copy, &outcome)
        try await reclaim(location, records, &outcome)
    }

    private func isReclaimable(_ record: IndexRecord) -> Bool {
        guard let time = record.deleteTime, record.isDeleted else { return false }
        return isReclaimable(.deleted(time))
    }

    /// Nothing was missed by either, and both say the same of themselves.
    private func isAlike(
        _ left: IndexRecord, _ source: DeviceNumber, _ right: IndexRecord?, _ target: DeviceNumber
    ) -> Bool {
        guard let right, devices.isProven, own.contains(source), ring.former[partition] == nil else { return false }
        return left == right && !devices.hasMissed(source, kind, partition)
            && !devices.hasMissed(target, kind, partition)
    }

    private func merge(
        _ copy: ReplicaCopy, _ record: IndexRecord, _ source: DeviceNumber, _ target: DeviceNumber,
        _ replicator: Replicator, _ isNew: Bool
    ) async throws {
        let edge = IndexEdge(source: source, target: target, hash: kind.name + copy.location.hash)
        // A device that has missed something may have been emptied: it gets all rows.
        let isWhole = isNew || devices.hasMissed(target, kind, partition) || devices.hasMissed(source, kind, partition)
        let start = isWhole ? 0 : replicator.position(edge)
        let end = try await copy.mergeIndex(from: source, to: target, after: start)
        let isLarge = record.objectCount + record.containerCount > Self.largeRows
        guard isLarge else { return replicator.setPosition(edge, nil) }
        replicator.setPosition(edge, try await isUneven(record, source, target, copy.location) ? nil : end)
    }

    /// Whether rows still differ after a merge while the source stood still: then the next one begins at the start.
    private func isUneven(
        _ record: IndexRecord, _ source: DeviceNumber, _ target: DeviceNumber, _ location: StorageLocation
    ) async throws -> Bool {
        let now = try await devices.call(source) { try await $0.index(location) }
        let merged = try await devices.call(target) { try await $0.index(location) }
        guard now == record, let merged else { return false }
        return merged.objectCount < record.objectCount || merged.containerCount < record.containerCount
    }

    /// What other devices have was merged into all of its own: it is removed there, unless it has changed meanwhile. A
    /// former device may change all the time, but it gets no write that its own devices do not get.
    private func takeHome(
        _ location: StorageLocation, _ records: [DeviceNumber: IndexRecord], _ copy: ReplicaCopy,
        _ outcome: inout Outcome
    ) async throws {
        for (number, record) in records where !own.contains(number) {
            guard mayEmpty(number) else {
                outcome.isHome = false
                continue
            }
            let (kind, isFormer) = (kind, ring.former(of: partition).contains(number))
            let isForgotten = try await devices.call(number) { device in
                let now = try await device.index(location)
                guard isFormer || now == record else { return false }
                try await device.forget(location, kind, ifStill: nil)
                return true
            }
            if isForgotten { outcome.repairs += 1 } else { outcome.isHome = false }
        }
    }

    private func reclaim(
        _ location: StorageLocation, _ records: [DeviceNumber: IndexRecord], _ outcome: inout Outcome
    ) async throws {
        guard silent.isEmpty, !records.isEmpty, records.values.allSatisfy({ isReclaimable($0) }) else { return }
        for number in records.keys where own.contains(number) {
            let kind = kind
            try await devices.call(number) { device in
                guard try await device.index(location)?.isDeleted ?? false else { return }
                try await device.forget(location, kind, ifStill: nil)
            }
            outcome.repairs += 1
        }
    }
}
