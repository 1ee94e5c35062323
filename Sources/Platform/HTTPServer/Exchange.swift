// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CMicroHTTPD
import Glibc
import HTTPKit
import Synchronization

/// One request and its response: where libmicrohttpd's thread and the handler's task meet.
///
/// libmicrohttpd calls `advance`, `receive`, `produce` and `completed`; the task calls the rest. The connection is
/// suspended whenever one side waits for the other, always under the lock, so that nobody resumes it too early.
final class Exchange: Sendable {
    enum Phase {
        /// The header is being read.
        case head
        /// The body, if any, is being read; the handler starts after it.
        case whole
        /// The handler runs and has not asked for the body; the client has not been told to send it. Suspended.
        case held
        /// The body is being read while the handler runs. Suspended while too much of it waits.
        case receiving
        /// The request is here and the handler runs. Suspended.
        case handling
        /// The response is with libmicrohttpd. Suspended while the response's stream has nothing.
        case answering
        case done
    }

    struct State {
        var phase = Phase.head
        /// Nil once libmicrohttpd has ended the exchange.
        var connection: ConnectionHandle?
        var isSuspended = false
        /// The next callback closes the connection.
        var isAborted = false

        var head: RequestHead?
        var incoming = ByteQueue()
        var hasBodyEnded = false
        var received: Int64 = 0
        /// The handler has answered and wants no more of the body.
        var isDiscarding = false
        var discardLimit = 0
        var reader: CheckedContinuation<[UInt8]?, any Error>?
        /// Waits for the end of a body that is discarded.
        var answer: Answer?
        /// A copy of the socket, kept open after libmicrohttpd has closed its own, so that an early answer arrives.
        var lingering: Int32 = -1

        var outgoing = ByteQueue()
        var outgoingEnd: OutgoingEnd?
        var writer: CheckedContinuation<Bool, Never>?
        var upgrade: WebSocketUpgrade?

        /// For the limit on slow bodies.
        var progressMark: Int64 = 0
        var progressSince: Int64 = 0
    }

    enum OutgoingEnd { case complete, failed }

    let core: ServerCore
    let peer: PeerConnection
    private let target: String
    let state: Mutex<State>

    init(_ peer: PeerConnection, _ connection: ConnectionHandle, target: String) {
        core = peer.worker.core
        self.peer = peer
        self.target = target
        state = Mutex(State(connection: connection))
        core.requestBegan()
    }

    // MARK: libmicrohttpd's thread

    /// Called after the header, again after a resume, and after the body. False closes the connection.
    func advance(method: UnsafePointer<CChar>) -> Bool {
        enum Next {
            case go, close
            case start(RequestHead)
            case wake(CheckedContinuation<[UInt8]?, any Error>?)
        }
        let next: Next = state.withLock { state in
            guard !state.isAborted, !core.isAborting, let connection = state.connection else { return .close }
            switch state.phase {
            case .head:
                do throws(RequestHead.Refusal) {
                    let head = try RequestHead(method: method, target: target, connection, core.limits)
                    state.head = head
                    guard case .streamed = head.body else {
                        state.phase = .whole
                        return .go
                    }
                    state.phase = .held
                    Self.suspend(&state)
                    return .start(head)
                } catch {
                    return refuse(error, connection, &state) ? .go : .close
                }
            case .whole:
                guard let head = state.head else { return .close }
                state.hasBodyEnded = true
                state.phase = .handling
                Self.suspend(&state)
                return .start(head)
            case .held:
                // Resumed because the handler, or the wish to discard, wants the body.
                state.phase = .receiving
                state.progressSince = Monotonic.milliseconds()
                return .go
            case .receiving:
                state.hasBodyEnded = true
                if let answer = state.answer {
                    state.answer = nil
                    state.phase = .answering
                    return answer.queue(on: connection) ? .go : .close
                }
                state.phase = .handling
                Self.suspend(&state)
                defer { state.reader = nil }
                return .wake(state.incoming.isEmpty ? state.reader : nil)
            case .handling, .answering, .done: return .close
            }
        }
        switch next {
        case .go: return true
        case .close: return false
        case .start(let head):
            start(head)
            return true
        case .wake(let reader):
            reader?.resume(returning: nil)
            return true
        }
    }

