// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPKit
import LifecycleKit
import LogKit
import Synchronization

/// An HTTP/1.1 server on GNU libmicrohttpd.
///
/// Listeners come and go while it runs and cost one descriptor each. Bodies stream both ways with back pressure.
/// A handler runs as a task of its own. When its client goes away, reads from the request's body throw and the
/// stream of the response's body is no longer read.
package final class HTTPServer: Service {
    private struct State {
        /// Given before the start.
        var waiting: [Listener]
        var isOpen = false
        var acceptors: [Acceptor] = []
        var plain: WorkerGroup?
        var secure: [TLSIdentity: WorkerGroup] = [:]
    }

    package let name = "http"
    private let core: ServerCore
    private let threads: Int
    private let state: Mutex<State>

    package init(listeners: [Listener], handler: any HTTPHandler, limits: HTTPLimits = HTTPLimits()) {
        core = ServerCore(handler: handler, limits: limits)
        threads = limits.threads ?? max(1, min(4, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        state = Mutex(State(waiting: listeners))
    }

    // MARK: Listeners

    /// Opens the listeners and answers from now on. `run` does it by itself; call it before, to learn early that an
    /// address is taken, or which port was given.
    package func open() throws {
        let listeners: [Listener] = state.withLock { state in
            guard !state.isOpen else { return [] }
            state.isOpen = true
            // A client that went away is an error of the write, not the end of the process.
            signal(SIGPIPE, SIG_IGN)
            core.loop.start { [core] in core.enforceLimits() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for listener in listeners { try addListener(listener) }
    }

    /// Adds a listener, at any time. Throws when the address is taken or the certificate is not usable.
    package func addListener(_ listener: Listener) throws {
        try state.withLock { state in
            guard state.isOpen else {
                state.waiting.append(listener)
                return
            }
            let workers = try Self.workers(for: listener.tls, &state, core, threads)
            let descriptor = try ListeningSocket.open(listener.socket)
            let acceptor = Acceptor(listener, descriptor: descriptor, workers: workers, core: core)
            state.acceptors.append(acceptor)
            core.loop.add(descriptor, EventLoop.readable, acceptor)
        }
    }

    /// Closes every listener with this tag, and its connections once their requests have been answered.
    package func removeListener(tag: String) {
        let removed = state.withLock { state in
            state.waiting.removeAll { $0.tag == tag }
            defer { state.acceptors.removeAll { $0.tag == tag } }
            return state.acceptors.filter { $0.tag == tag }
        }
        guard !removed.isEmpty else { return }
        core.loop.perform { [core] in
            for acceptor in removed { acceptor.close() }
            core.closeConnections(tag: tag)
        }
    }

    /// The ports of the open listeners with this tag.
    package func ports(tag: String = "") -> [UInt16] {
        state.withLock { $0.acceptors.filter { $0.tag == tag }.map(\.port) }
    }

    package var connectionCount: Int { core.connectionCount }
    package var requestCount: Int { core.runningRequests }

    /// Shows both counts among the metrics of the process. For its main server.
    package func addMetrics(to registry: MetricsRegistry = .shared) {
        registry.computed("haneul_http_connections", "Open connections.") { [core] in Double(core.connectionCount) }
        registry.computed("haneul_http_requests_running", "Requests being answered.") { [core] in
            Double(core.runningRequests)
        }
    }

    private static func workers(
        for tls: TLSIdentity?, _ state: inout State, _ core: ServerCore, _ threads: Int
    ) throws -> WorkerGroup {
        if let existing = tls.map({ state.secure[$0] }) ?? state.plain { return existing }
        let group = try WorkerGroup(core, threads: threads, tls: tls)
        if let tls { state.secure[tls] = group } else { state.plain = group }
        return group
    }

    // MARK: Service

    package func run() async throws {
        try open()
        await Signal().wait()
        await shielded { await self.stop() }
    }

    /// Accepts nothing more, lets running requests end within the limit, then cuts the rest.
    private func stop() async {
        let acceptors = state.withLock { state in
            defer { state.acceptors = [] }
            return state.acceptors
        }
        core.loop.perform { for acceptor in acceptors { acceptor.close() } }
        await core.loop.barrier()
        core.drain()
        await core.untilIdle()
        core.abort()
        await core.loop.barrier()
        await core.requests.drain()
        let groups = state.withLock { state in
            defer { (state.plain, state.secure) = (nil, [:]) }
            return [state.plain].compactMap { $0 } + state.secure.values
        }
        await withCheckedContinuation { continuation in
            // Joins threads, so not on the cooperative pool.
            SystemThread.start("http-stop") { [core] in
                for group in groups { group.stop() }
                core.loop.stop()
                continuation.resume()
            }.detach()
        }
    }
}
