// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit
import Synchronization

/// Tells subscribers which ports came up or went down.
final class OVNPortStates: Sendable {
    /// A subscriber that is so far behind loses the oldest; its reconciler compares everything anyway.
    private static let queueLimit = 100_000

    private struct State {
        var nextID = 0
        var subscribers: [Int: AsyncStream<PortStateChange>.Continuation] = [:]
    }
    private let state = Mutex(State())

    func subscribe(_ known: [PortStateChange]) -> AsyncStream<PortStateChange> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PortStateChange.self, bufferingPolicy: .bufferingNewest(Self.queueLimit))
        for change in known { continuation.yield(change) }
        let id = state.withLock { state in
            state.nextID += 1
            state.subscribers[state.nextID] = continuation
            return state.nextID
        }
        continuation.onTermination = { [weak self] _ in self?.unsubscribe(id) }
        return stream
    }

    private func unsubscribe(_ id: Int) { _ = state.withLock { $0.subscribers.removeValue(forKey: id) } }

    /// Runs on the connection's thread.
    func receive(_ changes: [OVSDBChange]) {
        let news = changes.compactMap { change -> PortStateChange? in
            guard change.table == OVNTable.switchPort.rawValue, change.touches("up"), let row = change.new else {
                return nil
            }
            return Self.state(of: row)
        }
        guard !news.isEmpty else { return }
        let subscribers = state.withLock { Array($0.subscribers.values) }
        for subscriber in subscribers {
            for change in news { subscriber.yield(change) }
        }
    }

    static func all(_ replica: OVSDBReplica) -> [PortStateChange] {
        replica.rows(OVNTable.switchPort.rawValue).values.compactMap(state)
    }

    /// Nil for rows that are nobody's port, and for metadata ports: those are on every host and never up.
    private static func state(of row: OVSDBRow) -> PortStateChange? {
        guard row.value("external_ids", key: OVNRow.ownerID)?.hasPrefix("port:") ?? false,
            row.string("type") != "localport"
        else { return nil }
        return PortStateChange(
            port: PortID(row.string("name")), isUp: row.bool("up") ?? false,
            host: row.value("options", key: "requested-chassis").map { String($0.prefix { $0 != "," }) })
    }
}
