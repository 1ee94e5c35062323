// SPDX-License-Identifier: Apache-2.0
import DatabaseKit
import LogKit

/// Runs closures that wait at the same time in one transaction, each in a savepoint of its own.
struct SQLiteBatch {
    /// A commit comes at the latest after so many closures, or so much time: the first of them waits for it.
    private static let limit = 256
    private static let time = Duration.milliseconds(20)
    /// Longer ones are logged: every other writer waited.
    private static let slowTime = Duration.milliseconds(500)
    private static let log = Logger("database")

    private let connection: SQLiteConnection
    /// Between a commit and the answers to those who wait for it.
    private let sync: () throws -> Void

    init(_ connection: SQLiteConnection, sync: @escaping () throws -> Void = {}) {
        self.connection = connection
        self.sync = sync
    }

    /// Runs `first` and what `next` gives until it has none, or the batch is full.
    func write(_ first: any SQLiteJob, next: () -> (any SQLiteJob)?) {
        do {
            try connection.run("BEGIN IMMEDIATE")
        } catch {
            first.finish(failure: error)
            return
        }
        let start = ContinuousClock.now
        var done: [any SQLiteJob] = []
        var following: (any SQLiteJob)? = first
        do {
            while let job = following {
                done.append(job)
                try inSavepoint(job)
                let isFull = done.count >= Self.limit || ContinuousClock.now - start > Self.time
                following = isFull ? nil : next()
            }
            try connection.run("COMMIT")
            SQLiteMetrics.commits.add()
            SQLiteMetrics.writes.add(done.count)
        } catch {
            rollBack()
            // One of them made the commit impossible (a deferred constraint, a full disk). Alone, each gets its own
            // answer. Closures may run again: that is the contract.
            Self.log.warning("shared commit failed", ["writes": done.count, "error": "\(error)"])
            for job in done { single(job) }
            return
        }
        let failure = synced()
        for job in done { job.finish(failure: failure) }
        let elapsed = ContinuousClock.now - start
        SQLiteMetrics.commitTime.observe(elapsed)
        if elapsed > Self.slowTime { Self.log.warning("slow write", ["writes": done.count, "time": "\(elapsed)"]) }
    }

    /// A transaction for one closure alone.
    func single(_ job: any SQLiteJob) {
        do {
            try connection.run(job.isWrite ? "BEGIN IMMEDIATE" : "BEGIN")
        } catch {
            job.finish(failure: error)
            return
        }
        do {
            try job.run(on: connection)
        } catch {
            rollBack()
            job.finish(failure: nil)
            return
        }
        do {
            try connection.run("COMMIT")
            job.finish(failure: job.isWrite ? synced() : nil)
        } catch {
            rollBack()
            job.finish(failure: error)
        }
    }

    private func synced() -> (any Error)? {
        do {
            try sync()
            return nil
        } catch {
            return error
        }
    }

    /// Throws only when the transaction around the closure is lost; what the closure throws is its caller's.
    private func inSavepoint(_ job: any SQLiteJob) throws {
        try connection.run("SAVEPOINT one")
        do {
            try job.run(on: connection)
        } catch {
            guard connection.isInTransaction else { throw error }
            try connection.run("ROLLBACK TO one")
        }
        try connection.run("RELEASE one")
    }

    private func rollBack() {
        guard connection.isInTransaction else { return }
        try? connection.run("ROLLBACK")  // a failed one leaves no transaction either; the next BEGIN would say so
    }
}
