// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/OS-OAUTH1 and /v3/users/{user_id}/OS-OAUTH1
struct OAuthRoutes: Sendable {
    let oauth: OAuthEngine

    func register(on routes: inout RouteTable) {
        let consumers = "/v3/OS-OAUTH1/consumers"
        routes.add(.get, consumers, object: "identity:list_consumers", listConsumers)
        routes.add(.post, consumers, object: "identity:create_consumer", createConsumer)
        routes.add(.get, consumers + "/{consumer_id}", object: "identity:get_consumer", showConsumer)
        routes.add(.patch, consumers + "/{consumer_id}", object: "identity:update_consumer", updateConsumer)
        routes.add(.delete, consumers + "/{consumer_id}", object: "identity:delete_consumer", deleteConsumer)
        routes.open(.post, "/v3/OS-OAUTH1/request_token", request)
        routes.open(.post, "/v3/OS-OAUTH1/access_token", access)
        routes.add(
            .put, "/v3/OS-OAUTH1/authorize/{request_token_id}", object: "identity:authorize_request_token", authorize)
        let tokens = "/v3/users/{user_id}/OS-OAUTH1/access_tokens"
        let token = tokens + "/{access_token_id}"
        routes.add(.get, tokens, object: "identity:list_access_tokens", listTokens)
        routes.add(.get, token, object: "identity:get_access_token", showToken)
        routes.add(.delete, token, object: "identity:delete_access_token", deleteToken)
        routes.add(.get, token + "/roles", object: "identity:list_access_token_roles", listRoles)
        routes.add(.get, token + "/roles/{role_id}", object: "identity:get_access_token_role", showRole)
    }

    // MARK: Consumers

    private func listConsumers(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await oauth.consumers(for: context)
        return try ListPage(request, found, id: \.id.rawValue, name: nil).response("consumers") {
            OAuthWire.write($0, nil, &$1, request.v3URL)
        }
    }

    private func createConsumer(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try await request.body("consumer")
        let description = try body.nullableString("description", 0...65_535).flatMap { $0 }
        _ = (body.value("id"), body.value("secret"))
        let (consumer, secret) = try await oauth.create(
            description: description, extras: try body.extras(), for: context)
        return IdentityReply.one("consumer", status: 201) { OAuthWire.write(consumer, secret, &$0, request.v3URL) }
    }

    private func showConsumer(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let consumer = try await oauth.consumer(request.id("consumer_id"), for: context)
        return IdentityReply.one("consumer") { OAuthWire.write(consumer, nil, &$0, request.v3URL) }
    }

    private func updateConsumer(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: ConsumerID = request.id("consumer_id")
        var body = try await request.body("consumer")
        guard !body.remainingKeys.isEmpty, !body.has("secret") else {
            throw CloudError.badRequest("Invalid input for field 'consumer': the secret cannot be changed")
        }
        var change = ConsumerChange()
        change.description = try body.nullableString("description", 0...65_535)
        try body.checkID("id", is: id.rawValue, "consumer ID")
        change.extras = try body.extras()
        let consumer = try await oauth.update(id, change, for: context)
        return IdentityReply.one("consumer") { OAuthWire.write(consumer, nil, &$0, request.v3URL) }
    }

    private func deleteConsumer(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await oauth.delete(request.id("consumer_id", ConsumerTag.self), for: context)
        return IdentityReply.noContent()
    }

    // MARK: The dance

    private func request(_ request: APIRequest) async throws -> HTTPResponse {
        let project = request.http.headers["Requested-Project-Id"].map { ProjectID($0) }
        return OAuthWire.form(try await oauth.request(try OAuth1Proof(request), project: project))
    }

    private func access(_ request: APIRequest) async throws -> HTTPResponse {
        OAuthWire.form(try await oauth.access(try OAuth1Proof(request)))
    }

    private func authorize(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try ObjectReader(try await request.json(), allowsUnknown: true)
        guard let wanted = try body.array("roles", 0...1000) else { throw body.missing("roles") }
        let roles = try RoleReferenceWire.read(wanted, in: "roles")
        let verifier = try await oauth.authorize(request.id("request_token_id"), roles, for: context)
        return IdentityReply.one("token") { $0.field("oauth_verifier", verifier.reveal()) }
    }

    // MARK: Access tokens

