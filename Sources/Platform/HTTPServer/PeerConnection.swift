// SPDX-License-Identifier: Apache-2.0
import CMicroHTTPD
import Glibc
import Synchronization

/// libmicrohttpd's connection.
///
/// SAFETY: the pointer is used only while the exchange or peer that holds it has not been told of the end, under
/// that object's lock; libmicrohttpd's calls made here may come from any thread.
struct ConnectionHandle: @unchecked Sendable {
    let pointer: OpaquePointer
}

/// One TCP connection, from accept to close.
final class PeerConnection: Sendable {
    private struct State {
        var exchange: Exchange?
        /// Since when it waits for a request, or for the rest of a header.
        var since: Int64
        var isClosed = false
    }

    let acceptor: Acceptor
    let worker: Worker
    let remoteAddress: String
    let descriptor: Int32
    private let state: Mutex<State>

    init(descriptor: Int32, acceptor: Acceptor, worker: Worker, remoteAddress: String) {
        self.descriptor = descriptor
        self.acceptor = acceptor
        self.worker = worker
        self.remoteAddress = remoteAddress
        state = Mutex(State(since: Monotonic.milliseconds()))
    }

    var exchange: Exchange? { state.withLock { $0.exchange } }

    func begin(_ exchange: Exchange) {
        state.withLock { state in
            state.exchange = exchange
            state.since = Monotonic.milliseconds()
        }
    }

    func endExchange() {
        state.withLock { state in
            state.exchange = nil
            state.since = Monotonic.milliseconds()
        }
    }

    /// Before libmicrohttpd closes the descriptor.
    func closed() {
        state.withLock { $0.isClosed = true }
    }

    /// Ends the connection once what is under way has been answered: the server reads an end of file.
    func closeWhenIdle() { shut(Int32(SHUT_RD)) }

    /// Cuts connections that send too slowly, or whose client has gone. Called once a second.
    func enforce(_ limits: HTTPLimits, now: Int64) {
        let (exchange, since) = state.withLock { ($0.exchange, $0.since) }
        if exchange?.isAwaitingClient ?? true { cutIfEnded() }
        let isSlow =
            if let exchange {
                exchange.isTooSlow(limits, now: now, since: since)
            } else {
                now - since > limits.idleTime.milliseconds + limits.headerTime.milliseconds
            }
        if isSlow { shut(Int32(SHUT_RDWR)) }
    }

    /// libmicrohttpd overlooks an end of file that comes together with data, and would wait for its idle time.
    private func cutIfEnded() {
        let isEnded = state.withLock { state in
            var byte: UInt8 = 0
            return !state.isClosed && recv(descriptor, &byte, 1, SocketFlags.noWait | Int32(MSG_PEEK)) == 0
        }
        if isEnded { shut(Int32(SHUT_RDWR)) }
    }

    private func shut(_ how: Int32) {
        state.withLock { state in
            // Under the lock that `closed` takes, so the number still means this connection.
            if !state.isClosed { shutdown(descriptor, how) }
        }
    }
}
