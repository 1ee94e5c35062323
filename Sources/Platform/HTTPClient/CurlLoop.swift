// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CCurl
import Glibc
import LifecycleKit
import LogKit
import Synchronization

/// The thread on which libcurl runs all transfers of a client. It starts with the first of them.
final class CurlLoop: Sendable {
    enum Order: Sendable {
        case start(Transfer)
        /// One of its two directions waited for the caller, and need not any more.
        case resume(Transfer)
        case cancel(Transfer)
    }

    /// SAFETY: used by the loop's thread alone, but for `curl_multi_wakeup`, which is made for other threads. Those call
    /// it under the lock of `Inbox`, where the thread takes the handle away before it frees it.
    private struct Handle: @unchecked Sendable {
        let multi: UnsafeMutableRawPointer
    }

    private struct Inbox {
        var orders: [Order] = []
        var handle: Handle?
        var isStarted = false
        var isStopped = false
    }

    private static let isReady: Bool = {
        // A server that went away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        return ccurl_global_init() == CURLE_OK
    }()

    private let options: HTTPClientOptions
    private let inbox = Mutex(Inbox())

    init(_ options: HTTPClientOptions) { self.options = options }

    func post(_ order: Order) {
        enum Next { case nothing, start, refuse }
        let next: Next = inbox.withLock { inbox in
            guard !inbox.isStopped else { return .refuse }
            inbox.orders.append(order)
            if let handle = inbox.handle { curl_multi_wakeup(handle.multi) }
            defer { inbox.isStarted = true }
            return inbox.isStarted ? .nothing : .start
        }
        switch next {
        case .nothing: break
        case .start: SystemThread.start("http-client") { [self] in run() }.detach()
        case .refuse: if case .start(let transfer) = order { transfer.finish(.failure(Self.stopped)) }
        }
    }

    /// Ends every transfer and the thread.
    func stop() {
        inbox.withLock { inbox in
            inbox.isStopped = true
            if let handle = inbox.handle { curl_multi_wakeup(handle.multi) }
        }
    }

    private static let stopped = CloudError(.unavailable, HTTPClientFailure.message, cause: "the client was stopped")

    private func run() {
        guard Self.isReady, let multi = curl_multi_init() else { fatalError("libcurl cannot be started") }
        ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, options.idleConnections)
        ccurl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, options.connectionsPerHost)
        inbox.withLock { $0.handle = Handle(multi: multi) }
        let transfers = CurlTransfers(multi, options)
        while let orders = taken() {
            for order in orders {
                switch order {
                case .start(let transfer): transfers.start(transfer)
                case .resume(let transfer): transfers.resume(transfer)
                case .cancel(let transfer): transfers.cancel(transfer)
                }
            }
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            transfers.collect()
            transfers.endSilent()
            curl_multi_poll(multi, nil, 0, transfers.isEmpty ? 60_000 : 250, nil)
        }
        inbox.withLock { $0.handle = nil }
        transfers.endAll(Self.stopped)
        curl_multi_cleanup(multi)
    }

    /// Nil after the stop: then those that never began are told so.
    private func taken() -> [Order]? {
        let (orders, isStopped) = inbox.withLock { inbox in
            defer { inbox.orders = [] }
            return (inbox.orders, inbox.isStopped)
        }
        guard isStopped else { return orders }
        for case .start(let transfer) in orders { transfer.finish(.failure(Self.stopped)) }
        return nil
    }
}
