// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// Reads the attributes of one object from a request, with neutron's conversions and words. Remembers which were given
/// with another value than their default, because those may have a rule of their own.
struct AttributeReader {
    static let maximumTextLength = 255

    private var fields: [String: JSON]
    private let isCreate: Bool
    private(set) var given: [String] = []

    init(_ json: JSON, isCreate: Bool) throws {
        guard case .object(let fields) = json else {
            throw Self.bad("Invalid input for body. Reason: an object is expected.")
        }
        self.fields = fields
        self.isCreate = isCreate
    }

    static func bad(_ message: String) -> CloudError { .badRequest(message, kind: "HTTPBadRequest") }

    static func invalid(_ name: String, _ reason: String) -> CloudError {
        bad("Invalid input for \(name). Reason: \(reason).")
    }

    private static func shown(_ value: JSON) -> String {
        let text = value.string ?? value.text()
        return "'" + (text.utf8.count > 100 ? String(text.prefix(100)) + "…" : text) + "'"
    }

    /// Nothing is given at all.
    var isBlank: Bool { fields.isEmpty && given.isEmpty }

    func has(_ name: String) -> Bool { fields[name] != nil }

    /// The value as it is. Counts as given.
    mutating func value(_ name: String) -> JSON? {
        guard let value = fields.removeValue(forKey: name) else { return nil }
        given.append(name)
        return value
    }

    /// The value when it is text; takes nothing away.
    func text(_ name: String) -> String? { fields[name]?.string }

    /// Null is as if it were not given.
    mutating func dropNull(_ name: String) { if fields[name]?.isNull == true { fields[name] = nil } }

    mutating func note(_ attribute: String) { given.append(attribute) }

    /// A value that asks for nothing needs no leave.
    mutating func forgetGiven(_ name: String) { forget(name) }

    /// Drops the attribute from the given ones: it has its default. In an update, upstream asks for leave all the same.
    private mutating func forget(_ name: String) { if isCreate { given.removeAll { $0 == name } } }

    mutating func string(_ name: String, default standard: String = "", maximum: Int = maximumTextLength) throws
        -> String?
    {
        guard let value = value(name) else { return nil }
        guard case .string(let text) = value, !text.utf8.contains(0) else {
            throw Self.invalid(name, "\(Self.shown(value)) is not a valid string")
        }
        guard text.unicodeScalars.count <= maximum else {
            throw Self.invalid(name, "'\(text.prefix(32))…' exceeds maximum length of \(maximum)")
        }
        if text == standard { forget(name) }
        return text
    }

    /// `.some(nil)` for null.
    mutating func nullableString(_ name: String, maximum: Int = maximumTextLength) throws -> String?? {
        guard let value = fields[name] else { return .none }
        if value.isNull {
            fields[name] = nil
            return .some(nil)
        }
        return try string(name, maximum: maximum)
    }

    mutating func bool(_ name: String, default standard: Bool) throws -> Bool? {
        guard let value = value(name) else { return nil }
        let flag: Bool? =
            switch value {
            case .bool(let flag): flag
            case .int(0): false
            case .int(1): true
            case .string(let text):
                ["true", "1"].contains(text.lowercased())
                    ? true : ["false", "0"].contains(text.lowercased()) ? false : nil
            default: nil
            }
        guard let flag else { throw Self.invalid(name, "\(Self.shown(value)) cannot be converted to boolean") }
        if flag == standard { forget(name) }
        return flag
    }

    /// A number, or a string of one. Null and absent are nil.
    mutating func int(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let value = value(name) else { return nil }
        if value.isNull {
            forget(name)
            return nil
        }
        guard let number = value.int.map(Int.init) ?? value.string.flatMap({ Int($0) }) else {
            throw Self.invalid(name, "\(Self.shown(value)) is not an integer")
        }
        guard range.contains(number) else {
            throw Self.invalid(name, "'\(number)' is not in range \(range.lowerBound) through \(range.upperBound)")
        }
        return number
    }

    mutating func id<Tag>(_ name: String, _: Tag.Type = Tag.self) throws -> ID<Tag>? {
        guard let value = value(name) else { return nil }
        return try Self.id(value, name)
    }

