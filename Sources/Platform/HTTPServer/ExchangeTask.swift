// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CMicroHTTPD
import Glibc
import HTTPKit
import Synchronization

/// The handler's side of an exchange.
extension Exchange {
    func serve(_ request: HTTPRequest) async {
        let response = await core.handler.handle(request)
        let isHead = request.method == .head
        if case .webSocket(let subprotocol, let body) = response.body {
            upgrade(request, response, subprotocol, body)
            return
        }
        guard
            let answer = Answer(
                response, isHead: isHead, closes: core.isDraining || response.closesConnection,
                saysKeepAlive: request.headers["Connection"]?.lowercased() == "keep-alive", for: self)
        else {
            core.log.error("response could not be made", ["status": response.status])
            return abort()
        }
        guard deliver(answer), !isHead, case .stream(let source, let length) = response.body, length != 0 else {
            return
        }
        await pump(source, length)
    }

    /// Gives the answer to libmicrohttpd now, or after the rest of the body. False when the client has gone.
    @discardableResult
    func deliver(_ answer: Answer?) -> Bool {
        guard let answer else {
            abort()
            return false
        }
        enum Outcome { case taken, refused, gone }
        let outcome: Outcome = state.withLock { state in
            guard !state.isAborted, let connection = state.connection else { return .gone }
            switch state.phase {
            case .handling:
                state.phase = .answering
                defer { resume(&state) }
                return answer.queue(on: connection) ? .taken : .refused
            case .held where !isWorthDiscarding(state):
                // Before the body libmicrohttpd takes an answer and closes after it.
                state.phase = .answering
                state.lingering = dup(peer.descriptor)
                defer { resume(&state) }
                return answer.queue(on: connection) ? .taken : .refused
            case .held, .receiving:
                let isCheap = isWorthDiscarding(state)
                guard isCheap || !answerAtOnce(answer, &state) else { return .taken }
                state.answer = answer
                state.discardLimit = isCheap ? core.limits.discardBytes : core.limits.forcedDiscardBytes
                state.isDiscarding = true
                state.incoming.removeAll()
                resume(&state)
                return .taken
            case .head, .whole, .answering, .done: return .gone
            }
        }
        if outcome == .gone { answer.drop() }
        return outcome == .taken
    }

    /// Whether reading the rest of the body costs less than a new connection. A client that waits for `100 Continue`
    /// has not sent it, and need not.
    private func isWorthDiscarding(_ state: State) -> Bool {
        guard let head = state.head, case .streamed(let length?) = head.body else { return false }
        if state.phase == .held, head.expectsContinue { return false }
        return length - state.received <= Int64(core.limits.discardBytes)
    }

    /// Answers in the middle of a body, which libmicrohttpd cannot: it writes to the socket itself, then lets
    /// libmicrohttpd close. Possible only without TLS, for a body in memory, and once the body has begun, because
    /// until then libmicrohttpd may be writing `100 Continue`.
    private func answerAtOnce(_ answer: Answer, _ state: inout State) -> Bool {
        guard !peer.acceptor.isTLS, state.received > 0, let plain = answer.plain else { return false }
        let bytes = PlainResponse.bytes(plain, status: Int(answer.status), isHead: answer.isHead)
        let sent = bytes.withUnsafeBytes {
            send(peer.descriptor, $0.baseAddress, $0.count, SocketFlags.noWait)
        }
        guard sent == bytes.count else { return false }
        state.lingering = dup(peer.descriptor)
        state.isAborted = true
        state.incoming.removeAll()
        resume(&state)
        answer.drop()
        return true
    }
}

/// The wire form of a response whose body is in memory.
enum PlainResponse {
    static func bytes(_ response: HTTPResponse, status: Int, isHead: Bool = false) -> [UInt8] {
        let phrase = MHD_get_reason_phrase_for(UInt32(status)).map { String(cString: $0) } ?? "Unknown"
        var body: [UInt8] = []
        if case .bytes(let bytes) = response.body, status != 204, status != 304 { body = bytes }
        var head = "HTTP/1.1 \(status) \(phrase)\r\nDate: \(date())\r\nConnection: close\r\n"
        head += "Content-Length: \(body.count)\r\n"
        for (name, value) in response.headers.fields where isPlain(name) && isPlain(value) {
            let lowered = name.lowercased()
            if hopHeaders.contains(lowered) { continue }
            head += "\(name): \(value)\r\n"
        }
        return WireText.bytes(head + "\r\n") + (isHead ? [] : body)
    }

    private static let hopHeaders: Set<String> = ["connection", "content-length", "transfer-encoding", "date"]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func date() -> String {
        var (seconds, parts) = (time(nil), tm())
        gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(1900 + parts.tm_year) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }

    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x09 }
    }
}

extension HTTPResponse {
    /// A handler that refuses an upgrade asks for the end of the connection: its client speaks no HTTP after it.
    fileprivate var closesConnection: Bool { headers["Connection"]?.lowercased() == "close" }
}
