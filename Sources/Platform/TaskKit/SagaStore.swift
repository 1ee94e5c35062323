// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// The table of runs.
package enum SagaMigrations {
    package static let all = [
        Migration(
            "task-0001-saga-runs",
            [
                """
                CREATE TABLE saga_runs (
                    id TEXT NOT NULL PRIMARY KEY,
                    saga TEXT NOT NULL,
                    state TEXT NOT NULL,
                    direction TEXT NOT NULL,
                    step BIGINT NOT NULL,
                    attempts BIGINT NOT NULL,
                    ledger TEXT NOT NULL,
                    error TEXT,
                    stuck_steps TEXT NOT NULL,
                    holder TEXT NOT NULL,
                    lease_expires_at BIGINT NOT NULL,
                    created_at BIGINT NOT NULL,
                    updated_at BIGINT NOT NULL,
                    deadline BIGINT NOT NULL)
                """,
                "CREATE INDEX saga_runs_by_state ON saga_runs (state, updated_at)",
            ])
    ]
}

/// SQL of `saga_runs`. Every change names the holder, so a process that lost its lease changes nothing.
struct SagaStore: Sendable {
    let holder: String

    private static let columns: SQL =
        "id, saga, state, direction, step, attempts, ledger, error, stuck_steps, created_at, deadline"

    func insert(
        _ run: SagaRecord, leaseUntil lease: Timestamp, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO saga_runs (\(Self.columns), holder, lease_expires_at, updated_at)
            VALUES (\(run.id), \(run.saga), \(run.state.rawValue), \(run.direction.rawValue), \(run.step),
                    \(run.attempts), \(run.ledger), NULL, '', \(run.createdAt), \(run.deadline), \(holder), \(lease),
                    \(run.createdAt))
            """)
    }

    /// False: another process holds the run now.
    func save(_ run: SagaRecord, at now: Timestamp, _ transaction: any Transaction) throws -> Bool {
        let error = try run.error.map { try JSONValueEncoder.text($0) }
        return try transaction.execute(
            """
            UPDATE saga_runs
               SET state = \(run.state.rawValue), direction = \(run.direction.rawValue), step = \(run.step),
                   attempts = \(run.attempts), ledger = \(run.ledger), error = \(error),
                   stuck_steps = \(run.stuckSteps.joined(separator: ",")), updated_at = \(now)
             WHERE id = \(run.id) AND holder = \(holder) AND state = 'running'
            """) == 1
    }

    func load(_ id: SagaRunID, _ transaction: any Transaction) throws -> SagaRecord? {
        try transaction.first("SELECT \(Self.columns) FROM saga_runs WHERE id = \(id)") { try Self.record($0) }
    }

    /// The run, when it has not ended and this process holds it.
    func loadHeld(_ id: SagaRunID, _ transaction: any Transaction) throws -> SagaRecord? {
        try transaction.first(
            "SELECT \(Self.columns) FROM saga_runs WHERE id = \(id) AND holder = \(holder) AND state = 'running'"
        ) { try Self.record($0) }
    }

    /// Makes this process the holder of runs whose lease has ended (of all, when it is the only process). How many.
    func takeOver(
        all: Bool, at now: Timestamp, leaseUntil lease: Timestamp, _ transaction: any Transaction
    ) throws -> Int {
        let condition: SQL = all ? "" : "AND lease_expires_at < \(now)"
        return try transaction.execute(
            """
            UPDATE saga_runs SET holder = \(holder), lease_expires_at = \(lease)
             WHERE state = 'running' AND holder <> \(holder) \(condition)
            """)
    }

    func renew(until lease: Timestamp, _ transaction: any Transaction) throws {
        try transaction.execute(
            "UPDATE saga_runs SET lease_expires_at = \(lease) WHERE state = 'running' AND holder = \(holder)")
    }

    /// Unfinished runs of this process, oldest first.
    func held(limit: Int, _ transaction: any Transaction) throws -> [SagaRunID] {
        try transaction.query(
            """
            SELECT id FROM saga_runs WHERE state = 'running' AND holder = \(holder)
             ORDER BY created_at, id LIMIT \(limit)
            """
        ) { $0.id(0) }
    }

    /// Removes the records of runs that ended before `time`; those with a stuck undo stay for the operator.
    func purge(endedBefore time: Timestamp, _ transaction: any Transaction) throws {
        try transaction.execute(
            "DELETE FROM saga_runs WHERE state IN ('finished', 'failed') AND updated_at < \(time)")
    }

    struct Overview: Sendable {
        var running = 0
        var purgeable = 0
        var stuck = 0
    }

    func overview(endedBefore time: Timestamp, _ transaction: any Transaction) throws -> Overview {
        try transaction.first(
            """
            SELECT (SELECT count(*) FROM saga_runs WHERE state = 'running'),
                   (SELECT count(*) FROM saga_runs WHERE state IN ('finished', 'failed') AND updated_at < \(time)),
                   (SELECT count(*) FROM saga_runs WHERE state = 'stuck-undo')
            """
        ) { Overview(running: $0.int(0), purgeable: $0.int(1), stuck: $0.int(2)) } ?? Overview()
    }

    private static func record(_ row: any Row) throws -> SagaRecord {
        guard let state = SagaRecord.State(rawValue: row.text(2)),
            let direction = SagaRecord.Direction(rawValue: row.text(3))
        else { throw DatabaseError.failed("saga run \(row.text(0)) has the unknown state \(row.text(2))") }
        let error = try row.textOrNil(7).map { try JSONValueDecoder.decode(CloudError.self, from: $0) }
        return SagaRecord(
            id: row.id(0), saga: row.text(1), state: state, direction: direction, step: row.int(4),
            attempts: row.int(5), ledger: row.text(6), error: error,
            stuckSteps: row.text(8).split(separator: ",").map(String.init), createdAt: row.timestamp(9),
            deadline: row.timestamp(10))
    }
}
