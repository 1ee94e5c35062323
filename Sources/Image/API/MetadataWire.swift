// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ImageCore

/// How definitions of metadata look on the wire. What was not given is left out.
enum MetadataWire {
    static let path = "/v2/metadefs/namespaces"

    static func path(_ namespace: String) -> String { "\(path)/\(Percent.encode(namespace))" }

    /// Into the open object.
    static func write(_ namespace: MetadataNamespace, _ writer: inout JSONWriter) {
        writer.field("namespace", namespace.name)
        if let text = namespace.displayName { writer.field("display_name", text) }
        if let text = namespace.description { writer.field("description", text) }
        writer.field("visibility", namespace.visibility.rawValue)
        writer.field("protected", namespace.isProtected)
        if let owner = namespace.owner { writer.field("owner", owner) }
        writer.field("created_at", namespace.createdAt.iso8601())
        writer.field("updated_at", namespace.updatedAt.iso8601())
        writer.field("self", path(namespace.name))
        writer.field("schema", "/v2/schemas/metadefs/namespace")
    }

    /// A namespace with all it holds, as seen for one type of resource or for none.
    static func body(_ content: MetadataEngine.Content, for resourceType: String? = nil) -> [UInt8] {
        let types = content.definitions[.resourceType] ?? []
        let prefix = resourceType.flatMap { name in types.first { $0.name == name }?.body["prefix"]?.string } ?? ""
        return JSONWriter.object(capacity: 2048) { writer in
            write(content.namespace, &writer)
            writeResourceTypes(types, &writer)
            if let properties = content.definitions[.property], !properties.isEmpty {
                writer.object("properties") { writeProperties(properties, prefix: prefix, &$0) }
            }
            if let objects = content.definitions[.object], !objects.isEmpty {
                writer.array("objects") { array in
                    for object in objects { write(object, of: content.namespace.name, prefix: prefix, &array) }
                }
            }
            if let tags = content.definitions[.tag], !tags.isEmpty {
                writer.array("tags") { array in
                    for tag in tags {
                        array.beginObject()
                        array.field("name", tag.name)
                        array.endObject()
                    }
                }
            }
        }
    }

    static func writeResourceTypes(_ types: [MetadataDefinition], _ writer: inout JSONWriter) {
        guard !types.isEmpty else { return }
        writer.array("resource_type_associations") { array in
            for type in types {
                array.beginObject()
                writeDated(type, &array)
                array.endObject()
            }
        }
    }

    /// A name, what was given with it, and its times: into the open object.
    static func writeDated(_ definition: MetadataDefinition, _ writer: inout JSONWriter) {
        writer.field("name", definition.name)
        writeBody(definition.body, &writer)
        writer.field("created_at", definition.createdAt.iso8601())
        writer.field("updated_at", definition.updatedAt.iso8601())
    }

    private static func writeBody(_ body: [String: JSON], _ writer: inout JSONWriter) {
        for (key, value) in body.sorted(by: { $0.key < $1.key }) {
            writer.key(dynamic: key)
            writer.value(value)
        }
    }

    /// Into the open object, each under its name.
    static func writeProperties(_ properties: [MetadataDefinition], prefix: String = "", _ writer: inout JSONWriter) {
        for property in properties {
            writer.key(dynamic: prefix + property.name)
            writer.beginObject()
            writeBody(property.body, &writer)
            writer.endObject()
        }
    }

    static func writeProperty(_ property: MetadataDefinition, _ writer: inout JSONWriter) {
        writer.field("name", property.name)
        writeBody(property.body, &writer)
    }

    static func write(
        _ object: MetadataDefinition, of namespace: String, prefix: String = "", _ writer: inout JSONWriter
    ) {
        var object = object
        if !prefix.isEmpty {
            if let properties = object.body["properties"]?.object {
                object.body["properties"] = .object(
                    Dictionary(properties.map { (prefix + $0.key, $0.value) }, uniquingKeysWith: { first, _ in first }))
            }
            if let names = object.body["required"]?.array {
                object.body["required"] = .array(names.map { .string(prefix + ($0.string ?? "")) })
            }
        }
        writer.beginObject()
        writeDated(object, &writer)
        writer.field("self", "\(path(namespace))/objects/\(Percent.encode(object.name))")
        writer.field("schema", "/v2/schemas/metadefs/object")
        writer.endObject()
    }
}
