// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// Reads what a list is asked for: page, order, filters.
struct ResourceListReader: Sendable {
    /// The name in `resource_filters`.
    let resource: String
    let maximum: Int
    private let request: APIRequest
    private let context: CallContext

    private static let paging: Set<String> = ["limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count"]

    init(_ resource: String, maximum: Int, _ request: APIRequest, _ context: CallContext) {
        self.resource = resource
        self.maximum = maximum
        self.request = request
        self.context = context
    }

    // MARK: Page

    func page(defaultSort: ResourcePage.Sort = .init("created_at", isDescending: true)) throws -> ResourcePage {
        var page = ResourcePage(limit: try Self.limit(request, maximum: maximum))
        page.marker = request.query("marker").flatMap { $0.isEmpty ? nil : $0 }
        page.offset = try Self.offset(request)
        page.sort = try Self.sort(request, defaultSort)
        return page
    }

    /// Every row, in the order that versions without pages had.
    func wholePage(isDescending: Bool = true) -> ResourcePage {
        var page = ResourcePage(limit: maximum)
        page.sort = [.init("created_at", isDescending: isDescending)]
        return page
    }

    /// cinder: api/common.py, `_get_limit_param`.
    static func limit(_ request: APIRequest, maximum: Int) throws -> Int {
        guard let text = request.query("limit") else { return maximum }
        guard let limit = Int(text) else { throw CloudError.badRequest("limit param must be an integer") }
        guard limit >= 0 else { throw CloudError.badRequest("limit param must be positive") }
        return min(limit, maximum)
    }

    private static func offset(_ request: APIRequest) throws -> Int {
        guard let text = request.query("offset") else { return 0 }
        guard let offset = Int(text) else { throw CloudError.badRequest("offset must be an integer") }
        guard offset >= 0 else { throw CloudError.badRequest("offset must be >= 0") }
        guard offset <= Int(Int32.max) else { throw CloudError.badRequest("offset must be <= 2147483647") }
        return offset
    }

    /// cinder: api/common.py, `get_sort_params`.
    private static func sort(_ request: APIRequest, _ fallback: ResourcePage.Sort) throws -> [ResourcePage.Sort] {
        if let text = request.query("sort") {
            guard request.query("sort_key") == nil, request.query("sort_dir") == nil else {
                throw CloudError.badRequest(
                    "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' "
                        + "parameter.")
            }
            return try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
                let words = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                return .init(
                    BlockStorageWords.trimmed(words.first.map(String.init) ?? ""),
                    isDescending: try isDescending(words.count > 1 ? String(words[1]) : ""))
            }
        }
        guard request.query("sort_key") != nil || request.query("sort_dir") != nil else { return [fallback] }
        return [
            .init(
                BlockStorageWords.trimmed(request.query("sort_key") ?? "created_at"),
                isDescending: try isDescending(request.query("sort_dir") ?? "desc"))
        ]
    }

    /// Descending where nothing is said.
    private static func isDescending(_ text: String) throws -> Bool {
        try BlockStorageWords.trimmed(text).isEmpty || VolumeWire.isDescending(text)
    }

    // MARK: Filters

    /// `all_tenants` widens an administrator's list; everybody else sees the own project's.
    func isAllProjects() throws -> Bool {
        guard let text = request.query("all_tenants") else { return false }
        guard let value = BlockStorageWords.bool(text) else {
            throw CloudError.badRequest("Invalid value for all_tenants: '\(text.prefix(64))' is not a boolean.")
        }
        return value && context.allowsAllProjects
    }

    /// From 3.31 a filter that is not offered is refused; before, callers that are no administrators lose those that
    /// are not in `oldFilters`.
    func filter(oldFilters: Set<String>, without ignored: Set<String> = []) throws -> ResourceFilter {
        var filter = ResourceFilter(project: try isAllProjects() ? nil : context.projectID ?? ProjectID(""))
        let sent = request.http.query.filter {
            !Self.paging.contains($0.name) && $0.name != "all_tenants" && !ignored.contains($0.name)
        }
        let isAdministrator = context.allowsAllProjects
        let offered = Set(ResourceFilterRoutes.filters[resource] ?? [])
        var refused: [String] = []
        for (name, value) in sent {
            let isLike = name.hasSuffix("~") && context.has(34)
            let field = isLike ? String(name.dropLast()) : name
            if !isAdministrator {
                if context.has(31) {
                    // Only what the operator lists with a tilde may be searched for parts.
                    guard offered.contains(name) || offered.contains(name + "~") else {
                        refused.append(name)
                        continue
                    }
                } else if !oldFilters.contains(name) {
                    continue
                }
            }
            if isLike { filter.contains[field] = value } else { filter.equals[field] = value }
        }
        try VolumeWire.refuse(refused)
        return filter
    }
}

