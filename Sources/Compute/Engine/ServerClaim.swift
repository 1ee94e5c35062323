// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import PolicyKit
import TaskKit

/// A run's hold on the row of a server that it works on. Every change asks whether the row still names the run: a
/// deletion, and an administrator's reset, take it away.
struct ServerClaim: Sendable {
    let parts: ComputeParts
    let server: ServerID
    let work: ServerWork
    /// The request on the server's timeline.
    let request: String

    /// What goes into the same transaction as a change.
    typealias Extra = @Sendable (Server, any Transaction) throws -> Void

    init(_ parts: ComputeParts, _ server: ServerID, _ work: ServerWork, request: String) {
        self.parts = parts
        self.server = server
        self.work = work
        self.request = request
    }

    /// The server, if its row still names this run.
    func held() async throws -> Server {
        guard let server = try await heldIfAny() else { throw lost }
        return server
    }

    func heldIfAny() async throws -> Server? {
        let (stores, run, id) = (parts.stores, SagaRun.id, server)
        return try await parts.database.read { transaction in
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == run, !server.isDeleted
            else { return nil }
            return server
        }
    }

    var lost: CloudError {
        CloudError(
            .conflict, "Instance \(server) was taken by another operation.", kind: "UnexpectedTaskStateError")
    }

    /// To the next part of the work.
    @discardableResult
    func advance(to task: ServerTask, _ extra: @escaping Extra = { _, _ in }) async throws -> Server {
        let (stores, run, id, work, now, lost) = (parts.stores, SagaRun.id, server, work, parts.clock.now(), lost)
        return try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == run,
                !server.isDeleted, let state = server.state.after(.workAdvanced(work, task)),
                try stores.servers.move(server, to: state, run: run, at: now, transaction)
            else { throw lost }
            try extra(server, transaction)
            return server
        }
    }

    /// The end of the work, and of its entry in the timeline. A try that committed and could not say so is not
    /// repeated, whatever has been begun with the server since; throws when another run took the row before.
    func finish(
        as result: VMState? = nil, power: PowerState? = nil, host: String?, _ extra: @escaping Extra = { _, _ in }
    ) async throws {
        let (stores, run, id, work, now, lost) = (parts.stores, SagaRun.id, server, work, parts.clock.now(), lost)
        let request = request
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else { throw lost }
            let wanted = result ?? server.state.vm
            guard server.sagaRun == run else {
                let isDone = try stores.actions.hasSucceeded(id, request: request, event: work.eventName, transaction)
                guard isDone || (server.sagaRun == nil && server.state.vm == wanted) else { throw lost }
                return
            }
            guard let state = server.state.after(.workFinished(work, wanted)),
                try stores.servers.move(server, to: state, run: nil, power: power, at: now, transaction)
            else { throw lost }
            if server.fault != nil, wanted != .error { try stores.servers.setFault(id, nil, transaction) }
            try stores.actions.finish(id, request: request, error: nil, host: host, at: now, transaction)
            try extra(server, transaction)
        }
    }

    /// The end of the work without its result; for `failed` of sagas. `result` nil: the server is what it was.
    func fail(
        _ error: CloudError, as result: VMState? = nil, host: String?, _ extra: @escaping Extra = { _, _ in }
    ) async throws {
        let (stores, run, id, work, now, request) = (
            parts.stores, SagaRun.id, server, work, parts.clock.now(), request
        )
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), server.sagaRun == run, !server.isDeleted,
                let state = server.state.after(.workFailed(work, result ?? server.state.vm))
            else {
                // The row is another's; the timeline is this run's all the same.
                return try stores.actions.finish(id, request: request, error: error, host: host, at: now, transaction)
            }
            _ = try stores.servers.move(server, to: state, run: nil, at: now, transaction)
            try stores.servers.setFault(id, ServerFault(error, at: now), transaction)
            try stores.actions.finish(id, request: request, error: error, host: host, at: now, transaction)
            try extra(server, transaction)
        }
    }
}

extension ServerEngine {
    /// One server that `work` may begin with, for a caller who may do it. Throws upstream's refusals in upstream's order:
    /// absent, forbidden, locked, in the wrong state.
    func server(
        _ id: ServerID, for work: ServerWork, _ context: CallContext, as policy: PolicyName, checksLock: Bool = true
    ) async throws -> Server {
        let server = try await server(id, for: context, as: policy)
        if checksLock { try Self.checkLock(server, context) }
        guard server.state.after(.workRequested(work)) != nil else { throw Self.invalidState(server, work.rawValue) }
        return server
    }

    static func notReady(_ id: ServerID) -> CloudError {
        .conflict("Instance \(id) is not ready", kind: "InstanceNotReady")
    }

    /// Takes the row, notes the work in the timeline and lets `start` record the run, all in one transaction.
    func begin(
        _ work: ServerWork, on id: ServerID, for context: CallContext, run: SagaRunID? = nil,
        _ start: @escaping @Sendable (Server, SagaRunID, any Transaction) throws -> Void
    ) async throws {
        let run = run ?? parts.ids.next()
        let (stores, now, request, user) = (stores, parts.clock.now(), context.requestID, context.principal.userID)
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else {
                throw Self.notFound(id)
            }
            guard let state = server.state.after(.workRequested(work)),
                try stores.servers.move(server, to: state, run: run, at: now, transaction)
            else { throw Self.invalidState(server, work.rawValue) }
            try stores.actions.begin(
                id, action: work.rawValue, event: work.eventName, request: request, user: user,
                project: server.projectID, at: now, transaction)
            try start(server, run, transaction)
        }
    }
}
