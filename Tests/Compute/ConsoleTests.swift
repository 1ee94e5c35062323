// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeAPI
import ComputeContract
import ComputeCore
import Glibc
import HTTPKit
import LifecycleKit
import Synchronization
import TestKit
import Testing

/// Goal: who has a console's address reaches the console, and nobody else does.
/// Method: a guest's console that is a local TCP listener; a WebSocket of the test's own.
@Suite("Consoles")
struct ConsoleTests {
    @Test("bytes go both ways, and the end of one side is the end of the other")
    func pipe() async throws {
        let world = try await ComputeWorld()
        let console = try EchoConsole()
        world.hypervisor.setConsole(.tcp(host: "127.0.0.1", port: console.port))
        try await world.run {
            let id = try await world.boot()
            let api = try ConsoleAPI(
                world.parts, sagas: world.sagas, origin: ComputeWorld.origin, novnc: "/nonexistent")
            let router = APIRouter(services: [api], origin: ComputeWorld.origin, ids: .random, clock: .system) { _ in
                throw APIRouter.unauthenticated
            }
            let body: JSON = ["remote_console": ["protocol": "vnc", "type": "novnc"]]
            let answer = try await world.call(
                .post, "/servers/\(id)/remote-consoles", body, version: "2.6", expecting: 200)
            let token = String(try #require(answer["remote_console", "url"]?.string).suffix(36))

            func get(_ path: String, token: String? = nil, headers: HTTPHeaders = [:]) async -> HTTPResponse {
                await router.handle(
                    HTTPRequest(
                        method: .get, path: path, query: token.map { [(name: "token", value: $0)] } ?? [],
                        headers: headers))
            }
            let upgrade: HTTPHeaders = ["Upgrade": "websocket", "Sec-WebSocket-Protocol": "binary"]
            let page = await get("/console/vnc_lite.html")
            guard page.status == 200, case .bytes(let bytes) = page.body else {
                Issue.record("no page")
                return
            }
            let html = String(decoding: bytes, as: UTF8.self)
            #expect(
                html.contains("<html") && html.contains("</html>") && html.contains("noVNC") && html.contains("<script")
            )
            #expect(await get("/console/../etc/passwd").status == 404)
            #expect(await get("/console/websockify", token: token).status == 400)
            let refused = await get("/console/websockify", token: "bad" + token, headers: upgrade)
            #expect(refused.status == 403)
            #expect(refused.headers["Connection"] == "close")
            guard case .empty = refused.body else {
                Issue.record("a refusal has a body")
                return
            }
            var foreign = upgrade
            foreign.set("Origin", "https://evil.example")
            // A name of the attacker's that points here.
            foreign.set("Host", "evil.example")
            #expect(await get("/console/websockify", token: token, headers: foreign).status == 403)

            let opened = await get("/console/websockify", token: token, headers: upgrade)
            guard case .webSocket(let subprotocol, let handler) = opened.body else {
                Issue.record("no socket")
                return
            }
            #expect(subprotocol == "binary")
            let peer = TestWebSocket()
            async let served: Void = handler(peer)
            #expect(await peer.next() == Array("RFB 003.008\n".utf8))
            peer.say(Array("hello".utf8))
            #expect(await peer.next() == Array("hello".utf8))
            peer.say(Array("quit".utf8))
            await served
            #expect(peer.isClosed)
        }
    }
}

/// Greets as VNC does, echoes, and hangs up at "quit".
private final class EchoConsole: Sendable {
    let port: Int

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (bound, known) = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                (bind(listener, $0, length), getsockname(listener, $0, &length))
            }
        }
        try #require(bound == 0 && known == 0 && listen(listener, 4) == 0)
        port = Int(UInt16(bigEndian: name.sin_port))
        SystemThread.start("echo-console") {
            let client = accept(listener, nil, nil)
            close(listener)
            var buffer = Array("RFB 003.008\n".utf8)
            var count = buffer.count
            repeat {
                write(client, buffer, count)
                buffer = [UInt8](repeating: 0, count: 4096)
                count = read(client, &buffer, buffer.count)
            } while count > 0 && buffer.prefix(4) != Array("quit".utf8)[...]
            close(client)
        }.detach()
    }
}

/// The browser's end.
private final class TestWebSocket: WebSocketConnection {
    private let toServer = AsyncStream.makeStream(of: [UInt8].self)
    private let toPeer = AsyncStream.makeStream(of: [UInt8].self)
    private let closed = Atomic(false)

    var isClosed: Bool { closed.load(ordering: .acquiring) }

    func say(_ message: [UInt8]) { toServer.continuation.yield(message) }

    func next() async -> [UInt8]? {
        for await message in toPeer.stream { return message }
        return nil
    }

    func receive() async throws -> [UInt8]? {
        for await message in toServer.stream { return message }
        return nil
    }

    func send(_ message: [UInt8]) async throws { toPeer.continuation.yield(message) }

    func close() async {
        closed.store(true, ordering: .releasing)
        toServer.continuation.finish()
        toPeer.continuation.finish()
    }
}
