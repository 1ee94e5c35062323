// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /v3/{project_id}/volumes/{volume_id}/metadata, and what is known of a volume's encryption.
struct VolumeMetadataRoutes: Sendable {
    let volumes: VolumeEngine

    func register(on routes: inout BlockStorageRouteTable) {
        let path = "/volumes/{volume_id}/metadata"
        routes.add(.get, path, object: "volume:get_volume_metadata", index)
        routes.add(.post, path, object: "volume:create_volume_metadata", merge)
        routes.add(.put, path, object: "volume:update_volume_metadata", replace)
        routes.add(.get, path + "/{key}", object: "volume:get_volume_metadata", show)
        routes.add(.put, path + "/{key}", object: "volume:update_volume_metadata", set)
        routes.add(.delete, path + "/{key}", object: "volume:delete_volume_metadata", remove)
        let encryption: PolicyName = "volume_extension:volume_encryption_metadata"
        routes.add(.get, "/volumes/{volume_id}/encryption", object: encryption, showEncryption)
        routes.add(.get, "/volumes/{volume_id}/encryption/{key}", object: encryption, showEncryptionItem)
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let volume = try await volumes.volume(request.id("volume_id"), for: context)
        return MetadataBody.answer(volume.metadata, context)
    }

    private func merge(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await MetadataBody.map(request)
        let volume = try await edit(request, context) { $0.merge(sent) { _, new in new } }
        return .object { $0.field("metadata", volume.metadata) }
    }

    private func replace(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await MetadataBody.map(request)
        let precondition = MetadataBody.precondition(request, context)
        let volume = try await edit(request, context) { metadata in
            try precondition(metadata)
            metadata = sent
        }
        return .object { $0.field("metadata", volume.metadata) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (key, volume) = (
            request.parameter("key"), try await volumes.volume(request.id("volume_id"), for: context)
        )
        guard let value = volume.metadata[key] else { throw Self.missing(volume.id, key) }
        return .object { $0.field("meta", [key: value]) }
    }

    private func set(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (key, value) = try await MetadataBody.item(request)
        let precondition = MetadataBody.precondition(request, context)
        _ = try await edit(request, context) { metadata in
            try precondition(metadata)
            metadata[key] = value
        }
        return .object { $0.field("meta", [key: value]) }
    }

    private func remove(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (key, id) = (request.parameter("key"), request.id("volume_id", VolumeTag.self))
        let precondition = MetadataBody.precondition(request, context)
        _ = try await edit(request, context) { metadata in
            try precondition(metadata)
            guard metadata.removeValue(forKey: key) != nil else { throw Self.missing(id, key) }
        }
        return HTTPResponse(status: 200)
    }

    private func edit(
        _ request: APIRequest, _ context: CallContext,
        _ body: @escaping @Sendable (inout [String: String]) throws -> Void
    ) async throws -> Volume {
        try await volumes.edit(request.id("volume_id"), for: context) { volume in
            guard volume.status != .maintenance else {
                throw VolumeErrors.invalidVolume("The volume metadata cannot be changed during maintenance.")
            }
            try body(&volume.metadata)
        }
    }

    private static func missing(_ id: VolumeID, _ key: String) -> CloudError {
        .notFound(
            "Volume \(id) has no metadata with key \(key.prefix(255)).", kind: "VolumeMetadataNotFound")
    }

    // MARK: Encryption

    private func encryption(_ request: APIRequest, _ context: CallContext) async throws -> [String: JSON] {
        let volume = try await volumes.volume(request.id("volume_id"), for: context)
        guard let key = volume.keyID else { return ["encryption_key_id": nil] }
        let stores = volumes.parts.stores
        let type = try await volumes.parts.database.read { try stores.types.type(volume.typeID, $0) }
        var fields: [String: JSON] = ["encryption_key_id": .string(key.rawValue)]
        fields["provider"] = .string(type?.encryption?.provider ?? "luks")
        fields["cipher"] = type?.encryption?.cipher.map { .string($0) } ?? .null
        fields["key_size"] = type?.encryption?.keySize.map { .int(Int64($0)) } ?? .null
        fields["control_location"] = .string(type?.encryption?.location.rawValue ?? "front-end")
        return fields
    }

    private func showEncryption(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let fields = try await encryption(request, context)
        return .json(Array(JSON.object(fields).text().utf8))
    }

    private func showEncryptionItem(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (fields, key) = (try await encryption(request, context), request.parameter("key"))
        // cinder answers a lone text.
        guard let value = fields[key] else { return .json(Array("null".utf8)) }
        return .json(Array(value.text().utf8))
    }
}

/// The bodies of metadata, for volumes and snapshots.
enum MetadataBody {
    static func answer(_ metadata: [String: String], _ context: CallContext) -> HTTPResponse {
        var response = HTTPResponse.object { $0.field("metadata", metadata) }
        if context.has(15) { response.headers.set("Etag", EntityTag.of(metadata)) }
        return response
    }

    /// Throws 412 when `If-Match` names another state than the one that is there.
    static func precondition(
        _ request: APIRequest, _ context: CallContext
    ) -> @Sendable ([String: String]) throws -> Void {
        guard context.has(15), let wanted = request.http.headers["If-Match"], wanted != "*" else { return { _ in } }
        return { metadata in
            let tag = EntityTag.of(metadata)
            let tags = wanted.split(separator: ",").map { $0.filter { $0 != "\"" && $0 != " " } }
            guard tags.contains(tag) else {
                throw CloudError(.preconditionFailed, "The metadata has been changed meanwhile.")
            }
        }
    }

    static func map(_ request: APIRequest) async throws -> [String: String] {
        var reader = try ObjectReader(try await request.json(), path: "")
        guard let metadata = try VolumeWire.metadata(&reader) else { throw reader.missing("metadata") }
        try reader.finish()
        return metadata
    }

    static func item(_ request: APIRequest) async throws -> (key: String, value: String) {
        let key = request.parameter("key")
        var reader = try ObjectReader(try await request.json(), path: "")
        guard let sent = try VolumeWire.metadata(&reader, "meta") else { throw reader.missing("meta") }
        try reader.finish()
        guard let value = sent[key] else { throw CloudError.badRequest("Request body and URI mismatch") }
        guard sent.count == 1 else { throw CloudError.badRequest("Request body contains too many items") }
        return (key, value)
    }
}