/// Words and bodies that several resources share.
enum BlockStorageWords {
    static func trimmed(_ text: String) -> String {
        var rest = Substring(text)
        while let first = rest.first, first.isWhitespace { rest = rest.dropFirst() }
        while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
        return String(rest)
    }

    /// oslo_utils.strutils.bool_from_string, strict.
    static func bool(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1", "yes", "on", "t", "y": true
        case "false", "0", "no", "off", "f", "n": false
        default: nil
        }
    }

    /// A boolean of the query, as `utils.get_bool_param` reads it; an empty one is none.
    static func bool(_ request: APIRequest, _ name: String) throws -> Bool {
        guard let text = request.query(name) else { return false }
        guard let value = bool(text) else {
            throw CloudError.badRequest("Value '\(text.prefix(64))' for \(name) is not a boolean.")
        }
        return value
    }

    static func time(_ time: Timestamp?) -> String? { time?.iso8601(fraction: true, zone: false) }

    /// A name that is there and more than white space.
    static func name(_ reader: inout ObjectReader, _ key: String = "name") throws -> String {
        let name = trimmed(try reader.requiredString(key, 1...255))
        guard !name.isEmpty else { throw reader.invalid(key, .string(name), "is too short") }
        return name
    }

    /// Null and absent are the same.
    static func text(_ reader: inout ObjectReader, _ key: String) throws -> String? {
        try reader.nullableString(key, 0...255).flatMap { $0 }
    }

    /// A map of specifications: keys of letters, digits and `-_:.`, with more where `allowsSpaces`. A null is an empty
    /// text.
    static func specs(_ json: JSON, _ name: String, allowsSpaces: Bool = true) throws -> [String: String] {
        guard case .object(let fields) = json else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute \(name). Value: \(json.text().prefix(200)). "
                    + "\(json.text().prefix(200)) is not of type 'object'")
        }
        var specs: [String: String] = [:]
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            guard isSpecKey(key, allowsSpaces: allowsSpaces) else {
                throw CloudError.badRequest(
                    "Invalid input for field/attribute \(name). '\(key.prefix(64))' does not match any of the regexes: "
                        + "'^[a-zA-Z0-9-_:.\(allowsSpaces ? " /" : "")]{1,255}$'")
            }
            switch value {
            case .string(let text) where text.unicodeScalars.count <= 255: specs[key] = text
            case .null: specs[key] = ""
            default:
                throw CloudError.badRequest(
                    "Invalid input for field/attribute \(key). Value: \(value.text().prefix(200)). "
                        + "\(value.text().prefix(200)) is not of type 'string', 'null'")
            }
        }
        return specs
    }

    /// The specifications that a body gives to a type.
    static func specs(of request: APIRequest, _ name: String) async throws -> [String: String] {
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let value = reader.value(name) else { throw reader.missing(name) }
        try reader.finish()
        return try specs(value, name, allowsSpaces: false)
    }

    /// The one specification that the path names, and the body gives.
    static func spec(of request: APIRequest) async throws -> (key: String, value: String) {
        let key = request.parameter("key")
        let sent = try specs(try await request.json(), "body", allowsSpaces: false)
        guard sent.count == 1 else {
            throw CloudError.badRequest("Invalid input for field/attribute body. One property is expected.")
        }
        guard let value = sent[key] else { throw CloudError.badRequest("Request body and URI mismatch") }
        return (key, value)
    }

    private static func isSpecKey(_ key: String, allowsSpaces: Bool) -> Bool {
        (1...255).contains(key.utf8.count)
            && key.utf8.allSatisfy { byte in
                (0x30...0x3A).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == 0x2D || byte == 0x2E || byte == 0x5F
                    || allowsSpaces && (byte == 0x20 || byte == 0x2F)
            }
    }

    /// cinder: api_utils._parse_is_public. Nil: public and private ones.
    static func isPublic(_ request: APIRequest) throws -> Bool? {
        guard let text = request.query("is_public") else { return true }
        if text.lowercased() == "none" { return nil }
        guard let value = bool(text) else {
            throw CloudError.badRequest("Invalid is_public filter [\(text.prefix(64))]")
        }
        return value
    }
}

extension APIRequest {
    var links: Links { Links(self, version: "/v3") }
}
