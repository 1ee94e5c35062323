// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-keypairs
struct KeyPairRoutes: Sendable {
    private static let maximumPage = 1000
    let keyPairs: KeyPairEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/os-keypairs"
        routes.add(.get, path, object: "os_compute_api:os-keypairs:index", index)
        routes.add(.post, path, object: "os_compute_api:os-keypairs:create", create)
        routes.add(.get, path + "/{keypair_name}", object: "os_compute_api:os-keypairs:show", show)
        routes.add(.delete, path + "/{keypair_name}", object: "os_compute_api:os-keypairs:delete", delete)
    }

    /// Another user's keys, from 2.10 on.
    private func user(_ request: APIRequest, _ context: CallContext) -> UserID? {
        context.has(10) ? request.query("user_id").map { UserID($0) } : nil
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, ["user_id", "limit", "marker"])
        let isPaged = context.has(35)
        let limit = isPaged ? try ComputeWire.limit(request, maximum: Self.maximumPage) : Self.maximumPage
        var keys = try await keyPairs.list(
            user: user(request, context), after: isPaged ? request.query("marker") : nil, limit: limit, for: context)
        if keys.count > limit { keys.removeLast(keys.count - limit) }
        let final = keys
        return .object(capacity: final.count * 700 + 128) { writer in
            writer.array("keypairs") { writer in
                for key in final {
                    writer.beginObject()
                    writer.object("keypair") { Self.common(&$0, key, context) }
                    writer.endObject()
                }
            }
            if isPaged, let last = final.last, final.count == limit {
                request.links.next(&writer, "keypairs_links", "os-keypairs", marker: last.name)
            }
        }
    }

    private static func common(_ writer: inout JSONWriter, _ key: KeyPair, _ context: CallContext) {
        writer.field("name", key.name)
        writer.field("public_key", key.publicKey)
        writer.field("fingerprint", key.fingerprint)
        if context.has(2) { writer.field("type", key.type) }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("keypair", in: try await request.json())
        let name = try reader.requiredString("name", 1...255)
        try Self.checkName(name, context)
        var type = "ssh"
        if context.has(2), let sent = try reader.string("type") {
            guard sent == "ssh" || sent == "x509" else {
                throw reader.invalid("type", .string(sent), "is not one of ['ssh', 'x509']")
            }
            type = sent
        }
        let publicKey = try reader.string("public_key", 0...16_384)
        if context.has(92), publicKey == nil { throw reader.missing("public_key") }
        let user = context.has(10) ? try reader.string("user_id", 1...255).map { UserID($0) } : nil
        try reader.finish()
        let (key, privateKey) = try await keyPairs.create(
            .init(name: name, type: type, publicKey: publicKey), user: user, for: context)
        // 2.2 corrected the status.
        return .object(context.has(2) ? 201 : 200, capacity: 4096) { writer in
            writer.object("keypair") { writer in
                Self.common(&writer, key, context)
                writer.field("user_id", key.userID.rawValue)
                if let privateKey { writer.field("private_key", privateKey.reveal()) }
            }
        }
    }

    /// nova: letters, digits, spaces, dashes, underscores; from 2.92 also `@` and dots.
    private static func checkName(_ name: String, _ context: CallContext) throws {
        try ComputeWire.checkName(name, "name")
        let isValid = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x20 || byte == 0x2D || byte == 0x5F || context.has(92) && (byte == 0x40 || byte == 0x2E)
        }
        guard isValid else {
            throw CloudError.badRequest(
                "Keypair data is invalid: Keypair name contains unsafe characters", kind: "InvalidKeypair")
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, ["user_id"])
        let key = try await keyPairs.keyPair(
            request.parameter("keypair_name"), user: user(request, context), for: context)
        return .object { writer in
            writer.object("keypair") { writer in
                Self.common(&writer, key, context)
                writer.field("user_id", key.userID.rawValue)
                writer.field("id", key.number)
                writer.field("created_at", key.createdAt.iso8601(fraction: true, zone: false))
                writer.field("deleted", false)
                writer.nullField("deleted_at")
                writer.nullField("updated_at")
            }
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, ["user_id"])
        try await keyPairs.delete(request.parameter("keypair_name"), user: user(request, context), for: context)
        return .noContent(context.has(2) ? 204 : 202)
    }
}
