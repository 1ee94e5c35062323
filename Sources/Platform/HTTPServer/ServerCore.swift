// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LifecycleKit
import LogKit
import Synchronization

/// What all parts of a running server share.
final class ServerCore: Sendable {
    private struct State {
        var peers: [ObjectIdentifier: PeerConnection] = [:]
        var webSockets: [ObjectIdentifier: WebSocket] = [:]
    }

    let handler: any HTTPHandler
    let limits: HTTPLimits
    let loop = EventLoop()
    let requests: BackgroundTasks
    let log = Logger("http")
    /// Woken when a request ends during the stop.
    let requestEnd = Signal()
    private let state = Mutex(State())
    private let running = Atomic<Int>(0)
    /// Finish what runs, keep no connection.
    private let draining = Atomic(false)
    /// Finish nothing: no callback may suspend a connection any more.
    private let aborting = Atomic(false)

    init(handler: any HTTPHandler, limits: HTTPLimits) {
        self.handler = handler
        self.limits = limits
        requests = BackgroundTasks("http-requests", limit: limits.requests, drainLimit: .seconds(5))
    }

    var isDraining: Bool { draining.load(ordering: .relaxed) }
    var isAborting: Bool { aborting.load(ordering: .sequentiallyConsistent) }
    var runningRequests: Int { running.load(ordering: .relaxed) }
    var connectionCount: Int { state.withLock { $0.peers.count } }

    // MARK: Connections

    func started(_ peer: PeerConnection) {
        peer.acceptor.opened()
        state.withLock { $0.peers[ObjectIdentifier(peer)] = peer }
    }

    func ended(_ peer: PeerConnection) {
        peer.closed()
        peer.acceptor.closed()
        state.withLock { _ = $0.peers.removeValue(forKey: ObjectIdentifier(peer)) }
    }

    func closeConnections(tag: String) {
        for peer in peers where peer.acceptor.tag == tag { peer.closeWhenIdle() }
    }

    private var peers: [PeerConnection] { state.withLock { Array($0.peers.values) } }

    func enforceLimits() {
        let now = Monotonic.milliseconds()
        for peer in peers { peer.enforce(limits, now: now) }
    }

    // MARK: Requests

    /// False: too many run, or the server stops.
    func run(_ body: @escaping @Sendable () async -> Void) -> Bool {
        requests.spawn("request", body)
    }

    func requestBegan() { running.add(1, ordering: .relaxed) }
    func requestEnded() {
        running.subtract(1, ordering: .relaxed)
        if isDraining { requestEnd.wake() }
    }

    // MARK: WebSockets

    func add(_ webSocket: WebSocket) {
        state.withLock { $0.webSockets[ObjectIdentifier(webSocket)] = webSocket }
    }

    func remove(_ webSocket: WebSocket) {
        state.withLock { _ = $0.webSockets.removeValue(forKey: ObjectIdentifier(webSocket)) }
    }

    private var webSockets: [WebSocket] { state.withLock { Array($0.webSockets.values) } }

    // MARK: Stop

    /// Waits until no request runs, at most for the limit.
    func untilIdle() async {
        let deadline = Monotonic.milliseconds() + limits.stopTime.milliseconds
        while runningRequests > 0, Monotonic.milliseconds() < deadline {
            await requestEnd.wait(atMost: .milliseconds(deadline - Monotonic.milliseconds()))
        }
    }

    /// From now on each answer closes its connection, and connections without a request are closed.
    func drain() {
        draining.store(true, ordering: .sequentiallyConsistent)
        for webSocket in webSockets { webSocket.goAway() }
        for peer in peers where peer.exchange == nil { peer.closeWhenIdle() }
    }

    /// Ends every exchange, so that no connection is suspended when the workers stop: libmicrohttpd forbids it.
    func abort() {
        aborting.store(true, ordering: .sequentiallyConsistent)
        for webSocket in webSockets { webSocket.tearDown() }
        for peer in peers { peer.exchange?.abort() }
    }
}
