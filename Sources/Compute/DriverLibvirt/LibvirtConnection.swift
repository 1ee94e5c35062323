// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLibvirt
import LifecycleKit
import LogKit
import Synchronization

/// The connection to libvirtd: opened when it is needed, opened again when libvirtd went away. Calls run on threads
/// of its own, several at once.
final class LibvirtConnection: Sendable {
    private static let keepAliveSeconds: Int32 = 5
    private static let keepAliveCount: UInt32 = 6

    private let uri: String
    private let threads = BlockingPool("libvirt", threads: 8)
    private let current = Mutex<Handle?>(nil)
    private let sink: EventSink
    private let log = Logger("libvirt")

    /// `onEvent` gets the id of a domain whose life cycle changed; `onClose` is called when the connection breaks.
    /// Both run on libvirt's event thread and must not block.
    init(uri: String, onEvent: @escaping @Sendable (String) -> Void, onClose: @escaping @Sendable () -> Void) {
        self.uri = uri
        sink = EventSink(onEvent: onEvent, onClose: onClose)
    }

    /// Runs `body` on a thread for blocking calls. It runs a second time when the connection broke meanwhile, so it
    /// must look at the state before it changes it. `operation` completes "The hypervisor failed to …".
    func run<T: Sendable>(
        _ operation: String, _ body: @escaping @Sendable (borrowing LibvirtHost) throws -> T
    ) async throws -> T {
        try await threads.run {
            do {
                let handle = try self.handle()
                do {
                    return try body(LibvirtHost(handle.pointer))
                } catch let error as LibvirtError {
                    guard !handle.isAlive else { throw error }
                    self.log.warning("connection lost, trying again", ["operation": operation, "error": error])
                    return try body(LibvirtHost(try self.handle().pointer))
                }
            } catch let error as LibvirtError {
                throw error.cloudError(operation)
            }
        }
    }

    /// Opens the connection if there is none, so that events flow.
    func ensureOpen() async throws { try await run("answer") { _ in } }

    private func handle() throws(LibvirtError) -> Handle {
        let result: Result<Handle, LibvirtError> = current.withLock { current in
            if let handle = current, handle.isAlive { return .success(handle) }
            current = nil
            do throws(LibvirtError) {
                let handle = try open()
                current = handle
                return .success(handle)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func open() throws(LibvirtError) -> Handle {
        try LibvirtEventLoop.start()
        guard let pointer = virConnectOpen(uri) else {
            var error = LibvirtError.last()
            error.isUnreachable = true
            throw error
        }
        let handle = Handle(pointer)
        try succeed(virConnectSetKeepAlive(pointer, Self.keepAliveSeconds, Self.keepAliveCount))
        try sink.register(with: pointer)
        log.info("connected", ["uri": uri])
        return handle
    }

    /// Owns one connection; calls in flight keep it until they return.
    private final class Handle: @unchecked Sendable {
        // SAFETY: libvirt's connections are safe for use from many threads; the pointer is closed once, when the last
        // user has gone.
        let pointer: OpaquePointer

        init(_ pointer: OpaquePointer) { self.pointer = pointer }

        deinit { virConnectClose(pointer) }

        var isAlive: Bool { virConnectIsAlive(pointer) == 1 }
    }
}

/// What libvirt's callbacks call. libvirt holds one reference per registration and gives it back when it is done.
private final class EventSink: Sendable {
    let onEvent: @Sendable (String) -> Void
    let onClose: @Sendable () -> Void

    init(onEvent: @escaping @Sendable (String) -> Void, onClose: @escaping @Sendable () -> Void) {
        self.onEvent = onEvent
        self.onClose = onClose
    }

    func register(with connection: OpaquePointer) throws(LibvirtError) {
        let lifecycle: virConnectDomainEventCallback = { _, domain, _, _, opaque in
            guard let opaque, let uuid = LibvirtDomain.uuid(of: domain) else { return 0 }
            EventSink.borrow(opaque).onEvent(uuid)
            return 0
        }
        // SAFETY: libvirt's registration takes every callback as this generic type and calls it with the type that
        // belongs to the event id, which is the one above.
        let generic = unsafeBitCast(lifecycle, to: virConnectDomainEventGenericCallback.self)
        try succeed(
            virConnectDomainEventRegisterAny(
                connection, nil, Int32(VIR_DOMAIN_EVENT_ID_LIFECYCLE.rawValue), generic,
                Unmanaged.passRetained(self).toOpaque(), EventSink.release))
        try succeed(
            virConnectRegisterCloseCallback(
                connection,
                { _, _, opaque in
                    if let opaque { EventSink.borrow(opaque).onClose() }
                }, Unmanaged.passRetained(self).toOpaque(), EventSink.release))
    }

    // SAFETY: both take the pointer that `register` made from a retained reference.
    private static func borrow(_ opaque: UnsafeMutableRawPointer) -> EventSink {
        Unmanaged<EventSink>.fromOpaque(opaque).takeUnretainedValue()
    }

    private static let release: @convention(c) (UnsafeMutableRawPointer?) -> Void = { opaque in
        if let opaque { Unmanaged<EventSink>.fromOpaque(opaque).release() }
    }
}
