// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CMicroHTTPD
import CWslay
import HTTPKit
import Synchronization

/// The server's end of a WebSocket: frames by wslay, readiness by the event loop.
final class WebSocket: WebSocketConnection, EventHandler {
    /// A peer that is silent this long is asked; one that is silent three times as long is gone.
    private static let pingAfter: Int64 = 30_000
    private static let closeTime: Int64 = 5_000
    private static let queueBytes = 1 << 20

    /// SAFETY: `frames` is reached only through the mutex.
    private struct State: @unchecked Sendable {
        let frames: WebSocketFrames
        var reader: CheckedContinuation<[UInt8]?, any Error>?
        var writers: [CheckedContinuation<Void, any Error>] = []
        var closers: [CheckedContinuation<Void, Never>] = []
        var events: UInt32 = 0
        var lastHeard = Monotonic.milliseconds()
        var lastPing = Monotonic.milliseconds()
        /// When the close handshake must be over.
        var deadline: Int64?
        var isOverdue = false
        var isTornDown = false
    }

    private let core: ServerCore
    private let descriptor: Int32
    private let handle: UpgradeHandle
    private let state: Mutex<State>

    init?(_ core: ServerCore, _ descriptor: Int32, _ early: [UInt8], _ handle: UpgradeHandle) {
        let limit = core.limits.webSocketMessageBytes
        guard
            let frames = WebSocketFrames(descriptor, early: early, messageLimit: limit, queueLimit: Self.queueBytes)
        else { return nil }
        self.core = core
        self.descriptor = descriptor
        self.handle = handle
        state = Mutex(State(frames: frames))
    }

    func start() {
        core.add(self)
        core.loop.add(descriptor, 0, self)
        state.withLock { state in
            state.frames.read()
            watch(&state)
        }
    }

    // MARK: WebSocketConnection

    func receive() async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer: Result<[UInt8]?, any Error>? = state.withLock { state in
                    if let message = next(&state) { return .success(message) }
                    if state.isTornDown || state.deadline != nil || state.frames.isCloseReceived
                        || state.frames.isBroken
                    {
                        return .success(nil)
                    }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    precondition(state.reader == nil, "two tasks read one WebSocket")
                    state.reader = continuation
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(throwing: CancellationError())
        }
    }

    func send(_ message: [UInt8]) async throws {
        let isQueued: Bool? = state.withLock { state in
            guard !state.isTornDown, state.deadline == nil, state.frames.queue(message) else { return false }
            state.frames.write()
            watch(&state)
            return state.frames.queuedBytes < Self.queueBytes ? true : nil
        }
        if isQueued == true { return }
        if isQueued == false { throw Exchange.gone }
        try await withCheckedThrowingContinuation { continuation in
            let answer: Result<Void, any Error>? = state.withLock { state in
                if state.isTornDown || state.frames.isBroken { return .failure(Exchange.gone) }
                if state.frames.queuedBytes < Self.queueBytes { return .success(()) }
                state.writers.append(continuation)
                return nil
            }
            if let answer { continuation.resume(with: answer) }
        }
    }

    /// Says goodbye and waits until the connection is closed, a few seconds at most.
    func close() async {
        goAway(1000)
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isTornDown { state.closers.append(continuation) }
                return state.isTornDown
            }
            if isClosed { continuation.resume() }
        }
    }

    // MARK: The event loop's side

    func ready(_ events: UInt32) {
        update { state in
            state.lastHeard = Monotonic.milliseconds()
            state.frames.read()
            state.frames.write()
        }
    }

    func tick() {
        let now = Monotonic.milliseconds()
        update { state in
            if now - state.lastHeard > 3 * Self.pingAfter || state.deadline.map({ now > $0 }) ?? false {
                state.isOverdue = true
                return
            }
            guard now - state.lastHeard > Self.pingAfter, now - state.lastPing > Self.pingAfter else { return }
            state.lastPing = now
            _ = state.frames.queue([], opcode: WSLAY_PING)
            state.frames.write()
        }
    }

    /// Starts the close handshake: 1001 when the server stops.
    func goAway(_ code: UInt16 = 1001) {
        update { state in
            guard state.deadline == nil else { return }
            state.deadline = Monotonic.milliseconds() + Self.closeTime
            state.frames.queueClose(code)
            state.frames.write()
        }
    }

    /// Runs `body`, then wakes whoever can go on, and ends the connection when it is over.
    private func update(_ body: (inout State) -> Void) {
        struct Wakes {
            var reader: (CheckedContinuation<[UInt8]?, any Error>, [UInt8]?)?
            var writers: [CheckedContinuation<Void, any Error>] = []
            var isOver = false
        }
        let wakes = state.withLock { state in
            var wakes = Wakes()
            guard !state.isTornDown else { return wakes }
            body(&state)
            if let reader = state.reader {
                let message = next(&state)
                if message != nil || state.frames.isCloseReceived || state.frames.isBroken || state.deadline != nil {
                    wakes.reader = (reader, message)
                    state.reader = nil
                }
            }
            if state.frames.queuedBytes < Self.queueBytes {
                wakes.writers = state.writers
                state.writers = []
            }
            wakes.isOver = state.frames.isFinished || state.isOverdue
            if !wakes.isOver { watch(&state) }
            return wakes
        }
        if let (reader, message) = wakes.reader { reader.resume(returning: message) }
        for writer in wakes.writers { writer.resume() }
        if wakes.isOver { tearDown() }
    }

    /// Takes a message. When the queue was full, reads on: wslay may hold bytes that the socket no longer shows.
    private func next(_ state: inout State) -> [UInt8]? {
        let wasFull = state.frames.isFull
        guard let message = state.frames.popFirst() else { return nil }
        if wasFull, !state.isTornDown {
            state.frames.read()
            watch(&state)
        }
        return message
    }

    private func watch(_ state: inout State) {
        guard !state.isTornDown else { return }
        let reads = state.frames.wantsRead && !state.frames.isFull ? EventLoop.readable : 0
        let events = reads | (state.frames.wantsWrite ? EventLoop.writable : 0)
        guard events != state.events else { return }
        state.events = events
        core.loop.modify(descriptor, events)
    }

    /// Ends the connection. The descriptor goes back on the loop's thread, so that no event meets its successor.
    func tearDown() {
        core.loop.perform { [self] in
            let (isFirst, reader, writers, closers) = state.withLock { state in
                defer {
                    state.isTornDown = true
                    (state.reader, state.writers, state.closers) = (nil, [], [])
                }
                return (!state.isTornDown, state.reader, state.writers, state.closers)
            }
            guard isFirst else { return }
            core.loop.remove(descriptor)
            handle.close()
            core.remove(self)
            reader?.resume(returning: nil)
            for writer in writers { writer.resume(throwing: Exchange.gone) }
            for closer in closers { closer.resume() }
        }
    }
}
