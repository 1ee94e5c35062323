// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPClient
import HTTPKit
import HTTPServer
import LifecycleKit
import Synchronization
import TestKit
import Testing

/// Goal: bodies stream both ways without filling the memory, every ending is told, and nothing is reached that the
/// caller forbids.
/// Method: the project's own server on a free port, whose handler counts what it gives and takes.
@Suite("HTTP client", .timeLimit(.minutes(10)))
struct HTTPClientTests {
    @Test("methods, headers and bodies arrive as they were sent", arguments: HTTPMethod.allCases)
    func methods(_ method: HTTPMethod) async throws {
        try await withServer { server in
            let bodies: [HTTPClientRequest.Body] = [.none, .bytes([]), .bytes(Array("hello".utf8))]
            for body in bodies {
                // A body of these means nothing.
                if case .bytes(let bytes) = body, !bytes.isEmpty, [.get, .head].contains(method) { continue }
                var request = HTTPClientRequest(method, server.url("/info/%C3%A9/../x?a=b"), body: body)
                request.headers = ["X-Mine": "1", "X-Empty": ""]
                let response = try await server.client.send(request)
                #expect(response.status == 200)
                #expect(response.headers["x-method"] == method.rawValue)
                let text = try await String(decoding: response.body.collect(limit: 1000), as: UTF8.self)
                var sent = ""
                if case .bytes(let bytes) = body { sent = String(decoding: bytes, as: UTF8.self) }
                let expected = "\(method.rawValue) /info/%C3%A9/../x a=b mine=1 empty= type=none body=\(sent)"
                #expect(text == (method == .head ? "" : expected))
            }
        }
    }

    @Test("a connection is used again")
    func reuse() async throws {
        try await withServer { server in
            for _ in 1...20 {
                let response = try await server.client.send(HTTPClientRequest(.get, server.url("/zeros/100000")))
                #expect(try await response.body.collect(limit: 1 << 20).count == 100_000)
            }
            #expect(server.http.connectionCount == 1)
        }
    }

    @Test("64 MiB stream both ways, and never more than a few of them are in memory", arguments: [true, false])
    func streams(hasLength: Bool) async throws {
        let size: Int64 = 64 << 20
        try await withServer { server in
            let source = Counted(size)
            let request = HTTPClientRequest(
                .put, server.url("/sink"), body: .stream(source, length: hasLength ? size : nil))
            source.onPiece = { produced in server.handler.observe(produced) }
            let response = try await server.client.send(request)
            #expect(response.status == 200)
            let text = try await String(decoding: response.body.collect(limit: 100), as: UTF8.self)
            #expect(text == "\(size)")
            #expect(server.handler.mostOnTheWay.load(ordering: .relaxed) < 24 << 20)

            let path = hasLength ? "/zeros/\(size)" : "/chunks/\(size)"
            let download = try await server.client.send(HTTPClientRequest(.get, server.url(path)))
            var received: Int64 = 0
            var most: Int64 = 0
            while let piece = try await download.body.next() {
                received += Int64(piece.count)
                most = max(most, server.handler.given.load(ordering: .relaxed) - received)
            }
            #expect(received == size)
            #expect(most < 24 << 20)
        }
    }

