// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/segments
struct SegmentRoutes: Sendable {
    let segments: SegmentEngine
    private let collection: Collection

    init(_ segments: SegmentEngine, maximumPage: Int?) {
        self.segments = segments
        collection = Collection("segment", "segments", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_segment", list)
        routes.add(.post, collection.path, object: "create_segment", create)
        routes.add(.get, collection.item, object: "get_segment", show)
        routes.add(.put, collection.item, object: "update_segment", update)
        routes.add(.delete, collection.item, object: "delete_segment") { request, context in
            try await segments.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
            return .noContent()
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await segments.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let segment = try await segments.get(request.id("id"), for: context)
        return collection.one(segment, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require("network_id")
            try reader.require("network_type")
            return try read(&reader)
        }
        return collection.created(try await segments.create(drafts, for: context), isBulk: isBulk, write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { reader in
            try reader.refuseInUpdate("network_id", "network_type", "physical_network", "segmentation_id")
            return try read(&reader)
        }
        let segment = try await segments.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(segment, fields: nil, write)
    }

    private func read(_ reader: inout AttributeReader) throws -> NetworkSegmentDraft {
        var draft = NetworkSegmentDraft()
        _ = try reader.project()
        draft.network = try reader.id("network_id")
        draft.name = try reader.nullableString("name")
        draft.description = try reader.nullableString("description")
        draft.kind = try reader.string("network_type")
        draft.physicalNetwork = try reader.nullableString("physical_network").flatMap { $0 }
        draft.number = try reader.int("segmentation_id", 0...0xFFFF_FFFF)
        return draft
    }

    private func write(_ segment: NetworkSegment, _ out: inout ResourceWriter) {
        out.field("id", segment.id)
        out.field("network_id", segment.network)
        out.field("name", segment.name)
        out.field("description", segment.description)
        out.field("network_type", segment.kind.rawValue)
        out.field("physical_network", segment.physicalNetwork)
        out.field("segmentation_id", segment.number)
        out.field("revision_number", segment.revision)
        if out.wants("created_at") { out.field("created_at", segment.createdAt.iso8601()) }
        if out.wants("updated_at") { out.field("updated_at", segment.updatedAt.iso8601()) }
    }
}
