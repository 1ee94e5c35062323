// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/subnetpools
struct SubnetPoolRoutes: Sendable {
    let pools: SubnetPoolEngine
    private let collection: Collection

    init(_ pools: SubnetPoolEngine, maximumPage: Int?) {
        self.pools = pools
        collection = Collection("subnetpool", "subnetpools", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_subnetpool", list)
        routes.add(.post, collection.path, object: "create_subnetpool", create)
        routes.add(.get, collection.item, object: "get_subnetpool", show)
        routes.add(.put, collection.item, object: "update_subnetpool", update)
        routes.add(.delete, collection.item, object: "delete_subnetpool", delete)
        routes.add(.put, collection.item + "/add_prefixes", object: "add_prefixes") { request, context in
            let prefixes = try await prefixes(request)
            return answer(
                try await pools.addPrefixes(
                    prefixes, to: request.id("id"), ifMatch: Collection.ifMatch(request), for: context))
        }
        routes.add(.put, collection.item + "/remove_prefixes", object: "remove_prefixes") { request, context in
            let prefixes = try await prefixes(request)
            return answer(
                try await pools.removePrefixes(
                    prefixes, from: request.id("id"), ifMatch: Collection.ifMatch(request), for: context))
        }
        routes.add(
            .put, collection.item + "/onboard_network_subnets", object: "onboard_network_subnets", onboard)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await pools.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, SubnetPoolWire.write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let pool = try await pools.get(request.id("id"), for: context)
        return collection.one(pool, fields: Collection.fields(request), SubnetPoolWire.write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require("prefixes")
            return try SubnetPoolWire.draft(&reader)
        }
        let made = try await pools.create(drafts, for: context)
        return collection.created(made, isBulk: isBulk, SubnetPoolWire.write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { reader in
            try reader.refuseInUpdate("shared")
            return try SubnetPoolWire.draft(&reader)
        }
        let pool = try await pools.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(pool, fields: nil, SubnetPoolWire.write)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await pools.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }

    private func prefixes(_ request: APIRequest) async throws -> [CIDR] {
        var reader = try AttributeReader(try await request.json(), isCreate: true)
        try reader.require("prefixes")
        let prefixes = try SubnetPoolWire.prefixes(&reader) ?? []
        try reader.finish()
        return prefixes
    }

    private func onboard(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try AttributeReader(try await request.json(), isCreate: true)
        guard let network: NetworkID = try reader.id("network_id") else {
            throw NetworkFault.invalidInput("network_id must be specified")
        }
        try reader.finish()
        let subnets = try await pools.onboard(network, into: request.id("id"), for: context)
        var json = JSONWriter(capacity: 64 + subnets.count * 96)
        json.beginArray()
        for subnet in subnets {
            json.beginObject()
            json.field("id", subnet.id)
            json.field("cidr", subnet.cidr.description)
            json.endObject()
        }
        json.endArray()
        return .json(200, json.finish())
    }

    private func answer(_ prefixes: [CIDR]) -> HTTPResponse {
        .json(200, JSONWriter.object { $0.field("prefixes", prefixes.map(\.description)) })
    }
}

enum SubnetPoolWire {
    static func draft(_ reader: inout AttributeReader) throws -> SubnetPoolDraft {
        try reader.refuseReadOnly("ip_version")
        var draft = SubnetPoolDraft()
        draft.project = try reader.project()
        draft.name = try reader.string("name")
        draft.description = try reader.string("description")
        draft.prefixes = try prefixes(&reader)
        draft.defaultLength = try reader.int("default_prefixlen", 0...128)
        draft.minimumLength = try reader.int("min_prefixlen", 0...128)
        draft.maximumLength = try reader.int("max_prefixlen", 0...128)
        if reader.has("default_quota") {
            draft.defaultQuota = .some(try reader.int("default_quota", 0...Int(Int32.max)))
        }
        draft.addressScope = try reader.nullableID("address_scope_id")
        draft.isDefault = try reader.bool("is_default", default: false)
        draft.isShared = try reader.bool("shared", default: false)
        draft.tags = try reader.tags()
        draft.given = reader.given
        return draft
    }

    static func prefixes(_ reader: inout AttributeReader) throws -> [CIDR]? {
        try reader.strings("prefixes")?.map { text in
            guard let cidr = CIDR(text), text.contains("/") else {
                throw AttributeReader.invalid("prefixes", "'\(text.prefix(64))' is not a valid IP subnet")
            }
            return cidr
        }
    }

    static func write(_ pool: SubnetPool, _ out: inout ResourceWriter) {
        out.field("id", pool.id)
        out.field("name", pool.name)
        out.owner(pool.project)
        out.field("prefixes", pool.prefixes.map(\.description))
        out.field("ip_version", pool.ipVersion)
        // neutron shows these three as text.
        out.field("default_prefixlen", "\(pool.defaultLength)")
        out.field("min_prefixlen", "\(pool.minimumLength)")
        out.field("max_prefixlen", "\(pool.maximumLength)")
        out.field("default_quota", pool.defaultQuota)
        out.field("address_scope_id", pool.addressScope)
        out.field("is_default", pool.isDefault)
        out.field("shared", pool.isShared)
        out.standard(pool.standard)
    }
}
