// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// Shapes and checks that volumes, snapshots and attachments share.
enum VolumeWire {
    struct Paging {
        var limit: Int
        var offset: Int
        var marker: String?
        var sort: [(key: String, isDescending: Bool)]
    }

    /// cinder: api/common.py, `get_pagination_params` and `get_sort_params`.
    static func paging(_ request: APIRequest, maximum: Int) throws -> Paging {
        let limit = try ResourceListReader.limit(request, maximum: maximum)
        var offset = 0
        if let text = request.query("offset") {
            guard let number = Int(text), (0...Int(Int32.max)).contains(number) else {
                throw CloudError.badRequest("offset must be an integer between 0 and \(Int32.max)")
            }
            offset = number
        }
        return Paging(limit: limit, offset: offset, marker: request.query("marker"), sort: try sort(request))
    }

    private static func sort(_ request: APIRequest) throws -> [(key: String, isDescending: Bool)] {
        let (key, direction) = (request.query("sort_key"), request.query("sort_dir"))
        guard let text = request.query("sort") else {
            guard key != nil || direction != nil else { return [] }
            return [(BlockStorageWords.trimmed(key ?? "created_at"), try isDescending(direction ?? "desc"))]
        }
        guard key == nil, direction == nil else {
            throw CloudError.badRequest(
                "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' parameter.")
        }
        return try text.split(separator: ",").map { part in
            let halves = part.split(separator: ":", maxSplits: 1).map { BlockStorageWords.trimmed(String($0)) }
            return (halves.first ?? "", try isDescending(halves.count > 1 ? halves[1] : "desc"))
        }
    }

    static func isDescending(_ word: String) throws -> Bool {
        switch BlockStorageWords.trimmed(word) {
        case "desc": return true
        case "asc": return false
        default:
            throw VolumeErrors.invalidInput("Unknown sort direction, must be 'desc' or 'asc'.")
        }
    }

    static func invalidSortKey(_ key: String) -> CloudError {
        VolumeErrors.invalidInput("Sort key supplied is invalid: \(key.prefix(64))")
    }

    /// Whose rows a list shows. Nil: everybody's, as an administrator may ask for.
    static func project(_ request: APIRequest, _ context: CallContext) throws -> ProjectID? {
        guard context.allowsAllProjects else { return try context.requireProject() }
        if try request.queryBool("all_tenants") ?? false { return nil }
        // cinder: to an administrator whose token is of no project a list shows what is no project's: nothing.
        return context.projectID ?? ProjectID("")
    }

    /// What says which page a list shows, and is no filter.
    private static let pagingNames: Set<String> = [
        "limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count", "all_tenants",
    ]

    /// Hands over each filter of the query. From callers that are no administrators only those in `common` count:
    /// others are refused from 3.31, and ignored before.
    static func readFilters(
        _ request: APIRequest, _ context: CallContext, common: Set<String>,
        _ body: (_ name: String, _ value: String) throws -> Void
    ) throws {
        let isAdministrator = context.allowsAllProjects
        var refused: [String] = []
        for (name, value) in request.http.query where !pagingNames.contains(name) {
            let plain = name.hasSuffix("~") ? String(name.dropLast()) : name
            if !isAdministrator, !common.contains(plain) || name != plain && !context.has(34) {
                refused.append(name)
            } else {
                try body(name, value)
            }
        }
        if context.has(31) { try refuse(refused) }
    }

    /// Throws `.badRequest` unless there are none.
    static func refuse(_ filters: [String]) throws {
        guard filters.isEmpty else {
            throw CloudError.badRequest(
                "Invalid filters \(filters.map { String($0.prefix(64)) }.joined(separator: ",")) are found in query "
                    + "options.")
        }
    }

    /// `created_at=gt:2018-01-01T00:00:00,lt:…` (3.60).
    static func bounds(_ text: String, _ name: String) throws -> [VolumeQuery.TimeBound] {
        try text.split(separator: ",").map { part in
            let halves = part.split(separator: ":", maxSplits: 1).map(String.init)
            guard let comparison = halves.first.flatMap(VolumeQuery.TimeBound.Operator.init(rawValue:)) else {
                throw CloudError.badRequest("Invalid \(halves.first?.prefix(32) ?? "") operator")
            }
            guard halves.count == 2, let time = Timestamp(iso8601: halves[1]) else {
                throw CloudError.badRequest("Invalid \(halves.dropFirst().first?.prefix(64) ?? name[...]) value")
            }
            return VolumeQuery.TimeBound(comparison, time)
        }
    }

    /// `{"key": "value"}`, or the same as Python writes it.
    static func map(_ text: String) throws -> [String: String] {
        var python = ""
        var previous: Character = " "
        for character in text {
            if character == "'" {
                if previous == "u", python.hasSuffix("u") { python.removeLast() }
                python.append("\"")
            } else {
                python.append(character)
            }
            previous = character
        }
        for candidate in [text, python] {
            if case .object(let fields)? = try? JSONReader.read(candidate) {  // not this way: the other is tried
                return fields.compactMapValues { value in
                    if let text = value.string { return text }
                    return value.int.map { "\($0)" }
                }
            }
        }
        throw VolumeErrors.invalidInput("The filter is no map of texts.")
    }

    static func bool(_ text: String, _ name: String) throws -> Bool {
        guard let value = BlockStorageWords.bool(text) else {
            throw VolumeErrors.invalidInput("'\(name) = \(text.prefix(64))'")
        }
        return value
    }

    /// `name` or `display_name`, without white space at its ends. Outer nil: neither was sent.
    static func text(
        _ reader: inout ObjectReader, _ name: String, _ old: String, _ length: ClosedRange<Int> = 0...255
    ) throws -> String?? {
        let new = try reader.nullableString(name, length)
        let legacy = try reader.nullableString(old, length)
        return (new ?? legacy).map { $0.map(BlockStorageWords.trimmed) }
    }

    /// cinder: api/validation/parameter_types.py, `extra_specs`.
    static func metadata(_ reader: inout ObjectReader, _ name: String = "metadata") throws -> [String: String]? {
        guard !reader.isNull(name) else {
            _ = reader.value(name)
            return nil
        }
        guard let map = try reader.stringMap(name) else { return nil }
        for key in map.keys {
            try checkKey(key)
        }
        return map
    }

    static func checkKey(_ key: String) throws {
        let isAllowed = key.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                || ["-", "_", ":", ".", " ", "/"].contains(scalar)
        }
        guard isAllowed, !key.isEmpty, key.count <= 255 else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute metadata. Additional properties are not allowed "
                    + "('\(key.prefix(64))' was unexpected)")
        }
    }

    /// An optional UUID that may be null or, in old clients, empty.
    static func uuid(_ reader: inout ObjectReader, _ name: String) throws -> String? {
        guard let text = try reader.nullableString(name, 0...255) ?? nil, !text.isEmpty else { return nil }
        guard UUIDText.isUUID(text) else { throw reader.invalid(name, .string(text), "is not a 'uuid'") }
        return text
    }

    /// A volume's size: a positive number, or a text of one.
    static func size(_ reader: inout ObjectReader, _ name: String) throws -> Int? {
        guard !reader.isNull(name) else {
            _ = reader.value(name)
            return nil
        }
        return try reader.looseInt(name, 1...Int64(Int32.max)).map { Int($0) }
    }
}