    @Test("who reads slowly does not fill the memory, nor does a server that does")
    func backPressure() async throws {
        try await withServer { server in
            let response = try await server.client.send(HTTPClientRequest(.get, server.url("/zeros/1000000000")))
            _ = try await response.body.next()
            try await untilStill { server.handler.given.load(ordering: .relaxed) }
            #expect(server.handler.given.load(ordering: .relaxed) < 32 << 20)
            // The transfer goes on where it was.
            _ = try await response.body.next()

            let source = Counted(1 << 30)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let body = HTTPClientRequest.Body.stream(source, length: nil)
                    let answer = try await server.client.send(
                        HTTPClientRequest(.post, server.url("/hold"), body: body))
                    #expect(answer.status == 200)
                }
                try await untilStill { source.produced.load(ordering: .relaxed) }
                #expect(source.produced.load(ordering: .relaxed) < 32 << 20)
                server.handler.release.wake()
                try await group.waitForAll()
            }
        }
    }

    @Test("cancellation closes the connection, in every phase")
    func cancellation() async throws {
        try await withServer { server in
            // While the answer is awaited.
            try await cancelled(after: server.handler.began) {
                _ = try await server.client.send(HTTPClientRequest(.get, server.url("/wait")))
            }
            server.handler.release.wake()
            // While the body is sent.
            try await cancelled(after: server.handler.began) {
                let body = HTTPClientRequest.Body.stream(Counted(1 << 40), length: nil)
                _ = try await server.client.send(HTTPClientRequest(.post, server.url("/sink"), body: body))
            }
            try await server.handler.failed.waitOrFail()
            // While the body is read.
            let response = try await server.client.send(HTTPClientRequest(.get, server.url("/trickle")))
            try await cancelled(after: server.handler.began) {
                while try await response.body.next() != nil {}
            }
            try await server.handler.streamFreed.waitOrFail()
            // Before anything began.
            try await cancelled(after: nil) {
                _ = try await server.client.send(HTTPClientRequest(.get, server.url("/wait")))
            }
            // It may have begun all the same.
            server.handler.release.wake()
            try await eventually { server.http.connectionCount == 0 }
        }
    }

    private func cancelled(after signal: Signal?, _ body: @escaping @Sendable () async throws -> Void) async throws {
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            if let signal { await signal.wait(atMost: .seconds(30)) }
            group.cancelAll()
            await #expect(throws: CancellationError.self) { try await group.next() }
        }
    }

    @Test("a response that is dropped, or an upload, closes the connection")
    func dropped() async throws {
        try await withServer { server in
            _ = try await server.client.send(HTTPClientRequest(.get, server.url("/zeros/1000000000")))
            try await server.handler.streamFreed.waitOrFail()
            var upload: HTTPUpload? = try await server.client.upload(HTTPClientRequest(.put, server.url("/sink")))
            #expect(try await upload?.write([1, 2, 3]) == true)
            try await server.handler.began.waitOrFail()
            upload = nil
            try await server.handler.failed.waitOrFail()
        }
    }

    @Test("an address that is forbidden is not connected to, whatever its name is")
    func forbidden() async throws {
        try await withServer { server in
            let asked = Mutex<[IPAddress]>([])
            var options = HTTPClientOptions()
            options.mayConnect = { address in
                asked.withLock { $0.append(address) }
                return !address.isLoopback
            }
            let client = HTTPClient(options)
            let port = server.port
            for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433"] {
                await expectCode(.forbidden) {
                    _ = try await client.send(HTTPClientRequest(.get, "http://\(host):\(port)/info"))
                }
            }
            #expect(asked.withLock { $0.allSatisfy(\.isLoopback) && $0.count >= 6 })
            #expect(server.handler.requests.load(ordering: .relaxed) == 0)
        }
    }

    @Test("redirects are followed when asked, never to another scheme, and not for ever")
    func redirects() async throws {
        try await withServer { server in
            let plain = try await server.client.send(HTTPClientRequest(.get, server.url("/redirect/2")))
            #expect(plain.status == 302)
            var request = HTTPClientRequest(.get, server.url("/redirect/2"))
            request.redirects = 3
            let followed = try await server.client.send(request)
            #expect(followed.status == 200)
            #expect(try await followed.body.collect(limit: 100).count == 10)
            request.url = server.url("/redirect/9")
            await expectCode(.badRequest) { [request] in _ = try await server.client.send(request) }
            request.url = server.url("/redirect-file")
            await expectCode(.badRequest) { [request] in _ = try await server.client.send(request) }
            for url in ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http://", "nothing at all"] {
                await expectCode(.badRequest) { _ = try await server.client.send(HTTPClientRequest(.get, url)) }
            }
        }
    }

    @Test("what cannot be a header is not sent")
    func headerInjection() async throws {
        try await withServer { server in
            let request = HTTPClientRequest(.get, server.url("/info"), headers: ["X-A": "1\r\nX-B: 2"])
            await expectCode(.badRequest) { _ = try await server.client.send(request) }
            #expect(server.handler.requests.load(ordering: .relaxed) == 0)
        }
    }

    @Test("a server that is gone, silent, or ends too early is unavailable, soon")
    func unavailable() async throws {
        try await withServer { server in
            // Port 1 of the loopback has no listener.
            await expectCode(.unavailable) {
                _ = try await server.client.send(HTTPClientRequest(.get, "http://127.0.0.1:1/"))
            }
            var request = HTTPClientRequest(.get, server.url("/wait"))
            request.idleTime = .milliseconds(200)
            await expectCode(.unavailable) { [request] in _ = try await server.client.send(request) }
            server.handler.release.wake()
            request.idleTime = nil
            request.timeLimit = .milliseconds(200)
            await expectCode(.unavailable) { [request] in _ = try await server.client.send(request) }
            server.handler.release.wake()
            let short = try await server.client.send(HTTPClientRequest(.get, server.url("/short")))
            #expect(short.headers["content-length"] == "2000")
            await expectCode(.unavailable) { _ = try await short.body.collect(limit: 1 << 20) }
        }
    }

    @Test("an answer before the end of the body arrives; with 100 Continue no byte is sent before it")
    func earlyAnswer() async throws {
        try await withServer { server in
            let source = Counted(1 << 30)
            var request = HTTPClientRequest(.put, server.url("/refuse"), body: .stream(source, length: nil))
            request.awaitsContinue = true
            #expect(try await server.client.send(request).status == 401)
            request.awaitsContinue = false
            request.url = server.url("/partial")
            let response = try await server.client.send(request)
            #expect(response.status == 409)
            #expect(try await response.body.collect(limit: 10) == Array("no".utf8))
            #expect(source.produced.load(ordering: .relaxed) < 64 << 20)

            request.url = server.url("/sink")
            request.awaitsContinue = true
            request.body = .stream(Counted(3_000_000), length: 3_000_000)
            let sunk = try await server.client.send(request)
            #expect(try await sunk.body.collect(limit: 10) == Array("3000000".utf8))
            // Fewer or more than was said is the caller's mistake.
            for count: Int64 in [10, 30] {
                request.body = .stream(Counted(count), length: 20)
                await expectCode(.bug) { [request] in _ = try await server.client.send(request) }
            }
        }
    }

    @Test("many at once, and what nobody waits for")
    func many() async throws {
        try await withServer { server in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 1...100 {
                    group.addTask {
                        let response = try await server.client.send(HTTPClientRequest(.get, server.url("/zeros/5000")))
                        return try await response.body.collect(limit: 1 << 20).count
                    }
                }
                for try await count in group { #expect(count == 5000) }
            }
            server.client.dispatch(HTTPClientRequest(.delete, server.url("/noted")))
            try await server.handler.failed.waitOrFail()
        }
    }

    private func expectCode(_ code: CloudError.Code, _ body: @Sendable () async throws -> Void) async {
        let error = await #expect(throws: CloudError.self) { try await body() }
        #expect(error?.code == code)
    }
}

