// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit
import SecurityKit

/// /v3/ec2tokens and /v3/s3tokens: a service shows a signed request and learns who signed it.
struct EC2TokenRoutes: Sendable {
    let tokens: EC2TokenEngine
    let catalog: CatalogEngine
    private let catalogWire = CatalogWire()

    init(tokens: EC2TokenEngine, catalog: CatalogEngine) {
        self.tokens = tokens
        self.catalog = catalog
    }

    func register(on routes: inout RouteTable) {
        routes.add(.post, "/v3/ec2tokens", policy: "identity:ec2tokens_validate", ec2)
        routes.add(.post, "/v3/s3tokens", policy: "identity:s3tokens_validate", s3)
    }

    private func ec2(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let fields = try await credentials(request)
        let proof = EC2SignedRequest(
            accessKey: try Self.accessKey(fields), signature: fields["signature"]?.string ?? "",
            verb: fields["verb"]?.string ?? "", host: fields["host"]?.string ?? "", path: fields["path"]?.string ?? "",
            parameters: Self.texts(fields["params"]), headers: Self.texts(fields["headers"]),
            bodyHash: fields["body_hash"]?.string ?? "")
        return try await answer(.request(proof), request, showsToken: true)
    }

    private func s3(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let fields = try await credentials(request)
        let accessKey = try Self.accessKey(fields)
        guard let text = fields["token"]?.string.flatMap(Self.bytes), let signature = fields["signature"]?.string else {
            throw CloudError(.unauthorized, "Credential signature mismatch")
        }
        let time =
            Self.texts(fields["params"])["Timestamp"] ?? Self.texts(fields["headers"])["X-Amz-Date"]
            ?? Self.texts(fields["params"])["X-Amz-Date"]
        return try await answer(
            .text(accessKey: accessKey, text: text, signature: signature, time: time), request, showsToken: false)
    }

    private func answer(_ proof: EC2Proof, _ request: APIRequest, showsToken: Bool) async throws -> HTTPResponse {
        let known = try await tokens.issue(proof)
        let catalog = try await catalogWire.bytes(catalog, origin: request.originURL, for: known.subject.principal)
        var headers: HTTPHeaders = ["Vary": "X-Auth-Token"]
        // What is asked for S3 says who it is; a token comes with the other alone, as upstream has it.
        if showsToken { headers.set("X-Subject-Token", known.token) }
        return .json(200, headers: headers, TokenWire.body(known, catalog: catalog))
    }

    // MARK: Body

    /// Upstream takes three names for it (keystone: `EC2_S3_Resource`).
    private func credentials(_ request: APIRequest) async throws -> [String: JSON] {
        guard case .object(let body) = try await request.json(), !body.isEmpty else {
            throw CloudError.badRequest("request must include a request body")
        }
        return (body["credentials"] ?? body["credential"] ?? body["ec2Credentials"])?.object ?? [:]
    }

    private static func accessKey(_ fields: [String: JSON]) throws -> String {
        guard let accessKey = fields["access"]?.string else {
            throw CloudError(.unauthorized, "EC2 Signature not supplied")
        }
        return accessKey
    }

    private static func texts(_ value: JSON?) -> [String: String] {
        (value?.object ?? [:]).compactMapValues { value in
            switch value {
            case .string(let text): text
            case .int(let number): String(number)
            case .bool(let flag): flag ? "True" : "False"
            default: nil
            }
        }
    }

    /// Base64 in either alphabet, as Python's `urlsafe_b64decode` takes it.
    private static func bytes(_ text: String) -> [UInt8]? {
        Base64.decode(text, .urlSafe) ?? Base64.decode(text)
    }
}
