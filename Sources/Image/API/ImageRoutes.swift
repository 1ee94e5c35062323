// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageContract
import ImageCore
import PolicyKit

/// /v2/images
struct ImageRoutes: Sendable {
    let engine: ImageEngine

    func register(on routes: inout RouteTable) {
        routes.add(.post, "/v2/images", object: .addImage, create)
        routes.add(.get, "/v2/images", policy: .getImages, list)
        routes.add(.get, "/v2/images/{id}", object: .getImage, show)
        routes.add(.patch, "/v2/images/{id}", object: .modifyImage, update)
        routes.add(.delete, "/v2/images/{id}", object: .deleteImage, delete)
        routes.add(.put, "/v2/images/{id}/tags/{tag}", object: .modifyImage, addTag)
        routes.add(.delete, "/v2/images/{id}/tags/{tag}", object: .modifyImage, removeTag)
        routes.add(.post, "/v2/images/{id}/actions/deactivate", object: .deactivateImage, deactivate)
        routes.add(.post, "/v2/images/{id}/actions/reactivate", object: .reactivateImage, reactivate)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try ImageDraftReader.read(try await request.json())
        let image = try await engine.create(draft, for: context)
        var headers: HTTPHeaders = ["Location": "/v2/images/\(image.id)"]
        headers.set("OpenStack-image-import-methods", engine.importMethods.map(\.rawValue).joined(separator: ","))
        headers.set("OpenStack-image-store-ids", engine.stores.names.joined(separator: ","))
        return .json(201, headers: headers, ImageWire.body(image))
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let reader = try ImageListReader.read(request.http.query, defaultLimit: engine.config.defaultPageSize)
        let page = try await engine.list(reader.query, marker: reader.marker, for: context)
        let pairs = request.http.query.filter { $0.name != "marker" }
        return .json(
            200,
            JSONWriter.object(capacity: 256 + 1024 * page.images.count) { writer in
                writer.array("images") { images in
                    for image in page.images { ImageWire.write(image, to: &images) }
                }
                writer.field("first", Self.link("/v2/images", pairs))
                if page.hasMore, let last = page.images.last {
                    writer.field("next", Self.link("/v2/images", pairs + [("marker", last.id.rawValue)]))
                }
                writer.field("schema", "/v2/schemas/images")
            })
    }

    static func link(_ path: String, _ pairs: [(name: String, value: String)]) -> String {
        let query = pairs.map { "\(Percent.encode($0.name))=\(Percent.encode($0.value))" }.joined(separator: "&")
        return query.isEmpty ? path : "\(path)?\(query)"
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        .json(200, ImageWire.body(try await engine.image(request.id("id"), for: context)))
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        guard let isDraft4 = ImagePatchReader.isDraft4(request.http.headers["Content-Type"]) else {
            // Nothing was loaded, so there is nothing to authorize.
            context.authorizeListing()
            return ImageFaults.page(
                415, "Image PATCH expects Content-Type one of: \(ImagePatchReader.accepted)",
                headers: ["Accept-Patch": ImagePatchReader.accepted])
        }
        let changes = try ImagePatchReader.read(try await request.json(), isDraft4: isDraft4)
        return .json(200, ImageWire.body(try await engine.update(request.id("id"), changes, for: context)))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.delete(request.id("id"), for: context)
        return .noContent()
    }

    private func addTag(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let tag = request.parameter("tag")
        try ImageSchema.validate("tags", .array([.string(tag)]))
        try await engine.addTag(tag, to: request.id("id"), for: context)
        return .noContent()
    }

    private func removeTag(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.removeTag(request.parameter("tag"), from: request.id("id"), for: context)
        return .noContent()
    }

    private func deactivate(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.deactivate(request.id("id"), for: context)
        return .noContent()
    }

    private func reactivate(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.reactivate(request.id("id"), for: context)
        return .noContent()
    }
}
