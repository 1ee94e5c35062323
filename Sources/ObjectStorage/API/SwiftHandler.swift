// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import LogKit
import ObjectStorageContract
import ObjectStorageCore

/// The object storage API, version 1, from the request's line to the answer's.
package struct SwiftHandler: HTTPHandler {
    /// Answers that need no account: by the whole path.
    package typealias Page = @Sendable (SwiftRequest) async throws -> SwiftResponse

    private let pipeline: SwiftNext
    private let pages: [String: Page]
    private let prefix: String
    private let origin: String
    private let ids: IDSource
    private let clock: WallClock
    private let log = Logger("object-storage")

    /// `prefix` is where the service is mounted beside `/v1`: `/object-store`.
    package init(
        layers: [any SwiftLayer], pages: [String: Page], origin: String, prefix: String = "/object-store",
        ids: IDSource, clock: WallClock
    ) {
        pipeline = SwiftNext(layers)
        self.pages = pages
        self.origin = origin
        self.prefix = prefix
        self.ids = ids
        self.clock = clock
    }

    /// Whether a request is for this handler: an account, or one of the pages.
    package func takes(_ request: HTTPRequest) -> Bool {
        var path = request.path[...]
        if path.hasBytePrefix(prefix + "/"), let rest = path.removing(bytePrefix: prefix) { path = rest }
        return ["/v1", "/v1.0"].contains { path.hasBytePrefix($0 + "/") || path == $0 } || path.hasBytePrefix("/info")
            || pages[String(path)] != nil
    }

    package func handle(_ http: HTTPRequest) async -> HTTPResponse {
        let start = ContinuousClock.now
        let transaction = transactionID(extra: http.headers["X-Trans-Id-Extra"])
        var response = await answer(http, transaction)
        response.headers.set("X-Trans-Id", transaction)
        response.headers.set("X-Openstack-Request-Id", transaction)
        let elapsed = start.duration(to: .now)
        HTTPMetrics.record(service: "object-store", method: http.method, status: response.status, elapsed)
        report(http, response.status, transaction, elapsed)
        return response
    }

    private func answer(_ http: HTTPRequest, _ transaction: String) async -> HTTPResponse {
        var request = SwiftRequest(
            method: http.method, path: ObjectPath(account: ""), query: http.query, headers: SwiftHeaders(http.headers),
            body: http.body, contentLength: http.headers["Content-Length"].flatMap(Int64.init))
        request.remoteAddress = http.remoteAddress
        request.transactionID = transaction
        request.origin = origin
        request.headers.removeAll(where: SwiftGatekeeper.isInternal)
        // The time of a write is the store's to say.
        request.headers["x-backend-inbound-x-timestamp"] = request.headers["x-timestamp"]
        request.headers["x-timestamp"] = nil
        var response: SwiftResponse
        do {
            var path = http.path[...]
            if path.hasBytePrefix(prefix + "/"), let rest = path.removing(bytePrefix: prefix) {
                path = rest
                request.mount = prefix
            }
            if let page = pages[String(path)] {
                response = try await page(request)
            } else {
                try SwiftPath.read(path, into: &request)
                guard http.isQueryReadable else { throw SwiftFault.plain(400, "Query not valid UTF-8") }
                response = await pipeline(request)
            }
        } catch {
            response = SwiftNext.response(to: error, request)
        }
        if response.status == 401, response.headers["www-authenticate"] == nil {
            let realm = request.path.account.isEmpty ? "unknown" : SwiftText.quoted(request.path.account)
            response.headers["www-authenticate"] = "Swift realm=\"\(realm)\""
        }
        response.headers.removeAll(where: SwiftGatekeeper.isInternal)
        if let type = response.headers["content-type"], type.containsBytes("swift_bytes") {
            // What a feature keeps in the type is not the client's.
            let parts = type.split(byte: ";", omittingEmptySubsequences: false)
            let kept = parts.filter { !$0.trimmed.hasBytePrefix("swift_bytes=") }
            response.headers["content-type"] = kept.joined(separator: ";")
        }
        return await SwiftAnswer.finish(response, for: request, ids: ids)
    }

    /// `tx`, 21 random digits, the time: what upstream's operators grep for.
    private func transactionID(extra: String?) -> String {
        let seconds = String(clock.now().seconds, radix: 16)
        let padded = String(repeating: "0", count: max(0, 10 - seconds.utf8.count)) + seconds
        let suffix = extra.map { "-" + Percent.encode(String($0.unicodeScalars.prefix(32))) } ?? ""
        return "tx" + ids.hex().prefix(21) + "-" + padded + suffix
    }

    private func report(_ http: HTTPRequest, _ status: Int, _ transaction: String, _ elapsed: Duration) {
        let fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [
            "method": http.method.rawValue, "path": http.path.prefix(512), "status": status,
            "microseconds": elapsed.microseconds, "request": transaction,
        ]
        if status == 500 {
            log.error("request", fields)
        } else {
            log.debug("request", fields)
        }
    }
}

/// Headers that only the store itself sets and sees.
enum SwiftGatekeeper {
    private static let prefixes = [
        "x-account-sysmeta-", "x-container-sysmeta-", "x-object-sysmeta-", "x-object-transient-sysmeta-", "x-backend",
    ]

    static func isInternal(_ name: String) -> Bool {
        name.utf8.first == UInt8(ascii: "x") && prefixes.contains { name.hasBytePrefix($0) }
    }
}

/// Reading of `/v1/account/container/object`.
enum SwiftPath {
    static func read(_ text: Substring, into request: inout SwiftRequest) throws {
        guard text.utf8.first == UInt8(ascii: "/"), text.utf8.count > 1 else { throw SwiftFault(404) }
        // Decoded first, then split: an escaped slash is one like any other.
        guard let decoded = Percent.decode(text), !decoded.utf8.contains(0) else {
            throw SwiftFault(412, "Invalid UTF8 or contains NULL")
        }
        let names = decoded.split(byte: "/", maxSplits: 4, omittingEmptySubsequences: false).dropFirst().map(String.init)
        guard let first = names.first, !first.isEmpty else { throw SwiftFault(404) }
        request.version = names[0]
        request.pathText = "/" + names.joined(separator: "/")
        guard names.count > 1 else { throw SwiftFault(412, "Bad URL") }
        guard ["v1", "v1.0"].contains(request.version) else { throw SwiftFault(400) }
        let container = names.count > 2 && !names[2].isEmpty ? names[2] : nil
        let object = names.count > 3 && !names[3].isEmpty ? names[3] : nil
        guard !names[1].isEmpty || names.count == 2, object == nil || container != nil else { throw SwiftFault(404) }
        guard !names[1].isEmpty else { throw SwiftFault(412, "Bad URL") }
        request.path = ObjectPath(account: names[1], container: container, object: object)
    }
}
