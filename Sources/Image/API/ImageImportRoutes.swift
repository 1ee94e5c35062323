// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageContract
import ImageCore
import PolicyKit

/// /v2/images/{id}/import and /locations: bytes that the service brings by itself.
struct ImageImportRoutes: Sendable {
    let engine: ImageEngine
    let imports: ImageImportEngine

    func register(on routes: inout RouteTable) {
        routes.add(.post, "/v2/images/{id}/import", object: .modifyImage, importImage)
        routes.add(.post, "/v2/images/{id}/locations", object: .addImageLocation, addLocation)
        routes.add(.get, "/v2/images/{id}/locations", object: .fetchImageLocation, locations)
    }

    private func importImage(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try draft(try await request.json(), request.http.headers["x-image-meta-store"])
        try await imports.begin(draft, of: request.id("id"), for: context)
        return HTTPResponse(status: 202)
    }

    /// glance: `_validate_import_body`, `get_stores_from_request`.
    private func draft(_ body: JSON, _ header: String?) throws -> ImageImportDraft {
        guard let method = body["method"] else {
            throw CloudError.badRequest("Import request requires a 'method' field.")
        }
        guard let name = method["name"] else { throw CloudError.badRequest("Import request requires a 'name' field.") }
        guard let known = name.string.flatMap(ImageImportMethod.init), engine.importMethods.contains(known) else {
            throw CloudError.badRequest("Unknown import method name '\(name.string?.prefix(64) ?? "?")'.")
        }
        for field in ["all_stores_must_succeed", "all_stores"] {
            if let value = body[field], value.bool == nil {
                throw CloudError.badRequest("'\(field)' must be boolean value only")
            }
        }
        var draft = ImageImportDraft(
            method: known, url: method["uri"]?.string, isForAllStores: body["all_stores"]?.bool ?? false,
            allStoresMustSucceed: body["all_stores_must_succeed"]?.bool ?? true, request: body)
        if let stores = body["stores"] {
            guard !draft.isForAllStores else { throw Self.twofold }
            guard header == nil else {
                throw CloudError.badRequest("Stores parameter and x-image-meta-store header can't be both specified")
            }
            guard let names = stores.array, !names.isEmpty, names.allSatisfy({ $0.string != nil }) else {
                throw CloudError.badRequest("'stores' must be a list of names of stores")
            }
            draft.stores = names.compactMap(\.string)
        } else if let header {
            guard !draft.isForAllStores else { throw Self.twofold }
            draft.stores = [header]
        }
        return draft
    }

    private static let twofold = CloudError.badRequest(
        "All_stores parameter can't be used with x-image-meta-store header or stores parameter")

    // MARK: Locations

    private func addLocation(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var body = try ObjectReader(try await request.json())
        let url = try body.requiredString("url", 1...ImportURL.maximumLength)
        var claim: ImageHashClaim?
        if body.isNull("validation_data") { _ = body.value("validation_data") }
        if var validation = try body.object("validation_data") {
            let algorithm = try validation.string("os_hash_algo", 0...64)
            let value = try validation.string("os_hash_value", 0...128)
            try validation.finish()
            if algorithm != nil || value != nil { claim = try Self.claim(algorithm, value) }
        }
        try body.finish()
        try await imports.addLocation(url, claim: claim, to: request.id("id"), for: context)
        return HTTPResponse(status: 202)
    }

    /// glance: `_validate_hashing_data`.
    private static func claim(_ algorithm: String?, _ value: String?) throws -> ImageHashClaim {
        let lengths = ["md5": 16, "sha1": 20, "sha256": 32, "sha512": 64]
        guard let algorithm, let length = lengths[algorithm] else {
            throw CloudError.badRequest("os_hash_algo must be one of md5, sha1, sha256 and sha512")
        }
        guard let value, value.utf8.allSatisfy({ Hex.value($0) != nil }) else {
            throw CloudError.badRequest("os_hash_value (\(value ?? "")) is not a valid hexadecimal value")
        }
        guard value.utf8.count == 2 * length else {
            throw CloudError.badRequest(
                """
                os_hash_value: (\(value)) is not the correct size for (\(algorithm)) (should be (\(length)) bytes)
                """)
        }
        return ImageHashClaim(algorithm: algorithm, value: value)
    }

    private func locations(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let locations = try await engine.locations(of: request.id("id"), for: context)
        var writer = JSONWriter()
        writer.beginArray()
        for location in locations {
            writer.beginObject()
            writer.field("url", location.url)
            writer.object("metadata") { $0.field("store", location.store) }
            writer.endObject()
        }
        writer.endArray()
        return .json(200, writer.finish())
    }
}
