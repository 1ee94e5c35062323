// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LifecycleKit
import Synchronization

/// One request and its response: where libcurl's thread and the caller's task meet.
///
/// The thread calls `supply`, `take`, `began` and `finish`; the task calls the rest, and waits for one thing at a time.
final class Transfer: Sendable {
    struct Head: Sendable {
        var status: Int
        var headers = HTTPHeaders()
    }

    /// How the body of the request comes.
    enum Upload: Sendable {
        case none
        case bytes([UInt8])
        /// By `offer`, so many bytes, or nil where that is not known.
        case pieces(Int64?)
    }

    private struct State {
        var outgoing = OutgoingBytes()
        var hasOutgoingEnded = false
        /// The server is there and takes the body.
        var isWanted = false
        /// libcurl waits for bytes to send.
        var isSendPaused = false

        var head: Head?
        var incoming = IncomingBytes()
        /// libcurl waits for the reader.
        var isReceivePaused = false
        var end: Result<Void, any Error>?
        var isCancelled = false
    }

    let request: HTTPClientRequest
    let upload: Upload
    /// Nobody reads the response.
    let isUnwatched: Bool
    private let queueBytes: Int
    private let loop: CurlLoop
    private let changed = Signal()
    private let state = Mutex(State())

    init(_ request: HTTPClientRequest, _ upload: Upload, queueBytes: Int, loop: CurlLoop, isUnwatched: Bool = false) {
        self.request = request
        self.upload = upload
        self.queueBytes = queueBytes
        self.loop = loop
        self.isUnwatched = isUnwatched
    }

    // MARK: The caller's task

    /// Waits until `check` gives a value. Throws `CancellationError`, and ends the transfer, when the task is cancelled.
    private func wait<T: Sendable>(_ check: (inout State) throws -> T?) async throws -> T {
        while true {
            if let value = try state.withLock({ try check(&$0) }) { return value }
            guard await changed.wait() else {
                cancel()
                throw CancellationError()
            }
        }
    }

    /// Returns when the server asks for the body, or has answered without it.
    func untilWanted() async throws {
        try await wait { state in
            if state.isWanted || state.head != nil { return () }
            return try state.end.map { try $0.get() }
        }
    }

    /// Sends `bytes` as soon as there is room for them. False: the server has answered and wants no more.
    func offer(_ bytes: [UInt8]) async throws -> Bool {
        let (isWanted, resumes) = try await wait { state -> (Bool, Bool)? in
            if state.head != nil { return (false, false) }
            if let end = state.end {
                try end.get()
                return (false, false)
            }
            guard state.outgoing.count < queueBytes else { return nil }
            state.outgoing.append(bytes)
            defer { state.isSendPaused = false }
            return (true, state.isSendPaused)
        }
        if resumes { loop.post(.resume(self)) }
        return isWanted
    }

    /// No more bytes come.
    func endOffer() {
        let resumes = state.withLock { state in
            state.hasOutgoingEnded = true
            defer { state.isSendPaused = false }
            return state.isSendPaused
        }
        if resumes { loop.post(.resume(self)) }
    }

    func untilAnswered() async throws -> Head {
        try await wait { state in
            if let head = state.head { return head }
            guard let end = state.end else { return nil }
            try end.get()
            throw CloudError(.unavailable, HTTPClientFailure.message, cause: "the transfer ended without an answer")
        }
    }

    private struct Piece: Sendable {
        /// Nil at the end of the body.
        let bytes: [UInt8]?
        var resumes = false
    }

    func nextPiece() async throws -> [UInt8]? {
        let piece = try await wait { state -> Piece? in
            if let bytes = state.incoming.popFirst() {
                guard state.isReceivePaused, state.incoming.count < queueBytes / 2 else { return Piece(bytes: bytes) }
                state.isReceivePaused = false
                return Piece(bytes: bytes, resumes: true)
            }
            guard let end = state.end else { return nil }
            try end.get()
            return Piece(bytes: nil)
        }
        if piece.resumes { loop.post(.resume(self)) }
        return piece.bytes
    }

    /// Closes the connection, unless the transfer has ended. May be repeated.
    func cancel() {
        let isNew = state.withLock { state in
            guard state.end == nil, !state.isCancelled else { return false }
            state.isCancelled = true
            return true
        }
        if isNew { loop.post(.cancel(self)) }
    }

    // MARK: libcurl's thread

    enum Supply {
        case bytes(Int)
        case paused, ended, cancelled
    }

    /// Fills a part of libcurl's buffer, or has it wait.
    func supply(into buffer: UnsafeMutableRawBufferPointer) -> Supply {
        let lent = Lent(buffer)
        let (supply, wakes) = state.withLock { state -> (Supply, Bool) in
            if state.isCancelled { return (.cancelled, false) }
            let wasFull = state.outgoing.count >= queueBytes
            let isFirst = !state.isWanted
            state.isWanted = true
            let count = state.outgoing.copy(into: lent.value)
            if count > 0 { return (.bytes(count), isFirst || wasFull) }
            if state.hasOutgoingEnded { return (.ended, isFirst) }
            state.isSendPaused = true
            return (.paused, isFirst)
        }
        if wakes { changed.wake() }
        return supply
    }

    /// False: the reader is behind; libcurl keeps the bytes and brings them again.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !isUnwatched else { return true }
        let lent = Lent(bytes)
        let isTaken = state.withLock { state in
            if state.isCancelled { return true }
            guard state.incoming.count < queueBytes else {
                state.isReceivePaused = true
                return false
            }
            state.incoming.append(lent.value)
            return true
        }
        if isTaken { changed.wake() }
        return isTaken
    }

    func began(_ head: Head) {
        state.withLock { state in
            state.head = head
            state.outgoing.removeAll()
        }
        changed.wake()
    }

    func finish(_ result: Result<Void, any Error>) {
        state.withLock { state in
            guard state.end == nil else { return }
            state.end = result
            state.outgoing.removeAll()
        }
        changed.wake()
    }

    var pauses: (send: Bool, receive: Bool) { state.withLock { ($0.isSendPaused, $0.isReceivePaused) } }
    var isAnswered: Bool { state.withLock { $0.head != nil } }
    var isCancelled: Bool { state.withLock { $0.isCancelled } }
}