// MARK: The server

private struct ClientTestServer: Sendable {
    let http: HTTPServer
    let handler: CountingHandler
    let client: HTTPClient
    let port: UInt16
    func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }
}

private func withServer(_ body: @escaping @Sendable (ClientTestServer) async throws -> Void) async throws {
    var limits = HTTPLimits()
    limits.stopTime = .milliseconds(500)
    let handler = CountingHandler()
    let http = HTTPServer(listeners: [Listener(.address("127.0.0.1", port: 0))], handler: handler, limits: limits)
    try http.open()
    let port = try #require(http.ports().first)
    try await withServices([http]) {
        try await body(ClientTestServer(http: http, handler: handler, client: HTTPClient(), port: port))
    }
}

private final class CountingHandler: HTTPHandler {
    let began = Signal()
    let failed = Signal()
    let release = Signal()
    let streamFreed = Signal()
    let requests = Atomic<Int>(0)
    let given = Atomic<Int64>(0)
    let taken = Atomic<Int64>(0)
    let mostOnTheWay = Atomic<Int64>(0)

    func observe(_ produced: Int64) {
        mostOnTheWay.max(produced - taken.load(ordering: .relaxed), ordering: .relaxed)
    }

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        requests.add(1, ordering: .relaxed)
        let parts = request.path.split(separator: "/").map(String.init)
        let size = parts.count > 1 ? Int64(parts[1]) ?? 0 : 0
        do {
            switch parts.first {
            case "info": return try await describe(request)
            case "zeros": return HTTPResponse(status: 200, body: .stream(Zeros(size, self), length: size))
            case "chunks": return HTTPResponse(status: 200, body: .stream(Zeros(size, self), length: nil))
            case "short": return HTTPResponse(status: 200, body: .stream(Zeros(1000, self), length: 2000))
            case "trickle":
                return HTTPResponse(status: 200, body: .stream(Zeros(.max, self, isSlow: true), length: nil))
            case "hold":
                await release.wait()
                return text("held")
            case "wait":
                began.wake()
                await release.wait()
                return text("waited")
            case "sink": return try await sink(request)
            case "refuse": return text("no", 401)
            case "partial":
                _ = try await request.body.next()
                return text("no", 409)
            case "redirect":
                if size == 0 { return text("0123456789") }
                return HTTPResponse(status: 302, headers: ["Location": "/redirect/\(size - 1)"])
            case "redirect-file": return HTTPResponse(status: 302, headers: ["Location": "file:///etc/passwd"])
            case "noted":
                failed.wake()
                return text("")
            default: return text("not found", 404)
            }
        } catch {
            failed.wake()
            return text("\(error)", 500)
        }
    }

    private func sink(_ request: HTTPRequest) async throws -> HTTPResponse {
        var count: Int64 = 0
        while let piece = try await request.body.next() {
            count += Int64(piece.count)
            taken.add(Int64(piece.count), ordering: .relaxed)
            began.wake()
        }
        return text("\(count)")
    }

    private func describe(_ request: HTTPRequest) async throws -> HTTPResponse {
        let body = try await request.body.collect(limit: 1000)
        let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
        var response = text(
            "\(request.method.rawValue) \(request.path) \(query) mine=\(request.headers["x-mine"] ?? "none") "
                + "empty=\(request.headers["x-empty"] ?? "none") type=\(request.headers["content-type"] ?? "none") "
                + "body=\(String(decoding: body, as: UTF8.self))")
        response.headers.set("X-Method", request.method.rawValue)
        return response
    }

    private func text(_ text: String, _ status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, body: .bytes(Array(text.utf8)))
    }
}

