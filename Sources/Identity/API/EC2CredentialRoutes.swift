// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/users/{user_id}/credentials/OS-EC2
struct EC2CredentialRoutes: Sendable {
    let credentials: EC2CredentialEngine

    func register(on routes: inout RouteTable) {
        let all = "/v3/users/{user_id}/credentials/OS-EC2"
        routes.add(.get, all, object: "identity:ec2_list_credentials", list)
        routes.add(.post, all, object: "identity:ec2_create_credential", create)
        routes.add(.get, all + "/{credential_id}", object: "identity:ec2_get_credential", show)
        routes.add(.delete, all + "/{credential_id}", object: "identity:ec2_delete_credential", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await credentials.list(of: request.id("user_id"), for: context)
        return try ListPage(request, found, id: \.accessKey, name: nil).response("credentials") {
            Self.write($0, &$1, request.v3URL)
        }
    }

    /// The project is called a tenant here, as it was when these keys were new.
    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try ObjectReader(try await request.json(), allowsUnknown: true)
        guard let project = try body.string("tenant_id", 1...64) else { throw body.missing("tenant_id") }
        let made = try await credentials.create(of: request.id("user_id"), on: ProjectID(project), for: context)
        return IdentityReply.one("credential", status: 201) { Self.write(made, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await credentials.show(
            request.parameter("credential_id"), of: request.id("user_id"), for: context)
        return IdentityReply.one("credential") { Self.write(found, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await credentials.delete(request.parameter("credential_id"), of: request.id("user_id"), for: context)
        return IdentityReply.noContent()
    }

    private static func write(_ key: EC2Credential, _ writer: inout JSONWriter, _ base: String) {
        writer.field("user_id", key.credential.userID)
        writer.field("tenant_id", key.credential.projectID)
        writer.field("access", key.accessKey)
        writer.field("secret", key.secret.reveal())
        writer.field("trust_id", key.trustID)
        writer.selfLink("\(base)/users/\(key.credential.userID)/credentials/OS-EC2/\(key.accessKey)")
    }
}
