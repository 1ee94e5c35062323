// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit

/// The thread that writes. Closures that wait at the same time share one commit, and so one sync of the disk;
/// each has a savepoint of its own, so one that throws takes back its own changes and no others.
final class SQLiteWriter: Sendable {
    static let queueLimit = 8192

    private struct Queue {
        var jobs = FIFO<any SQLiteJob>()
        var isClosed = false
        var hasEnded = false
        var ended: [CheckedContinuation<Void, Never>] = []
    }

    private let queue = Monitor(Queue())

    init(_ connection: SQLiteConnection) {
        SystemThread.start("sqlite-writer") { [self] in work(connection) }.detach()
    }

    func call<T: Sendable>(
        isWrite: Bool, _ body: @escaping @Sendable (any Transaction) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let job = SQLiteCall(isWrite: isWrite, body, continuation)
            let isAccepted = queue.withLock { queue in
                guard queue.jobs.count < Self.queueLimit, !queue.isClosed else { return false }
                queue.jobs.append(job)
                return true
            }
            if isAccepted {
                queue.wakeOne()
            } else {
                let error = CloudError(
                    .unavailable, "The service is busy. Please retry later.", cause: "database queue full or closed")
                continuation.resume(throwing: error)
            }
        }
    }

    /// Refuses new work; the thread ends after what is queued.
    func close() {
        queue.withLock { $0.isClosed = true }
        queue.wakeAll()
    }

    /// Returns when the thread has ended. After `close`.
    func ended() async {
        await withCheckedContinuation { continuation in
            let hasEnded = queue.withLock { queue in
                if !queue.hasEnded { queue.ended.append(continuation) }
                return queue.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    private func work(_ connection: SQLiteConnection) {
        while true {
            let next: (any SQLiteJob)?? = queue.wait { queue in
                if let job = queue.jobs.popFirst() { return .some(job) }
                return queue.isClosed ? .some(nil) : nil
            }
            guard let job = next.flatMap({ $0 }) else { break }
            if job.isWrite {
                SQLiteBatch(connection).write(job) { nextWrite() }
            } else {
                SQLiteBatch(connection).single(job)
            }
        }
        try? connection.run("PRAGMA wal_checkpoint(TRUNCATE)")  // merely tidy: the log is as good as the file
        let waiting = queue.withLock { queue in
            queue.hasEnded = true
            return queue.ended
        }
        for waiter in waiting { waiter.resume() }
    }

    private func nextWrite() -> (any SQLiteJob)? {
        queue.withLock { queue in
            guard queue.jobs.first?.isWrite == true else { return nil }
            return queue.jobs.popFirst()
        }
    }
}
