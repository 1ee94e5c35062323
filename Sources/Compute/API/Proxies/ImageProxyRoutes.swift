// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/images, until 2.35, and /v2.1/images/{id}/metadata, until 2.38: Image's images in the words of its first API
/// (nova: api/openstack/compute/images.py, image_metadata.py). Image checks who may do what.
struct ImageProxyRoutes: Sendable {
    private static let maximumPage = 1000
    private static let patchType = "application/openstack-images-v2.1-json-patch"
    let neighbours: Neighbours
    let quotas: ComputeQuotaEngine

    func register(on routes: inout RouteTable) {
        let (path, one) = ("/v2.1/images", "/v2.1/images/{image_id}")
        let (proxy, metadata) = (versions(1, 35), versions(1, 38))
        routes.add(.get, path, policy: .unruled, versions: proxy) { try await list($0, $1, isDetailed: false) }
        routes.add(.get, path + "/detail", policy: .unruled, versions: proxy) {
            try await list($0, $1, isDetailed: true)
        }
        routes.add(.get, one, policy: .unruled, versions: proxy, show)
        routes.add(.delete, one, policy: .unruled, versions: proxy, delete)
        routes.add(.get, one + "/metadata", policy: .unruled, versions: metadata, index)
        routes.add(.post, one + "/metadata", policy: .unruled, versions: metadata, merge)
        routes.add(.put, one + "/metadata", policy: .unruled, versions: metadata, replace)
        routes.add(.get, one + "/metadata/{key}", policy: .unruled, versions: metadata, item)
        routes.add(.put, one + "/metadata/{key}", policy: .unruled, versions: metadata, setItem)
        routes.add(.delete, one + "/metadata/{key}", policy: .unruled, versions: metadata, removeItem)
    }

    // MARK: Images

    private static func path(_ request: APIRequest) -> String {
        "/image/v2/images/" + Neighbours.segment(request.parameter("image_id"))
    }

    private func image(_ request: APIRequest) async throws -> JSON {
        let id = request.parameter("image_id")
        guard UUIDText.isUUID(id), let image = try await neighbours.find(Self.path(request), for: request) else {
            throw CloudError.notFound("Image not found.")
        }
        return image
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let image = try await image(request)
        return .object { writer in
            writer.key("image")
            Self.write(&writer, image, request, isDetailed: true)
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        _ = try await image(request)
        try await neighbours.call(.delete, Self.path(request), for: request)
        return .noContent()
    }

    private func list(
        _ request: APIRequest, _ context: CallContext, isDetailed: Bool
    ) async throws -> HTTPResponse {
        let limit = try ComputeWire.limit(request, maximum: Self.maximumPage)
        let filters = Self.filters(request)
        var marker = request.query("marker")
        var images: [JSON] = []
        while images.count < limit {
            var query = filters
            query.append((name: "limit", value: String(limit - images.count)))
            if let marker { query.append((name: "marker", value: marker)) }
            let page = try await neighbours.call(.get, "/image/v2/images", query: query, for: request)
            images += page["images"]?.array ?? []
            guard page["next"] != nil, let last = images.last?["id"]?.string, last != marker else { break }
            marker = last
        }
        let final = images
        return .object(capacity: final.count * 800 + 256) { writer in
            writer.array("images") { writer in
                for image in final { Self.write(&writer, image, request, isDetailed: isDetailed) }
            }
            if let last = final.last?["id"]?.string, request.query("limit") != nil, final.count == limit {
                request.links.next(&writer, "images_links", isDetailed ? "images/detail" : "images", marker: last)
            }
        }
    }

    /// How Image walks its list is this proxy's business: no property of an image has such a name there.
    private static let paging: Set<String> = ["limit", "marker", "sort", "sort_key", "sort_dir"]

    private static func filters(_ request: APIRequest) -> [(name: String, value: String)] {
        request.http.query.compactMap { name, value in
            switch name {
            case "name": (name, value)
            case "status": (name, value.lowercased())
            case "changes-since": ("updated_at", "gte:" + value)
            case "server":
                // The id, or a link to the server.
                ("instance_uuid", value.split(separator: "/").last.map(String.init) ?? value)
            case "type": ("image_type", value)
            case "minRam": ("min_ram", value)
            case "minDisk": ("min_disk", value)
            case _ where name.hasPrefix("property-"): property(String(name.dropFirst("property-".count)), value)
            default: nil
            }
        }
    }

    private static func property(_ name: String, _ value: String) -> (name: String, value: String)? {
        paging.contains(name) ? nil : (name, value)
    }

    // MARK: View

    /// What is no property of an image but a field of its own.
    private static let fields: Set<String> = [
        "id", "name", "status", "visibility", "protected", "owner", "size", "virtual_size", "checksum", "disk_format",
        "container_format", "min_disk", "min_ram", "created_at", "updated_at", "tags", "self", "file", "schema",
        "os_hash_algo", "os_hash_value", "os_hidden", "direct_url", "locations", "stores",
    ]

    private static func properties(_ image: JSON) -> [String: String] {
        var properties: [String: String] = [:]
        for (name, value) in image.object ?? [:] where !fields.contains(name) && !value.isNull {
            properties[name] = value.string ?? value.text()
        }
        return properties
    }

    private static func status(_ image: JSON) -> (name: String, progress: Int) {
        switch image["status"]?.string {
        case "active": ("ACTIVE", 100)
        case "queued": ("SAVING", 25)
        case "saving": ("SAVING", 50)
        case "deleted", "pending_delete": ("DELETED", 0)
        case "killed": ("ERROR", 0)
        default: ("UNKNOWN", 0)
        }
    }

    private static func write(
        _ writer: inout JSONWriter, _ image: JSON, _ request: APIRequest, isDetailed: Bool
    ) {
        let id = image["id"]?.string ?? ""
        writer.beginObject()
        writer.field("id", id)
        writer.field("name", image[shown: "name"])
        if isDetailed {
            let (properties, status) = (properties(image), status(image))
            writer.field("minRam", image["min_ram"]?.int ?? 0)
            writer.field("minDisk", image["min_disk"]?.int ?? 0)
            writer.field("metadata", properties)
            writer.field("created", image[shown: "created_at"])
            writer.field("updated", image[shown: "updated_at"])
            writer.field("status", status.name)
            writer.field("progress", status.progress)
            writer.field("OS-EXT-IMG-SIZE:size", image["size"]?.int ?? 0)
            if let server = properties["instance_uuid"] {
                writer.object("server") { writer in
                    writer.field("id", server)
                    request.links.write(&writer, "servers/\(Percent.encode(server))")
                }
            }
            if let automatic = properties["auto_disk_config"] {
                let isAutomatic = ["true", "1", "yes", "on", "t", "y"].contains(automatic.lowercased())
                writer.field("OS-DCF:diskConfig", isAutomatic ? "AUTO" : "MANUAL")
            }
        }
        writer.array("links") { writer in
            Links.write(&writer, "self", "\(request.versionURL)/images/\(id)")
            Links.write(&writer, "bookmark", "\(request.bookmarkURL)/images/\(id)")
            writer.beginObject()
            writer.field("rel", "alternate")
            writer.field("type", "application/vnd.openstack.image")
            writer.field("href", "\(request.originURL)/image/images/\(id)")
            writer.endObject()
        }
        writer.endObject()
    }

    // MARK: Metadata

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let properties = Self.properties(try await image(request))
        return .object { $0.field("metadata", properties) }
    }

