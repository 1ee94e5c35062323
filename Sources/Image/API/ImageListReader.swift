// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ImageContract
import ImageCore

/// Reads the query of a list (glance: `RequestDeserializer.index`).
struct ImageListReader {
    let defaultLimit: Int
    private(set) var query = ImageListQuery()
    private(set) var marker: ImageID?
    private var sort: String?
    private var sortKeys: [ImageListQuery.SortKey] = []
    private var sortDirections: [Bool] = []

    init(defaultLimit: Int) { self.defaultLimit = defaultLimit }

    static func read(_ pairs: [(name: String, value: String)], defaultLimit: Int) throws -> ImageListReader {
        var reader = ImageListReader(defaultLimit: defaultLimit)
        reader.query.limit = defaultLimit
        for (name, value) in pairs { try reader.take(name, value) }
        try reader.finishSort()
        return reader
    }

    private mutating func take(_ name: String, _ value: String) throws {
        switch name {
        case "limit": query.limit = try Self.limit(value)
        case "marker": marker = ImageID(value)
        case "sort": sort = value
        case "sort_key": sortKeys.append(try Self.sortKey(value))
        case "sort_dir": sortDirections.append(try Self.direction(value))
        case "tag": query.filters.append(.tag(value.trimmingBlanks()))
        case "member_status":
            guard value == "all" || ImageMember.Status(rawValue: value) != nil else {
                throw CloudError.badRequest("Invalid status: \(value)")
            }
            query.memberStatus = value == "all" ? nil : value
        case "visibility":
            guard value == "all" || Image.Visibility(rawValue: value) != nil else {
                throw CloudError.badRequest("Invalid visibility value: \(value)")
            }
            query.visibility = value
        case "os_hidden": query.isHidden = try flag(name, value)
        case "protected": query.filters.append(.isProtected(try flag(name, value)))
        case "changes-since":
            throw CloudError.badRequest("The \"changes-since\" filter is no longer available on v2.")
        default: query.filters.append(try filter(name, value))
        }
    }

    /// The parameter `limit` of any list of Image's.
    static func limit(_ text: String) throws -> Int {
        guard let limit = Int(text) else { throw CloudError.badRequest("limit param must be an integer") }
        guard limit >= 0 else { throw CloudError.badRequest("limit param must be positive") }
        return limit
    }

    private func flag(_ name: String, _ value: String) throws -> Bool {
        switch name == "os_hidden" ? value.lowercased() : value {
        case "true": return true
        case "false": return false
        default:
            throw CloudError.badRequest(
                "Invalid value '\(value)' for '\(name)' filter. Valid values are 'true' or 'false'.")
        }
    }

    private func filter(_ name: String, _ value: String) throws -> ImageListQuery.Filter {
        if name == "created_at" || name == "updated_at" {
            let (comparison, time) = try timeComparison(name, value)
            return .time(isUpdate: name == "updated_at", comparison, time)
        }
        if name.hasSuffix("_min") || name.hasSuffix("_max"),
            let field = ImageListQuery.NumberField(rawValue: String(name.dropLast(4)))
        {
            guard let number = Int64(value) else {
                throw CloudError.badRequest("Unable to filter on a range with a non-numeric value.")
            }
            return .number(field, name.hasSuffix("_min") ? .gte : .lte, number)
        }
        if let field = ImageListQuery.NumberField(rawValue: name) {
            guard let number = Int64(value) else {
                throw CloudError.badRequest("Unable to filter on a range with a non-numeric value.")
            }
            return .number(field, .eq, number)
        }
        if let field = ImageListQuery.TextField(rawValue: name) { return .text(field, try values(field, value)) }
        return .property(name, value)
    }

    /// These five take an operator; the others are compared as they are.
    private func values(_ field: ImageListQuery.TextField, _ value: String) throws -> [String] {
        switch field {
        case .id, .name, .status, .container_format, .disk_format:
            guard let colon = value.firstIndex(of: ":") else { return [value] }
            let rest = String(value[value.index(after: colon)...])
            switch value[..<colon] {
            case "in": return try Self.split(rest)
            case "eq": return [rest]
            default: throw CloudError.badRequest("Unable to filter by unknown operator '\(value[..<colon])'.")
            }
        case .owner, .checksum, .os_hash_value, .os_hash_algo: return [value]
        }
    }

    private func timeComparison(_ name: String, _ value: String) throws -> (ImageListQuery.Comparison, Timestamp) {
        if let time = Timestamp(iso8601: value) { return (.eq, time) }
        let parts = value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let time = Timestamp(iso8601: String(parts[1])) else {
            throw CloudError.badRequest("Bad \"\(name)\" query filter format. Use ISO 8601 DateTime notation.")
        }
        guard let comparison = ImageListQuery.Comparison(rawValue: String(parts[0])) else {
            throw CloudError.badRequest("Unable to filter on a unknown operator.")
        }
        return (comparison, time)
    }

    /// Values between commas; double quotes protect a comma, a backslash protects a quote.
    static func split(_ text: String) throws -> [String] {
        var values: [String] = []
        var value = ""
        var isQuoted = false
        var characters = text.makeIterator()
        while let character = characters.next() {
            switch character {
            case "\\" where isQuoted: if let next = characters.next() { value.append(next) }
            case "\"": isQuoted.toggle()
            case "," where !isQuoted:
                values.append(value)
                value = ""
            default: value.append(character)
            }
        }
        guard !isQuoted else { throw CloudError.badRequest("Invalid filter value \(text). The quote is not closed.") }
        return values + [value]
    }

    // MARK: Sort

    private mutating func finishSort() throws {
        if let sort {
            guard sortKeys.isEmpty, sortDirections.isEmpty else {
                throw CloudError.badRequest("Old and new sorting syntax cannot be combined")
            }
            for entry in sort.split(separator: ",", omittingEmptySubsequences: false) {
                let parts = entry.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                let direction = parts.count > 1 && !parts[1].isEmpty ? try Self.direction(String(parts[1])) : false
                let key = try Self.sortKey(String(parts[0]))
                guard !query.sorts.contains(where: { $0.key == key }) else { continue }
                query.sorts.append(.init(key, isAscending: direction))
            }
            return
        }
        guard sortDirections.count <= 1 || sortDirections.count == sortKeys.count else {
            throw CloudError.badRequest("Number of sort dirs does not match the number of sort keys")
        }
        if sortKeys.isEmpty { sortKeys = [.created_at] }
        // A key that comes again changes no order.
        for (index, key) in sortKeys.enumerated() where !sortKeys[..<index].contains(key) {
            let direction = sortDirections.count > 1 ? sortDirections[index] : sortDirections.first ?? false
            query.sorts.append(.init(key, isAscending: direction))
        }
    }

    private static func sortKey(_ text: String) throws -> ImageListQuery.SortKey {
        guard let key = ImageListQuery.SortKey(rawValue: text.trimmingBlanks()) else {
            let available = ImageListQuery.SortKey.allCases.map(\.rawValue).joined(separator: ", ")
            throw CloudError.badRequest("Invalid sort key: \(text). It must be one of the following: \(available).")
        }
        return key
    }

    private static func direction(_ text: String) throws -> Bool {
        try isAscending(text.trimmingBlanks(), shown: text)
    }

    /// The parameter `sort_dir` of any list of Image's; `shown` is what the caller wrote, where that was more.
    static func isAscending(_ text: String, shown: String? = nil) throws -> Bool {
        switch text {
        case "asc": true
        case "desc": false
        default: throw CloudError.badRequest("Invalid sort direction: \(shown ?? text)")
        }
    }
}
