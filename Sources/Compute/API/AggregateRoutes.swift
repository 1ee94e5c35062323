// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-aggregates, for administrators.
struct AggregateRoutes: Sendable {
    private static let maximumImages = 1000
    let aggregates: AggregateEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/os-aggregates"
        routes.add(.get, path, policy: "os_compute_api:os-aggregates:index", index)
        routes.add(.post, path, policy: "os_compute_api:os-aggregates:create", create)
        routes.add(.get, path + "/{id}", policy: "os_compute_api:os-aggregates:show", show)
        routes.add(.put, path + "/{id}", policy: "os_compute_api:os-aggregates:update", update)
        routes.add(.delete, path + "/{id}", policy: "os_compute_api:os-aggregates:delete", delete)
        routes.add(.post, path + "/{id}/action", object: "os_compute_api:os-aggregates:add_host", act)
        routes.add(
            .post, path + "/{id}/images", policy: "compute:aggregates:images", versions: versions(81), cacheImages)
    }

    private func write(
        _ writer: inout JSONWriter, _ aggregate: HostAggregate, _ context: CallContext, isNew: Bool = false
    ) {
        writer.beginObject()
        writer.field("id", aggregate.number)
        if context.has(41) { writer.field("uuid", aggregate.uuid) }
        writer.field("name", aggregate.name)
        writer.field("availability_zone", aggregate.zone)
        writer.field("created_at", aggregate.createdAt.iso8601(fraction: true, zone: false))
        writer.field("updated_at", aggregate.updatedAt?.iso8601(fraction: true, zone: false))
        writer.field("deleted", false)
        writer.nullField("deleted_at")
        // Upstream's answer to a creation has neither.
        if !isNew {
            writer.field("hosts", aggregate.hosts)
            var metadata = aggregate.metadata
            metadata["availability_zone"] = aggregate.zone
            writer.field("metadata", metadata)
        }
        writer.endObject()
    }

    private func answer(_ aggregate: HostAggregate, _ context: CallContext, isNew: Bool = false) -> HTTPResponse {
        .object { writer in
            writer.key("aggregate")
            write(&writer, aggregate, context, isNew: isNew)
        }
    }

    private func number(_ request: APIRequest) throws -> Int64 {
        let text = request.parameter("id")
        // No aggregate has a number below 1, and upstream looks for one all the same.
        guard let number = Int64(text) else {
            throw CloudError.badRequest("id must be an integer")
        }
        return number
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let all = try await aggregates.list()
        return .object { writer in
            writer.array("aggregates") { writer in
                for aggregate in all { write(&writer, aggregate, context) }
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        answer(try await aggregates.aggregate(try number(request)), context)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("aggregate", in: try await request.json())
        let name = try reader.requiredString("name", 1...255)
        try ComputeWire.checkName(name, "name")
        let zone = try Self.zone(&reader).flatMap { $0 }
        try reader.finish()
        return answer(try await aggregates.create(name: name, zone: zone), context, isNew: true)
    }

    private static func zone(_ reader: inout ObjectReader) throws -> String?? {
        guard let zone = try reader.nullableString("availability_zone", 1...255) else { return .none }
        if let zone {
            try ComputeWire.checkName(zone, "availability_zone")
            guard !zone.contains(":") else {
                throw reader.invalid("availability_zone", .string(zone), "must not contain ':'")
            }
        }
        return .some(zone)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("aggregate", in: try await request.json())
        let name = try reader.string("name", 1...255)
        if let name { try ComputeWire.checkName(name, "name") }
        let zone = try Self.zone(&reader)
        try reader.finish()
        guard name != nil || zone != nil else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute aggregate. It does not have enough properties")
        }
        let aggregate = try await aggregates.edit(try number(request)) { aggregate in
            if let name { aggregate.name = name }
            if let zone { aggregate.zone = zone }
        }
        return answer(aggregate, context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await aggregates.delete(try number(request))
        return HTTPResponse(status: 200)
    }

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let number = try number(request)
        let (name, value) = try await request.action()
        guard ["add_host", "remove_host", "set_metadata"].contains(name) else {
            try context.authorize([:])
            throw APIRequest.noSuchAction(name)
        }
        try context.authorize([:], as: PolicyName("os_compute_api:os-aggregates:" + name))
        var reader = try ObjectReader(value, path: name)
        if name == "set_metadata" {
            let changes = try Self.metadata(&reader)
            try reader.finish()
            return answer(try await aggregates.edit(number) { Self.apply(changes, to: &$0) }, context)
        }
        let host = try reader.requiredString("host", 1...255)
        try reader.finish()
        let aggregate =
            name == "add_host"
            ? try await aggregates.addHost(host, to: number) : try await aggregates.removeHost(host, from: number)
        return answer(aggregate, context)
    }

    /// Its hosts fetch the images before a server needs them; nobody waits for that.
    private func cacheImages(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let list = try reader.array("cache", 1...Self.maximumImages) else { throw reader.missing("cache") }
        try reader.finish()
        let images = try list.map { entry in
            var reader = try ObjectReader(entry, path: "cache")
            let id = try ComputeWire.uuid(try reader.requiredString("id"), "id")
            try reader.finish()
            return id
        }
        guard Set(images).count == images.count else { throw CloudError.badRequest("Duplicate images in request") }
        try await aggregates.cacheImages(images, on: try number(request), for: context.principal)
        return HTTPResponse(status: 202)
    }

    /// A null removes the key.
    private static func metadata(_ reader: inout ObjectReader) throws -> [String: String?] {
        guard case .object(let fields)? = reader.value("metadata") else { throw reader.missing("metadata") }
        var changes: [String: String?] = [:]
        for (key, value) in fields {
            try ServerDraftReader.checkMetadataKey(key)
            switch value {
            case .null: changes.updateValue(nil, forKey: key)
            case .string(let text) where text.unicodeScalars.count <= 255: changes.updateValue(text, forKey: key)
            default: throw reader.invalid("metadata/\(key)", value, "is not of type 'string'")
            }
        }
        return changes
    }

    private static func apply(_ changes: [String: String?], to aggregate: inout HostAggregate) {
        for (key, value) in changes {
            if key == "availability_zone" {
                aggregate.zone = value
            } else if let value {
                aggregate.metadata[key] = value
            } else {
                aggregate.metadata[key] = nil
            }
        }
    }
}
