// SPDX-License-Identifier: Apache-2.0
import HTTPKit
import HTTPServer
import Testing

/// Runs `body` against a server, stops the server, and checks that nothing of it is left. Its listener is `main`.
func withHTTPServer(
    _ handler: any HTTPHandler, _ limits: HTTPLimits = HTTPLimits(),
    _ body: @escaping @Sendable (HTTPServer) async throws -> Void
) async throws {
    var limits = limits
    limits.stopTime = .milliseconds(500)
    let listener = Listener(.address("127.0.0.1", port: 0), tag: "main")
    let http = HTTPServer(listeners: [listener], handler: handler, limits: limits)
    try http.open()
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await http.run() }
        defer { group.cancelAll() }
        try await body(http)
    }
    #expect(http.connectionCount == 0)
    #expect(http.requestCount == 0)
}

extension HTTPServer {
    func client() throws -> HTTPTestClient { try HTTPTestClient(port: ports(tag: "main").first ?? 0) }
}
