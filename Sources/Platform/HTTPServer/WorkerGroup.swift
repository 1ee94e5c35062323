// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CMicroHTTPD
import Glibc
import Synchronization

/// libmicrohttpd daemons that listen on nothing: each has one thread and gets connections handed to it.
///
/// There is one group for plain HTTP and one for each certificate, so any number of listeners costs no thread.
final class WorkerGroup: Sendable {
    /// SAFETY: daemons may be given connections from any thread; they are stopped once, after the last use.
    private struct Daemons: @unchecked Sendable {
        var pointers: [OpaquePointer] = []
        /// PEM texts that the daemons read as long as they live.
        var texts: [UnsafeMutablePointer<CChar>] = []
    }

    let isTLS: Bool
    private let daemons: Mutex<Daemons>
    private let next = Atomic<Int>(0)

    init(_ core: ServerCore, threads: Int, tls: TLSIdentity?) throws {
        isTLS = tls != nil
        var started = Daemons()
        var settings = cmhd_settings()
        settings.connection_limit = UInt32(clamping: max(1, core.limits.connections / threads))
        settings.timeout_seconds = UInt32(clamping: max(1, core.limits.idleTime.components.seconds))
        // libmicrohttpd reads the header into half of this and lets it grow; answers' headers need the rest.
        settings.connection_memory = core.limits.headerBytes + 4096
        settings.closure = Unmanaged.passUnretained(core).toOpaque()
        settings.access = workerAccess
        settings.completed = workerCompleted
        settings.connection = workerConnection
        settings.uri = workerURI
        if let tls {
            started.texts = [strdup(tls.certificate), strdup(tls.key.reveal())]
            settings.certificate = UnsafePointer(started.texts[0])
            settings.key = UnsafePointer(started.texts[1])
        }
        for _ in 0..<threads {
            guard let daemon = cmhd_start(&settings) else {
                Self.stop(started)
                throw CloudError(
                    .unavailable,
                    isTLS ? "The TLS certificate or key is not usable." : "The HTTP server could not start.",
                    cause: "errno \(errno)")
            }
            started.pointers.append(daemon)
        }
        daemons = Mutex(started)
    }

    /// Hands over an accepted connection, which libmicrohttpd closes in any case.
    func add(_ descriptor: Int32, _ address: SocketAddress) -> Bool {
        let turn = next.add(1, ordering: .relaxed).newValue
        return daemons.withLock { daemons in
            guard !daemons.pointers.isEmpty else {
                close(descriptor)
                return false
            }
            let daemon = daemons.pointers[turn & Int.max % daemons.pointers.count]
            return address.withSockaddr { MHD_add_connection(daemon, descriptor, $0, $1) } == .YES
        }
    }

    /// Blocks until the threads have ended. No connection may be suspended any more.
    func stop() {
        Self.stop(
            daemons.withLock { daemons in
                defer { daemons = Daemons() }
                return daemons
            })
    }

    private static func stop(_ daemons: Daemons) {
        for daemon in daemons.pointers { MHD_stop_daemon(daemon) }
        for text in daemons.texts {
            memset(text, 0, strlen(text))
            free(text)
        }
    }
}

// MARK: Callbacks, all on a daemon's thread
//
// SAFETY: `closure` is the ServerCore, which outlives its daemons. A request's context is an Exchange retained by
// `workerURI` and released by `workerCompleted`; a connection's is a PeerConnection retained at its start and
// released at its end. libmicrohttpd calls the second of each pair exactly once for each first.

private func core(_ closure: UnsafeMutableRawPointer?) -> ServerCore? {
    closure.map { Unmanaged<ServerCore>.fromOpaque($0).takeUnretainedValue() }
}

private func workerConnection(
    _ closure: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ event: MHD_ConnectionNotificationCode
) {
    guard let core = core(closure), let connection, let context else { return }
    if event == .CONNECTION_NOTIFY_STARTED {
        guard let peer = core.started(cmhd_socket(connection)) else { return }
        context.pointee = Unmanaged.passRetained(peer).toOpaque()
    } else if let pointer = context.pointee {
        context.pointee = nil
        core.ended(Unmanaged<PeerConnection>.fromOpaque(pointer).takeRetainedValue())
    }
}

private func workerURI(
    _ closure: UnsafeMutableRawPointer?, _ uri: UnsafePointer<CChar>?, _ connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
    guard let core = core(closure), let uri, let connection, let context = cmhd_socket_context(connection) else {
        return nil
    }
    let peer = Unmanaged<PeerConnection>.fromOpaque(context).takeUnretainedValue()
    let exchange = Exchange(core, peer, ConnectionHandle(pointer: connection), target: String(validatingCString: uri))
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
