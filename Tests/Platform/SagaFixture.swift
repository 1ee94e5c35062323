// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import DatabaseSQLite
import Synchronization
import TaskKit
import TestKit

/// A machine outside of the database: sagas put parts on it and take them off. It can be told to refuse.
final class Workbench: Sendable {
    struct State: Sendable {
        var parts: Set<String> = []
        var calls: [String] = []
        var failures: [String] = []
        /// Thrown by the next calls of a name, first to last.
        var refusals: [String: [any Error & Sendable]] = [:]
    }
    private let state = Mutex(State())

    func put(_ part: String) throws { try act("put \(part)") { $0.parts.insert(part) } }
    func take(_ part: String) throws { try act("take \(part)") { $0.parts.remove(part) } }
    func fail(_ text: String) throws { try act("fail") { $0.failures.append(text) } }

    func refuse(_ call: String, _ errors: [any Error & Sendable]) { state.withLock { $0.refusals[call] = errors } }

    var now: State { state.withLock { $0 } }

    private func act<T>(_ call: String, _ change: (inout State) -> T) throws {
        try state.withLock { state in
            state.calls.append(call)
            if var errors = state.refusals[call], !errors.isEmpty {
                let error = errors.removeFirst()
                state.refusals[call] = errors
                throw error
            }
            _ = change(&state)
        }
    }
}

/// Three steps: two parts on the bench, with a row in between.
enum AssembleSaga: Saga {
    struct Ledger: Codable, Sendable {
        var name: String
        var leg: String?
        var row: String?
    }
    struct Context: Sendable {
        let bench: Workbench
        let database: SQLiteDatabase
        var waits = Duration.zero
    }

    static let name: StaticString = "test.assemble"
    static let deadline = Duration.seconds(60)
    static func waits(_ context: Context) -> Duration { context.waits }
    static let steps: [SagaStep<Self>] = [
        SagaStep("leg", run: addLeg, undo: removeLeg),
        SagaStep("check", run: check),
        SagaStep("row", run: insertRow, undo: deleteRow),
        SagaStep("top", run: addTop, undo: removeTop),
    ]

    private static func addLeg(_ ledger: inout Ledger, _ context: Context) async throws {
        ledger.leg = "leg of \(ledger.name)"
        try context.bench.put("leg of \(ledger.name)")
    }

    private static func removeLeg(_ ledger: inout Ledger, _ context: Context) async throws {
        // Nil: the step crashed before the ledger was saved; what it may have done has a name one can compute.
        try context.bench.take(ledger.leg ?? "leg of \(ledger.name)")
    }

    private static func check(_ ledger: inout Ledger, _ context: Context) async throws {
        guard ledger.leg != nil else { throw CloudError(.bug, "The ledger of the first step is not here.") }
    }

    private static func insertRow(_ ledger: inout Ledger, _ context: Context) async throws {
        let (run, name) = (SagaRun.id, ledger.name)
        ledger.row = run.rawValue
        try await context.database.write {
            try $0.execute("INSERT INTO tables (run, name) VALUES (\(run), \(name)) ON CONFLICT (run) DO NOTHING")
        }
    }

    private static func deleteRow(_ ledger: inout Ledger, _ context: Context) async throws {
        let run = SagaRun.id
        try await context.database.write { try $0.execute("DELETE FROM tables WHERE run = \(run)") }
    }

    private static func addTop(_ ledger: inout Ledger, _ context: Context) async throws {
        try context.bench.put("top of \(ledger.name)")
    }

    private static func removeTop(_ ledger: inout Ledger, _ context: Context) async throws {
        try context.bench.take("top of \(ledger.name)")
    }

    static func failed(_ ledger: Ledger, _ error: CloudError, _ context: Context) async throws {
        try context.bench.fail(error.message)
    }
}

/// A database, a bench, and a registry that knows `AssembleSaga`.
struct SagaWorld: Sendable {
    let database: SQLiteDatabase
    let bench = Workbench()
    let registry = SagaRegistry()
    let clock = TestClock()

    init(waits: Duration = .zero) async throws {
        database = try await TestDatabase.make(
            SagaMigrations.all,
            [Migration("tables", ["CREATE TABLE tables (run TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL)"])])
        registry.register(AssembleSaga.self, AssembleSaga.Context(bench: bench, database: database, waits: waits))
    }

    func runner(_ holder: String = "one", limits: SagaLimits = .test, probe: SagaProbe? = nil) -> SagaRunner {
        SagaRunner(
            database: database, registry: registry, holder: holder, clock: clock.clock, limits: limits, probe: probe)
    }

    func start(_ name: String, on runner: SagaRunner) async throws -> SagaRunID {
        let id = SagaRunID("run-\(name)")
        try await database.write {
            try runner.start(AssembleSaga.self, id: id, ledger: AssembleSaga.Ledger(name: name), in: $0)
        }
        return id
    }

    func rows() async throws -> [String] {
        try await database.read { try $0.query("SELECT name FROM tables ORDER BY name") { $0.text(0) } }
    }
}
