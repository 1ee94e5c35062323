// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import LifecycleKit
import LogKit

/// /console: noVNC's files, and the WebSocket that carries a guest's VNC or serial console.
struct ConsoleRoutes: Sendable {
    private static let connectLimit = Duration.seconds(10)
    let consoles: ConsoleTokenEngine
    let pages: ConsolePages

    func register(on routes: inout RouteTable) {
        routes.open(.get, "/websockify", open)
        routes.open(.get, "/{file*}") { request in try await pages.answer(request.parameter("file")) }
        routes.open(.get, "/") { _ in try await pages.answer("vnc_lite.html") }
    }

    private func open(_ request: APIRequest) async throws -> HTTPResponse {
        guard request.http.headers["Upgrade"]?.lowercased() == "websocket" else {
            throw CloudError.badRequest("This address is for WebSockets.")
        }
        try Self.checkOrigin(request)
        guard let token = Self.token(request), let grant = try await consoles.grant(token) else {
            throw CloudError(.forbidden, "The token has expired or is invalid.")
        }
        let socket: StreamSocket
        switch grant.endpoint {
        case .tcp(let host, let port):
            socket = try await StreamSocket.connect(tcp: host, port: port, limit: Self.connectLimit)
        case .unixSocket(let path): socket = try await StreamSocket.connect(unix: path, limit: Self.connectLimit)
        }
        let offered = request.http.headers["Sec-WebSocket-Protocol"]?.split(separator: ",").map { word in
            String(word.filter { $0 != " " })
        }
        let subprotocol = offered?.contains("binary") == true ? "binary" : nil
        return HTTPResponse(status: 101, body: .webSocket(subprotocol: subprotocol) { await Self.pipe($0, socket) })
    }

    /// In the query, or in a cookie as old noVNC sends it.
    private static func token(_ request: APIRequest) -> String? {
        if let token = request.query("token"), !token.isEmpty { return token }
        for part in request.http.headers["Cookie"]?.split(separator: ";") ?? [] {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2, pair[0].filter({ $0 != " " }) == "token" { return String(pair[1]) }
        }
        return nil
    }

    /// A browser says which page opened the socket: only pages of the configured origin may, else any site that learned
    /// a token could show the console (nova: console/websocketproxy.py). `Host` does not count, a site may have its name
    /// point here (OSSN-0101). No `Origin`: no browser.
    private static func checkOrigin(_ request: APIRequest) throws {
        guard let origin = request.http.headers["Origin"] else { return }
        guard origin.lowercased() == request.originURL.lowercased() else {
            throw CloudError(.forbidden, "Origin header does not match this host.")
        }
    }

    /// Both ways until either side ends.
    private static func pipe(_ peer: any WebSocketConnection, _ socket: StreamSocket) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await copy(from: { try await socket.read() }, to: { try await peer.send($0) })
            }
            group.addTask {
                await copy(from: { try await peer.receive() }, to: { try await socket.write($0) })
            }
            await group.next()
            socket.shut()
            await peer.close()
            group.cancelAll()
        }
    }

    private static func copy(
        from source: @Sendable () async throws -> [UInt8]?, to target: @Sendable ([UInt8]) async throws -> Void
    ) async {
        do {
            while let bytes = try await source() { try await target(bytes) }
        } catch {
            log.debug("console ended", ["error": "\(error)"])
        }
    }

    private static let log = Logger("consoles")
}
