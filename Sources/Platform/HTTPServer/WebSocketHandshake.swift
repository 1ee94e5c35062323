// SPDX-License-Identifier: Apache-2.0
import CMicroHTTPD
import COpenSSL
import Glibc
import HTTPKit
import Synchronization

/// A handshake that was accepted; waits for libmicrohttpd to hand over the socket.
struct WebSocketUpgrade: Sendable {
    let body: @Sendable (any WebSocketConnection) async -> Void
}

/// RFC 6455, section 4.2.
enum WebSocketHandshake {
    private static let magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    /// The value of Sec-WebSocket-Accept, or why there is none.
    static func accept(_ request: HTTPRequest) -> Result<String, RequestHead.Refusal> {
        guard request.method == .get, has(request.headers["Upgrade"], "websocket"),
            has(request.headers["Connection"], "upgrade")
        else { return .failure(.init(status: 426, message: "This address speaks WebSocket only.")) }
        guard request.headers["Sec-WebSocket-Version"] == "13" else {
            return .failure(.init(status: 426, message: "Only version 13 of WebSocket is supported."))
        }
        // 16 bytes in base64.
        guard let key = request.headers["Sec-WebSocket-Key"], key.utf8.count == 24, key.hasSuffix("==") else {
            return .failure(.init(status: 400, message: "The Sec-WebSocket-Key is not valid."))
        }
        return .success(digest(key + magic))
    }

    private static func has(_ value: String?, _ token: String) -> Bool {
        value?.split(separator: ",").contains { part in
            part.drop { $0 == " " }.prefix { $0 != " " }.lowercased() == token
        } ?? false
    }

    private static func digest(_ text: String) -> String {
        let input = Array(text.utf8)
        var hash = [UInt8](repeating: 0, count: 20)
        EVP_Digest(input, input.count, &hash, nil, EVP_sha1(), nil)
        // 20 bytes make 28 characters; OpenSSL adds a zero.
        var encoded = [UInt8](repeating: 0, count: 29)
        EVP_EncodeBlock(&encoded, hash, Int32(hash.count))
        return String(decoding: encoded.prefix(28), as: UTF8.self)
    }
}

extension Exchange {
    /// Answers the handshake; `body` gets the connection when libmicrohttpd has sent the answer.
    func upgrade(
        _ request: HTTPRequest, _ response: HTTPResponse, _ subprotocol: String?,
        _ body: @escaping @Sendable (any WebSocketConnection) async -> Void
    ) {
        switch WebSocketHandshake.accept(request) {
        case .failure(let refusal):
            var response = Answer.refusal(refusal.status, refusal.message)
            if refusal.status == 426 {
                response.headers.set("Upgrade", "websocket")
                response.headers.set("Sec-WebSocket-Version", "13")
            }
            deliver(Answer(response, isHead: false, closes: true, for: self))
        case .success(let accept):
            var headers = response.headers.fields.map { ($0.name, $0.value) }
            headers.append(("Sec-WebSocket-Accept", accept))
            if let subprotocol { headers.append(("Sec-WebSocket-Protocol", subprotocol)) }
            state.withLock { $0.upgrade = WebSocketUpgrade(body: body) }
            deliver(Answer(upgradeTo: "websocket", headers: headers, upgradedConnection))
        }
    }

    /// libmicrohttpd's thread, once. The socket is ours until `cmhd_upgrade_close`.
    fileprivate func upgraded(_ descriptor: Int32, _ early: [UInt8], _ handle: UpgradeHandle) {
        let upgrade = state.withLock { state in
            defer { state.upgrade = nil }
            return state.upgrade
        }
        guard let upgrade, !core.isAborting, let socket = WebSocket(core, descriptor, early, handle) else {
            return handle.close()
        }
        // libmicrohttpd leaves Nagle's algorithm on here, which makes every keystroke in a console wait.
        var one: Int32 = 1
        setsockopt(peer.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        socket.start()
        let isRunning = core.run {
            await upgrade.body(socket)
            await socket.close()
        }
        // The second: the stop may have looked for sockets just before this one was added.
        if !isRunning || core.isAborting { socket.tearDown() }
    }
}

/// SAFETY: used for the one call that ends the upgrade, by whoever owns the socket then.
struct UpgradeHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    let worker: Worker

    func close() {
        cmhd_upgrade_close(pointer)
        worker.wake()
    }
}

private func upgradedConnection(
    _ closure: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ context: UnsafeMutableRawPointer?,
    _ early: UnsafePointer<CChar>?, _ earlyCount: Int, _ descriptor: Int32, _ handle: OpaquePointer?
) {
    guard let handle, let context else { return }
    // SAFETY: the request's context, see WorkerGroup; `early` has `earlyCount` bytes.
    let exchange = Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
    let bytes = Array(UnsafeRawBufferPointer(start: early, count: early == nil ? 0 : earlyCount))
    exchange.upgraded(descriptor, bytes, UpgradeHandle(pointer: handle, worker: exchange.peer.worker))
}
