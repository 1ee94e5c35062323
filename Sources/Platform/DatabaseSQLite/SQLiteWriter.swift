// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit
import LogKit

/// The thread that writes. Closures that wait at the same time share one commit, and so one sync of the disk;
/// each has a savepoint of its own, so one that throws takes back its own changes and no others.
final class SQLiteWriter: Sendable {
    static let queueLimit = 8192
    /// A commit comes at the latest after so many closures, or so much time: the first of them waits for it.
    private static let batchLimit = 256
    private static let batchTime = Duration.milliseconds(20)
    /// Longer ones are logged: every other writer waited.
    private static let slowBatch = Duration.milliseconds(500)

    private struct Queue {
        var jobs = FIFO<any SQLiteJob>()
        var isClosed = false
        var hasEnded = false
        var ended: [CheckedContinuation<Void, Never>] = []
    }

    private let queue = Monitor(Queue())
    private let log = Logger("database")

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
            if job.isWrite { writeBatch(from: job, connection) } else { Self.single(job, connection) }
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

    private func writeBatch(from first: any SQLiteJob, _ connection: SQLiteConnection) {
        var done: [any SQLiteJob] = []
        do {
            try connection.run("BEGIN IMMEDIATE")
        } catch {
            first.finish(failure: error)
            return
        }
        let start = ContinuousClock.now
        var next: (any SQLiteJob)? = first
        do {
            while let job = next {
                done.append(job)
                try Self.inSavepoint(job, connection)
                let isFull = done.count >= Self.batchLimit || ContinuousClock.now - start > Self.batchTime
                next = isFull ? nil : nextWrite()
            }
            try connection.run("COMMIT")
            SQLiteMetrics.commits.add()
            SQLiteMetrics.writes.add(done.count)
        } catch {
            Self.rollBack(connection)
            // One of them made the commit impossible (a deferred constraint, a full disk). Alone, each gets its own
            // answer. Closures may run again: that is the contract.
            log.warning("shared commit failed", ["writes": done.count, "error": "\(error)"])
            for job in done { Self.single(job, connection) }
            return
        }
        for job in done { job.finish(failure: nil) }
        let elapsed = ContinuousClock.now - start
        SQLiteMetrics.commitTime.observe(elapsed)
        if elapsed > Self.slowBatch { log.warning("slow write", ["writes": done.count, "time": "\(elapsed)"]) }
    }

    /// Throws only when the transaction around the closure is lost; what the closure throws is its caller's.
    private static func inSavepoint(_ job: any SQLiteJob, _ connection: SQLiteConnection) throws {
        try connection.run("SAVEPOINT one")
        do {
            try job.run(on: connection)
        } catch {
            guard connection.isInTransaction else { throw error }
            try connection.run("ROLLBACK TO one")
        }
        try connection.run("RELEASE one")
    }

    /// A transaction for one closure alone.
    private static func single(_ job: any SQLiteJob, _ connection: SQLiteConnection) {
        do {
            try connection.run(job.isWrite ? "BEGIN IMMEDIATE" : "BEGIN")
        } catch {
            job.finish(failure: error)
            return
        }
        do {
            try job.run(on: connection)
        } catch {
            rollBack(connection)
            job.finish(failure: nil)
            return
        }
        do {
            try connection.run("COMMIT")
            job.finish(failure: nil)
        } catch {
            rollBack(connection)
            job.finish(failure: error)
        }
    }

    private static func rollBack(_ connection: SQLiteConnection) {
        guard connection.isInTransaction else { return }
        try? connection.run("ROLLBACK")  // a failed one leaves no transaction either; the next BEGIN would say so
    }
}
