// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPKit
import HTTPServer
import LifecycleKit
import Synchronization
import Testing

/// Goal: the server is one that clients of object stores can use: targets, headers and bodies pass as they are, of any
/// size, and no client can hold what it does not use.
/// Method: a real server on a free port, and a client that writes raw bytes.
@Suite("HTTP server, for objects", .timeLimit(.minutes(10)))
struct HTTPTransferTests {
    // MARK: Targets

    @Test(
        "a target reaches the handler as it was sent",
        arguments: [
            ("/target//v1/a/../b/./c//", "/target//v1/a/../b/./c// []"), ("//target", "//target []"),
            ("/target/%2F%2e%C3%a9%00", "/target/%2F%2e%C3%a9%00 []"), ("/target/%f", "/target/%f []"),
            ("/target/%FF%fe", "/target/%FF%fe []"), ("/target/+?+=+", "/target/+ [ = ]"),
            ("/target?", "/target []"), ("/target?a&b=&a=1&=x&&c=d=e?f", "/target [a=;b=;a=1;=x;c=d=e?f]"),
            ("/target?q=%zz", "/target unreadable"), ("/target?q=%ff&ok=1", "/target unreadable"),
            ("http://elsewhere/target/x?y=1", "/target/x [y=1]"),
        ])
    func targets(_ sent: String, _ read: String) async throws {
        try await withHTTPServer(TransferHandler()) { server in
            let client = try server.client()
            defer { client.close() }
            #expect(try await client.get(sent).text == read)
        }
    }

