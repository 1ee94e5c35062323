// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import Synchronization

/// The bus of a cloud on one node. Bodies are bytes all the same, so what works here works through a broker.
///
/// Handlers run as background tasks: a caller that gives up does not end the work.
package final class InProcessBus: MessageBus {
    package struct Limits: Sendable {
        /// Calls and casts of one server that run at the same time; more are refused.
        package var requestsPerServer = 1000
        /// Events that wait for one subscriber; more are dropped.
        package var eventsPerSubscriber = 10_000
        package init() {}
    }

    private struct Address: Hashable {
        let topic: String
        let host: String
    }
    private struct State {
        var servers: [Address: Server] = [:]
        var subscribers: [String: [EventLane]] = [:]
    }

    private let tasks: BackgroundTasks
    private let limits: Limits
    private let state = Mutex(State())
    private let log = Logger("bus")

    /// `tasks` must run before the services that use the bus and end after them.
    package init(tasks: BackgroundTasks, limits: Limits = Limits()) {
        self.tasks = tasks
        self.limits = limits
    }

    package func call(
        topic: String, host: String, method: String, body: [UInt8], timeout: Duration
    ) async throws -> [UInt8] {
        let server = try server(topic, host)
        let answer = Answer()
        try start(server, method, body) { answer.put($0) }
        let reply: [UInt8]
        do {
            reply = try await withTimeout(timeout, "The \(topic) service on host \(host)") { try await answer.wait() }
        } catch let error as CloudError where error.code == .unavailable {
            log.warning("no answer", ["topic": topic, "host": host, "method": method])
            throw error
        }
        return try BusReply.decode(reply)
    }

    package func cast(topic: String, host: String, method: String, body: [UInt8]) async throws {
        let log = log
        try start(try server(topic, host), method, body) { reply in
            do {
                _ = try BusReply.decode(reply)
            } catch {
                log.warning("cast failed", ["topic": topic, "host": host, "method": method, "error": "\(error)"])
            }
        }
    }

    package func publish(event: String, body: [UInt8]) async throws {
        let lanes = state.withLock { $0.subscribers[event] ?? [] }
        for lane in lanes where !lane.append(body, limit: limits.eventsPerSubscriber, tasks) {
            log.warning("event dropped", ["event": event])
        }
    }

    package func serve(
        topic: String, host: String, _ handler: @escaping BusHandler
    ) async throws -> BusRegistration {
        let address = Address(topic: topic, host: host)
        let server = Server(handler: handler)
        let isNew = state.withLock { state in
            guard state.servers[address] == nil else { return false }
            state.servers[address] = server
            return true
        }
        guard isNew else {
            throw CloudError(.conflict, "There is a \(topic) service on host \(host) already.")
        }
        return BusRegistration { [weak self] in
            self?.state.withLock { state in
                if state.servers[address] === server { state.servers[address] = nil }
            }
        }
    }

    package func subscribe(event: String, _ handler: @escaping BusEventHandler) async throws -> BusRegistration {
        let lane = EventLane(handler: handler)
        state.withLock { $0.subscribers[event, default: []].append(lane) }
        return BusRegistration { [weak self] in
            self?.state.withLock { $0.subscribers[event]?.removeAll { $0 === lane } }
        }
    }

    private func server(_ topic: String, _ host: String) throws -> Server {
        guard let server = state.withLock({ $0.servers[Address(topic: topic, host: host)] }) else {
            throw CloudError(.unavailable, "The \(topic) service on host \(host) is not answering.")
        }
        return server
    }

    private func start(
        _ server: Server, _ method: String, _ body: [UInt8], _ finish: @escaping @Sendable ([UInt8]) -> Void
    ) throws {
        let isStarted =
            server.enter(limit: limits.requestsPerServer)
            && tasks.spawn("bus request") {
                let result: Result<[UInt8], any Error>
                do {
                    result = .success(try await server.handler(method, body))
                } catch {
                    result = .failure(error)
                }
                server.leave()
                finish(BusReply.encode(result))
            }
        guard isStarted else {
            throw CloudError(.unavailable, "The service is busy. Please retry later.", cause: "too many \(method)")
        }
    }
}

private final class Server: Sendable {
    let handler: BusHandler
    private let requests = Atomic<Int>(0)

    init(handler: @escaping BusHandler) { self.handler = handler }

    func enter(limit: Int) -> Bool {
        guard requests.add(1, ordering: .relaxed).newValue <= limit else {
            leave()
            return false
        }
        return true
    }

    func leave() { requests.subtract(1, ordering: .relaxed) }
}

/// The place where an answer is put, and awaited by one.
private final class Answer: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<[UInt8], any Error>)
        case here([UInt8])
        case over
    }
    private let state = Mutex(State.empty)

    func put(_ reply: [UInt8]) {
        let continuation = state.withLock { state -> CheckedContinuation<[UInt8], any Error>? in
            switch state {
            case .empty: state = .here(reply)
            case .waiting(let continuation):
                state = .over
                return continuation
            case .here, .over: break
            }
            return nil
        }
        continuation?.resume(returning: reply)
    }

    /// Throws `CancellationError` when the task is cancelled; the answer is then thrown away.
    func wait() async throws -> [UInt8] {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer: Result<[UInt8], any Error>? = state.withLock { state in
                    if case .here(let reply) = state {
                        state = .over
                        return .success(reply)
                    }
                    // Checked under the lock: the handler below takes it too, so no cancellation falls between.
                    guard case .empty = state, !Task.isCancelled else { return .failure(CancellationError()) }
                    state = .waiting(continuation)
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let continuation = state.withLock { state -> CheckedContinuation<[UInt8], any Error>? in
                guard case .waiting(let continuation) = state else { return nil }
                state = .over
                return continuation
            }
            continuation?.resume(throwing: CancellationError())
        }
    }
}

/// The events for one subscriber, in order. A task works while there are any.
private final class EventLane: Sendable {
    private struct State {
        var events = FIFO<[UInt8]>()
        var isWorking = false
    }
    private let handler: BusEventHandler
    private let state = Mutex(State())

    init(handler: @escaping BusEventHandler) { self.handler = handler }

    /// False: too many wait, or the process is stopping.
    func append(_ event: [UInt8], limit: Int, _ tasks: BackgroundTasks) -> Bool {
        let (isAccepted, needsTask) = state.withLock { state in
            guard state.events.count < limit else { return (false, false) }
            state.events.append(event)
            defer { state.isWorking = true }
            return (true, !state.isWorking)
        }
        guard needsTask else { return isAccepted }
        let isStarted = tasks.spawn("bus events") { await self.work() }
        if !isStarted { state.withLock { $0 = State() } }
        return isStarted
    }

    private func work() async {
        while true {
            let event = state.withLock { state in
                let event = state.events.popFirst()
                if event == nil { state.isWorking = false }
                return event
            }
            guard let event else { return }
            await handler(event)
        }
    }
}
