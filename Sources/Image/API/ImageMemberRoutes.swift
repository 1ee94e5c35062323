// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageContract
import ImageCore
import PolicyKit

/// /v2/images/{id}/members
struct ImageMemberRoutes: Sendable {
    let engine: ImageEngine

    func register(on routes: inout RouteTable) {
        routes.add(.post, "/v2/images/{id}/members", object: .addMember, create)
        routes.add(.get, "/v2/images/{id}/members", object: .getMembers, list)
        routes.add(.get, "/v2/images/{id}/members/{member}", object: .getMember, show)
        routes.add(.put, "/v2/images/{id}/members/{member}", object: .modifyMember, update)
        routes.add(.delete, "/v2/images/{id}/members/{member}", object: .deleteMember, delete)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.json()
        guard case .object(let fields) = body else {
            throw CloudError.badRequest("Expected a member in the form: {\"member\": \"image_id\"}")
        }
        guard let value = fields["member"] else { throw CloudError.badRequest("Member to be added not specified") }
        guard let member = value.string, !member.isEmpty else { throw CloudError.badRequest("Member can't be empty") }
        guard member.unicodeScalars.count <= 255, !member.utf8.contains(0) else {
            throw CloudError.badRequest("Member is too long")
        }
        return .json(200, ImageWire.body(try await engine.addMember(member, to: request.id("id"), for: context)))
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let members = try await engine.members(of: request.id("id"), for: context)
        return .json(
            200,
            JSONWriter.object { writer in
                writer.array("members") { array in
                    for member in members { ImageWire.write(member, to: &array) }
                }
                writer.field("schema", "/v2/schemas/members")
            })
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        .json(
            200,
            ImageWire.body(try await engine.member(request.parameter("member"), of: request.id("id"), for: context)))
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.json()
        guard case .object(let fields) = body else {
            throw CloudError.badRequest("Expected a status in the form: {\"status\": \"status\"}")
        }
        guard let value = fields["status"] else { throw CloudError.badRequest("Status not specified") }
        guard let status = value.string.flatMap(ImageMember.Status.init) else {
            throw CloudError.badRequest("Incorrect request: Status must be \"pending\", \"accepted\" or \"rejected\".")
        }
        let member = try await engine.setMember(
            request.parameter("member"), of: request.id("id"), status: status, for: context)
        return .json(200, ImageWire.body(member))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.removeMember(request.parameter("member"), from: request.id("id"), for: context)
        return .noContent()
    }
}
