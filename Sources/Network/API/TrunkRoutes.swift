// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/trunks
struct TrunkRoutes: Sendable {
    let trunks: TrunkEngine
    private let collection: Collection

    init(_ trunks: TrunkEngine, maximumPage: Int?) {
        self.trunks = trunks
        collection = Collection("trunk", "trunks", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_trunk", list)
        routes.add(.post, collection.path, object: "create_trunk", create)
        routes.add(.get, collection.item, object: "get_trunk", show)
        routes.add(.put, collection.item, object: "update_trunk", update)
        routes.add(.delete, collection.item, object: "delete_trunk", delete)
        routes.add(.get, collection.item + "/get_subports", object: "get_subports", subports)
        routes.add(.put, collection.item + "/add_subports", object: "add_subports", addSubports)
        routes.add(.put, collection.item + "/remove_subports", object: "remove_subports", removeSubports)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await trunks.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, TrunkWire.write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let trunk = try await trunks.get(request.id("id"), for: context)
        return collection.one(trunk, fields: Collection.fields(request), TrunkWire.write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require("port_id")
            return try TrunkWire.draft(&reader)
        }
        return collection.created(try await trunks.create(drafts, for: context), isBulk: isBulk, TrunkWire.write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { try TrunkWire.draft(&$0) }
        let trunk = try await trunks.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(trunk, fields: nil, TrunkWire.write)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await trunks.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }

    // MARK: Subports

    private func subports(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let trunk = try await trunks.get(request.id("id"), as: "get_subports", for: context)
        return .json(200, JSONWriter.object { TrunkWire.write(trunk.subports, &$0) })
    }

    private func addSubports(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let drafts = try await drafts(request)
        return answer(try await trunks.addSubports(drafts, to: request.id("id"), for: context))
    }

    private func removeSubports(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let drafts = try await drafts(request)
        return answer(try await trunks.removeSubports(drafts.map(\.port), from: request.id("id"), for: context))
    }

    private func drafts(_ request: APIRequest) async throws -> [SubportDraft] {
        var reader = try AttributeReader(try await request.json(), isCreate: true)
        try reader.require("sub_ports")
        let drafts = try TrunkWire.subports(&reader) ?? []
        try reader.finish()
        return drafts
    }

    /// The trunk without an envelope, as upstream answers to actions.
    private func answer(_ trunk: Trunk) -> HTTPResponse {
        var writer = ResourceWriter(fields: nil, capacity: 1024)
        writer.beginObject()
        TrunkWire.write(trunk, &writer)
        writer.endObject()
        return .json(200, writer.finish())
    }
}

enum TrunkWire {
    static func draft(_ reader: inout AttributeReader) throws -> TrunkDraft {
        try reader.refuseInUpdate("port_id", "sub_ports")
        var draft = TrunkDraft()
        draft.project = try reader.project()
        draft.name = try reader.string("name")
        draft.description = try reader.string("description")
        draft.port = try reader.id("port_id")
        draft.isEnabled = try reader.bool("admin_state_up", default: true)
        draft.subports = try subports(&reader) ?? []
        draft.tags = try reader.tags()
        draft.given = reader.given
        return draft
    }

    /// neutron_lib: validate_subports. What a port alone needs, the engine knows.
    static func subports(_ reader: inout AttributeReader) throws -> [SubportDraft]? {
        guard let entries = try reader.list("sub_ports") else { return nil }
        var ports: Set<PortID> = []
        var segments: Set<String> = []
        return try entries.map { entry in
            var inner = try AttributeReader(entry, isCreate: true)
            try inner.require("port_id")
            guard let port: PortID = try inner.id("port_id"), ports.insert(port).inserted else {
                throw NetworkFault.invalidInput("Non unique UUID for subport in sub_ports")
            }
            let type = try inner.nullableString("segmentation_type").flatMap { $0 }
            let isBare = !inner.has("segmentation_id") && type == nil
            let segmentation = try inner.int("segmentation_id", -1...Int(Int32.max))
            try inner.finish()
            guard type == "inherit" || isBare || type != nil && segmentation != nil else {
                throw NetworkFault.invalidInput(
                    "Invalid subport details '\(port)': missing segmentation information. Must specify both "
                        + "segmentation_id and segmentation_type")
            }
            if type != "inherit", let type, let segmentation {
                guard segments.insert("\(type):\(segmentation)").inserted else {
                    throw NetworkFault.invalidInput("Segmentation ID '\(segmentation)' for '\(port)' is not unique")
                }
            }
            return SubportDraft(port: port, segmentationType: type, segmentation: segmentation)
        }
    }

    static func write(_ trunk: Trunk, _ out: inout ResourceWriter) {
        out.field("id", trunk.id)
        out.field("name", trunk.name)
        out.owner(trunk.project)
        out.field("port_id", trunk.port)
        out.field("admin_state_up", trunk.isEnabled)
        out.field("status", trunk.status.rawValue)
        out.nested("sub_ports") { json in
            json.beginArray()
            for subport in trunk.subports { write(subport, &json) }
            json.endArray()
        }
        out.standard(trunk.standard)
    }

    static func write(_ subports: [Trunk.Subport], _ json: inout JSONWriter) {
        json.array("sub_ports") { json in
            for subport in subports { write(subport, &json) }
        }
    }

    private static func write(_ subport: Trunk.Subport, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("port_id", subport.port)
        json.field("segmentation_type", subport.segmentationType)
        json.field("segmentation_id", subport.segmentation)
        json.endObject()
    }
}
