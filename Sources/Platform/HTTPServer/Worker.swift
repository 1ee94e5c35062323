// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLinux
import CMicroHTTPD
import Glibc
import HTTPKit
import LifecycleKit
import Synchronization

/// One libmicrohttpd daemon and the thread that runs it. Connections are handed to it.
///
/// libmicrohttpd 0.9.75 can wait by itself, but then stalls when exactly 128 connections become ready at once: it
/// waits for more before it serves them. So this thread waits, and libmicrohttpd only works.
final class Worker: Sendable {
    /// SAFETY: after the start only the worker's thread uses the daemon, which also stops it. The exceptions are
    /// libmicrohttpd's calls to queue a response and to resume, which are made for any thread.
    private struct Daemon: @unchecked Sendable {
        let pointer: OpaquePointer
        /// PEM texts that the daemon reads as long as it lives.
        let texts: [UnsafeMutablePointer<CChar>]
    }

    private struct Arrival {
        let descriptor: Int32
        let address: SocketAddress
        let acceptor: Acceptor
    }

    private struct State {
        var daemon: Daemon?
        var thread: SystemThread?
        var arrivals: [Arrival] = []
        var isStopped = false
        /// The connection that libmicrohttpd is being given. On the worker's thread.
        var adopting: Arrival?
    }

    let core: ServerCore
    private let wakeup: Int32
    /// Whether the thread will look for work without being woken.
    private let isAwake = Atomic(false)
    private let state = Mutex(State())

    init(_ core: ServerCore, connectionLimit: Int, tls: TLSIdentity?) throws {
        self.core = core
        wakeup = clinux_eventfd()
        var settings = cmhd_settings()
        settings.connection_limit = UInt32(clamping: connectionLimit)
        settings.timeout_seconds = UInt32(clamping: max(1, core.limits.idleTime.components.seconds))
        // libmicrohttpd reads the header into half of this and lets it grow, keeps a record of each header and each part of
        // the query, of which two bytes may be one, and writes the answer's headers. What is not used is never touched.
        settings.connection_memory = 2 * core.limits.headerBytes + 48 * core.limits.urlBytes + 4096
        settings.closure = Unmanaged.passUnretained(self).toOpaque()
        settings.access = workerAccess
        settings.completed = workerCompleted
        settings.connection = workerConnection
        settings.uri = workerURI
        var texts: [UnsafeMutablePointer<CChar>] = []
        if let tls {
            texts = [strdup(tls.certificate), strdup(tls.key.reveal())]
            settings.certificate = UnsafePointer(texts[0])
            settings.key = UnsafePointer(texts[1])
        }
        guard wakeup >= 0, let pointer = cmhd_start(&settings) else {
            Self.erase(texts)
            throw CloudError(
                .unavailable,
                tls == nil ? "The HTTP server could not start." : "The TLS certificate or key is not usable.",
                cause: "errno \(errno)")
        }
        let daemon = Daemon(pointer: pointer, texts: texts)
        // The thread holds the worker, so the daemon's closure lives until the daemon has been stopped.
        let thread = SystemThread.start("http-worker") { [self] in run(daemon) }
        state.withLock { state in
            state.daemon = daemon
            state.thread = thread
        }
    }

    deinit { close(wakeup) }

    /// Hands over an accepted connection.
    func add(_ descriptor: Int32, _ address: SocketAddress, from acceptor: Acceptor) {
        let isTaken = state.withLock { state in
            guard !state.isStopped else { return false }
            state.arrivals.append(Arrival(descriptor: descriptor, address: address, acceptor: acceptor))
            return true
        }
        if isTaken { wake() } else { close(descriptor) }
    }

    /// After every resume: libmicrohttpd does not notice by itself.
    func wake() {
        guard !isAwake.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = write(wakeup, &one, 8)
    }

    /// Blocks until the thread has ended. No connection may be suspended any more.
    func stop() {
        let thread = state.withLock { state in
            state.isStopped = true
            defer { state.thread = nil }
            return state.thread
        }
        wake()
        thread?.join()
    }

    // MARK: The thread

