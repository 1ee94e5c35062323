// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// A listening socket in the event loop.
final class Acceptor: EventHandler {
    /// Connections taken in one go, before other descriptors get their turn.
    private static let burst = 64

    let tag: String
    let descriptor: Int32
    let port: UInt16
    let workers: WorkerGroup
    private let connectionLimit: Int
    private let core: ServerCore
    private let connections = Atomic<Int>(0)
    private let isPaused = Atomic(false)
    private let isClosed = Mutex(false)

    init(_ listener: Listener, descriptor: Int32, workers: WorkerGroup, core: ServerCore) {
        tag = listener.tag
        self.descriptor = descriptor
        port = ListeningSocket.port(of: descriptor)
        self.workers = workers
        connectionLimit = listener.connectionLimit
        self.core = core
    }

    var isTLS: Bool { workers.isTLS }

    func opened() { connections.add(1, ordering: .relaxed) }
    func closed() { connections.subtract(1, ordering: .relaxed) }

    func ready(_ events: UInt32) {
        for _ in 0..<Self.burst {
            let (connection, address) = SocketAddress.accept(on: descriptor)
            guard connection >= 0 else {
                if errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS { pause() }
                if errno == ECONNABORTED || errno == EINTR { continue }
                return
            }
            if connections.load(ordering: .relaxed) >= connectionLimit {
                Glibc.close(connection)
            } else {
                workers.add(connection, address, from: self)
            }
        }
    }

    func tick() {
        if isPaused.exchange(false, ordering: .relaxed) { core.loop.modify(descriptor, EventLoop.readable) }
    }

    /// Out of descriptors: waiting for the next tick is better than spinning.
    private func pause() {
        isPaused.store(true, ordering: .relaxed)
        core.loop.modify(descriptor, 0)
    }

    /// Stops accepting. On the loop's thread.
    func close() {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        core.loop.remove(descriptor)
        Glibc.close(descriptor)
    }
}