    @Test("bytes of a target that were not encoded are, so that no handler sees less than was sent")
    func rawTargets() async throws {
        try await withHTTPServer(TransferHandler()) { server in
            let client = try server.client()
            defer { client.close() }
            for (bytes, read) in [([0xFF, 0xC3], "%FF%C3"), ([0xC3, 0xA9], "%C3%A9"), ([0xCC, 0x81], "%CC%81")] {
                let target = Array("GET /target/".utf8) + bytes.map(UInt8.init) + Array("?x=\u{e9}".utf8)
                try await client.send(target + Array(" HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
                #expect(try await client.reply().text == "/target/\(read) [x=\u{e9}]")
            }
        }
    }

    // MARK: Answers without a body

    @Test("204 has no body, and the length that the handler says", arguments: ["GET", "HEAD", "DELETE", "POST"])
    func noContent(_ method: String) async throws {
        try await withHTTPServer(TransferHandler()) { server in
            let client = try server.client()
            defer { client.close() }
            let said = try await client.get("/status/204/0", method: method)
            #expect(said.status == 204)
            #expect(said.lines.filter { $0.lowercased().hasPrefix("content-length") } == ["Content-Length: 0"])
            #expect(said.headers["transfer-encoding"] == nil)
            let unsaid = try await client.get("/status/204", method: method)
            #expect(unsaid.status == 204 && unsaid.headers["content-length"] == nil)
            #expect(try await client.get("/target").status == 200)
        }
    }

    @Test("304 and 416 have the shape that clients know, and HEAD the length of what GET would send")
    func shapes() async throws {
        try await withHTTPServer(TransferHandler()) { server in
            let client = try server.client()
            defer { client.close() }
            let same = try await client.get("/status/304")
            #expect(same.status == 304 && same.headers["content-length"] == "0" && same.headers["etag"] == "\"abc\"")
            let outside = try await client.get("/status/416/page")
            #expect(outside.status == 416 && outside.text == "page" && outside.headers["content-length"] == "4")
            #expect(outside.headers["date"]?.hasSuffix(" GMT") == true)
            let large = try await client.get("/status/200/6442450944", method: "HEAD")
            #expect(large.headers["content-length"] == "6442450944")
            #expect(try await client.get("/status/200/0", method: "HEAD").headers["content-length"] == "0")
            #expect(try await client.get("/target").status == 200)
        }
    }

    // MARK: Headers

    @Test("headers pass both ways: empty, repeated, of any case, in UTF-8 and in no known encoding")
    func headers() async throws {
        let sent = [
            "X-Object-Meta-Empty:", "X-Object-Meta-Blank:   ", "x-object-META-oDD_name: a b ", "X-Same: 1", "X-Same: 2",
            "X-Object-Meta-\u{e12}: \u{d558}\u{b298}", "X-Colons: a:b: c", "X-Tab: a\tb",
        ]
        let back = [
            "X-Object-Meta-Empty:", "X-Object-Meta-Blank:", "x-object-META-oDD_name: a b", "X-Same: 1", "X-Same: 2",
            "X-Object-Meta-\u{e12}: \u{d558}\u{b298}", "X-Colons: a:b: c", "X-Tab: a\tb",
        ]
        try await withHTTPServer(TransferHandler()) { server in
            let client = try server.client()
            defer { client.close() }
            let reply = try await client.get("/headers", headers: sent.map { $0 + "\r\n" }.joined())
            let lines = reply.lines.filter { $0.lowercased().hasPrefix("x-") }
            #expect(lines.map { String($0.reversed().drop { $0 == " " }.reversed()) } == back)
            let raw = Array("GET /headers HTTP/1.1\r\nHost: x\r\nX-Object-Meta-A: cut \u{d558}".utf8).dropLast()
            try await client.send(Array(raw) + Array("\r\n\r\n".utf8))
            let line = try #require(try await client.reply().lines.first { $0.hasPrefix("X-Object-Meta-A") })
            #expect(WireText.bytes(line) == Array("X-Object-Meta-A: cut ".utf8) + [0xED, 0x95])
        }
    }

    @Test("as many and as long headers as an object may have are taken")
    func manyHeaders() async throws {
        try await withHTTPServer(TransferHandler()) { server in
            let client = try server.client()
            defer { client.close() }
            var headers = "X-Long: " + String(repeating: "l", count: 8192) + "\r\n"
            for number in 0..<90 { headers += "X-Object-Meta-\(number): " + String(repeating: "m", count: 40) + "\r\n" }
            let name = String(repeating: "%ED%95%98", count: 341)
            let account = String(repeating: "%ED%95%98", count: 85)
            let reply = try await client.get("/headers/\(account)/\(account)/\(name)", headers: headers)
            #expect(reply.status == 200)
            #expect(reply.lines.filter { $0.hasPrefix("X-Object-Meta-") }.count == 90)
            #expect(reply.headers["x-long"]?.utf8.count == 8192)
        }
    }

    @Test("a connection ends when its client asks for it, or speaks HTTP/1.0")
    func endings() async throws {
        try await withHTTPServer(TransferHandler()) { server in
            for request in [
                "GET /target HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET /target HTTP/1.0\r\n\r\n",
            ] {
                let client = try server.client()
                defer { client.close() }
                try await client.send(request)
                let reply = try await client.reply()
                #expect(reply.text == "/target []" && reply.headers["connection"]?.lowercased() == "close")
                #expect(try await client.receive(1).isEmpty)
            }
        }
    }

    // MARK: Uploads

    @Test(
        "100 Continue waits for the handler's wish to read",
        arguments: ["Content-Length: 5", "Transfer-Encoding: chunked"])
    func expectation(_ kind: String) async throws {
        let handler = TransferHandler()
        try await withHTTPServer(handler) { server in
            let client = try server.client()
            defer { client.close() }
            let body = kind.hasPrefix("C") ? "12345" : "5\r\n12345\r\n0\r\n\r\n"
            try await client.send("PUT /count/wait HTTP/1.1\r\nHost: x\r\n\(kind)\r\nExpect: 100-continue\r\n\r\n")
            try await handler.began.waitOrFail()
            #expect(try await client.isSilent())
            handler.release.wake()
            #expect(try await client.reply().status == 100)
            try await client.send(body)
            #expect(try await client.reply().text == "5")
            #expect(try await client.get("/target").status == 200)
        }
    }

    @Test(
        "a body that was announced can be refused unseen, and the connection ends cleanly",
        arguments: ["Content-Length: 5368709121", "Content-Length: 100", "Transfer-Encoding: chunked"])
    func refusedExpectation(_ kind: String) async throws {
        try await withHTTPServer(TransferHandler()) { server in
            let client = try server.client()
            defer { client.close() }
            try await client.send("PUT /refuse HTTP/1.1\r\nHost: x\r\n\(kind)\r\nExpect: 100-continue\r\n\r\n")
            let reply = try await client.reply()
            #expect(reply.status == 413 && reply.text == "no")
            #expect(reply.headers["connection"]?.lowercased() == "close")
            #expect(try await client.receive(1).isEmpty)
        }
    }

    @Test("requests behind a refused body are answered, in order", arguments: [100, 100_000])
    func pipelining(_ size: Int) async throws {
        try await withHTTPServer(TransferHandler()) { server in
            let client = try server.client()
            defer { client.close() }
            let refused = "PUT /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n"
            let next = "GET /target/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /target/2 HTTP/1.1\r\nHost: x\r\n\r\n"
            try await client.send(Array(refused.utf8) + [UInt8](repeating: 0, count: size) + Array(next.utf8))
            #expect(try await client.reply().status == 413)
            #expect(try await client.reply().text == "/target/1 []")
            #expect(try await client.reply().text == "/target/2 []")
        }
    }

    @Test("chunks may be large, have extensions, and be followed by trailers")
    func chunks() async throws {
        try await withHTTPServer(TransferHandler()) { server in
            let client = try server.client()
            defer { client.close() }
            for end in ["0\r\n\r\n", "0;last\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n"] {
                try await client.send("PUT /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                let chunk = [UInt8](repeating: 7, count: 8 << 20)
                for _ in 0..<4 {
                    try await client.send(Array("800000;name=value\r\n".utf8) + chunk + Array("\r\n".utf8))
                }
                for byte in end.utf8 { try await client.send([byte]) }
                #expect(try await client.reply().text == String(32 << 20))
            }
            #expect(try await client.get("/target").status == 200)
        }
    }

    @Test("a handler that reads slowly slows its client, and the memory stays small")
    func uploadPressure() async throws {
        let handler = TransferHandler()
        try await withHTTPServer(handler) { server in
            let client = try server.client()
            defer { client.close() }
            let size = 128 << 20
            try await client.send("PUT /count/pause HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
            // What the kernel keeps for both sides, and the server's queue.
            let taken = try await client.fill(limit: size)
            #expect(taken < 64 << 20)
            handler.release.wake()
            try await client.send([UInt8](repeating: 0, count: size - taken))
            #expect(try await client.reply().text == String(size))
        }
    }

    // MARK: Downloads

    @Test("a file is sent from beyond 4 GiB, and HEAD says its length")
    func largeFile() async throws {
        let handler = TransferHandler()
        try await withHTTPServer(handler) { server in
            let client = try server.client()
            defer { client.close() }
            let size = Int64(6) << 30
            let tail = try await client.get("/file/\(size)/\(size - 8)/8")
            #expect(tail.status == 200 && tail.text == "the tail")
            let head = try await client.get("/file/\(size)/0/\(size)", method: "HEAD")
            #expect(head.headers["content-length"] == String(size))
            #expect(try await client.get("/target").status == 200)
        }
        #expect(handler.openFiles() == 0)
    }

    @Test("a file that is shorter than was promised ends the connection at once", .timeLimit(.minutes(10)))
    func shortFile() async throws {
        let handler = TransferHandler()
        try await withHTTPServer(handler) { server in
            for target in ["/file/100/0/1000", "/file/100/200/1"] {
                let client = try server.client()
                defer { client.close() }
                let reply = try await client.get(target)
                #expect(reply.status == 200)
                #expect(reply.body.count < reply.headers["content-length"].flatMap { Int($0) } ?? 0)
                #expect(try await client.receive(1).isEmpty)
            }
        }
        #expect(handler.openFiles() == 0)
    }

    @Test("a client that reads nothing more loses its connection, and the server what it held for it")
    func stalledDownloads() async throws {
        let handler = TransferHandler()
        var limits = HTTPLimits()
        // Long enough for a busy machine to send a request and read the first of its answer.
        limits.idleTime = .seconds(6)
        try await withHTTPServer(handler, limits) { server in
            let file = try server.client()
            defer { file.close() }
            try await file.send("GET /file/\(1 << 30)/0/\(1 << 30) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await file.receive(1000).count == 1000)
            let stream = try server.client()
            defer { stream.close() }
            try await stream.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await stream.receive(1000).count == 1000)
            try await handler.streamFreed.waitOrFail()
            let deadline = ContinuousClock.now + .seconds(30)
            while server.connectionCount > 0 || handler.openFiles() > 0, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(server.connectionCount == 0)
            #expect(handler.openFiles() == 0)
        }
    }
}

// MARK: The handler

private final class TransferHandler: HTTPHandler {
    private let fileName = "haneul-transfer-\(UInt64.random(in: 0 ... .max))-"

    let began = Signal()
    let release = Signal()
    let streamFreed = Signal()

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        let parts = request.path.split(separator: "/").map(String.init)
        let numbers = parts.dropFirst().compactMap { Int64($0) }
        switch parts.first {
        case "headers":
            var headers = HTTPHeaders()
            for (name, value) in request.headers.fields where name.lowercased().hasPrefix("x-") {
                headers.add(name, value)
            }
            return HTTPResponse(status: 200, headers: headers, body: .bytes([1]))
        case "status":
            var response = HTTPResponse(status: Int(numbers.first ?? 200), headers: ["ETag": "\"abc\""])
            if numbers.count > 1 { response.headers.set("Content-Length", String(numbers[1])) }
            if parts.last == "page" { response.body = .bytes(Array("page".utf8)) }
            return response
        case "refuse": return text("no", status: 413)
        case "count":
            began.wake()
            if parts.last == "wait" { await release.wait() }
            do {
                var count = 0
                while let piece = try await request.body.next() {
                    if parts.last == "pause", count == 0 { await release.wait() }
                    count += piece.count
                }
                return text(String(count))
            } catch {
                return text("\(error)", status: 500)
            }
        case "file":
            return HTTPResponse(
                status: 200, body: .file(descriptor: file(numbers[0]), offset: numbers[1], length: numbers[2]))
        case "endless": return HTTPResponse(status: 200, body: .stream(Ones(self), length: nil))
        default:
            guard request.isQueryReadable else { return text("\(request.path) unreadable") }
            let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: ";")
            return text("\(request.path) [\(query)]")
        }
    }

    /// A file with a hole up to its last words, and no name.
    private func file(_ size: Int64) -> Int32 {
        var path = Array("/tmp/\(fileName)XXXXXX".utf8CString)
        let file = mkstemp(&path)
        unlink(path)
        let tail = Array("the tail".utf8)
        ftruncate(file, Int(size))
        pwrite(file, tail, tail.count, Int(size) - tail.count)
        return file
    }

    /// How many of these files this process holds open.
    func openFiles() -> Int {
        (0..<16384).filter { number in
            var buffer = [CChar](repeating: 0, count: 256)
            let count = readlink("/proc/self/fd/\(number)", &buffer, buffer.count)
            let link = buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:))
            return String(decoding: link, as: UTF8.self).contains(fileName)
        }.count
    }

    private func text(_ text: String, status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, body: .bytes(Array(text.utf8)))
    }

    private final class Ones: ByteSource {
        private let handler: TransferHandler
        init(_ handler: TransferHandler) { self.handler = handler }
        deinit { handler.streamFreed.wake() }
        func next() async throws -> [UInt8]? { [UInt8](repeating: 1, count: 100_000) }
    }
}

extension Signal {
    fileprivate func waitOrFail() async throws {
        guard await wait(atMost: .seconds(30)) else { throw CloudError(.unavailable, "the signal did not come") }
    }
}