    /// Takes bytes of the body: all, or none when the handler is behind. Nil closes the connection.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let lent = Lent(bytes)
        let (taken, reader, piece) = state.withLock {
            state -> (Int?, CheckedContinuation<[UInt8]?, any Error>?, [UInt8]?) in
            guard !state.isAborted, !core.isAborting else { return (nil, nil, nil) }
            state.received += Int64(lent.value.count)
            if state.isDiscarding {
                state.discardLimit -= lent.value.count
                return (state.discardLimit >= 0 ? lent.value.count : nil, nil, nil)
            }
            if state.phase == .receiving, state.incoming.count >= core.limits.queueBytes {
                state.received -= Int64(lent.value.count)
                Self.suspend(&state)
                return (0, nil, nil)
            }
            state.incoming.append(lent.value)
            guard let reader = state.reader else { return (lent.value.count, nil, nil) }
            state.reader = nil
            return (lent.value.count, reader, state.incoming.popFirst())
        }
        reader?.resume(returning: piece)
        return taken
    }

    /// The end of the exchange, however it came. The pointer to the connection is not used after this.
    func completed() {
        struct Ends {
            var reader: CheckedContinuation<[UInt8]?, any Error>?
            var writer: CheckedContinuation<Bool, Never>?
            var answer: Answer?
            var lingering: Int32
        }
        let ends = state.withLock { state in
            let ends = Ends(
                reader: state.reader, writer: state.writer, answer: state.answer, lingering: state.lingering)
            // A body that is here whole can still be read; one that was cut short never looks whole.
            let (isWhole, incoming) = (state.hasBodyEnded, state.incoming)
            state = State(phase: .done, isAborted: true)
            state.hasBodyEnded = isWhole
            if isWhole { state.incoming = incoming }
            return ends
        }
        ends.reader?.resume(throwing: Self.gone)
        ends.writer?.resume(returning: false)
        ends.answer?.drop()
        if ends.lingering >= 0 { Lingering.start(ends.lingering, core.loop) }
        peer.endExchange()
        core.requestEnded()
    }

    /// The request is bad by its header alone. Its body, if any, is not read, so the connection closes after it.
    private func refuse(_ refusal: RequestHead.Refusal, _ connection: ConnectionHandle, _ state: inout State) -> Bool {
        var response = Answer.refusal(refusal.status, refusal.message)
        if refusal.status == 405 {
            response.headers.set("Allow", HTTPMethod.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard let answer = Answer(response, isHead: false, closes: true, for: self) else { return false }
        state.phase = .answering
        state.lingering = dup(peer.descriptor)
        return answer.queue(on: connection)
    }

    private func start(_ head: RequestHead) {
        let request = HTTPRequest(
            method: head.method, path: head.path, query: head.query, headers: head.headers,
            body: head.body == .none ? EmptySource() : RequestBody(self), remoteAddress: peer.remoteAddress,
            listenerTag: peer.acceptor.tag)
        guard !core.run({ await self.serve(request) }) else { return }
        deliver(Answer(Answer.refusal(503, "The server is busy."), isHead: false, closes: true, for: self))
    }

    // MARK: Both

    /// Only inside a callback of libmicrohttpd.
    static func suspend(_ state: inout State) {
        guard !state.isSuspended, let connection = state.connection else { return }
        MHD_suspend_connection(connection.pointer)
        state.isSuspended = true
    }

    /// From any thread.
    func resume(_ state: inout State) {
        guard state.isSuspended, let connection = state.connection else { return }
        state.isSuspended = false
        MHD_resume_connection(connection.pointer)
        peer.worker.wake()
    }

    static let gone = CloudError(.unavailable, "The client closed the connection.")

    /// The server stops: the next callback closes the connection.
    func abort() {
        let (reader, writer) = state.withLock { state in
            state.isAborted = true
            resume(&state)
            defer { (state.reader, state.writer) = (nil, nil) }
            return (state.reader, state.writer)
        }
        reader?.resume(throwing: Self.gone)
        writer?.resume(returning: false)
    }

    /// Whether the next event must be bytes from the client.
    var isAwaitingClient: Bool {
        state.withLock { state in
            switch state.phase {
            case .head, .whole, .receiving: !state.isSuspended
            case .held, .handling, .answering, .done: false
            }
        }
    }

    /// Whether the client sends slower than the limits allow. Never while the server is the one that waits.
    func isTooSlow(_ limits: HTTPLimits, now: Int64, since: Int64) -> Bool {
        state.withLock { state in
            switch state.phase {
            case .head: return now - since > limits.headerTime.milliseconds
            case .whole, .receiving:
                guard !state.isSuspended else {
                    state.progressSince = now
                    return false
                }
                if state.progressSince == 0 { state.progressSince = since }
                guard now - state.progressSince > limits.bodyProgressTime.milliseconds else { return false }
                guard state.received - state.progressMark >= Int64(limits.bodyProgressBytes) else { return true }
                state.progressMark = state.received
                state.progressSince = now
                return false
            case .held, .handling, .answering, .done: return false
            }
        }
    }
}
