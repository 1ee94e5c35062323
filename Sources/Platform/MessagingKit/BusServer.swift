// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import Synchronization

/// Answers the messages of one topic on one host, and hears events, while it runs.
///
///     let server = BusServer(bus, topic: "compute", host: "node-1")
///     server.handle(BuildServer.self) { message in try await agent.build(message) }
package final class BusServer: Service {
    package let name: String
    private let bus: any MessageBus
    private let topic: String
    private let host: String
    private let log = Logger("bus")

    private struct State {
        var handlers: [String: BusHandler] = [:]
        var subscriptions: [(event: String, handler: BusEventHandler)] = []
        var isRunning = false
    }
    private let state = Mutex(State())

    package init(_ bus: any MessageBus, topic: String, host: String) {
        self.bus = bus
        self.topic = topic
        self.host = host
        name = "bus server \(topic) on \(host)"
    }

    /// Before `run`. Calls of one host run side by side: what must not overlap goes through a `KeyedSerialQueue`.
    package func handle<M: BusMessage>(
        _: M.Type, _ body: @escaping @Sendable (M) async throws -> M.Reply
    ) {
        let name = M.name.description
        precondition(BusCodec.topic(of: name) == topic, "\(name) is not of the topic \(topic)")
        let isNew = state.withLock { state in
            precondition(!state.isRunning, "handler after the start")
            return state.handlers.updateValue(
                { _, bytes in
                    let message = try BusCodec.decode(M.self, name, version: M.version, from: bytes)
                    return try JSONValueEncoder.bytes(try await body(message))
                }, forKey: name) == nil
        }
        precondition(isNew, "two handlers of \(name)")
    }

    /// Before `run`. Events of one name come one after the other.
    package func hear<E: BusEvent>(_: E.Type, _ body: @escaping @Sendable (E) async throws -> Void) {
        let (name, log) = (E.name.description, log)
        let handler: BusEventHandler = { bytes in
            do {
                try await body(BusCodec.decode(E.self, name, version: E.version, from: bytes))
            } catch {
                // Events are hints: a reconciler finds out what this one would have said.
                log.warning("event not handled", ["event": name, "error": "\(error)"])
            }
        }
        state.withLock { state in
            precondition(!state.isRunning, "subscription after the start")
            state.subscriptions.append((name, handler))
        }
    }

    package func run() async throws {
        let registrations = try await register()
        await Signal().wait()
        for registration in registrations { registration.cancel() }
    }

    /// Registers at once, without `run`; for tests, and for roles that must serve before their services start.
    package func register() async throws -> [BusRegistration] {
        let (handlers, subscriptions) = state.withLock { state in
            state.isRunning = true
            return (state.handlers, state.subscriptions)
        }
        var registrations: [BusRegistration] = []
        for subscription in subscriptions {
            registrations.append(try await bus.subscribe(event: subscription.event, subscription.handler))
        }
        guard !handlers.isEmpty else { return registrations }
        registrations.append(
            try await bus.serve(topic: topic, host: host) { method, body in
                guard let handler = handlers[method] else {
                    throw CloudError(
                        .unavailable, "A part of the cloud is being upgraded. Please retry later.",
                        cause: "no handler of \(method)")
                }
                return try await handler(method, body)
            })
        return registrations
    }
}