    /// `.some(nil)` for null.
    mutating func nullableID<Tag>(_ name: String, _: Tag.Type = Tag.self) throws -> ID<Tag>?? {
        guard let value = value(name) else { return .none }
        return value.isNull ? .some(nil) : .some(try Self.id(value, name))
    }

    static func id<Tag>(_ value: JSON, _ name: String, _: Tag.Type = Tag.self) throws -> ID<Tag> {
        guard let text = value.string, UUIDText.isUUID(text) else {
            throw invalid(name, "\(shown(value)) is not a valid UUID")
        }
        return ID(text)
    }

    /// Null and absent are nil.
    mutating func address(_ name: String) throws -> IPAddress? {
        guard let value = value(name) else { return nil }
        if value.isNull {
            forget(name)
            return nil
        }
        return try Self.address(value, name)
    }

    static func address(_ value: JSON, _ name: String) throws -> IPAddress {
        guard let address = value.string.flatMap({ IPAddress($0) }) else {
            throw invalid(name, "\(shown(value)) is not a valid IP address")
        }
        return address
    }

    static func mac(_ value: JSON, _ name: String) throws -> MACAddress {
        guard let mac = value.string.flatMap({ MACAddress($0) }), !mac.isZero else {
            throw invalid(name, "\(shown(value)) is not a valid MAC address")
        }
        return mac
    }

    /// Null is an empty list.
    mutating func list(_ name: String, maximum: Int = 1000, emptyObjectIsNone: Bool = false) throws -> [JSON]? {
        guard let value = value(name) else { return nil }
        switch value {
        case .null: return []
        case .object(let fields) where emptyObjectIsNone && fields.isEmpty: return []
        case .array(let elements) where elements.count <= maximum: return elements
        case .array: throw Self.invalid(name, "the list is too long")
        default: throw Self.invalid(name, "\(Self.shown(value)) is not a list")
        }
    }

    mutating func strings(_ name: String) throws -> [String]? {
        try list(name)?.map { element in
            guard case .string(let text) = element, text.unicodeScalars.count <= Self.maximumTextLength,
                !text.utf8.contains(0)
            else { throw Self.invalid(name, "\(Self.shown(element)) is not a valid string") }
            return text
        }
    }

    /// `project_id` and its old name `tenant_id`.
    mutating func project() throws -> ProjectID? {
        let names = ["project_id", "tenant_id"].filter { fields[$0] != nil }
        guard !names.isEmpty else { return nil }
        guard isCreate else { throw Self.bad("Cannot update read-only attribute \(names[0])") }
        var project: String?
        for name in names {
            let text = try string(name)
            forget(name)
            guard project == nil || project == text else {
                throw Self.bad("'project_id' and 'tenant_id' do not match")
            }
            project = text
        }
        return project.map { ProjectID($0) }
    }

    mutating func tags() throws -> [String]? {
        guard let tags = try strings("tags") else { return nil }
        for tag in tags { try Self.checkTag(tag) }
        if tags.isEmpty { forget("tags") }
        return tags
    }

    static func checkTag(_ tag: String) throws {
        guard (1...maximumTextLength).contains(tag.unicodeScalars.count), !tag.utf8.contains(UInt8(ascii: ",")) else {
            throw invalid(
                "tags", "'\(tag.prefix(64))' is not a valid tag: 1 to \(maximumTextLength) characters, no comma")
        }
    }

    /// Attributes that only the service sets.
    func refuseReadOnly(_ names: String...) throws {
        for name in names where fields[name] != nil {
            throw Self.bad(
                isCreate ? "Attribute '\(name)' not allowed in POST" : "Cannot update read-only attribute \(name)")
        }
    }

    /// Attributes that a create sets and nobody changes.
    func refuseInUpdate(_ names: String...) throws {
        guard !isCreate else { return }
        for name in names where fields[name] != nil { throw Self.bad("Cannot update read-only attribute \(name)") }
    }

    func require(_ name: String) throws {
        guard fields[name] != nil else {
            throw Self.bad("Failed to parse request. Required attribute '\(name)' not specified")
        }
    }

    func finish() throws {
        guard !fields.isEmpty else { return }
        throw Self.bad("Unrecognized attribute(s) '\(fields.keys.sorted().prefix(8).joined(separator: ", "))'")
    }
}
