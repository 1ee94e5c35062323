// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// A closure that waits for the writer's thread, without its type.
protocol SQLiteJob: AnyObject, Sendable {
    var isWrite: Bool { get }
    /// Runs the closure; throws what it throws. May be called again after the transaction was rolled back.
    func run(on connection: SQLiteConnection) throws
    /// Answers the caller; once. `failure` is what befell the transaction around the closure.
    func finish(failure: (any Error)?)
}

final class SQLiteCall<T: Sendable>: SQLiteJob, @unchecked Sendable {
    // SAFETY: `result` and `actions` are touched on the writer's thread alone, after the queue's lock handed
    // the object over.
    let isWrite: Bool
    private let body: @Sendable (any Transaction) throws -> T
    private let continuation: CheckedContinuation<T, any Error>
    private var result: Result<T, any Error>?
    private var actions: [@Sendable () -> Void] = []

    init(
        isWrite: Bool, _ body: @escaping @Sendable (any Transaction) throws -> T,
        _ continuation: CheckedContinuation<T, any Error>
    ) {
        self.isWrite = isWrite
        self.body = body
        self.continuation = continuation
    }

    func run(on connection: SQLiteConnection) throws {
        let transaction = SQLiteTransaction(connection, isWritable: isWrite)
        defer { transaction.close() }
        actions = []
        do {
            result = .success(try body(transaction))
            actions = transaction.afterCommit
        } catch {
            result = .failure(error)
            throw error
        }
    }

    func finish(failure: (any Error)?) {
        if let failure {
            continuation.resume(throwing: failure)
        } else if let result {
            // Before the answer: a caller that reads a cache next finds it dropped.
            if case .success = result { for action in actions { action() } }
            continuation.resume(with: result)
        } else {
            preconditionFailure("answer before the run")
        }
    }
}
