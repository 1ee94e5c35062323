// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import NetworkCore

/// Writes the attributes of objects, those alone that the caller asked for with `fields`.
struct ResourceWriter: ~Copyable {
    private var json: JSONWriter
    private let fields: Set<String>?

    init(fields: Set<String>?, capacity: Int) {
        json = JSONWriter(capacity: capacity)
        self.fields = fields
    }

    consuming func finish() -> [UInt8] { json.finish() }

    /// Nearly every call shows everything, and then this costs one test.
    @inline(__always)
    func wants(_ key: StaticString) -> Bool {
        guard let fields else { return true }
        return fields.contains(key.description)
    }

    // MARK: Envelope

    mutating func beginObject() { json.beginObject() }
    mutating func endObject() { json.endObject() }
    mutating func beginArray(_ key: StaticString) {
        json.key(key)
        json.beginArray()
    }
    mutating func endArray() { json.endArray() }
    mutating func beginObject(_ key: StaticString) {
        json.key(key)
        json.beginObject()
    }
    mutating func envelopeKey(_ key: String) { json.key(dynamic: key) }
    mutating func links(_ collection: String, _ links: [(rel: String, href: String)]) {
        json.key(dynamic: collection + "_links")
        json.beginArray()
        for link in links { Links.write(&json, link.rel, link.href) }
        json.endArray()
    }

    // MARK: Attributes

    mutating func field(_ key: StaticString, _ value: String) { if wants(key) { json.field(key, value) } }
    mutating func field(_ key: StaticString, _ value: String?) { if wants(key) { json.field(key, value) } }
    mutating func field(_ key: StaticString, _ value: Int) { if wants(key) { json.field(key, value) } }
    mutating func field(_ key: StaticString, _ value: Int?) { if wants(key) { json.field(key, value) } }
    mutating func field(_ key: StaticString, _ value: Int64) { if wants(key) { json.field(key, value) } }
    mutating func field(_ key: StaticString, _ value: Bool?) {
        if let value { field(key, value) } else { null(key) }
    }
    mutating func field(_ key: StaticString, _ value: Bool) { if wants(key) { json.field(key, value) } }
    mutating func field<Tag>(_ key: StaticString, _ value: ID<Tag>) {
        if wants(key) { json.field(key, value.rawValue) }
    }
    mutating func field<Tag>(_ key: StaticString, _ value: ID<Tag>?) {
        if wants(key) { json.field(key, value?.rawValue) }
    }
    mutating func field(_ key: StaticString, _ value: [String]) { if wants(key) { json.field(key, value) } }
    mutating func null(_ key: StaticString) { if wants(key) { json.nullField(key) } }
    /// A column that is JSON already.
    mutating func raw(_ key: StaticString, _ text: String) {
        guard wants(key) else { return }
        json.key(key)
        json.raw(text)
    }
    mutating func nested(_ key: StaticString, _ body: (inout JSONWriter) -> Void) {
        guard wants(key) else { return }
        json.key(key)
        body(&json)
    }

    mutating func owner(_ project: ProjectID) {
        field("project_id", project)
        field("tenant_id", project)
    }

    mutating func standard(_ standard: StandardAttributes) {
        raw("tags", standard.tags)
        standardWithoutTags(standard)
    }

    mutating func standardWithoutTags(_ standard: StandardAttributes) {
        field("description", standard.description)
        field("revision_number", standard.revision)
        if wants("created_at") { json.field("created_at", standard.createdAt.iso8601()) }
        if wants("updated_at") { json.field("updated_at", standard.updatedAt.iso8601()) }
    }
}
