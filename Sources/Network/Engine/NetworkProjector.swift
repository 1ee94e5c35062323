// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import NetworkContract

/// Tells the data plane of every object that is dirty, level-triggered: it sends what the object is now, not what was
/// done to it. Dirt that comes while it sends stays, and is sent next.
package struct NetworkProjector: Service {
    /// Objects in one transaction of the data plane.
    static let batch = 256
    private static let firstPause = Duration.milliseconds(100)
    private static let longestPause = Duration.seconds(10)
    /// A wake may be lost with another controller; the dirt is not.
    private static let idle = Duration.seconds(30)

    package let name = "network-projector"
    private let environment: NetworkEnvironment
    private let turn: DriverTurn
    private let log = Logger("network.projector")

    package init(_ environment: NetworkEnvironment, _ turn: DriverTurn) {
        self.environment = environment
        self.turn = turn
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
        try await turn.take {
            let (marks, objects) = try await read()
            guard !marks.isEmpty else { return false }
            let present = Set(objects.map(\.key))
            let removed = marks.map(\.key).filter { !present.contains($0) }
            try await environment.driver.apply(objects, removed: removed)
            try await environment.database.write { try DirtyStore.clear(marks, $0) }
            return true
        }
    }

    /// Marks and objects of one snapshot, so that a mark never covers less than was sent.
    private func read() async throws -> ([DirtyStore.Mark], [LogicalObject]) {
        let config = environment.config
        return try await environment.read { transaction in
            let marks = try DirtyStore.marks(limit: Self.batch, transaction)
            let reader = ProjectionReader(transaction: transaction, config: config)
            return (marks, try marks.compactMap { try reader.object($0.key) })
        }
    }
}

/// Lets one of projector and reconciler at the driver at a time: what was read first must not be written last.
package struct DriverTurn: Sendable {
    private let slot = AsyncSlots("network driver", slots: 1)

    package init() {}

    func take<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T { try await slot.run(body) }
}
