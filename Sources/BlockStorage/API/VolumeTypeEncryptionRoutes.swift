// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /types/{type_id}/encryption
struct VolumeTypeEncryptionRoutes: Sendable {
    let types: VolumeTypeEngine

    func register(on routes: inout BlockStorageRouteTable) {
        let path = "/types/{type_id}/encryption"
        routes.add(.get, path, policy: "volume_extension:volume_type_encryption:get", index)
        routes.add(.post, path, policy: "volume_extension:volume_type_encryption:create", create)
        routes.add(.get, path + "/{key}", policy: "volume_extension:volume_type_encryption:get", show)
        routes.add(.put, path + "/{key}", policy: "volume_extension:volume_type_encryption:update", update)
        routes.add(.delete, path + "/{key}", policy: "volume_extension:volume_type_encryption:delete", delete)
    }

    // MARK: View

    /// In order, as upstream's row has them.
    private static func fields(_ type: VolumeType) -> [(name: String, value: JSON)] {
        guard let encryption = type.encryption else { return [] }
        func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
        return [
            ("volume_type_id", .string(type.id.rawValue)),
            ("encryption_id", .string(encryption.id)),
            ("provider", .string(encryption.provider)),
            ("cipher", text(encryption.cipher)),
            ("key_size", encryption.keySize.map { .int(Int64($0)) } ?? .null),
            ("control_location", .string(encryption.location.rawValue)),
            ("deleted", .bool(false)),
            ("created_at", text(BlockStorageWords.time(encryption.createdAt))),
            ("updated_at", text(BlockStorageWords.time(encryption.updatedAt))),
            ("deleted_at", .null),
        ]
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let type = try await types.type(request.parameter("type_id"), for: context)
        return .object { writer in
            for (name, value) in Self.fields(type) {
                writer.key(dynamic: name)
                writer.value(value)
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let type = try await types.type(request.parameter("type_id"), for: context)
        let key = request.parameter("key")
        guard let found = Self.fields(type).first(where: { $0.name == key }) else {
            throw Self.notFound(type.id.rawValue)
        }
        return .object { writer in
            writer.key(dynamic: found.name)
            writer.value(found.value)
        }
    }

    private static func notFound(_ id: String) -> CloudError {
        .notFound(
            "Volume type encryption for type \(id.prefix(255)) does not exist.", kind: "VolumeTypeEncryptionNotFound")
    }

    // MARK: Write

    private struct Body {
        var sent: JSON
        var provider: String?
        var location: VolumeTypeEncryption.Location?
        var cipher: String??
        var keySize: Int??
    }

    private static func read(_ request: APIRequest) async throws -> Body {
        let json = try await request.json()
        var reader = try ObjectReader.envelope("encryption", in: json)
        var body = Body(sent: json)
        body.provider = try reader.string("provider", 0...255)
        if let text = try reader.string("control_location") {
            guard let location = VolumeTypeEncryption.Location(rawValue: text) else {
                throw reader.invalid("control_location", .string(text), "is not one of ['front-end', 'back-end']")
            }
            body.location = location
        }
        body.cipher = try reader.nullableString("cipher", 0...255)
        if reader.isNull("key_size") {
            _ = reader.value("key_size")
            body.keySize = .some(nil)
        } else if let size = try reader.looseInt("key_size", 0...Int64(Int32.max)) {
            body.keySize = .some(Int(size))
        }
        return body
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await Self.read(request)
        guard let provider = body.provider else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute encryption. 'provider' is a required property")
        }
        guard let location = body.location else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute encryption. 'control_location' is a required property")
        }
        let id = request.parameter("type_id")
        let made = VolumeTypeEncryption(
            id: types.newID(), provider: provider, cipher: body.cipher.flatMap { $0 },
            keySize: body.keySize.flatMap { $0 }, location: location, createdAt: types.now())
        let type = try await types.editEncryption(id, doing: "create") { encryption in
            guard encryption == nil else {
                throw CloudError.badRequest(
                    "Volume type encryption for type \(id) already exists.", kind: "VolumeTypeEncryptionExists")
            }
            encryption = made
        }
        return .object { writer in
            writer.object("encryption") { writer in
                for (name, value) in Self.fields(type) where Self.isShown(name) {
                    writer.key(dynamic: name)
                    writer.value(value)
                }
            }
        }
    }

    private static func isShown(_ name: String) -> Bool {
        !["deleted", "created_at", "updated_at", "deleted_at"].contains(name)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await Self.read(request)
        let (id, now) = (request.parameter("type_id"), types.now())
        let (provider, location, cipher, keySize) = (body.provider, body.location, body.cipher, body.keySize)
        _ = try await types.editEncryption(id, doing: "update") { encryption in
            guard var changed = encryption else { throw Self.notFound(id) }
            changed.provider = provider ?? changed.provider
            changed.location = location ?? changed.location
            if let cipher { changed.cipher = cipher }
            if let keySize { changed.keySize = keySize }
            changed.updatedAt = now
            encryption = changed
        }
        let sent = body.sent
        return .object { $0.field("encryption", sent["encryption"] ?? .null) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id = request.parameter("type_id")
        _ = try await types.editEncryption(id, doing: "delete") { encryption in
            guard encryption != nil else { throw Self.notFound(id) }
            encryption = nil
        }
        return HTTPResponse(status: 202)
    }
}