/// What the server gives.
private final class Zeros: ByteSource {
    private let left: Atomic<Int64>
    private let handler: CountingHandler
    private let isSlow: Bool

    init(_ count: Int64, _ handler: CountingHandler, isSlow: Bool = false) {
        left = Atomic(count)
        self.handler = handler
        self.isSlow = isSlow
    }

    deinit { handler.streamFreed.wake() }

    func next() async throws -> [UInt8]? {
        if isSlow {
            handler.began.wake()
            try await Task.sleep(for: .milliseconds(10))
        }
        let count = min(left.load(ordering: .relaxed), isSlow ? 10 : 100_000)
        left.subtract(count, ordering: .relaxed)
        handler.given.add(count, ordering: .relaxed)
        return count > 0 ? [UInt8](repeating: 0, count: Int(count)) : nil
    }
}

/// What the client sends.
private final class Counted: ByteSource {
    private let size: Int64
    let produced = Atomic<Int64>(0)
    private let observer = Mutex<@Sendable (Int64) -> Void>({ _ in })

    init(_ size: Int64) { self.size = size }

    var onPiece: @Sendable (Int64) -> Void {
        get { observer.withLock { $0 } }
        set { observer.withLock { $0 = newValue } }
    }

    func next() async throws -> [UInt8]? {
        let before = produced.load(ordering: .relaxed)
        let count = min(size - before, 100_000)
        guard count > 0 else { return nil }
        produced.add(count, ordering: .relaxed)
        onPiece(before + count)
        return [UInt8](repeating: 7, count: Int(count))
    }
}

extension Signal {
    fileprivate func waitOrFail() async throws {
        guard await wait(atMost: .seconds(30)) else { throw CloudError(.unavailable, "the signal did not come") }
    }
}
