// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit
import LogKit
import Synchronization
import TaskKit
import TestKit
import Testing

/// Goal: a saga ends in one of two worlds, all done or nothing done, whatever happens on the way.
/// Method: a bench outside of the database and a row inside; every step, undo and process fails in turn.
@Suite("Saga", .serialized)
struct SagaTests {
    private static let whole: Set<String> = ["leg of t", "top of t"]

    @Test("all walks", arguments: SagaWalk.all(AssembleSaga.self))
    func walks(_ walk: SagaWalk) async throws {
        let world = try await SagaWorld()
        let run = try await walk.run(on: world.database, world.registry, clock: world.clock.clock) {
            try await world.start("t", on: $0)
        }
        let bench = world.bench.now
        #expect(run.state == walk.expectedState)
        if walk.expectedState == .finished {
            #expect(bench.parts == Self.whole)
            #expect(try await world.rows() == ["t"])
            #expect(bench.failures.isEmpty)
            #expect(run.error == nil)
        } else {
            #expect(bench.parts.isEmpty)
            #expect(try await world.rows().isEmpty)
            #expect(bench.failures == [SagaWalk.fault.message])
            #expect(run.error == SagaWalk.fault)
        }
    }

    @Test("a start that rolls back never runs")
    func rolledBackStart() async throws {
        let world = try await SagaWorld()
        let runner = world.runner()
        try await withServices([runner]) {
            await #expect(throws: CloudError.self) {
                try await world.database.write {
                    try runner.start(AssembleSaga.self, id: "x", ledger: AssembleSaga.Ledger(name: "x"), in: $0)
                    throw CloudError.conflict("no")
                }
            }
            _ = try await world.start("t", on: runner)
            await runner.idle()
        }
        #expect(world.bench.now.parts == Self.whole)
    }

    @Test("the caller that waits gets the error; one that gives up does not end the run")
    func runToEnd() async throws {
        let world = try await SagaWorld()
        let runner = world.runner()
        world.bench.refuse("put top of bad", [CloudError.conflict("no top")])
        try await withServices([runner]) {
            try await runner.runToEnd(world.start("t", on: runner))
            let bad = try await world.start("bad", on: runner)
            await #expect(throws: CloudError.conflict("no top")) { try await runner.runToEnd(bad) }
            await #expect(throws: CloudError.self) { try await runner.runToEnd("nothing") }
            let other = try await world.start("other", on: runner)
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    try? await runner.runToEnd(other)  // cancelled at once; the run goes on
                }
                group.cancelAll()
            }
            await runner.idle()
            #expect(try await runner.outcome(of: other)?.state == .finished)
        }
    }

    @Test("many runs at once, more than there are slots")
    func parallel() async throws {
        let world = try await SagaWorld()
        var limits = SagaLimits.test
        limits.parallelRuns = 3
        let runner = world.runner(limits: limits)
        try await withServices([runner]) {
            for number in 0..<50 { _ = try await world.start("n\(number)", on: runner) }
            await runner.idle()
        }
        #expect(world.bench.now.parts.count == 100)
        #expect(try await world.rows().count == 50)
    }

    @Test("a step may ask to be called again, and gives up its slot meanwhile")
    func retry() async throws {
        let world = try await SagaWorld()
        var limits = SagaLimits.test
        limits.parallelRuns = 1
        let runner = world.runner(limits: limits)
        world.bench.refuse("put leg of t", Array(repeating: SagaRetry(after: .milliseconds(1)), count: 5))
        try await withServices([runner]) {
            let first = try await world.start("t", on: runner)
            try await runner.runToEnd(world.start("other", on: runner))
            try await runner.runToEnd(first)
        }
        #expect(world.bench.now.calls.filter { $0 == "put leg of t" }.count == 6)
    }

    @Test("a step that asks past the deadline is unwound with its reason")
    func retryPastDeadline() async throws {
        let world = try await SagaWorld()
        let runner = world.runner()
        let reason = CloudError(.unavailable, "The host is busy.")
        world.bench.refuse("put top of t", [SagaRetry(after: .seconds(3600), because: reason)])
        try await withServices([runner]) {
            let id = try await world.start("t", on: runner)
            await #expect(throws: reason) { try await runner.runToEnd(id) }
        }
        #expect(world.bench.now.parts.isEmpty)
    }

    @Test("a run that is found past its deadline is unwound")
    func deadline() async throws {
        let world = try await SagaWorld()
        let dead = world.runner("dead") { if $0 == .savedStep(2) { throw SagaCrash() } }
        let id = try await world.start("t", on: dead)
        try await withServices([dead]) { await dead.idle() }
        #expect(world.bench.now.parts == ["leg of t"])
        world.clock.advance(by: .seconds(61))
        let runner = world.runner("next")
        try await withServices([runner]) {
            try await eventually { try await runner.outcome(of: id) != nil }
        }
        let run = try #require(try await runner.outcome(of: id))
        #expect(run.state == .failed)
        #expect(run.error?.message == "The operation did not finish in time.")
        #expect(world.bench.now.parts.isEmpty)
        #expect(try await world.rows().isEmpty)
    }

    @Test("a run may take longer by what its steps wait for by the configuration")
    func waits() async throws {
        let world = try await SagaWorld(waits: .seconds(3600))
        #expect(world.registry.deadline(of: "test.assemble") == .seconds(3660))
        let dead = world.runner("dead") { if $0 == .savedStep(2) { throw SagaCrash() } }
        let id = try await world.start("t", on: dead)
        try await withServices([dead]) { await dead.idle() }
        world.clock.advance(by: .seconds(3599))
        let runner = world.runner("next")
        try await withServices([runner]) { try await runner.runToEnd(id) }
        #expect(world.bench.now.parts == ["leg of t", "top of t"])
    }

    @Test("an undo is tried again")
    func undoRetry() async throws {
        let world = try await SagaWorld()
        let runner = world.runner()
        let fault = CloudError(.unavailable, "away")
        world.bench.refuse("put top of t", [CloudError.conflict("no")])
        world.bench.refuse("take leg of t", [fault, fault])
        try await withServices([runner]) {
            let id = try await world.start("t", on: runner)
            await #expect(throws: CloudError.conflict("no")) { try await runner.runToEnd(id) }
            #expect(try await runner.outcome(of: id)?.state == .failed)
        }
        #expect(world.bench.now.parts.isEmpty)
    }

    @Test("an undo that gives up does not hold up the others, and is seen")
    func stuckUndo() async throws {
        let world = try await SagaWorld()
        let runner = world.runner()
        world.bench.refuse("put top of t", [CloudError.conflict("no")])
        let fault = CloudError(.unavailable, "away")
        world.bench.refuse("take top of t", Array(repeating: fault, count: SagaLimits.test.undoAttempts))
        try await withServices([runner]) {
            let id = try await world.start("t", on: runner)
            await #expect(throws: CloudError.conflict("no")) { try await runner.runToEnd(id) }
            let run = try #require(try await runner.outcome(of: id))
            #expect(run.state == .stuckUndo)
            #expect(run.stuckSteps == ["top"])
        }
        #expect(world.bench.now.failures == ["no"])
        #expect(world.bench.now.parts.isEmpty)
        #expect(MetricsRegistry.shared.render().contains("haneul_saga_runs_stuck_undo"))
    }

    @Test("the failure is told until it is heard")
    func failedRetry() async throws {
        let world = try await SagaWorld()
        let runner = world.runner()
        world.bench.refuse("put top of t", [CloudError.conflict("no")])
        world.bench.refuse("fail", Array(repeating: CloudError(.unavailable, "away"), count: 20))
        try await withServices([runner]) {
            let id = try await world.start("t", on: runner)
            await #expect(throws: CloudError.self) { try await runner.runToEnd(id) }
        }
        #expect(world.bench.now.failures == ["no"])
    }

    @Test("stopping the process is not a failure of the step")
    func stop() async throws {
        let world = try await SagaWorld()
        let started = Signal()
        let first = world.runner { point in
            guard point == .beforeStep(3) else { return }
            started.wake()
            await Signal().wait()
            throw CancellationError()
        }
        let id = try await world.start("t", on: first)
        try await withServices([first]) { await started.wait() }
        #expect(try await first.outcome(of: id) == nil)
        #expect(world.bench.now.parts == ["leg of t"])
        let second = world.runner("two")
        try await withServices([second]) {
            try await eventually { try await second.outcome(of: id) != nil }
        }
        #expect(world.bench.now.parts == Self.whole)
    }

    @Test("a process that lost its lease changes nothing")
    func lostLease() async throws {
        let world = try await SagaWorld()
        let (started, release) = (Signal(), Signal())
        let slow = world.runner("slow") { point in
            guard point == .afterStep(0) else { return }
            started.wake()
            await release.wait()
        }
        let id = try await world.start("t", on: slow)
        try await withServices([slow]) {
            await started.wait()
            let fast = world.runner("fast")
            try await withServices([fast]) { try await eventually { try await fast.outcome(of: id) != nil } }
            release.wake()
            await slow.idle()
        }
        #expect(try await slow.outcome(of: id)?.state == .finished)
        #expect(world.bench.now.calls.filter { $0 == "put leg of t" }.count == 2)
        #expect(world.bench.now.calls.filter { $0 == "put top of t" }.count == 1)
    }

    @Test("a run that cannot be loaded is kept, and others go on")
    func quarantine() async throws {
        let world = try await SagaWorld()
        let dead = world.runner("dead") { if $0 == .savedStep(0) { throw SagaCrash() } }
        let id = try await world.start("t", on: dead)
        try await withServices([dead]) { await dead.idle() }
        try await world.database.write { try $0.execute("UPDATE saga_runs SET ledger = '[]' WHERE id = \(id)") }
        let runner = world.runner("next")
        try await withServices([runner]) { try await runner.runToEnd(world.start("other", on: runner)) }
        #expect(try await runner.outcome(of: id) == nil)
        #expect(world.bench.now.parts.contains("leg of t"))
    }

    @Test("records of ended runs go after a while")
    func purge() async throws {
        let world = try await SagaWorld()
        let runner = world.runner()
        try await withServices([runner]) {
            let id = try await world.start("t", on: runner)
            try await runner.runToEnd(id)
            world.clock.advance(by: .seconds(3601))
            try await eventually {
                try await world.database.read { try $0.count("SELECT count(*) FROM saga_runs") } == 0
            }
        }
    }
}
