// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import ObjectStorageContract

/// After a power failure: puts the rows of listings again that a device may have lost, from the objects themselves,
/// which are durable. The objects of a container lie on any device, so all of them are asked.
struct RowRestorer: Sendable {
    private static let pageSize = 1000

    let cluster: StorageCluster
    private let log = Logger("object-storage")

    init(cluster: StorageCluster) { self.cluster = cluster }

    func restore() async throws {
        var since: Timestamp?
        var losers: [DeviceNumber] = []
        for number in cluster.devices.numbers where !cluster.devices.isAway(number) {
            let answers = try await cluster.askAll([number]) { try await $0.rowsLostSince() }
            guard case .success(.some(let time))? = answers.first?.1 else { continue }
            losers.append(number)
            since = min(since ?? time, time)
        }
        guard let since else { return }
        log.warning("rows are put again after a power failure", ["devices": losers.count])
        var (count, isWhole) = (0, true)
        for number in cluster.devices.numbers {
            do {
                count += try await restore(from: number, since: since)
            } catch let error as CancellationError {
                throw error
            } catch {
                isWhole = false
                log.warning("a device's objects were not listed", ["device": number, "error": "\(error)"])
            }
        }
        try await listContainers()
        // A device that was silent may have objects that the others lack: it is tried again.
        guard isWhole else { return }
        for number in losers { try await cluster.devices.call(number) { try await $0.rowsRestored() } }
        log.info("rows were put again", ["count": count])
    }

    private func restore(from number: DeviceNumber, since: Timestamp) async throws -> Int {
        var position: String?
        var count = 0
        while true {
            let after = position
            let page = try await cluster.devices.call(number) {
                try await $0.objectChanges(since: since, after: after, limit: Self.pageSize)
            }
            var rows: [ObjectPath: [ObjectRow]] = [:]
            for entry in page.entries {
                switch entry.change {
                case .present(let record): rows[record.path.ofContainer, default: []].append(record.row)
                case .deleted(let path, let time):
                    guard let name = path.object else { continue }
                    rows[path.ofContainer, default: []].append(.deleted(name, at: time))
                }
            }
            for (container, rows) in rows {
                do {
                    try await cluster.putObjectRows(container, rows)
                    count += rows.count
                } catch let error as CloudError where error.code == .notFound {
                    // The container was deleted later than its object changed.
                }
            }
            guard let next = page.position else { return count }
            position = next
        }
    }

    /// Accounts may have lost rows of containers: every container is told of again.
    private func listContainers() async throws {
        for number in cluster.devices.numbers {
            do {
                for partition in try await cluster.devices.call(number, { try await $0.partitions(.containers) }) {
                    let contents = try await cluster.devices.call(number) {
                        try await $0.contents(.containers, partition: partition)
                    }
                    for location in contents.keys { cluster.updater.changed(location.path) }
                }
            } catch let error as CancellationError {
                throw error
            } catch {
                log.warning("a device's containers were not listed", ["device": number, "error": "\(error)"])
            }
        }
        await cluster.updater.flushAll(in: cluster)
    }
}
