// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/credentials
struct CredentialRoutes: Sendable {
    let credentials: CredentialEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/credentials", object: "identity:list_credentials", list)
        routes.add(.post, "/v3/credentials", object: "identity:create_credential", create)
        routes.add(.get, "/v3/credentials/{credential_id}", object: "identity:get_credential", show)
        routes.add(.patch, "/v3/credentials/{credential_id}", object: "identity:update_credential", update)
        routes.add(.delete, "/v3/credentials/{credential_id}", object: "identity:delete_credential", delete)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await credentials.list(
            user: request.queryID("user_id"), type: request.query("type"), try request.listRange(), for: context)
        return ListPage(request, found, id: \.id.rawValue).response("credentials") {
            Self.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try await request.body("credential")
        guard let type = try body.string("type", 1...255) else { throw body.missing("type") }
        guard let blob = try body.string("blob", 0...Credential.maximumBlobLength) else { throw body.missing("blob") }
        let user: UserID = try body.string("user_id", 1...64).map { ID($0) } ?? context.principal.userID
        var draft = CredentialDraft(
            userID: user, projectID: try body.nullableID("project_id").flatMap { $0 }, type: type, blob: blob)
        _ = body.value("id")
        draft.extras = try body.extras()
        let credential = try await credentials.create(draft, for: context)
        return IdentityReply.one("credential", status: 201) { Self.write(credential, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let credential = try await credentials.show(request.id("credential_id"), for: context)
        return IdentityReply.one("credential") { Self.write(credential, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: CredentialID = request.id("credential_id")
        var body = try await request.body("credential")
        guard !body.remainingKeys.isEmpty else {
            throw CloudError.badRequest("Invalid input for field 'credential': at least one property is required")
        }
        var change = CredentialChange()
        change.userID = try body.string("user_id", 1...64).map { ID($0) }
        change.projectID = try body.nullableID("project_id")
        change.type = try body.string("type", 1...255)
        change.blob = try body.string("blob", 0...Credential.maximumBlobLength)
        try body.checkID("id", is: id.rawValue, "credential ID")
        change.extras = try body.extras()
        let credential = try await credentials.update(id, change, for: context)
        return IdentityReply.one("credential") { Self.write(credential, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await credentials.delete(request.id("credential_id"), for: context)
        return IdentityReply.noContent()
    }

    private static func write(_ credential: Credential, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", credential.id)
        writer.field("user_id", credential.userID)
        writer.field("project_id", credential.projectID)
        writer.field("type", credential.type)
        writer.field("blob", credential.blob)
        writer.extras(credential.extras)
        writer.selfLink("\(base)/credentials/\(credential.id)")
    }
}
