// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit
import Synchronization
import TaskKit

/// One way through a saga in which something goes wrong at one place. Each saga's test runs all of them:
///
///     @Test(arguments: SagaWalk.all(CreateServerSaga.self))
///     func everyWalk(_ walk: SagaWalk) async throws {
///         let world = try await World()
///         _ = try await walk.run(on: world.database, world.sagas) { runner in
///             try await world.engine(runner).create(…)
///         }
///         // then, by `walk.expectedState`: the world is as after a success, or as before the start
///     }
package struct SagaWalk: Sendable, CustomStringConvertible {
    package enum Kind: Sendable, Equatable {
        case straight
        /// The process dies between a step's effect and its save, so the step runs twice.
        case repeatsStep(Int)
        /// The process dies after a save.
        case crashesAfterStep(Int)
        /// A step fails before it has done anything.
        case failsBeforeStep(Int)
        /// A step fails after it has done everything: its undo must find that out.
        case failsAfterStep(Int)
        /// The last step fails, and the process dies between an undo's effect and its save, so the undo runs twice.
        case repeatsUndo(Int)
    }

    package let kind: Kind
    private let stepNames: [String]

    package static func all<S: Saga>(_: S.Type) -> [SagaWalk] {
        let names = S.steps.map(\.name.description)
        var kinds: [Kind] = [.straight]
        for step in S.steps.indices {
            kinds += [.repeatsStep(step), .failsBeforeStep(step), .failsAfterStep(step)]
            if step + 1 < names.count { kinds.append(.crashesAfterStep(step)) }
            if S.steps[step].undo != nil { kinds.append(.repeatsUndo(step)) }
        }
        return kinds.map { SagaWalk(kind: $0, stepNames: names) }
    }

    package var expectedState: SagaRecord.State {
        switch kind {
        case .straight, .repeatsStep, .crashesAfterStep: .finished
        case .failsBeforeStep, .failsAfterStep, .repeatsUndo: .failed
        }
    }

    package var description: String {
        switch kind {
        case .straight: "nothing goes wrong"
        case .repeatsStep(let step): "\(stepNames[step]) runs twice"
        case .crashesAfterStep(let step): "crash after \(stepNames[step])"
        case .failsBeforeStep(let step): "\(stepNames[step]) fails at once"
        case .failsAfterStep(let step): "\(stepNames[step]) fails after its effect"
        case .repeatsUndo(let step): "undo of \(stepNames[step]) runs twice"
        }
    }

    /// What a failing walk's step throws.
    package static let fault = CloudError(.unavailable, "failed by the walk")

    /// Walks. `start` starts one run with the runner it is given. After the crash another runner takes over.
    ///
    /// Throws when the run did not end in `expectedState`; `stuckUndo` is the state of none.
    package func run(
        on database: any Database, _ registry: SagaRegistry, clock: WallClock = .system,
        start: (SagaRunner) async throws -> SagaRunID
    ) async throws -> SagaRecord {
        let record = try await walk(database, registry, clock, start)
        guard record.state == expectedState else {
            let undone = record.stuckSteps.isEmpty ? "" : ", not undone: \(record.stuckSteps.joined(separator: ", "))"
            throw CloudError(
                .bug,
                "\(description): \(record.saga) ended \(record.state), and not \(expectedState)\(undone)"
                    + (record.error.map { ": \($0)" } ?? ""))
        }
        return record
    }

    private func walk(
        _ database: any Database, _ registry: SagaRegistry, _ clock: WallClock,
        _ start: (SagaRunner) async throws -> SagaRunID
    ) async throws -> SagaRecord {
        let trap = SagaTrap(kind: kind, lastStep: stepNames.count - 1)
        func runner(_ holder: String) -> SagaRunner {
            SagaRunner(
                database: database, registry: registry, holder: holder, clock: clock, limits: .test,
                probe: { try trap.pass($0) })
        }
        let first = runner("first")
        let id = try await start(first)
        try await withServices([first]) { await first.idle() }
        if let record = try await first.outcome(of: id) { return record }
        let second = runner("second")
        try await withServices([second]) {
            try await eventually { try await second.outcome(of: id) != nil }
        }
        guard let record = try await second.outcome(of: id) else { throw CloudError(.bug, "The run did not end.") }
        return record
    }
}

extension SagaLimits {
    /// Short pauses; otherwise as in production.
    package static var test: SagaLimits {
        var limits = SagaLimits()
        limits.firstBackoff = .milliseconds(1)
        limits.lastBackoff = .milliseconds(5)
        limits.scanInterval = .milliseconds(20)
        return limits
    }
}

/// Makes the walk go wrong at its place. A crash happens once; a failure each time.
private final class SagaTrap: Sendable {
    private let crashPoint: SagaPoint?
    private let failPoint: SagaPoint?
    private let hasCrashed = Atomic<Bool>(false)

    init(kind: SagaWalk.Kind, lastStep: Int) {
        (crashPoint, failPoint) =
            switch kind {
            case .straight: (nil, nil)
            case .repeatsStep(let step): (.afterStep(step), nil)
            case .crashesAfterStep(let step): (.savedStep(step), nil)
            case .failsBeforeStep(let step): (nil, .beforeStep(step))
            case .failsAfterStep(let step): (nil, .afterStep(step))
            case .repeatsUndo(let step): (.afterUndo(step), .afterStep(lastStep))
            }
    }

    func pass(_ point: SagaPoint) throws {
        if point == failPoint { throw SagaWalk.fault }
        if point == crashPoint, !hasCrashed.exchange(true, ordering: .relaxed) { throw SagaCrash() }
    }
}
