// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPKit
import HTTPServer
import LifecycleKit
import Synchronization
import TestKit
import Testing

/// Goal: every kind of body, refusal and ending works, and nothing is left behind.
/// Method: a real server on a free port, and a client that writes raw bytes.
@Suite("HTTP server", .timeLimit(.minutes(10)))
struct HTTPServerTests {
    @Test("a connection is kept, and a request arrives as it was sent")
    func keepAlive() async throws {
        try await withServer { server in
            let client = try server.client()
            defer { client.close() }
            for number in 1...3 {
                let reply = try await client.get("/info/%C3%A9?n=\(number)&q=a%20b+c&flag", headers: "X-Mine: 1\r\n")
                #expect(reply.status == 200)
                #expect(reply.text == "get /info/%C3%A9 n=\(number),q=a b c,flag= X-Mine=1 tag=main from=127.0.0.1")
            }
            #expect(server.http.connectionCount == 1)
        }
    }

    @Test("HEAD says the length and sends no body")
    func head() async throws {
        try await withServer { server in
            let client = try server.client()
            defer { client.close() }
            #expect(try await client.get("/bytes", method: "HEAD").headers["content-length"] == "5")
            #expect(try await client.get("/head", method: "HEAD").headers["content-length"] == "1234")
            #expect(try await client.get("/zeros/100000", method: "HEAD").headers["content-length"] == "100000")
            #expect(try await client.get("/bytes").text == "hello")
        }
    }

