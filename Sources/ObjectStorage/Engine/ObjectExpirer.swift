// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import ObjectStorageContract

/// Deletes objects whose time has come. Readers do not see them from that second on; this gives their space back.
package struct ObjectExpirer: Service {
    package let name = "object-expirer"
    private static let page = 500
    private let cluster: StorageCluster
    private let queue: ExpiryQueue
    private let interval: Duration
    private let log = Logger("object-storage")

    package init(cluster: StorageCluster, interval: Duration = .seconds(60)) {
        self.cluster = cluster
        self.interval = interval
        queue = ExpiryQueue(cluster: cluster)
    }

    package func run() async throws {
        while !Task.isCancelled {
            do {
                let count = try await pass()
                if count > 0 { log.info("objects expired", ["objects": count]) }
            } catch is CancellationError {
                return
            } catch {
                log.warning("expired objects wait", ["error": "\(error)"])
            }
            do { try await Task.sleep(for: interval) } catch { return }
        }
    }

    /// Deletes all that is due. What fails is tried again by the next pass.
    @discardableResult
    package func pass() async throws -> Int {
        let now = cluster.clock.now().ticks / 100_000
        var (count, last) = (0, ExpiryQueue.Entry?.none)
        while true {
            let entries = try await queue.due(at: now, after: last, limit: Self.page)
            guard let end = entries.last else { break }
            var done: [ExpiryQueue.Entry] = []
            for entry in entries {
                try Task.checkCancellation()
                do {
                    if try await expire(entry) { count += 1 }
                    done.append(entry)
                } catch let error as CloudError {
                    log.warning("object not expired", ["object": entry.path, "error": error])
                }
            }
            try await queue.remove(done)
            last = end
        }
        try await queue.sweep(before: now)
        return count
    }

    /// False: the object is gone, or lives longer by now.
    private func expire(_ entry: ExpiryQueue.Entry) async throws -> Bool {
        guard let container = try await cluster.index(entry.path.ofContainer) else { return false }
        guard let record = try await cluster.head(entry.path, policy: container.policy),
            record.headers[StorageHeader.deleteAt].flatMap(Int64.init) == entry.seconds
        else { return false }
        // As of now, so that a write that comes meanwhile is later, and stays.
        let time = cluster.clock.now()
        try await cluster.delete(entry.path, policy: container.policy, at: time)
        try await cluster.putObjectRows(entry.path.ofContainer, [.deleted(entry.path.object ?? "", at: time)])
        return true
    }
}
