// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import NetworkContract

/// The driver as projector and reconciler share it: one of them at a time, because what was read first must not be
/// written last; and an object that is refused holds up no other.
package final class DataPlane: Sendable {
    /// An object that shall be so; nil: that shall not be.
    struct Change: Sendable {
        var key: LogicalKey
        var object: LogicalObject?
    }

    let quarantine = Quarantine()
    private let driver: any NetworkDriver
    private let slot = AsyncSlots("network driver", slots: 1)

    package init(_ driver: any NetworkDriver) { self.driver = driver }

    func take<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T { try await slot.run(body) }

    /// Sends the changes together; when they are refused, by halves until the refused ones stand alone, which go into
    /// quarantine. `done` hears of each part that need not be sent again. Throws when the data plane is away.
    func send(_ changes: [Change], done: ([LogicalKey]) async throws -> Void = { _ in }) async throws {
        guard !changes.isEmpty else { return }
        let keys = changes.map(\.key)
        do {
            try await driver.apply(
                changes.compactMap(\.object), removed: changes.filter { $0.object == nil }.map(\.key))
            quarantine.release(keys)
        } catch let fault as CloudError where fault.isRefusal {
            guard changes.count == 1 else {
                let half = changes.count / 2
                try await send(Array(changes[..<half]), done: done)
                try await send(Array(changes[half...]), done: done)
                return
            }
            quarantine.hold(keys[0], fault)
        }
        try await done(keys)
    }

    /// Makes the data plane equal to `objects`, but for what is in quarantine: that stays as it is, and is then tried
    /// object by object. Returns how many things it repaired.
    func synchronize(_ objects: [LogicalObject]) async throws -> Int {
        var count = 0
        do {
            count = try await synchronizeHealthy(objects)
        } catch let fault as CloudError where fault.isRefusal {
            // One that was not known to be bad. All are sent, to find it.
            for part in objects.slices(of: NetworkProjector.batch) {
                try await send(part.map { Change(key: $0.key, object: $0) })
            }
            // Refused again: it is no object's fault, and who looks at the failures of reconcilers must know.
            return try await synchronizeHealthy(objects)
        }
        let held = quarantine.keys
        for object in objects where held.contains(object.key) {
            try await send([Change(key: object.key, object: object)])
            if !quarantine.contains(object.key) { count += 1 }
        }
        return count
    }

    private func synchronizeHealthy(_ objects: [LogicalObject]) async throws -> Int {
        let held = quarantine.keys
        return try await driver.synchronize(objects.filter { !held.contains($0.key) }, keeping: held)
    }
}