    private func listTokens(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await oauth.accessTokens(of: request.id("user_id"), for: context)
        return try ListPage(request, found, id: \.id.rawValue, name: nil).response("access_tokens") {
            OAuthWire.write($0, &$1, request.v3URL)
        }
    }

    private func showToken(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let token = try await oauth.accessToken(
            request.id("access_token_id"), of: request.id("user_id"), for: context)
        return IdentityReply.one("access_token") { OAuthWire.write(token, &$0, request.v3URL) }
    }

    private func deleteToken(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await oauth.delete(request.id("access_token_id"), of: request.id("user_id"), for: context)
        return IdentityReply.noContent()
    }

    private func listRoles(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let roles = try await oauth.roles(
            of: request.id("access_token_id"), of: request.id("user_id"), for: context)
        return try ListPage(request, roles, id: \.id.rawValue, name: \.name).response("roles") {
            RoleWire.write($0, &$1, request.v3URL)
        }
    }

    private func showRole(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: RoleID = request.id("role_id")
        let roles = try await oauth.roles(
            of: request.id("access_token_id"), of: request.id("user_id"), for: context)
        guard let role = roles.first(where: { $0.id == id }) else {
            throw CloudError.notFound("Could not find role: \(id).")
        }
        return IdentityReply.one("role") { RoleWire.write(role, &$0, request.v3URL) }
    }
}

extension OAuth1Proof {
    private static let maximumParameters = 64

    /// Throws `.badRequest` for a header that is not OAuth's, or names something twice.
    ///
    /// The signer may know the cloud by its configured address or by the one that it asked.
    init(_ request: APIRequest) throws {
        let path = request.http.path
        var urls = [request.originURL + path]
        if let host = request.http.headers["Host"], let colon = request.originURL.firstIndex(of: ":") {
            urls.append(request.originURL[..<colon] + "://" + host + path)
        }
        self.init(
            oauth: try Self.parameters(request.http.headers["Authorization"] ?? ""),
            method: request.http.method.rawValue, urls: urls, query: request.http.query)
    }

    private static func parameters(_ header: String) throws -> [String: String] {
        guard header.hasPrefix("OAuth ") else { return [:] }
        var parameters: [String: String] = [:]
        for part in header.dropFirst("OAuth ".count).split(separator: ",") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, parameters.count < maximumParameters,
                let name = Percent.decode(trimmed(halves[0])),
                let value = Percent.decode(unquoted(trimmed(halves[1]))),
                parameters.updateValue(value, forKey: name) == nil
            else { throw CloudError.badRequest("The Authorization header is not OAuth's.") }
        }
        return parameters
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " { text = text.dropFirst() }
        while text.last == " " { text = text.dropLast() }
        return text
    }

    private static func unquoted(_ text: Substring) -> Substring {
        text.count >= 2 && text.first == "\"" && text.last == "\"" ? text.dropFirst().dropLast() : text
    }
}

enum OAuthWire {
    static func write(_ consumer: Consumer, _ secret: Secret?, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", consumer.id)
        writer.field("description", consumer.description)
        if let secret { writer.field("secret", secret.reveal()) }
        writer.extras(consumer.extras)
        writer.selfLink("\(base)/OS-OAUTH1/consumers/\(consumer.id)")
    }

    static func write(_ token: AccessToken, _ writer: inout JSONWriter, _ base: String) {
        let url = "\(base)/users/\(token.userID)/OS-OAUTH1/access_tokens/\(token.id)"
        writer.field("id", token.id)
        writer.field("consumer_id", token.consumerID)
        writer.field("project_id", token.projectID)
        writer.field("authorizing_user_id", token.userID)
        writer.field("expires_at", token.expiresAt?.iso8601(fraction: true))
        writer.object("links") { writer in
            writer.field("self", url)
            writer.field("roles", url + "/roles")
        }
    }

    /// `oauth_token=…&oauth_token_secret=…`.
    static func form(_ token: IssuedOAuthToken) -> HTTPResponse {
        var text = "oauth_token=\(token.id)&oauth_token_secret=\(token.secret.reveal())"
        if let end = token.expiresAt { text += "&oauth_expires_at=\(end.iso8601(fraction: true))" }
        return HTTPResponse(
            status: 201, headers: ["Content-Type": "application/x-www-form-urlencoded"], body: .bytes(Array(text.utf8)))
    }
}
