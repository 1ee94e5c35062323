// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import SecurityKit

/// /v3/OS-OAUTH2/token: a token for an application credential, by the client credentials of OAuth 2.0 (RFC 6749, 4.4).
struct OAuth2Routes: Sendable {
    private static let maximumBodyBytes = 16_384
    private static let form = "application/x-www-form-urlencoded"

    let tokens: TokenEngine

    func register(on routes: inout RouteTable) {
        routes.open(.post, "/v3/OS-OAUTH2/token", issue)
    }

    private func issue(_ request: APIRequest) async throws -> HTTPResponse {
        guard request.http.headers["Content-Type"]?.lowercased().hasPrefix(Self.form) == true else {
            return Self.refusal(400, "invalid_request", "Content-Type must be \(Self.form)")
        }
        let text = String(decoding: try await request.http.body.collect(limit: Self.maximumBodyBytes), as: UTF8.self)
        guard let fields = Percent.query(text) else {
            return Self.refusal(400, "invalid_request", "The body is no form.")
        }
        let type = fields.first { $0.name == "grant_type" }?.value
        guard type == "client_credentials" else {
            return type == nil
                ? Self.refusal(400, "invalid_request", "The parameter grant_type is required.")
                : Self.refusal(
                    400, "unsupported_grant_type", "The OAuth2.0 authentication does not support this grant type.")
        }
        guard let (id, secret) = Self.client(request) else { return Self.unknownClient }
        do {
            let known = try await tokens.issue(
                AuthRequest(methods: [.applicationCredential(.id(ID(id)), Secret(secret))], scope: nil))
            let principal = known.subject.principal
            let seconds = (principal.expiresAt - principal.issuedAt).components.seconds
            return .json(
                200, headers: ["Cache-Control": "no-store", "Pragma": "no-cache"],
                JSONWriter.object { writer in
                    writer.field("access_token", known.token)
                    writer.field("token_type", "Bearer")
                    writer.field("expires_in", Int64(seconds))
                })
        } catch let error as CloudError where error.code == .unauthorized {
            return Self.unknownClient
        }
    }

    /// `Authorization: Basic …` with the application credential's id and secret.
    private static func client(_ request: APIRequest) -> (id: String, secret: String)? {
        guard let header = request.http.headers["Authorization"], header.lowercased().hasPrefix("basic "),
            let bytes = Base64.decode(String(header.dropFirst(6))), let text = String(validating: bytes, as: UTF8.self)
        else { return nil }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let id = Percent.decode(parts[0], plusIsSpace: true),
            let secret = Percent.decode(parts[1], plusIsSpace: true)
        else { return nil }
        return (id, secret)
    }

    private static var unknownClient: HTTPResponse {
        var response = refusal(401, "invalid_client", "Client authentication failed.")
        response.headers.set("WWW-Authenticate", "Basic")
        return response
    }

    /// RFC 6749, 5.2.
    private static func refusal(_ status: Int, _ error: String, _ description: String) -> HTTPResponse {
        .json(
            status,
            JSONWriter.object { writer in
                writer.field("error", error)
                writer.field("error_description", description)
            })
    }
}
