// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import Synchronization

/// What a connection keeps a replica of.
package struct OVSDBMonitor: Sendable {
    package struct Table: Sendable {
        package var name: String
        /// Columns that the server's schema does not have are left out.
        package var columns: [String]
        /// Alternatives: a row is wanted when one of them holds. Empty: every row.
        package var conditions: [Condition]

        package init(_ name: String, _ columns: [String], where conditions: [Condition] = []) {
            self.name = name
            self.columns = columns
            self.conditions = conditions
        }
    }
    package struct Condition: Sendable, Equatable {
        package var column: String
        package var value: OVSDBValue
        package init(_ column: String, equals value: OVSDBValue) {
            self.column = column
            self.value = value
        }
    }

    package var database: String
    package var tables: [Table]
    package var indexes: [OVSDBIndex]

    package init(database: String, tables: [Table], indexes: [OVSDBIndex] = []) {
        self.database = database
        self.tables = tables
        self.indexes = indexes
    }
}

/// A client of an OVSDB server (RFC 7047) that keeps a replica of the tables it watches.
///
/// One thread of its own reads and writes. When the server goes away it tries again, also its cluster peers, and reads
/// everything anew; consumers then get the difference. The server tells changes before it answers the transaction that
/// made them, so after `transact` the replica holds what was written.
package final class OVSDBConnection: Service {
    struct Call {
        let continuation: CheckedContinuation<JSON, any Error>
    }
    struct State {
        var isStopping = false
        var isReady = false
        var replica: OVSDBReplica?
        var monitor: OVSDBMonitor
        var nextID: UInt64 = 1
        var outbox: [UInt8] = []
        var calls: [UInt64: Call] = [:]
        var waiters: [UInt64: CheckedContinuation<Void, any Error>] = [:]
        var lastFailure = "not connected yet"
    }

    /// More calls than this at once are refused.
    static let maximumCalls = 4096

    package let name: String
    let endpoints: [OVSDBEndpoint]
    let maximumMessage: Int
    let state: Mutex<State>
    let wakeUp = WakeUp()
    let onChange: @Sendable ([OVSDBChange]) -> Void
    let log: Logger

    /// `onChange` runs on the connection's thread, after the replica has the changes: it must be short.
    package init(
        _ name: String, endpoints: [OVSDBEndpoint], monitor: OVSDBMonitor, maximumMessage: Int = 256 << 20,
        onChange: @escaping @Sendable ([OVSDBChange]) -> Void = { _ in }
    ) {
        precondition(!endpoints.isEmpty)
        self.name = name
        self.endpoints = endpoints
        self.maximumMessage = maximumMessage
        self.onChange = onChange
        state = Mutex(State(monitor: monitor))
        log = Logger("ovsdb")
    }

    /// Keeps the connection until the task is cancelled. Once in the life of a connection.
    package func run() async throws {
        let end = Signal()
        SystemThread.start("ovsdb-\(name)") { [self] in
            OVSDBSession.work(self)
            end.wake()
        }.detach()
        await Signal().wait()
        state.withLock { $0.isStopping = true }
        wakeUp.wake()
        // The thread looks at the flag within milliseconds; the task is cancelled already, so this wait is shielded.
        _ = await shielded { await end.wait(atMost: .seconds(5)) }
    }

    // MARK: Replica

    /// Waits until the replica is complete. Throws `.unavailable` with the last failure after `limit`.
    package func ready(within limit: Duration) async throws {
        if state.withLock({ $0.isReady }) { return }
        do {
            try await withTimeout(limit, "The network database") { try await self.untilReady() }
        } catch let error as CloudError {
            let failure = state.withLock { $0.lastFailure }
            throw CloudError(error.code, error.message, cause: "\(name): \(failure)")
        }
    }

    package var isReady: Bool { state.withLock { $0.isReady } }

    /// Calls `body` with the replica, under the connection's lock: no waiting in it. After a loss of the server the
    /// replica is what was last known. Throws `.unavailable` when nothing has been read yet.
    package func read<T>(_ body: (OVSDBReplica) throws -> sending T) throws -> sending T {
        try state.withLock { state in
            guard let replica = state.replica else {
                throw CloudError(
                    .unavailable, "The network database cannot be reached.", cause: "\(name): \(state.lastFailure)")
            }
            return try body(replica)
        }
    }

    /// Changes which rows of a table are watched. The replica has them when this returns; without a server it will have
    /// them with the next connection.
    package func watch(_ table: String, where conditions: [OVSDBMonitor.Condition]) async throws {
        let isChange = state.withLock { state in
            guard let index = state.monitor.tables.firstIndex(where: { $0.name == table }),
                state.monitor.tables[index].conditions != conditions
            else { return false }
            state.monitor.tables[index].conditions = conditions
            return state.isReady
        }
        guard isChange else { return }
        let change: JSON = .object([table: [["where": Self.json(conditions)]]])
        let parameters: JSON = [.string(name), .string(name), change]
        _ = try await withTimeout(.seconds(20), "The network database") {
            try await self.call("monitor_cond_change", parameters)
        }
    }

    // MARK: Transactions

    /// Performs the operations. Throws `.conflict` when the server refused them, `.unavailable` when there is no server
    /// or it did not answer in time: then they may have been performed or not, and the replica will tell.
    @discardableResult
    package func transact(
        _ transaction: OVSDBTransaction, within limit: Duration = .seconds(20)
    ) async throws -> OVSDBResult {
        guard !transaction.isEmpty else { return try OVSDBResult([], of: transaction) }
        let database = state.withLock { $0.monitor.database }
        let parameters = JSON.array([.string(database)] + transaction.operations)
        let reply = try await withTimeout(limit, "The network database") { try await self.call("transact", parameters) }
        return try OVSDBResult(reply, of: transaction)
    }

    private func call(_ method: StaticString, _ parameters: JSON) async throws -> JSON {
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let refusal: (any Error)? = state.withLock { state in
                    if Task.isCancelled { return CancellationError() }
                    guard state.isReady, !state.isStopping else {
                        return CloudError(
                            .unavailable, "The network database cannot be reached.",
                            cause: "\(name): \(state.lastFailure)")
                    }
                    guard state.calls.count < Self.maximumCalls else {
                        return CloudError(.unavailable, "The network database is busy. Please retry later.")
                    }
                    state.calls[id] = Call(continuation: continuation)
                    state.outbox += Self.request(id, method, parameters)
                    return nil
                }
                if let refusal { continuation.resume(throwing: refusal) } else { wakeUp.wake() }
            }
        } onCancel: {
            let call = state.withLock { $0.calls.removeValue(forKey: id) }
            call?.continuation.resume(throwing: CancellationError())
        }
    }

    private func untilReady() async throws {
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let answer: Result<Void, any Error>? = state.withLock { state in
                    if state.isReady { return .success(()) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiters[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
            waiter?.resume(throwing: CancellationError())
        }
    }

    // MARK: Messages

    static func request(_ id: UInt64, _ method: StaticString, _ parameters: JSON) -> [UInt8] {
        JSONWriter.object { writer in
            writer.field("id", Int64(id))
            writer.field("method", method.description)
            writer.field("params", parameters)
        }
    }

    static func json(_ conditions: [OVSDBMonitor.Condition]) -> JSON {
        // An empty list of conditions is "every row" here; the protocol says `true`.
        conditions.isEmpty ? [true] : .array(conditions.map { [.string($0.column), "==", $0.value.json] })
    }
}
