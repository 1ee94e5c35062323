// SPDX-License-Identifier: Apache-2.0
import LifecycleKit
import ObjectStorageContract
import Synchronization

/// Places whose replicas a read or the auditor found to differ. The replicator mends them soon; what does not fit in is
/// found by its next pass.
package final class RepairQueue: Sendable {
    private static let limit = 10_000

    private struct State {
        var places: [StorageLocation: StorageKind] = [:]
    }
    private let state = Mutex(State())
    let added = Signal()

    package init() {}

    func add(_ place: StoragePlace) { add(place.location, place.kind) }

    func add(_ location: StorageLocation, _ kind: StorageKind) {
        let isNew = state.withLock { state in
            guard state.places.count < Self.limit, state.places[location] == nil else { return false }
            state.places[location] = kind
            return true
        }
        if isNew { added.wake() }
    }

    func take() -> [(StorageLocation, StorageKind)] {
        state.withLock { state in
            defer { state.places = [:] }
            return state.places.map { ($0.key, $0.value) }
        }
    }

    package var count: Int { state.withLock { $0.places.count } }
}
