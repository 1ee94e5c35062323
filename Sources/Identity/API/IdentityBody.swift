// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import IdentityContract
import IdentityCore

/// Fields that most of Identity's bodies have.
extension ObjectReader {
    /// 1 to `maximum` characters, not all of them blank.
    mutating func name(_ key: String = "name", maximum: Int) throws -> String? {
        guard let name = try string(key, 1...maximum) else { return nil }
        guard name.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw invalid(key, .string(name), "does not match '[\\S]+'")
        }
        return name
    }

    mutating func requiredName(_ key: String = "name", maximum: Int) throws -> String {
        guard let name = try name(key, maximum: maximum) else { throw missing(key) }
        return name
    }

    /// An id such as a domain's: letters, digits and dashes. Nil when absent or null.
    mutating func optionalID<Tag>(_ key: String, _: Tag.Type = Tag.self) throws -> ID<Tag>? {
        if isNull(key) {
            _ = value(key)
            return nil
        }
        guard let text = try string(key, 1...64) else { return nil }
        guard text.utf8.allSatisfy(Self.isIDByte) else { throw invalid(key, .string(text), "is not a valid id") }
        return ID(text)
    }

    /// Where null has a meaning of its own.
    mutating func nullableID<Tag>(_ key: String, _ length: ClosedRange<Int> = 1...255, _: Tag.Type = Tag.self) throws
        -> ID<Tag>??
    {
        switch try nullableString(key, length) {
        case .none: .none
        case .some(nil): .some(nil)
        case .some(let text?): .some(ID(text))
        }
    }

    /// A body that names another id than the path is a mistake; the same id is no change.
    mutating func checkID(_ key: String, is id: String, _ noun: String) throws {
        guard let value = value(key), !value.isNull else { return }
        guard value.string == id else { throw CloudError.badRequest("Cannot change \(noun)") }
    }

    /// Every field that has not been asked for.
    mutating func extras() throws -> Extras {
        var fields: [String: JSON] = [:]
        for key in remainingKeys where key != "links" { fields[key] = value(key) }
        _ = value("links")
        let extras = Extras(fields)
        try extras.checkSize()
        return extras
    }

    /// `known` options, each true, false or null.
    mutating func flags(_ known: Set<String>) throws -> [String: JSON]? {
        guard let value = value("options") else { return nil }
        guard case .object(let fields) = value else { throw invalid("options", value, "is not of type 'object'") }
        for (name, flag) in fields {
            guard known.contains(name) else {
                throw invalid("options", .string(name), "is not a known option")
            }
            guard flag.isNull || flag.bool != nil else {
                throw invalid("options/\(name)", flag, "is not of type 'boolean'")
            }
        }
        return fields
    }

    private static func isIDByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
    }
}

extension APIRequest {
    /// The object under `key` of the body; unknown fields in it become extras.
    func body(_ key: String) async throws -> ObjectReader {
        try ObjectReader.envelope(key, in: try await json(), allowsUnknown: true)
    }

    func queryID<Tag>(_ name: String, _: Tag.Type = Tag.self) -> ID<Tag>? { query(name).map { ID($0) } }
}