    private func item(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let key = request.parameter("key")
        guard let value = Self.properties(try await image(request))[key] else {
            throw CloudError.notFound("The resource could not be found.")
        }
        return .object { $0.field("meta", [key: value]) }
    }

    private func sent(_ request: APIRequest, _ key: String) async throws -> [String: String] {
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let sent = try ServerDraftReader.metadata(&reader, key) else { throw reader.missing(key) }
        try reader.finish()
        return sent
    }

    private func merge(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await sent(request, "metadata")
        let before = Self.properties(try await image(request))
        let after = before.merging(sent) { _, new in new }
        try await patch(request, context, from: before, to: after)
        return .object { $0.field("metadata", after) }
    }

    private func replace(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let sent = try await sent(request, "metadata")
        try await patch(request, context, from: Self.properties(try await image(request)), to: sent)
        return .object { $0.field("metadata", sent) }
    }

    private func setItem(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (key, sent) = (request.parameter("key"), try await sent(request, "meta"))
        guard sent.count == 1 else { throw CloudError.badRequest("Request body contains too many items") }
        guard let value = sent[key] else { throw CloudError.badRequest("Request body and URI mismatch") }
        let before = Self.properties(try await image(request))
        var after = before
        after[key] = value
        try await patch(request, context, from: before, to: after)
        return .object { $0.field("meta", sent) }
    }

    private func removeItem(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let before = Self.properties(try await image(request))
        var after = before
        guard after.removeValue(forKey: request.parameter("key")) != nil else {
            throw CloudError.notFound("Invalid metadata key")
        }
        try await patch(request, context, from: before, to: after)
        return .noContent()
    }

    /// Only the differences, so that what others changed meanwhile stays.
    private func patch(
        _ request: APIRequest, _ context: CallContext, from before: [String: String], to after: [String: String]
    ) async throws {
        if let project = context.projectID {
            let limit = try await quotas.usage(of: project).limit(of: "metadata_items")
            guard limit < 0 || after.count <= limit else {
                throw CloudError(.overQuota, "Image metadata limit exceeded", kind: "MetadataLimitExceeded")
            }
        }
        func pointer(_ key: String) -> JSON {
            var text = "/"
            for character in key {
                switch character {
                case "~": text += "~0"
                case "/": text += "~1"
                default: text.append(character)
                }
            }
            return .string(text)
        }
        var changes: [JSON] = []
        for key in before.keys.sorted() where after[key] == nil {
            changes.append(["op": "remove", "path": pointer(key)])
        }
        // What changes nothing is written all the same: Image says whether the caller may.
        for (key, value) in after.sorted(by: { $0.key < $1.key }) where before[key] != value || before == after {
            let operation: JSON = before[key] == nil ? "add" : "replace"
            changes.append(["op": operation, "path": pointer(key), "value": .string(value)])
        }
        try await neighbours.call(
            .patch, Self.path(request), .array(changes), contentType: Self.patchType, for: request)
    }
}
