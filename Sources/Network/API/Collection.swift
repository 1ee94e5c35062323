// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkCore
import PolicyKit

/// What every collection of this API has in common: bodies of one or many, lists with filters and pages.
struct Collection: Sendable {
    /// `network`.
    let name: String
    /// `networks`: the key in bodies; in paths `_` is `-`.
    let plural: StaticString
    /// `/v2.0/networks`.
    let path: String
    /// Most objects on a page; nil: no limit.
    private let maximumPage: Int?

    /// `path` is given where it keeps the underscore.
    init(_ name: String, _ plural: StaticString, path: String? = nil, maximumPage: Int?) {
        self.name = name
        self.plural = plural
        self.maximumPage = maximumPage
        self.path = path ?? "/v2.0/" + String(plural.description.map { $0 == "_" ? "-" : $0 })
    }

    var item: String { path + "/{id}" }

    // MARK: Requests

    /// The drafts of a create: one under `network`, or many under `networks`.
    func drafts<Draft>(
        _ request: APIRequest, limit: Int = 1000, _ read: (inout AttributeReader) throws -> Draft
    ) async throws -> (drafts: [Draft], isBulk: Bool) {
        let body = try await request.json()
        if let many = body[plural.description] {
            guard case .array(let objects) = many, !objects.isEmpty, objects.count <= limit else {
                throw AttributeReader.bad("Resource body required")
            }
            // neutron takes each element bare, or under its own name once more.
            let drafts = try objects.map { object in
                try draft(object.object?.count == 1 ? object[name] ?? object : object, isCreate: true, read)
            }
            return (drafts, true)
        }
        guard let object = body[name] else { throw missingBody(body) }
        return ([try draft(object, isCreate: true, read)], false)
    }

    func change<Draft>(_ request: APIRequest, _ read: (inout AttributeReader) throws -> Draft) async throws -> Draft {
        let body = try await request.json()
        guard let object = body[name] else { throw missingBody(body) }
        return try draft(object, isCreate: false, read)
    }

    private func missingBody(_ body: JSON) -> CloudError {
        AttributeReader.bad(
            body.object?.isEmpty ?? true ? "Resource body required" : "Unable to find '\(name)' in request body")
    }

    private func draft<Draft>(_ json: JSON, isCreate: Bool, _ read: (inout AttributeReader) throws -> Draft) throws
        -> Draft
    {
        var reader = try AttributeReader(json, isCreate: isCreate)
        try reader.refuseReadOnly("id", "status", "created_at", "updated_at", "revision_number")
        let draft = try read(&reader)
        try reader.finish()
        return draft
    }

    /// `If-Match: revision_number=4`.
    static func ifMatch(_ request: APIRequest) throws -> Int? {
        guard let header = request.http.headers["If-Match"] else { return nil }
        let tags = header.split(separator: ",").map { tag in
            String(tag.filter { $0 != "\"" && $0 != " " }).replacingPrefix("W/")
        }
        let constraints = tags.filter { $0.hasPrefix("revision_number=") }
        guard constraints.count <= 1 else {
            throw NetworkFault.badRequest("if-match", "Multiple revision_number etags are not supported")
        }
        guard let constraint = constraints.first else { return nil }
        guard let number = Int(constraint.dropFirst("revision_number=".count)) else {
            throw NetworkFault.badRequest(
                "if-match", "Revision number etag must be in the format of revision_number=<int>")
        }
        return number
    }

    // MARK: Lists

    private static let reserved: Set<String> = ["fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"]

    static func fields(_ request: APIRequest) -> Set<String>? {
        let names = request.queryAll("fields").filter { !$0.isEmpty }
        return names.isEmpty ? nil : Set(names)
    }

    static func filters(_ request: APIRequest) -> [(name: String, values: [String])] {
        var filters: [(name: String, values: [String])] = []
        for (name, value) in request.http.query where !reserved.contains(name) {
            if let index = filters.firstIndex(where: { $0.name == name }) {
                filters[index].values.append(value)
            } else {
                filters.append((name, [value]))
            }
        }
        return filters
    }

    func query(_ request: APIRequest) throws -> ListQuery {
        var query = ListQuery()
        query.fields = Self.fields(request)
        query.filters = Self.filters(request)
        query.sorts = try Self.sorts(request)
        query.limit = try limit(request)
        if query.limit != nil { query.marker = request.query("marker").flatMap { $0.isEmpty ? nil : $0 } }
        query.isReversed = request.query("page_reverse")?.lowercased() == "true"
        return query
    }

