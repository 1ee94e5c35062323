// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/address-groups
struct AddressGroupRoutes: Sendable {
    /// What one request may name.
    private static let maximumAddresses = 1000

    let groups: AddressGroupEngine
    private let collection: Collection

    init(_ groups: AddressGroupEngine, maximumPage: Int?) {
        self.groups = groups
        collection = Collection("address_group", "address_groups", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_address_group", list)
        routes.add(.post, collection.path, object: "create_address_group", create)
        routes.add(.get, collection.item, object: "get_address_group", show)
        routes.add(.put, collection.item, object: "update_address_group", update)
        routes.add(.delete, collection.item, object: "delete_address_group", delete)
        routes.add(.put, collection.item + "/add_addresses", object: "add_addresses") { request, context in
            let addresses = try await addresses(request)
            let group = try await groups.add(
                addresses, to: request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
            return collection.one(group, fields: nil, write)
        }
        routes.add(.put, collection.item + "/remove_addresses", object: "remove_addresses") { request, context in
            let addresses = try await addresses(request)
            let group = try await groups.remove(
                addresses, from: request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
            return collection.one(group, fields: nil, write)
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await groups.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let group = try await groups.get(request.id("id"), for: context)
        return collection.one(group, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request, read)
        return collection.created(try await groups.create(drafts, for: context), isBulk: isBulk, write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { reader in
            try reader.refuseInUpdate("addresses")
            return try read(&reader)
        }
        let group = try await groups.update(
            request.id("id"), draft, ifMatch: Collection.ifMatch(request), for: context)
        return collection.one(group, fields: nil, write)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await groups.delete(request.id("id"), ifMatch: Collection.ifMatch(request), for: context)
        return .noContent()
    }

    // MARK: Wire

    private func read(_ reader: inout AttributeReader) throws -> AddressGroupDraft {
        try reader.refuseReadOnly("shared")
        var draft = AddressGroupDraft()
        draft.project = try reader.project()
        draft.name = try reader.string("name")
        draft.description = try reader.string("description", maximum: 1024)
        draft.addresses = try prefixes(&reader)
        draft.given = reader.given
        return draft
    }

    /// Whole prefixes, each once. Host bits are dropped.
    private func prefixes(_ reader: inout AttributeReader) throws -> [CIDR]? {
        guard let texts = try reader.list("addresses", maximum: Self.maximumAddresses) else { return nil }
        var seen: Set<String> = []
        return try texts.map { json in
            let text = json.string ?? json.text()
            guard let cidr = CIDR(text), text.contains("/") else {
                throw AttributeReader.invalid("addresses", "'\(text.prefix(64))' is not a valid IP subnet")
            }
            guard seen.insert(text).inserted else {
                throw AttributeReader.invalid("addresses", "Duplicate items in the list: '\(text.prefix(64))'")
            }
            return cidr
        }
    }

    /// `{"addresses": […]}`, bare or under the group's name. Here an address alone is the prefix of it alone.
    private func addresses(_ request: APIRequest) async throws -> [CIDR] {
        let body = try await request.json()
        guard let list = (body[collection.name] ?? body)["addresses"]?.array, list.count <= Self.maximumAddresses else {
            throw AttributeReader.bad("Failed to parse request. Required attribute 'addresses' not specified")
        }
        return try list.map { json in
            guard let cidr = json.string.flatMap({ CIDR($0) }) else {
                throw AttributeReader.invalid("addresses", "'\(json.text().prefix(64))' is not a valid IP subnet")
            }
            return cidr
        }
    }

    private func write(_ group: AddressGroup, _ out: inout ResourceWriter) {
        out.field("id", group.id)
        out.field("name", group.name)
        out.owner(group.project)
        out.field("addresses", group.addresses.map(\.description))
        out.standardWithoutTags(group.standard)
    }
}
