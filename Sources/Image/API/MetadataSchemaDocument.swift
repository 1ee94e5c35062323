// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The JSON schemas of definitions of metadata, for clients that make forms of them.
enum MetadataSchemaDocument {
    /// By the last part of their paths.
    static let all: [(String, [UInt8])] = [
        ("namespace", bytes(namespace)), ("namespaces", bytes(collection("namespaces", of: namespace))),
        ("resource_type", bytes(resourceType)),
        ("resource_types", bytes(collection("resource_type_associations", of: resourceType))),
        ("property", bytes(property)), ("properties", bytes(properties)),
        ("object", bytes(object)), ("objects", bytes(collection("objects", of: object))),
        ("tag", bytes(tag)), ("tags", bytes(collection("tags", of: tag))),
    ]

    private static func bytes(_ schema: JSON) -> [UInt8] { Array(schema.text().utf8) }

    private static func text(_ limit: Int64? = nil, _ description: String? = nil) -> JSON {
        var fields: [String: JSON] = ["type": "string"]
        if let limit { fields["maxLength"] = .int(limit) }
        if let description { fields["description"] = .string(description) }
        return .object(fields)
    }

    private static let readOnly: JSON = ["type": "string", "readOnly": true]
    private static let time: JSON = ["type": "string", "readOnly": true, "format": "date-time"]
    private static let types: JSON = ["array", "boolean", "integer", "number", "object", "string", nil]

    // MARK: Parts

    private static let definitions: JSON = [
        "positiveInteger": ["type": "integer", "minimum": 0],
        "positiveIntegerDefault0": ["allOf": [["$ref": "#/definitions/positiveInteger"], ["default": 0]]],
        "stringArray": ["type": "array", "items": ["type": "string"], "uniqueItems": true],
        "property": ["type": "object", "additionalProperties": propertyItem],
    ]

    private static let propertyItem: JSON = [
        "type": "object", "required": ["title", "type"], "properties": .object(propertyFields),
    ]

    private static let propertyFields: [String: JSON] = [
        "name": text(80), "title": text(), "description": text(),
        "operators": ["type": "array", "items": ["type": "string"]], "type": ["type": "string", "enum": types],
        "required": ["$ref": "#/definitions/stringArray"], "minimum": ["type": "number"],
        "maximum": ["type": "number"], "maxLength": ["$ref": "#/definitions/positiveInteger"],
        "minLength": ["$ref": "#/definitions/positiveIntegerDefault0"],
        "pattern": ["type": "string", "format": "regex"], "enum": ["type": "array"],
        "readonly": ["type": "boolean"], "default": [:],
        "items": [
            "type": "object",
            "properties": ["type": ["type": "string", "enum": types], "enum": ["type": "array"]],
        ],
        "maxItems": ["$ref": "#/definitions/positiveInteger"],
        "minItems": ["$ref": "#/definitions/positiveIntegerDefault0"],
        "uniqueItems": ["type": "boolean", "default": false], "additionalItems": ["type": "boolean"],
    ]

    // MARK: Schemas

    private static func schema(_ name: JSON, _ fields: [String: JSON], required: JSON, hasDefinitions: Bool) -> JSON {
        var schema: [String: JSON] = [
            "name": name, "properties": .object(fields), "additionalProperties": false, "required": required,
        ]
        if hasDefinitions { schema["definitions"] = definitions }
        return .object(schema)
    }

    private static let objectFields: [String: JSON] = [
        "name": text(80), "description": text(), "required": ["$ref": "#/definitions/stringArray"],
        "properties": ["$ref": "#/definitions/property"],
    ]

    private static let resourceTypeFields: [String: JSON] = [
        "name": text(80, "The type's name, as orchestration names it."),
        "prefix": text(80, "What stands before a property's name on resources of this type, with its separator."),
        "properties_target": text(80, "Which of a resource's sets of properties is meant, where it has several."),
    ]

    private static let namespace = schema(
        "namespace",
        [
            "namespace": text(80, "The unique namespace text."),
            "display_name": text(80, "The user friendly name for the namespace."),
            "description": text(500, "Provides a user friendly description of the namespace."),
            "visibility": [
                "type": "string", "description": "Scope of namespace accessibility.", "enum": ["public", "private"],
            ],
            "protected": ["type": "boolean", "description": "If true, namespace will not be deletable."],
            "owner": text(255, "Owner of the namespace."), "created_at": time, "updated_at": time,
            "schema": readOnly, "self": readOnly,
            "resource_type_associations": [
                "type": "array", "items": ["type": "object", "properties": .object(resourceTypeFields)],
            ],
            "properties": ["$ref": "#/definitions/property"],
            "objects": ["type": "array", "items": ["type": "object", "properties": .object(objectFields)]],
            "tags": ["type": "array", "items": ["type": "object", "properties": ["name": ["type": "string"]]]],
        ], required: ["namespace"], hasDefinitions: true)

    private static let object = schema(
        "object",
        objectFields.merging(["created_at": time, "updated_at": time, "schema": readOnly, "self": readOnly]) { $1 },
        required: ["name"], hasDefinitions: true)

    private static let property = schema(
        "property", propertyFields, required: ["type", "title", "name"], hasDefinitions: true)

    private static let resourceType = schema(
        "resource_type_association", resourceTypeFields.merging(["created_at": time, "updated_at": time]) { $1 },
        required: ["name"], hasDefinitions: false)

    private static let tag = schema(
        "tag", ["name": text(80), "created_at": time, "updated_at": time], required: ["name"], hasDefinitions: false)

    private static let properties = list("properties", ["type": "object", "additionalProperties": property])

    private static func collection(_ name: String, of item: JSON) -> JSON {
        list(name, ["type": "array", "items": item])
    }

    private static func list(_ name: String, _ content: JSON) -> JSON {
        [
            "name": .string(name),
            "properties": .object([
                name: content, "first": ["type": "string"], "next": ["type": "string"], "schema": ["type": "string"],
            ]),
            "links": [
                ["rel": "first", "href": "{first}"], ["rel": "next", "href": "{next}"],
                ["rel": "describedby", "href": "{schema}"],
            ],
        ]
    }
}
