// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import ObjectStorageContract
import Synchronization

/// Brings containers' totals to their accounts, some time after they change: a thousand uploads into a container are
/// one update of its account. Keeps rows of objects, too, that could not be put, and puts them again.
package final class IndexUpdater: Sendable {
    private static let keptRowLimit = 100_000
    private static let rowsAtOnce = 500

    private struct State {
        /// Containers whose totals have changed, by account, with the number of the last change.
        var changed: [ByteText: [ByteText: UInt64]] = [:]
        var lastChange: UInt64 = 0
        var kept: [ObjectPath: [ByteText: ObjectRow]] = [:]
        var keptCount = 0
    }
    private let state = Mutex(State())
    private let log = Logger("object-storage")

    package init() {}

    // MARK: What waits

    /// The totals of a container may have changed.
    func changed(_ container: ObjectPath) {
        guard let name = container.container else { return }
        state.withLock { state in
            state.lastChange += 1
            state.changed[ByteText(container.account), default: [:]][ByteText(name)] = state.lastChange
        }
    }

    /// Rows that could not be put. Throws `.unavailable` when too many wait.
    func keep(_ container: ObjectPath, _ rows: [ObjectRow]) throws {
        let isKept = state.withLock { state in
            guard state.keptCount + rows.count <= Self.keptRowLimit else { return false }
            for row in rows {
                let name = ByteText(row.name)
                let known = state.kept[container]?[name]
                if known == nil { state.keptCount += 1 }
                if let known, known.time >= row.time { continue }
                state.kept[container, default: [:]][name] = row
            }
            StorageMetrics.waitingRows.set(state.keptCount)
            return true
        }
        guard isKept else {
            throw CloudError(.unavailable, StorageFaults.unavailable, cause: "too many rows wait for their container")
        }
    }

    package var isIdle: Bool { state.withLock { $0.changed.isEmpty && $0.kept.isEmpty } }

    // MARK: Putting

    /// Puts one container's totals now.
    func update(_ container: ObjectPath, in cluster: StorageCluster) async throws {
        guard let row = try await row(of: container, in: cluster) else { return }
        try await put([row], container.ofAccount, in: cluster)
    }

    /// Puts the totals of the account's containers that have changed. What fails stays for the next time.
    func flush(account: String, in cluster: StorageCluster) async {
        let key = ByteText(account)
        let waiting = state.withLock { $0.changed[key] ?? [:] }
        guard !waiting.isEmpty else { return }
        var names = Array(waiting.keys)[...]
        while !names.isEmpty {
            let some = names.prefix(Self.rowsAtOnce)
            names = names.dropFirst(Self.rowsAtOnce)
            do {
                var rows: [ContainerRow] = []
                for name in some {
                    let path = ObjectPath(account: account, container: name.text)
                    if let row = try await row(of: path, in: cluster) { rows.append(row) }
                }
                if !rows.isEmpty { try await put(rows, ObjectPath(account: account), in: cluster) }
                state.withLock { state in
                    // What has changed again meanwhile stays.
                    for name in some where state.changed[key]?[name] == waiting[name] {
                        state.changed[key]?[name] = nil
                    }
                    if state.changed[key]?.isEmpty ?? false { state.changed[key] = nil }
                }
            } catch {
                log.warning("account totals wait", ["account": account, "error": "\(error)"])
                return
            }
        }
    }

    /// Puts everything that waits.
    package func flushAll(in cluster: StorageCluster) async {
        for (container, rows) in state.withLock({ $0.kept }) {
            await putKept(container, Array(rows.values), in: cluster)
        }
        for account in state.withLock({ Array($0.changed.keys) }) { await flush(account: account.text, in: cluster) }
    }

    private func putKept(_ container: ObjectPath, _ rows: [ObjectRow], in cluster: StorageCluster) async {
        do {
            try await IndexWriting(cluster: cluster, place: cluster.place(container)).putObjectRows(rows)
            changed(container)
        } catch let error as CloudError where error.code == .notFound {
            // The container is gone for good, and its listing with it.
        } catch {
            log.debug("rows still wait", ["container": container, "error": "\(error)"])
            return
        }
        state.withLock { state in
            for row in rows where state.kept[container]?[ByteText(row.name)] == row {
                state.kept[container]?[ByteText(row.name)] = nil
                state.keptCount -= 1
            }
            if state.kept[container]?.isEmpty ?? false { state.kept[container] = nil }
            StorageMetrics.waitingRows.set(state.keptCount)
        }
    }

    /// How the account lists the container now. Nil: nobody knows the container.
    private func row(of container: ObjectPath, in cluster: StorageCluster) async throws -> ContainerRow? {
        // Taken before the totals are read: a count that was read later is never taken for an earlier one.
        let time = cluster.clock.now()
        let reading = try IndexReading(cluster: cluster, place: cluster.place(container))
        guard let record = try await reading.record(), let name = container.container else { return nil }
        return ContainerRow(
            name: name, putTime: record.putTime, deleteTime: record.deleteTime, objectCount: record.objectCount,
            bytesUsed: record.bytesUsed, policy: record.policy, totalsTime: time)
    }

    private func put(_ rows: [ContainerRow], _ account: ObjectPath, in cluster: StorageCluster) async throws {
        let place = try cluster.place(account)
        do {
            try await IndexWriting(cluster: cluster, place: place).putContainerRows(rows)
        } catch let error as CloudError where error.code == .notFound {
            // An account comes to be with its first container; one that was deleted stays so.
            guard try await IndexReading(cluster: cluster, place: place).record() == nil,
                let first = rows.map(\.putTime).min()
            else { return }
            try await IndexWriting(cluster: cluster, place: place).create(IndexRecord(path: account, time: first))
            try await IndexWriting(cluster: cluster, place: place).putContainerRows(rows)
        }
    }
}

/// Runs the updater, and empties it when the process stops.
package struct IndexUpdateService: Service {
    package let name = "object-storage-index-updater"
    private let cluster: StorageCluster
    private let interval: Duration

    package init(_ cluster: StorageCluster, interval: Duration = .seconds(1)) {
        self.cluster = cluster
        self.interval = interval
    }

    package func run() async throws {
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)  // an early end means cancellation, which the loop sees
            await cluster.updater.flushAll(in: cluster)
        }
        await shielded { [cluster] in await cluster.updater.flushAll(in: cluster) }
    }
}
