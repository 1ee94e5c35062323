// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Reads definitions of metadata out of requests, by upstream's schemas (glance: `metadef_*.get_schema`).
package enum MetadataSchema {
    package static let maximumNameLength = 80
    private static let maximumTextLength = 65_535
    private static let types: Set<String> = ["array", "boolean", "integer", "number", "object", "string"]

    /// The fields of one body. Throws `.forbidden` for what only the service sets, `.badRequest` for what is unknown.
    private struct Fields {
        let schema: String
        private var fields: [String: JSON]

        init(_ json: JSON, schema: String, known: Set<String>, readOnly: Set<String> = []) throws {
            self.schema = schema
            guard case .object(let fields) = json else {
                throw MetadataSchema.mismatch(schema, "the body is not of type 'object'")
            }
            for name in fields.keys.sorted() {
                if readOnly.contains(name) { throw CloudError.forbidden("Attribute '\(name)' is read-only.") }
                guard known.contains(name) else {
                    throw MetadataSchema.mismatch(
                        schema, "Additional properties are not allowed ('\(name.prefix(64))' was unexpected)")
                }
            }
            self.fields = fields
        }

        subscript(name: String) -> JSON? { fields[name] }

        func text(_ name: String, _ limit: Int = maximumTextLength) throws -> String? {
            guard let value = fields[name] else { return nil }
            guard let text = value.string else { throw invalid(name, "is not of type 'string'") }
            guard text.unicodeScalars.count <= limit else { throw invalid(name, "is too long") }
            guard !text.utf8.contains(0) else { throw invalid(name, "contains a NUL character") }
            return text
        }

        func required(_ name: String, _ limit: Int) throws -> String {
            guard let text = try text(name, limit) else {
                throw MetadataSchema.mismatch(schema, "'\(name)' is a required property")
            }
            // It stands in paths.
            guard !text.isEmpty, !text.contains("/") else { throw invalid(name, "is no name") }
            return text
        }

        func bool(_ name: String) throws -> Bool? {
            guard let value = fields[name] else { return nil }
            guard let flag = value.bool else { throw invalid(name, "is not of type 'boolean'") }
            return flag
        }

        func array(_ name: String) throws -> [JSON]? {
            guard let value = fields[name] else { return nil }
            guard let elements = value.array else { throw invalid(name, "is not of type 'array'") }
            return elements
        }

        func texts(_ name: String, unique: Bool) throws -> [JSON]? {
            guard let elements = try array(name) else { return nil }
            guard elements.allSatisfy({ $0.string != nil }) else { throw invalid(name, "has what is no string") }
            guard !unique || Set(elements.compactMap(\.string)).count == elements.count else {
                throw invalid(name, "has non-unique elements")
            }
            return elements
        }

        func object(_ name: String) throws -> [String: JSON]? {
            guard let value = fields[name] else { return nil }
            guard let object = value.object else { throw invalid(name, "is not of type 'object'") }
            return object
        }

        func invalid(_ name: String, _ reason: String) -> CloudError {
            MetadataSchema.mismatch(schema, "\(reason) (attribute '\(name)')")
        }
    }

    fileprivate static func mismatch(_ schema: String, _ reason: String) -> CloudError {
        .badRequest("Provided object does not match schema '\(schema)': \(reason)")
    }

    // MARK: Namespaces

    package static func namespace(_ json: JSON) throws -> MetadataNamespaceDraft {
        let fields = try Fields(
            json, schema: "namespace",
            known: [
                "namespace", "display_name", "description", "visibility", "protected", "owner",
                "resource_type_associations", "properties", "objects", "tags",
            ], readOnly: ["self", "schema", "created_at", "updated_at"])
        var draft = MetadataNamespaceDraft(name: try fields.required("namespace", maximumNameLength))
        draft.displayName = try fields.text("display_name", maximumNameLength)
        draft.description = try fields.text("description", 500)
        if let text = try fields.text("visibility") {
            guard let visibility = MetadataNamespace.Visibility(rawValue: text) else {
                throw fields.invalid("visibility", "is not one of ['public', 'private']")
            }
            draft.visibility = visibility
        }
        draft.isProtected = try fields.bool("protected")
        draft.owner = try fields.text("owner", 255).map { ProjectID($0) }
        for entry in try fields.array("resource_type_associations") ?? [] {
            draft.definitions.append(try resourceType(entry))
        }
        for (name, entry) in (try fields.object("properties") ?? [:]).sorted(by: { $0.key < $1.key }) {
            draft.definitions.append(try property(entry, named: name))
        }
        for entry in try fields.array("objects") ?? [] { draft.definitions.append(try object(entry)) }
        for entry in try fields.array("tags") ?? [] { draft.definitions.append(try tag(entry)) }
        var seen: Set<String> = []
        for definition in draft.definitions
        where !seen.insert("\(definition.kind.rawValue)/\(definition.name)").inserted {
            throw CloudError.conflict("\(definition.name) comes twice in namespace=\(draft.name).")
        }
        return draft
    }

    // MARK: Definitions

    package static func resourceType(_ json: JSON) throws -> MetadataDefinitionDraft {
        let fields = try Fields(
            json, schema: "resource_type_association", known: ["name", "prefix", "properties_target"],
            readOnly: ["created_at", "updated_at"])
        var body: [String: JSON] = [:]
        for name in ["prefix", "properties_target"] {
            if let text = try fields.text(name, maximumNameLength) { body[name] = .string(text) }
        }
        return MetadataDefinitionDraft(.resourceType, try fields.required("name", maximumNameLength), body)
    }

    package static func tag(_ json: JSON) throws -> MetadataDefinitionDraft {
        let fields = try Fields(json, schema: "tag", known: ["name"], readOnly: ["created_at", "updated_at"])
        return MetadataDefinitionDraft(.tag, try fields.required("name", maximumNameLength))
    }

    package static func tags(_ json: JSON) throws -> [MetadataDefinitionDraft] {
        let fields = try Fields(json, schema: "tags", known: ["tags"], readOnly: ["created_at", "updated_at"])
        return try (fields.array("tags") ?? []).map { try tag($0) }
    }

    package static func object(_ json: JSON) throws -> MetadataDefinitionDraft {
        let fields = try Fields(
            json, schema: "object", known: ["name", "description", "required", "properties"],
            readOnly: ["self", "schema", "created_at", "updated_at"])
        var body: [String: JSON] = [:]
        if let text = try fields.text("description") { body["description"] = .string(text) }
        if let names = try fields.texts("required", unique: true) { body["required"] = .array(names) }
        if let properties = try fields.object("properties") {
            var checked: [String: JSON] = [:]
            for (name, entry) in properties { checked[name] = .object(try property(entry, named: name).body) }
            body["properties"] = .object(checked)
        }
        return MetadataDefinitionDraft(.object, try fields.required("name", maximumNameLength), body)
    }

    /// `named` nil: the body names it.
    package static func property(_ json: JSON, named given: String? = nil) throws -> MetadataDefinitionDraft {
        let fields = try Fields(
            json, schema: "property",
            known: [
                "name", "title", "description", "operators", "type", "required", "minimum", "maximum", "maxLength",
                "minLength", "pattern", "enum", "readonly", "default", "items", "maxItems", "minItems", "uniqueItems",
                "additionalItems", "confidential",
            ], readOnly: given == nil ? ["created_at", "updated_at"] : [])
        var name = given ?? ""
        if given == nil { name = try fields.required("name", maximumNameLength) }
        guard (1...maximumNameLength).contains(name.unicodeScalars.count), !name.contains("/"), !name.utf8.contains(0)
        else { throw fields.invalid("name", "is no name") }
        guard let title = try fields.text("title") else { throw mismatch("property", "'title' is a required property") }
        guard let type = try fields.text("type") else { throw mismatch("property", "'type' is a required property") }
        guard types.contains(type) else { throw fields.invalid("type", "is not one of the types") }
        var body: [String: JSON] = ["title": .string(title), "type": .string(type)]
        for key in ["description", "pattern"] { body[key] = try fields.text(key).map(JSON.string) }
        body["operators"] = try fields.texts("operators", unique: false).map(JSON.array)
        body["required"] = try fields.texts("required", unique: true).map(JSON.array)
        for key in ["readonly", "uniqueItems", "additionalItems", "confidential"] {
            body[key] = try fields.bool(key).map(JSON.bool)
        }
        for key in ["minimum", "maximum"] {
            guard let value = fields[key] else { continue }
            switch value {
            case .int, .double: body[key] = value
            default: throw fields.invalid(key, "is not of type 'number'")
            }
        }
        for key in ["maxLength", "minLength", "maxItems", "minItems"] {
            guard let value = fields[key] else { continue }
            guard let number = value.int, number >= 0 else { throw fields.invalid(key, "is no size") }
            body[key] = value
        }
        body["enum"] = try fields.array("enum").map(JSON.array)
        body["default"] = fields["default"]
        if let items = try fields.object("items") { body["items"] = .object(try checkItems(items, fields)) }
        return MetadataDefinitionDraft(.property, name, body)
    }

    private static func checkItems(_ items: [String: JSON], _ fields: Fields) throws -> [String: JSON] {
        guard items.keys.allSatisfy({ $0 == "type" || $0 == "enum" }) else {
            throw fields.invalid("items", "has additional properties")
        }
        if let type = items["type"] {
            guard type.string.map({ types.contains($0) }) == true else { throw fields.invalid("items", "has no type") }
        }
        if let values = items["enum"], values.array == nil { throw fields.invalid("items", "has no list of values") }
        return items
    }
}
