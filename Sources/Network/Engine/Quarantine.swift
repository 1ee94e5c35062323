// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import NetworkContract
import Synchronization

/// Objects that the data plane does not have as the database wants them: it refused them, or their rows cannot be read.
/// An object is tried again when it changes, and by each scan of the reconciler. Only in memory: the scan at the start
/// finds them again.
final class Quarantine: Sendable {
    private static let refusals = MetricsRegistry.shared.counters(
        "haneul_network_objects_refused_total",
        "Times that an object could not be brought to the data plane because of itself.", ["kind"])
    private static let held = MetricsRegistry.shared.gauges(
        "haneul_network_objects_held", "Objects that the data plane does not have as the database wants them.")[]

    private let state = Mutex<Set<LogicalKey>>([])
    private let log = Logger("network.quarantine")

    var keys: Set<LogicalKey> { state.withLock { $0 } }

    func contains(_ key: LogicalKey) -> Bool { state.withLock { $0.contains(key) } }

    func hold(_ key: LogicalKey, _ fault: CloudError) {
        change { $0.insert(key) }
        Self.refusals[key.kind].add()
        log.error(
            "an object is not brought to the data plane",
            ["kind": key.kind, "id": key.rawID, "error": fault.description])
    }

    func release(_ keys: [LogicalKey]) { change { $0.subtract(keys) } }

    /// Forgets what is no object any more.
    func retain(_ keys: Set<LogicalKey>) { change { $0.formIntersection(keys) } }

    private func change(_ body: (inout Set<LogicalKey>) -> Void) {
        let count = state.withLock { state in
            body(&state)
            return state.count
        }
        Self.held.set(count)
    }
}