    private func run(_ daemon: Daemon) {
        var descriptors = [
            pollfd(fd: cmhd_epoll(daemon.pointer), events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let timeout = cmhd_timeout(daemon.pointer)
            if timeout != 0 { poll(&descriptors, 2, timeout) }
            if isAwake.load(ordering: .relaxed) {
                var drained: UInt64 = 0
                _ = read(wakeup, &drained, 8)
                // Cleared before the work, so that whatever comes during it wakes again.
                _ = isAwake.exchange(false, ordering: .acquiringAndReleasing)
                if !adoptArrivals(daemon) { break }
            }
            MHD_run(daemon.pointer)
        }
        MHD_stop_daemon(daemon.pointer)
        Self.erase(daemon.texts)
    }

    /// False when the worker stops.
    private func adoptArrivals(_ daemon: Daemon) -> Bool {
        let (arrivals, isStopped) = state.withLock { state in
            defer { state.arrivals = [] }
            return (state.arrivals, state.isStopped)
        }
        for arrival in arrivals {
            state.withLock { $0.adopting = arrival }
            // Closes the descriptor when it cannot take it.
            _ = arrival.address.withSockaddr { MHD_add_connection(daemon.pointer, arrival.descriptor, $0, $1) }
        }
        state.withLock { $0.adopting = nil }
        return !isStopped
    }

    fileprivate func started() -> PeerConnection? {
        guard let arrival = state.withLock({ $0.adopting }) else { return nil }
        let peer = PeerConnection(
            descriptor: arrival.descriptor, acceptor: arrival.acceptor, worker: self,
            remoteAddress: arrival.address.text)
        core.started(peer)
        return peer
    }

    private static func erase(_ texts: [UnsafeMutablePointer<CChar>]) {
        for text in texts {
            memset(text, 0, strlen(text))
            free(text)
        }
    }
}

/// The workers that share a certificate, or have none. Any number of listeners costs no thread.
final class WorkerGroup: Sendable {
    let isTLS: Bool
    private let workers: [Worker]
    private let next = Atomic<Int>(0)

    init(_ core: ServerCore, threads: Int, tls: TLSIdentity?) throws {
        isTLS = tls != nil
        let limit = max(1, core.limits.connections / threads)
        workers = try (0..<threads).map { _ in try Worker(core, connectionLimit: limit, tls: tls) }
    }

    func add(_ descriptor: Int32, _ address: SocketAddress, from acceptor: Acceptor) {
        let turn = next.add(1, ordering: .relaxed).newValue & Int.max
        workers[turn % workers.count].add(descriptor, address, from: acceptor)
    }

    func stop() {
        for worker in workers { worker.stop() }
    }
}

// MARK: Callbacks, all on the worker's thread
//
// SAFETY: `closure` is the Worker, which outlives its daemon. A request's context is an Exchange retained by
// `workerURI` and released by `workerCompleted`; a connection's is a PeerConnection retained at its start and
// released at its end. libmicrohttpd calls the second of each pair exactly once for each first.

private func workerConnection(
    _ closure: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ event: MHD_ConnectionNotificationCode
) {
    guard let closure, let context else { return }
    let worker = Unmanaged<Worker>.fromOpaque(closure).takeUnretainedValue()
    if event == .CONNECTION_NOTIFY_STARTED {
        context.pointee = worker.started().map { Unmanaged.passRetained($0).toOpaque() }
    } else if let pointer = context.pointee {
        context.pointee = nil
        worker.core.ended(Unmanaged<PeerConnection>.fromOpaque(pointer).takeRetainedValue())
    }
}

private func workerURI(
    _ closure: UnsafeMutableRawPointer?, _ uri: UnsafePointer<CChar>?, _ connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
    guard let uri, let connection, let context = cmhd_socket_context(connection) else { return nil }
    let peer = Unmanaged<PeerConnection>.fromOpaque(context).takeUnretainedValue()
    let bytes = UnsafeRawBufferPointer(start: uri, count: strlen(uri))
    let exchange = Exchange(peer, ConnectionHandle(pointer: connection), target: Percent.encodeTarget(bytes))
    peer.begin(exchange)
    return Unmanaged.passRetained(exchange).toOpaque()
}

private func workerAccess(
    _ closure: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?, _ data: UnsafePointer<CChar>?,
    _ size: UnsafeMutablePointer<Int>?, _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let pointer = context?.pointee, let method, let size else { return .NO }
    let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
    guard let data, size.pointee > 0 else { return exchange.advance(method: method) ? .YES : .NO }
    guard let taken = exchange.receive(UnsafeRawBufferPointer(start: data, count: size.pointee)) else { return .NO }
    size.pointee -= taken
    return .YES
}

private func workerCompleted(
    _ closure: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ reason: MHD_RequestTerminationCode
) {
    guard let context, let pointer = context.pointee else { return }
    context.pointee = nil
    Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue().completed()
}
