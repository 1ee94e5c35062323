// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import ObjectStorageContract
import Synchronization

/// Keeps every partition whole at the devices where it belongs: copies what is missing or older there, merges indexes,
/// takes home what hand-offs hold, empties former devices, forgets old deletions. Mends at once what reads report.
package final class Replicator: Service {
    package struct Limits: Sendable {
        /// From the end of a pass to the next one.
        package var interval = Duration.seconds(60)
        /// Between two partitions, so that clients come first.
        package var pause = Duration.milliseconds(2)
        /// When a device is silent for so long, others get replicas in its place.
        package var standInAfter = Duration.seconds(600)
        /// Former devices are emptied so long after a ring has changed at the earliest.
        package var formerRest = Duration.seconds(60)
        /// Deletions are remembered so long: a device that was away longer must come back empty.
        package var reclaimAge = Duration.seconds(7 * 86_400)
        package init() {}
    }

    /// These partitions have left their former devices: whoever keeps the rings says so there, if the version is right.
    package typealias Settle = @Sendable (_ indexes: Bool, _ policy: Int, _ version: Int, Set<Int>) async throws -> Void

    private struct State {
        var last: ReplicationReport?
        var isRunning = false
        var lastReclaim: Timestamp?
        var silentSince: [DeviceNumber: Timestamp] = [:]
        /// When each ring was first seen as it is.
        var seen: [StorageKind: (version: Int, time: Timestamp)] = [:]
        /// How far the rows of large indexes were merged.
        var positions: [IndexEdge: Int64] = [:]
    }

    package let name = "object-storage-replicator"
    let cluster: StorageCluster
    private let limits: Limits
    private let settle: Settle
    private let state = Mutex(State())
    private let slot = AsyncSlots("replication", slots: 1)
    private let log = Logger("object-storage")

    package init(_ cluster: StorageCluster, limits: Limits = Limits(), settle: @escaping Settle) {
        self.cluster = cluster
        self.limits = limits
        self.settle = settle
    }

    /// The last pass that ended; nil: none has since the start.
    package var lastReport: ReplicationReport? { state.withLock { $0.last } }

    package func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.mendForever() }
            group.addTask { await self.passForever() }
        }
    }

    private func mendForever() async {
        while !Task.isCancelled {
            await cluster.repairs.added.wait()
            let failed = await mend()
            guard !failed.isEmpty else { continue }
            try? await Task.sleep(for: .seconds(1))  // an early end means cancellation, which the loop sees
            for (location, kind) in failed { cluster.repairs.add(location, kind) }
        }
    }

    private func passForever() async {
        var failures = 0
        while !Task.isCancelled {
            let start = ContinuousClock.now
            let isWell = await attempt()
            failures = isWell ? 0 : failures + 1
            // A pass takes at most half of the time.
            let rest = max(limits.interval, ContinuousClock.now - start)
            // A device that comes back lacks what was written meanwhile.
            await cluster.devices.returned.wait(atMost: isWell ? rest : min(rest, .seconds(1 << min(failures, 6))))
        }
    }

    private func attempt() async -> Bool {
        do {
            try await restoreRows()
            return try await pass().isWhole
        } catch {
            if !Task.isCancelled { log.error("replication failed", ["error": "\(error)"]) }
            return false
        }
    }

    /// Begins a pass at once, or as soon as the one that runs has ended.
    package func passSoon() { cluster.devices.returned.wake() }

    /// Puts rows of listings again that a device has lost with its power. Does nothing when none has.
    package func restoreRows() async throws { try await RowRestorer(cluster: cluster).restore() }

    /// Mends what waits in the queue of repairs. Returns the places whose rows could not be made sure of.
    @discardableResult
    package func mend() async -> [(StorageLocation, StorageKind)] {
        let places = cluster.repairs.take()
        var failed: [(StorageLocation, StorageKind)] = []
        for (location, kind) in places {
            do {
                let place = try cluster.place(location.path, policy: location.policy)
                let copy = ReplicaCopy(cluster: cluster, kind: kind, location: place.location)
                if case .objects = kind { try await copy.heal(place) } else { try await copy.healIndex(place) }
            } catch {
                log.warning("a replica was not mended", ["path": location.path, "error": "\(error)"])
            }
            guard case .objects = kind else { continue }
            do {
                try await mendRow(location)
            } catch {
                failed.append((location, kind))
            }
        }
        return failed
    }

    /// Lists an object as it is: a write that failed may have reached a device all the same, and nobody put its row.
    private func mendRow(_ location: StorageLocation) async throws {
        let path = location.path
        guard let name = path.object else { return }
        let place = try cluster.place(path, policy: location.policy)
        let survey = try await ReplicaSurvey.ask(cluster, place, all: true)
        guard survey.failed.isEmpty || survey.newest != .absent else {
            throw CloudError(.unavailable, StorageFaults.unavailable, cause: "nobody says what \(path) is")
        }
        var row: ObjectRow?
        switch survey.newest {
        case .absent: return
        case .deleted(let time): row = .deleted(name, at: time)
        case .present: row = try await cluster.head(path, policy: location.policy)?.row
        }
        guard let row else { return }
        try await cluster.putObjectRows(path.ofContainer, [row])
    }

    // MARK: A pass

    /// Looks at every partition of every device once. One at a time.
    @discardableResult
    package func pass() async throws -> ReplicationReport {
        try await slot.run { try await self.wholePass() }
    }

    private func wholePass() async throws -> ReplicationReport {
        let start = ContinuousClock.now
        var report = ReplicationReport(startedAt: cluster.clock.wallTime)
        let (layout, miss) = (cluster.layout, cluster.devices.lastMiss)
        let isReclaiming = isReclaimDue(report.startedAt)
        var settled: [StorageKind: Set<Int>] = [:]
        for kind in layout.kinds {
            guard let ring = layout.ring(kind) else { continue }
            report.versions[kind] = ring.version
            settled[kind] = try await pass(over: kind, ring, upTo: miss, isReclaiming, &report)
            StorageMetrics.partitionsMissing[kind.name].set(report.missing[kind]?.count ?? 0)
            StorageMetrics.partitionsMoving[kind.name].set(ring.former.count - (settled[kind]?.count ?? 0))
        }
        try await tell(settled, layout)
        report.endedAt = cluster.clock.wallTime
        if report.isWhole {
            cluster.devices.prove()
            StorageMetrics.lastPass.set(Int(report.endedAt.seconds))
        }
        StorageMetrics.passes[report.isWhole ? "whole" : "partial"].add()
        StorageMetrics.passTime.observe(ContinuousClock.now - start)
        if report.repairs > 0 { log.info("replicas mended", ["count": report.repairs, "errors": report.errors]) }
        let ended = report
        state.withLock { state in
            state.last = ended
            if isReclaiming, ended.isWhole { state.lastReclaim = ended.startedAt }
        }
        return ended
    }

    private func isReclaimDue(_ now: Timestamp) -> Bool {
        let period = min(limits.reclaimAge, .seconds(3600))
        return state.withLock { state in state.lastReclaim.map { now - $0 >= period } ?? true }
    }

    /// Returns the partitions that have left their former devices.
    private func pass(
        over kind: StorageKind, _ ring: Ring, upTo miss: UInt64, _ isReclaiming: Bool, _ report: inout ReplicationReport
    ) async throws -> Set<Int> {
        var holders: [Int: [DeviceNumber]] = [:]
        var silent: Set<DeviceNumber> = []
        let known = Set(cluster.devices.numbers)
        for number in Set(ring.devices.values.filter { $0.weight > 0 }.map(\.number)).union(known).sorted() {
            do {
                for partition in try await cluster.devices.call(number, { try await $0.partitions(kind) }) {
                    holders[partition, default: []].append(number)
                }
            } catch let error as CancellationError {
                throw error
            } catch {
                silent.insert(number)
            }
        }
        report.silent.formUnion(silent)
        let gone = gone(silent, report.startedAt)
        let mayEmpty = report.startedAt - firstSeen(kind, ring, report.startedAt) >= limits.formerRest
        let marked = cluster.devices.missedPartitions[kind] ?? []
        let partitions = Set(holders.keys.filter { $0 < ring.partitionCount }).union(marked).union(ring.former.keys)
        var settled: Set<Int> = []
        // Those first that are known to lack something.
        for partition in partitions.sorted(by: { (marked.contains($0) ? 0 : 1, $0) < (marked.contains($1) ? 0 : 1, $1) }
        ) {
            try Task.checkCancellation()
            let own = ring.devices(of: partition)
            let at = holders[partition] ?? []
            report.partitions += 1
            if at == own, own.count == 1, ring.former[partition] == nil, !isReclaiming {
                if silent.isEmpty { cluster.devices.caughtUp(kind, partition, upTo: miss) }
                continue
            }
            let work = PartitionSync(
                cluster: cluster, kind: kind, ring: ring, partition: partition, holders: at, silent: silent, gone: gone,
                reclaimBefore: isReclaiming ? reclaimTime(report.startedAt) : nil, mayEmptyFormer: mayEmpty)
            let outcome = await work.run(self)
            report.repairs += outcome.repairs
            report.errors += outcome.errors
            if !outcome.hasAllReplicas { report.missing[kind, default: []].insert(partition) }
            if outcome.isWhole, silent.isEmpty {
                cluster.devices.caughtUp(kind, partition, upTo: miss)
                if outcome.isHome, ring.former[partition] != nil { settled.insert(partition) }
            }
            if limits.pause > .zero { try await Task.sleep(for: limits.pause) }
        }
        return settled
    }

    /// Those of `silent` that have been so for long.
    private func gone(_ silent: Set<DeviceNumber>, _ now: Timestamp) -> Set<DeviceNumber> {
        state.withLock { state in
            // Every pass asks for each kind: what answered for one may not for another.
            for number in silent { state.silentSince[number] = state.silentSince[number] ?? now }
            state.silentSince = state.silentSince.filter { silent.contains($0.key) }
            return Set(state.silentSince.filter { now - $0.value >= limits.standInAfter }.keys)
        }
    }

    private func firstSeen(_ kind: StorageKind, _ ring: Ring, _ now: Timestamp) -> Timestamp {
        state.withLock { state in
            if let seen = state.seen[kind], seen.version == ring.version { return seen.time }
            state.seen[kind] = (ring.version, now)
            return now
        }
    }

    private func reclaimTime(_ now: Timestamp) -> WriteTime {
        WriteTime(ticks: (now - limits.reclaimAge).microseconds / 10)
    }

    private func tell(_ settled: [StorageKind: Set<Int>], _ layout: StorageLayout) async throws {
        // Accounts and containers share a ring: both must have moved.
        let former = Set(layout.indexes.former.keys)
        let ofIndexes = (settled[.accounts] ?? []).intersection(settled[.containers] ?? []).intersection(former)
        if !ofIndexes.isEmpty { try await settle(true, 0, layout.indexes.version, ofIndexes) }
        for (policy, ring) in layout.objects {
            let partitions = settled[.objects(policy: policy)] ?? []
            if !partitions.isEmpty { try await settle(false, policy, ring.version, partitions) }
        }
    }

    // MARK: How far indexes were merged

    func position(_ edge: IndexEdge) -> Int64 { state.withLock { $0.positions[edge] ?? 0 } }

    func setPosition(_ edge: IndexEdge, _ position: Int64?) {
        state.withLock { $0.positions[edge] = position }
    }
}

/// From one replica of an index to another.
struct IndexEdge: Hashable, Sendable {
    var source: DeviceNumber
    var target: DeviceNumber
    var hash: String
}
