// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Which attributes an image has and what values they take (glance: `get_base_properties`).
package enum ImageSchema {
    /// Those that a caller may set.
    package static let baseFields: Set<String> = [
        "name", "visibility", "owner", "protected", "os_hidden", "min_disk", "min_ram", "tags", "disk_format",
        "container_format",
    ]
    /// Those that only the service sets.
    package static let readOnlyFields: Set<String> = [
        "created_at", "updated_at", "status", "checksum", "size", "virtual_size", "direct_url", "self", "file",
        "schema",
        "id", "os_hash_algo", "os_hash_value", "stores",
    ]
    package static let reservedFields: Set<String> = ["location", "deleted", "deleted_at"]
    package static let reservedPrefix = "os_glance"
    package static let maximumNameLength = 255
    package static let maximumValueLength = 65_535
    package static let maximumTagLength = 255

    /// Refuses what nobody may set.
    package static func checkWritable(_ field: String) throws {
        if readOnlyFields.contains(field) { throw CloudError.forbidden("Attribute '\(field)' is read-only.") }
        if reservedFields.contains(field) || field.hasPrefix(reservedPrefix) {
            throw CloudError.forbidden("Attribute '\(field)' is reserved.")
        }
    }

    /// Whether a property of that name and value may come along from a server or a volume.
    package static func isProperty(_ name: String, _ value: String) -> Bool {
        guard !baseFields.contains(name), name != "locations" else { return false }
        do {
            try checkWritable(name)
            try validate(name, .string(value))
        } catch {
            return false  // what is none is left out, as upstream does
        }
        return true
    }

    /// Throws `.badRequest` when `value` is none for `field`.
    package static func validate(_ field: String, _ value: JSON) throws {
        switch field {
        case "id":
            guard let text = value.string, text.utf8.count == 36, UUIDText.isUUID(text) else {
                throw mismatch(field, value, "does not match the pattern of an identifier")
            }
        case "name", "owner": if !value.isNull { try text(field, value, maximumNameLength) }
        case "visibility": try choice(field, value, ["community", "public", "private", "shared"])
        case "protected", "os_hidden":
            guard value.bool != nil else { throw mismatch(field, value, "is not of type 'boolean'") }
        case "min_disk", "min_ram":
            guard let number = value.int else { throw mismatch(field, value, "is not of type 'integer'") }
            guard number >= 0 else {
                throw CloudError.badRequest(
                    "Invalid value '\(number)' for parameter '\(field)': Cannot be a negative value")
            }
            guard number <= Int32.max else {
                throw mismatch(field, value, "is greater than the maximum of \(Int32.max)")
            }
        case "disk_format": if !value.isNull { try choice(field, value, ImageFormats.disk) }
        case "container_format": if !value.isNull { try choice(field, value, ImageFormats.container) }
        case "tags":
            guard let tags = value.array else { throw mismatch(field, value, "is not of type 'array'") }
            for tag in tags { try text(field, tag, maximumTagLength) }
        default:
            guard (1...maximumNameLength).contains(field.unicodeScalars.count) else {
                throw CloudError.badRequest("Custom property should not be greater than 255 characters.")
            }
            guard !field.utf8.contains(0) else { throw mismatch("property", value, "has a NUL character in its name") }
            try text(field, value, maximumValueLength)
        }
    }

    private static func text(_ field: String, _ value: JSON, _ limit: Int) throws {
        guard let text = value.string else { throw mismatch(field, value, "is not of type 'string'") }
        guard text.unicodeScalars.count <= limit else { throw mismatch(field, "…", "is too long") }
        guard !text.utf8.contains(0) else { throw mismatch(field, "…", "contains a NUL character") }
    }

    private static func choice(_ field: String, _ value: JSON, _ choices: [String]) throws {
        guard let text = value.string, choices.contains(text) else {
            throw mismatch(field, value, "is not one of [\(choices.map { "'\($0)'" }.joined(separator: ", "))]")
        }
    }

    private static func mismatch(_ field: String, _ value: JSON, _ reason: String) -> CloudError {
        var shown = value.text()
        if shown.utf8.count > 200 { shown = String(shown.prefix(200)) + "…" }
        return .badRequest("Provided object does not match schema 'image': \(shown) \(reason) (attribute '\(field)')")
    }
}
