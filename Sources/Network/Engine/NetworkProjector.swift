// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import NetworkContract

/// Tells the data plane of every object that is dirty, level-triggered: it sends what the object is now, not what was
/// done to it. Dirt that comes while it sends stays, and is sent next. What the data plane refuses is left to the
/// reconciler, and to the object's next change.
package struct NetworkProjector: Service {
    /// Objects in one transaction of the data plane.
    static let batch = 256
    private static let firstPause = Duration.milliseconds(100)
    private static let longestPause = Duration.seconds(10)
    /// A wake may be lost with another controller; the dirt is not.
    private static let idle = Duration.seconds(30)

    package let name = "network-projector"
    private let environment: NetworkEnvironment
    private let plane: DataPlane
    private let log = Logger("network.projector")

    package init(_ environment: NetworkEnvironment, _ plane: DataPlane) {
        self.environment = environment
        self.plane = plane
    }

    package func run() async throws {
        var pause = Self.firstPause
        while !Task.isCancelled {
            do {
                while try await projectBatch() { pause = Self.firstPause }
                pause = Self.firstPause
                await environment.signals.dirty.wait(atMost: Self.idle)
            } catch {
                guard !Task.isCancelled else { return }
                log.warning("the data plane did not take a change", ["error": "\(error)", "retry": "\(pause)"])
                try? await Task.sleep(for: pause)  // An early end means cancellation, which the loop sees.
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    /// Sends one batch. False: nothing was dirty.
    @discardableResult
    package func projectBatch() async throws -> Bool {
        try await plane.take {
            let (marks, found) = try await read()
            guard !marks.isEmpty else { return false }
            for (key, fault) in found.unreadable { plane.quarantine.hold(key, fault) }
            try await clear(found.unreadable.map(\.key), of: marks)
            try await plane.send(found.changes) { try await clear($0, of: marks) }
            return true
        }
    }

    private func clear(_ keys: [LogicalKey], of marks: [DirtyStore.Mark]) async throws {
        guard !keys.isEmpty else { return }
        let keys = Set(keys)
        let done = marks.filter { keys.contains($0.key) }
        try await environment.database.write { try DirtyStore.clear(done, $0) }
    }

    /// Marks and objects of one snapshot, so that a mark never covers less than was sent.
    private func read() async throws -> ([DirtyStore.Mark], ProjectionReader.Found) {
        let config = environment.config
        return try await environment.read { transaction in
            let marks = try DirtyStore.marks(limit: Self.batch, transaction)
            let reader = ProjectionReader(transaction: transaction, config: config)
            return (marks, try reader.objects(marks.map(\.key)))
        }
    }
}
