// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityCore

/// How every answer of Identity looks from outside.
enum IdentityReply {
    /// `{"user": {…}}`.
    static func one(
        _ key: StaticString, status: Int = 200, _ body: (inout JSONWriter) -> Void
    ) -> HTTPResponse {
        json(status: status, JSONWriter.object { $0.object(key, body) })
    }

    static func json(status: Int = 200, _ bytes: [UInt8]) -> HTTPResponse {
        .json(status, headers: ["Vary": "X-Auth-Token"], bytes)
    }

    static func noContent() -> HTTPResponse { HTTPResponse(status: 204, headers: ["Vary": "X-Auth-Token"]) }
}

extension APIRequest {
    /// `http://…/identity/v3`.
    var v3URL: String { serviceURL + "/v3" }

    /// The address that was asked for, as the cloud's users reach it.
    func selfURL(replacing changes: [String: String] = [:]) -> String {
        let path =
            http.path.utf8.starts(with: "/identity".utf8) ? String(http.path.dropFirst("/identity".count)) : http.path
        let kept =
            http.query.filter { changes[$0.name] == nil }
            + changes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        guard !kept.isEmpty else { return serviceURL + path }
        return serviceURL + path + "?"
            + kept.map { Percent.encode($0.name) + "=" + Percent.encode($0.value) }.joined(separator: "&")
    }
}

extension APIRequest {
    /// How many rows of a list to show at most.
    func listLimit() throws -> Int {
        let limit = try queryInt("limit", 0...Int.max) ?? 0
        return limit == 0 ? ListRange.maximum : min(limit, ListRange.maximum)
    }

    func listRange() throws -> ListRange {
        var range = ListRange()
        for (key, value) in http.query where key.hasPrefix("name__") {
            let operation = key.dropFirst("name__".count)
            let ignoresCase = operation.hasPrefix("i")
            guard
                let comparison = ListRange.NameTest.Comparison(
                    rawValue: String(operation.dropFirst(ignoresCase ? 1 : 0)))
            else { continue }
            range.names.append(ListRange.NameTest(comparison, value, ignoresCase: ignoresCase))
        }
        let direction = query("sort_dir") ?? "asc"
        guard direction == "asc" || direction == "desc" else {
            throw CloudError.badRequest("Invalid input for query parameter sort_dir: it must be asc or desc.")
        }
        range.isDescending = direction == "desc"
        range.sortsByID = query("sort_key") == "id"
        range.marker = query("marker")
        range.limit = try listLimit()
        return range
    }
}

/// One page of a list, with upstream's filters by comparison, its sorting and its links.
struct ListPage<Element> {
    private let request: APIRequest
    private let elements: [Element]
    private let lastID: String?
    private let isTruncated: Bool

    /// `name` is what `name__contains` and the like compare; nil for elements without one.
    init(_ request: APIRequest, _ all: [Element], id: (Element) -> String, name: ((Element) -> String)?) throws {
        self.request = request
        var elements = all
        if let name { elements = try Self.filter(elements, request, name) }
        try Self.sort(&elements, request, id, name)
        if let marker = request.query("marker") {
            guard let index = elements.firstIndex(where: { id($0) == marker }) else {
                throw CloudError.notFound("Marker \(marker.prefix(64)) could not be found.")
            }
            elements = Array(elements[(index + 1)...])
        }
        let limit = try request.listLimit()
        isTruncated = elements.count > limit
        self.elements = Array(elements.prefix(limit))
        lastID = self.elements.last.map(id)
    }

    /// What the database has cut out already.
    init(_ request: APIRequest, _ part: ListPart<Element>, id: (Element) -> String) where Element: Sendable {
        self.request = request
        elements = part.elements
        isTruncated = part.isTruncated
        lastID = elements.last.map(id)
    }

    func response(_ key: StaticString, _ write: (Element, inout JSONWriter) -> Void) -> HTTPResponse {
        IdentityReply.json(
            JSONWriter.object(capacity: 256 + elements.count * 400) { writer in
                writer.array(key) { writer in
                    for element in elements {
                        writer.beginObject()
                        write(element, &writer)
                        writer.endObject()
                    }
                }
                writer.object("links") { writer in
                    writer.field("self", request.selfURL())
                    writer.nullField("previous")
                    writer.field("next", isTruncated ? lastID.map { request.selfURL(replacing: ["marker": $0]) } : nil)
                }
                if isTruncated { writer.field("truncated", true) }
            })
    }

    /// keystone: `name__contains`, `__startswith`, `__endswith` and their forms without regard to case.
    private static func filter(_ elements: [Element], _ request: APIRequest, _ name: (Element) -> String) throws
        -> [Element]
    {
        var elements = elements
        for (key, value) in request.http.query where key.hasPrefix("name__") {
            let operation = key.dropFirst("name__".count)
            let ignoresCase = operation.hasPrefix("i")
            let wanted = ignoresCase ? value.lowercased() : value
            func matches(_ text: String) -> Bool {
                let text = ignoresCase ? text.lowercased() : text
                switch ignoresCase ? operation.dropFirst() : operation {
                case "exact": return text == wanted
                case "contains": return wanted.isEmpty || text.firstRange(of: wanted) != nil
                case "startswith": return text.hasPrefix(wanted)
                case "endswith": return text.hasSuffix(wanted)
                default: return true
                }
            }
            elements = elements.filter { matches(name($0)) }
        }
        return elements
    }

    private static func sort(
        _ elements: inout [Element], _ request: APIRequest, _ id: (Element) -> String, _ name: ((Element) -> String)?
    ) throws {
        let direction = request.query("sort_dir") ?? "asc"
        guard direction == "asc" || direction == "desc" else {
            throw CloudError.badRequest("Invalid input for query parameter sort_dir: it must be asc or desc.")
        }
        switch request.query("sort_key") {
        case "id": elements.sort { id($0) < id($1) }
        case "name":
            if let name { elements.sort { (name($0), id($0)) < (name($1), id($1)) } }
        default: break
        }
        if direction == "desc" { elements.reverse() }
    }
}

extension JSONWriter {
    mutating func selfLink(_ url: String) {
        object("links") { $0.field("self", url) }
    }

    /// What Identity keeps for the caller, under the caller's own names.
    mutating func extras(_ extras: Extras) {
        for (name, value) in extras.fields.sorted(by: { $0.key < $1.key }) {
            key(dynamic: name)
            self.value(value)
        }
    }

    mutating func options(_ options: ResourceOptions) { field("options", JSON.object(options.fields)) }
}