    @Test(
        "what is not HTTP as we speak it is refused, and what is odd but right is not",
        arguments: [
            ("GET relative HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip,chunked\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\nab", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\nab", 400),
            ("GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414),
            ("GET /bytes?" + String(repeating: "a&", count: 4000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 200),
            ("GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + String(repeating: "a", count: 50_000) + "\r\n\r\n", 431),
        ])
    func refusals(_ request: String, _ status: Int) async throws {
        try await withServer { server in
            let client = try server.client()
            defer { client.close() }
            try await client.send(request)
            #expect(try await client.reply().status == status)
        }
    }

    @Test("bodies of all sizes come back whole", arguments: [0, 1, 1000, 64 << 10, (64 << 10) + 1, 3_000_000])
    func echo(_ size: Int) async throws {
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try await withServer { server in
            let client = try server.client()
            defer { client.close() }
            let sized = try await client.post("/echo", body)
            #expect(sized.status == 200 && sized.body == body)
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: size, by: 70_001) {
                let chunk = body[start..<min(size, start + 70_001)]
                try await client.send(Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8))
            }
            try await client.send("0\r\n\r\n")
            #expect(try await client.reply().body == body)
        }
    }

    @Test("100 Continue is said when the handler wants the body, and only then")
    func expectContinue() async throws {
        try await withServer { server in
            let client = try server.client()
            defer { client.close() }
            try await client.send("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await client.reply().status == 100)
            try await client.send("12345")
            #expect(try await client.reply().text == "12345")
            try await client.send(
                "PUT /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await client.reply().status == 401)
        }
    }

    @Test("an answer before the end of the body arrives, whoever is quicker", arguments: ["/refuse", "/partial"])
    func earlyAnswer(_ path: String) async throws {
        try await withServer { server in
            for size in [100_000, 30_000_000] {
                let client = try server.client()
                defer { client.close() }
                try await client.send("POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
                try await client.send([UInt8](repeating: 1, count: size))
                let reply = try await client.reply()
                #expect(reply.status == (path == "/refuse" ? 401 : 409))
                #expect(reply.text == "no")
            }
        }
    }

    @Test("a stream arrives whole, with its length or in chunks")
    func streams() async throws {
        try await withServer { server in
            let client = try server.client()
            defer { client.close() }
            #expect(try await client.get("/zeros/20000000").body.count == 20_000_000)
            #expect(try await client.get("/chunks/3000000").body.count == 3_000_000)
            #expect(try await client.get("/bytes").text == "hello")
        }
    }

    @Test("a stream that ends too early ends the connection")
    func shortStream() async throws {
        try await withServer { server in
            let client = try server.client()
            defer { client.close() }
            let reply = try await client.get("/short")
            #expect(reply.headers["content-length"] == "2000")
            #expect(reply.body.count == 1000)
        }
    }

    @Test("a file is sent from an offset, and its descriptor closed")
    func file() async throws {
        try await withServer { server in
            let client = try server.client()
            defer { client.close() }
            let reply = try await client.get("/file")
            #expect(reply.text == "3456789")
            #expect(try await client.get("/file", method: "HEAD").headers["content-length"] == "7")
        }
    }

    @Test("a client that goes away ends the handler's reads and the stream")
    func disconnect() async throws {
        try await withServer { server in
            let uploading = try server.client()
            try await uploading.send("POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nsome")
            try await server.handler.began.waitOrFail()
            uploading.close()
            try await server.handler.failed.waitOrFail()

            let downloading = try server.client()
            try await downloading.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await downloading.receive(1000).count == 1000)
            downloading.close()
            try await server.handler.streamFreed.waitOrFail()
        }
    }

    @Test("a slow client does not fill the memory")
    func backPressure() async throws {
        try await withServer { server in
            let client = try server.client()
            try await client.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive(1000).count == 1000)
            // The kernel's buffers and the queue take a few MiB; then the source is not asked any more.
            try await untilStill { server.handler.produced.load(ordering: .relaxed) }
            #expect(server.handler.produced.load(ordering: .relaxed) < 32 << 20)
            client.close()
            try await server.handler.streamFreed.waitOrFail()
        }
    }

    @Test("listeners come and go, and requests carry their tag")
    func listeners() async throws {
        try await withServer { server in
            try server.http.addListener(Listener(.address("127.0.0.1", port: 0), tag: "net-1"))
            let port = try #require(server.http.ports(tag: "net-1").first)
            let client = try HTTPTestClient(port: port)
            defer { client.close() }
            #expect(try await client.get("/info").text.contains("tag=net-1 "))
            server.http.removeListener(tag: "net-1")
            // The connection ends, and the port answers no more.
            #expect(try await client.receive(1).isEmpty)
            #expect(throws: CloudError.self) { try HTTPTestClient(port: port) }
            #expect(server.http.ports(tag: "net-1").isEmpty)
        }
    }

    @Test("a header that comes too slowly ends the connection")
    func slowHeader() async throws {
        var limits = HTTPLimits()
        limits.headerTime = .milliseconds(200)
        try await withServer(limits) { server in
            let client = try server.client()
            defer { client.close() }
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\nX-")
            #expect(try await client.receive(1).isEmpty)
        }
    }

    @Test("the stop lets a request finish, and closes idle connections")
    func gracefulStop() async throws {
        let handler = TestHandler()
        let http = HTTPServer(listeners: [Listener(.address("127.0.0.1", port: 0))], handler: handler)
        try http.open()
        let port = try #require(http.ports().first)
        let (busy, idle) = (try HTTPTestClient(port: port), try HTTPTestClient(port: port))
        defer { for client in [busy, idle] { client.close() } }
        #expect(try await idle.get("/bytes").status == 200)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await http.run() }
            try await busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            try await handler.began.waitOrFail()
            group.cancelAll()
            #expect(try await idle.receive(1).isEmpty)
            handler.release.wake()
            let reply = try await busy.reply()
            #expect(reply.text == "waited")
            #expect(reply.headers["connection"]?.lowercased() == "close")
            try await group.waitForAll()
        }
        #expect(http.connectionCount == 0)
        #expect(throws: CloudError.self) { try HTTPTestClient(port: port) }
    }

    @Test("a WebSocket echoes, answers pings, and closes")
    func webSocket() async throws {
        try await withServer { server in
            let client = try server.client()
            defer { client.close() }
            let handshake = try await client.get(
                "/socket",
                headers: "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
            #expect(handshake.status == 101)
            // The example of RFC 6455, section 1.3.
            #expect(handshake.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            #expect(handshake.headers["sec-websocket-protocol"] == "binary")
            try await client.send(Self.frame(0x82, Array("hello".utf8)))
            #expect(try await client.receive(7) == [0x82, 5] + Array("hello".utf8))
            try await client.send(Self.frame(0x89, [1, 2]))
            #expect(try await client.receive(4) == [0x8A, 2, 1, 2])
            try await client.send(Self.frame(0x88, [0x03, 0xE8]))
            #expect(try await client.receive(4) == [0x88, 2, 0x03, 0xE8])
            #expect(try await client.receive(1).isEmpty)
            let plain = try server.client()
            defer { plain.close() }
            #expect(try await plain.get("/socket").status == 426)
        }
    }

    /// A masked frame of at most 125 bytes, as clients send it.
    private static func frame(_ head: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let mask: [UInt8] = [1, 2, 3, 4]
        return [head, 0x80 | UInt8(payload.count)] + mask
            + payload.enumerated().map { $0.element ^ mask[$0.offset % 4] }
    }
}

// MARK: The server under test

private struct TestServer: Sendable {
    let http: HTTPServer
    let handler: TestHandler
    func client() throws -> HTTPTestClient { try HTTPTestClient(port: http.ports(tag: "main").first ?? 0) }
}

private func withServer(
    _ limits: HTTPLimits = HTTPLimits(), _ body: @escaping @Sendable (TestServer) async throws -> Void
) async throws {
    let handler = TestHandler()
    try await withHTTPServer(handler, limits) { try await body(TestServer(http: $0, handler: handler)) }
}

private final class TestHandler: HTTPHandler {
    let began = Signal()
    let failed = Signal()
    let release = Signal()
    let streamFreed = Signal()
    let produced = Atomic<Int>(0)

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        let parts = request.path.split(separator: "/").map(String.init)
        let size = parts.count > 1 ? Int64(parts[1]) ?? 0 : 0
        switch parts.first {
        case "info": return text(describe(request))
        case "bytes": return text("hello")
        case "head": return HTTPResponse(status: 200, headers: ["Content-Length": "1234"])
        case "echo":
            do { return HTTPResponse(status: 200, body: .bytes(try await request.body.collect(limit: 10 << 20))) } catch
            {
                return text("\(error)", status: 500)
            }
        case "sink":
            do {
                while try await request.body.next() != nil { began.wake() }
            } catch {
                failed.wake()
            }
            return text("sunk")
        case "refuse": return text("no", status: 401)
        case "partial":
            do { _ = try await request.body.next() } catch { return text("\(error)", status: 500) }
            return text("no", status: 409)
        case "zeros": return HTTPResponse(status: 200, body: .stream(Zeros(size), length: size))
        case "chunks": return HTTPResponse(status: 200, body: .stream(Zeros(size), length: nil))
        case "short": return HTTPResponse(status: 200, body: .stream(Zeros(1000), length: 2000))
        case "endless": return HTTPResponse(status: 200, body: .stream(Endless(self), length: nil))
        case "file":
            var path = Array("/tmp/haneul-http-XXXXXX".utf8CString)
            let file = mkstemp(&path)
            unlink(path)
            _ = write(file, "0123456789", 10)
            return HTTPResponse(status: 200, body: .file(descriptor: file, offset: 3, length: 7))
        case "wait":
            began.wake()
            await release.wait()
            return text("waited")
        case "socket":
            return HTTPResponse(
                status: 101,
                body: .webSocket(subprotocol: "binary") { socket in
                    do {
                        while let message = try await socket.receive() { try await socket.send(message) }
                    } catch {
                        self.failed.wake()
                    }
                })
        default: return text("not found", status: 404)
        }
    }

    private func text(_ text: String, status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, body: .bytes(Array(text.utf8)))
    }

    private func describe(_ request: HTTPRequest) -> String {
        let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
        return "\(request.method) \(request.path) \(query) X-Mine=\(request.headers["x-mine"] ?? "") "
            + "tag=\(request.listenerTag) from=\(request.remoteAddress)"
    }
}

private final class Zeros: ByteSource {
    private let left: Atomic<Int64>
    init(_ count: Int64) { left = Atomic(count) }
    func next() async throws -> [UInt8]? {
        let count = min(left.load(ordering: .relaxed), 100_000)
        left.subtract(count, ordering: .relaxed)
        return count > 0 ? [UInt8](repeating: 0, count: Int(count)) : nil
    }
}

private final class Endless: ByteSource {
    private let handler: TestHandler
    init(_ handler: TestHandler) { self.handler = handler }
    deinit { handler.streamFreed.wake() }
    func next() async throws -> [UInt8]? {
        handler.produced.add(100_000, ordering: .relaxed)
        return [UInt8](repeating: 1, count: 100_000)
    }
}

extension Signal {
    fileprivate func waitOrFail() async throws {
        guard await wait(atMost: .seconds(30)) else { throw CloudError(.unavailable, "the signal did not come") }
    }
}