    private static func sorts(_ request: APIRequest) throws -> [(key: String, isAscending: Bool)] {
        let keys = request.queryAll("sort_key").filter { !$0.isEmpty }
        let directions = request.queryAll("sort_dir").filter { !$0.isEmpty }
        guard keys.count == directions.count else {
            throw AttributeReader.bad("The number of sort_keys and sort_dirs must be same")
        }
        if let wrong = directions.first(where: { $0 != "asc" && $0 != "desc" }) {
            throw AttributeReader.bad(
                "['\(wrong.prefix(16))'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
        }
        return zip(keys, directions).map { (key: $0, isAscending: $1 == "asc") }
    }

    /// neutron: no limit, and a limit of 0, ask for everything, which is the largest page where the operator set one.
    private func limit(_ request: APIRequest) throws -> Int? {
        guard let text = request.query("limit") else { return maximumPage }
        guard let limit = Int(text), limit >= 0 else {
            throw NetworkFault.badRequest("limit", "Limit must be an integer 0 or greater and not '\(text.prefix(32))'")
        }
        return limit == 0 ? maximumPage : min(limit, maximumPage ?? limit)
    }

    // MARK: Answers

    func list<T>(
        _ request: APIRequest, _ query: ListQuery, _ objects: [T], id: (T) -> String,
        _ write: (T, inout ResourceWriter) -> Void
    ) -> HTTPResponse {
        var writer = ResourceWriter(fields: query.fields, capacity: 128 + objects.count * 1024)
        writer.beginObject()
        writer.beginArray(plural)
        for object in objects {
            writer.beginObject()
            write(object, &writer)
            writer.endObject()
        }
        writer.endArray()
        let links = links(
            request, query, first: objects.first.map(id), last: objects.last.map(id), count: objects.count)
        if !links.isEmpty { writer.links(plural.description, links) }
        writer.endObject()
        return .json(200, writer.finish())
    }

    /// One object under its name, or many under their plural.
    func created<T>(_ objects: [T], isBulk: Bool, _ write: (T, inout ResourceWriter) -> Void) -> HTTPResponse {
        guard isBulk else {
            guard let object = objects.first else { preconditionFailure("a create made nothing") }
            return one(object, status: 201, fields: nil, write)
        }
        var writer = ResourceWriter(fields: nil, capacity: 128 + objects.count * 1024)
        writer.beginObject()
        writer.beginArray(plural)
        for object in objects {
            writer.beginObject()
            write(object, &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return .json(201, writer.finish())
    }

    func one<T>(_ object: T, status: Int = 200, fields: Set<String>?, _ write: (T, inout ResourceWriter) -> Void)
        -> HTTPResponse
    {
        var writer = ResourceWriter(fields: fields, capacity: 1536)
        writer.beginObject()
        writer.nestedObject(name) { write(object, &$0) }
        writer.endObject()
        return .json(status, writer.finish())
    }

    private func links(_ request: APIRequest, _ query: ListQuery, first: String?, last: String?, count: Int) -> [(
        rel: String, href: String
    )] {
        guard let limit = query.limit else { return [] }
        var links: [(rel: String, href: String)] = []
        if count >= limit || query.isReversed { links.append(("next", href(request, marker: last, isReversed: false))) }
        if count >= limit || !query.isReversed {
            links.append(("previous", href(request, marker: first, isReversed: true)))
        }
        return links
    }

    private func href(_ request: APIRequest, marker: String?, isReversed: Bool) -> String {
        var parameters = request.http.query.filter { $0.name != "marker" && $0.name != "page_reverse" }
        if let marker { parameters.append((name: "marker", value: marker)) }
        if isReversed { parameters.append((name: "page_reverse", value: "True")) }
        let text = parameters.map { Percent.encode($0.name) + "=" + Percent.encode($0.value) }.joined(separator: "&")
        // The path of what is in another object names that object.
        let path = path.contains("{id}") ? path.replacing("{id}", with: request.parameter("id")) : path
        return request.serviceURL + path + "?" + text
    }
}

extension String {
    fileprivate func replacingPrefix(_ prefix: String) -> String {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self
    }
}

extension ListQuery {
    /// The page of a list that is no table. As in neutron, an unknown marker is one behind the last.
    func page<T>(of objects: [T], id: (T) -> String) -> [T] {
        guard let limit else { return objects }
        let place = marker.map { marker in objects.firstIndex { id($0) == marker } ?? objects.count }
        if isReversed { return Array(objects[..<(place ?? objects.count)].suffix(limit)) }
        return Array(objects.dropFirst(place.map { $0 + 1 } ?? 0).prefix(limit))
    }
}

extension ResourceWriter {
    /// An object under a key of the envelope, which `fields` does not concern.
    mutating func nestedObject(_ key: String, _ body: (inout ResourceWriter) -> Void) {
        envelopeKey(key)
        beginObject()
        body(&self)
        endObject()
    }
}
