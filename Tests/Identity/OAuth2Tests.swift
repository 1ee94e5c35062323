// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import SecurityKit
import TestKit
import Testing

/// Goal: an application credential gets a token by OAuth 2.0, with no more than it has, and others get none.
/// Method: forms as RFC 6749 has them.
@Suite("OAuth 2.0 client credentials")
struct OAuth2Tests {
    private func ask(
        _ world: IdentityWorld, _ client: String?, _ form: String = "grant_type=client_credentials",
        type: String = "application/x-www-form-urlencoded"
    ) async throws -> (status: Int, json: JSON) {
        var headers: HTTPHeaders = ["Content-Type": type]
        if let client { headers.set("Authorization", "Basic " + Base64.encode(Array(client.utf8))) }
        let response = await world.router.handle(
            HTTPRequest(
                method: .post, path: "/identity/v3/OS-OAUTH2/token", query: [], headers: headers,
                body: OnePiece(Array(form.utf8))))
        guard case .bytes(let bytes) = response.body else { return (response.status, .null) }
        return (response.status, try JSONReader.read(bytes))
    }

    @Test("the credential's id and secret are a client's")
    func token() async throws {
        let world = try await IdentityWorld()
        let project = try await world.makeProject("work")
        let eve = try await world.persona("eve", role: "member", on: "projects/\(project)")
        let user = try #require(
            try await world.call(.get, "/v3/users?name=eve", world.admin)["users", "0", "id"]?.string)
        let made = try await world.call(
            .post, "/v3/users/\(user)/application_credentials", eve, ["application_credential": ["name": "robot"]],
            expecting: 201)
        let id = try #require(made["application_credential", "id"]?.string)
        let secret = try #require(made["application_credential", "secret"]?.string)
        let answer = try await ask(world, "\(id):\(secret)")
        #expect(answer.status == 200)
        #expect(answer.json["token_type"] == "Bearer")
        #expect(answer.json["expires_in"] == 3600)
        let token = try #require(answer.json["access_token"]?.string)
        let shown = try await world.call(
            .get, "/v3/auth/tokens", token, headers: ["X-Subject-Token": token], expecting: 200)
        #expect(shown["token", "project", "id"]?.string == project)
        #expect(shown["token", "application_credential", "id"]?.string == id)

        for wrong in ["\(id):wrong", "nobody:\(secret)", id, ""] {
            let refused = try await ask(world, wrong)
            #expect(refused.status == 401)
            #expect(refused.json["error"] == "invalid_client")
        }
        #expect(try await ask(world, nil).status == 401)
        #expect(
            try await ask(world, "\(id):\(secret)", "grant_type=password").json["error"] == "unsupported_grant_type")
        #expect(try await ask(world, "\(id):\(secret)", "").status == 400)
        // Rules that ask for more leave no way to go on from here.
        try await world.call(
            .patch, "/v3/users/\(user)", world.admin,
            ["user": ["options": ["multi_factor_auth_rules": [["application_credential", "totp"]]]]], expecting: 200)
        #expect(try await ask(world, "\(id):\(secret)").status == 401)
        try await world.call(
            .patch, "/v3/users/\(user)", world.admin,
            ["user": ["options": ["multi_factor_auth_enabled": false]]], expecting: 200)
        #expect(try await ask(world, "\(id):\(secret)", type: "application/json").status == 400)
    }
}
