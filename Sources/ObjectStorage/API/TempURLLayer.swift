// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Temporary URLs: whoever has one may do, until it expires, what its maker signed with a key of the account or
/// container.
package struct TempURLLayer: SwiftLayer {
    private static let methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    package static let info: InfoPage.Section = (
        "tempurl",
        [
            "methods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
            "allowed_digests": ["sha1", "sha256", "sha512"], "deprecated_digests": ["sha1"],
            "incoming_remove_headers": ["x-timestamp", "x-open-expired"], "incoming_allow_headers": [],
            "outgoing_remove_headers": ["x-object-meta-*"], "outgoing_allow_headers": ["x-object-meta-public-*"],
        ]
    )

    private let gate: AccessGate
    private let clock: WallClock

    package init(gate: AccessGate, clock: WallClock) {
        self.gate = gate
        self.clock = clock
    }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        let (signature, expires) = (request.parameter("temp_url_sig"), request.parameter("temp_url_expires"))
        guard request.method != .options, signature != nil || expires != nil else { return await next(request) }
        let until = expires.flatMap(TempURLSignature.expiry) ?? 0
        guard until >= clock.now().seconds, let text = signature, let signature = TempURLSignature(text),
            let scope = try await scope(request, signature, until)
        else { return invalid(request) }
        var signed = request
        if !request.isRead {
            // With the key of an account they would read all of it.
            let refused = ["x-object-manifest", "x-copy-from", "x-copy-from-account", SymlinkHeader.target]
            for name in refused where request.headers[name] != nil {
                throw SwiftFault(400, "The header '\(SwiftText.titled(name))' is not allowed in this tempurl")
            }
        }
        signed.headers["x-auth-token"] = nil
        signed.headers["x-storage-token"] = nil
        signed.headers["x-open-expired"] = nil
        signed.caller = .keyHolder(of: scope)
        // Nothing in the query but the signature is signed.
        let kept = ["temp_url_sig", "temp_url_expires", "temp_url_prefix", "filename", "inline", "temp_url_ip_range"]
        signed.query = request.query.filter { kept.contains($0.name) }
        return finish(await next(signed), request, until)
    }

    private func invalid(_ request: SwiftRequest) -> SwiftResponse {
        request.method == .head ? SwiftResponse(401, body: .none) : .text(401, "401 Unauthorized: Temp URL invalid\n")
    }

    /// What the key that signed this is a key of; nil: no key did.
    private func scope(
        _ request: SwiftRequest, _ signature: TempURLSignature, _ until: Int64
    ) async throws -> ObjectPath? {
        let prefix = request.parameter("temp_url_prefix")
        guard Self.methods.contains(request.method.rawValue), request.version == "v1",
            let container = request.path.container
        else { return nil }
        let mayBeContainer = request.isRead && prefix == ""
        let object = request.path.object ?? ""
        guard mayBeContainer || !object.dropping(leading: "/").isEmpty else { return nil }
        let addresses = request.parameter("temp_url_ip_range").flatMap { $0.isEmpty ? nil : $0 }
        if let addresses {
            guard let range = CIDR(addresses), let address = IPAddress(request.remoteAddress), range.contains(address)
            else { return nil }
        }
        var path = "/v1/\(request.path.account)/\(container)/\(object)"
        if let prefix {
            guard object.hasBytePrefix(prefix) else { return nil }
            path = "prefix:/v1/\(request.path.account)/\(container)/\(prefix)"
        }
        let methods = request.method == .head ? ["HEAD", "GET", "POST", "PUT"] : [request.method.rawValue]
        let messages = methods.map {
            TempURLSignature.message(method: $0, expires: until, path: path, addresses: addresses)
        }
        for (key, scope) in try await TempURLKeys(gate: gate).keys(request)
        where messages.contains(where: { signature.signs($0, key: key) }) { return scope }
        return nil
    }

    private func finish(_ response: SwiftResponse, _ request: SwiftRequest, _ until: Int64) -> SwiftResponse {
        var response = response
        response.headers.removeAll { $0.hasBytePrefix("x-object-meta-") && !$0.hasBytePrefix("x-object-meta-public-") }
        guard request.isRead, response.isSuccess else { return response }
        let isPage = response.headers["x-backend-content-generator"] == "staticweb"
        guard request.isObject || isPage else { return invalid(request) }
        response.headers["content-disposition"] = disposition(request, response, isPage: isPage)
        response.headers["expires"] = HTTPDate.text(seconds: until)
        return response
    }

    private func disposition(_ request: SwiftRequest, _ response: SwiftResponse, isPage: Bool) -> String {
        let filename = request.parameter("filename").flatMap { $0.isEmpty ? nil : $0 }
        if isPage || request.parameter("inline") != nil { return filename.map { named("inline", $0) } ?? "inline" }
        if let filename { return named("attachment", filename) }
        if let own = response.headers["content-disposition"] { return own }
        return named("attachment", request.path.object?.split(byte: "/").last.map(String.init) ?? "")
    }

    private func named(_ kind: String, _ filename: String) -> String {
        let spaced = filename.split(byte: " ", omittingEmptySubsequences: false).map {
            SwiftText.quoted(String($0))
        }
        let plain = spaced.joined(separator: " ")
        return "\(kind); filename=\"\(plain)\"; filename*=UTF-8''\(SwiftText.quoted(filename))"
    }
}

/// Keys that sign for an account, and for one container of it.
struct TempURLKeys: Sendable {
    let gate: AccessGate

    func keys(_ request: SwiftRequest) async throws -> [(key: String, scope: ObjectPath)] {
        let account = try await gate.account(request.path, .readAccount, for: .system).record
        let container = try await gate.container(request.path, .readContainer, for: .system, seen: request.seen).record
        let ofAccount = TempURLSignature.keys({ account?.header($0) }, kind: "account")
        let ofContainer = TempURLSignature.keys({ container?.header($0) }, kind: "container")
        return ofAccount.map { ($0, request.path.ofAccount) } + ofContainer.map { ($0, request.path.ofContainer) }
    }
}
