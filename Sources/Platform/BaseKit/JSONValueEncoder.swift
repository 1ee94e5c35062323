// SPDX-License-Identifier: Apache-2.0

/// Turns `Encodable` values into JSON: saga ledgers, bus messages. Lists of the API do not pass here: they are
/// written by `JSONWriter`.
package enum JSONValueEncoder {
    package static func encode(_ value: some Encodable) throws -> JSON {
        let node = JSONNode()
        try ValueEncoder(node: node, codingPath: []).encode(value)
        return node.json()
    }

    /// The compact text, keys in order.
    package static func text(_ value: some Encodable) throws -> String { try encode(value).text() }

    package static func bytes(_ value: some Encodable) throws -> [UInt8] {
        var writer = JSONWriter()
        writer.value(try encode(value))
        return writer.finish()
    }
}

/// A place in the value that is being built. Containers of one value share it.
private final class JSONNode {
    enum Content {
        case empty
        case value(JSON)
        case object([String: JSONNode])
        case array([JSONNode])
    }
    var content = Content.empty

    func json() -> JSON {
        switch content {
        // A type that encodes nothing has no field: `struct Ping: Codable {}`.
        case .empty: .object([:])
        case .value(let value): value
        case .object(let fields): .object(fields.mapValues { $0.json() })
        case .array(let elements): .array(elements.map { $0.json() })
        }
    }

    func becomeObject() { if case .empty = content { content = .object([:]) } }

    func becomeArray() { if case .empty = content { content = .array([]) } }

    func child(_ key: String) -> JSONNode {
        guard case .object(var fields) = content else { preconditionFailure("two containers for one value") }
        content = .empty
        let node = JSONNode()
        fields[key] = node
        content = .object(fields)
        return node
    }

    func append() -> JSONNode {
        guard case .array(var elements) = content else { preconditionFailure("two containers for one value") }
        content = .empty
        let node = JSONNode()
        elements.append(node)
        content = .array(elements)
        return node
    }

    var count: Int { if case .array(let elements) = content { elements.count } else { 0 } }
}

/// A place in an array, or one of the names that `Codable` itself uses.
struct JSONPathKey: CodingKey {
    let stringValue: String
    let intValue: Int?
    init(_ index: Int) {
        stringValue = "\(index)"
        intValue = index
    }
    init(name: String) {
        stringValue = name
        intValue = nil
    }
    init?(stringValue: String) { self.init(name: stringValue) }
    init?(intValue: Int) { self.init(intValue) }
}

private struct ValueEncoder: Encoder, SingleValueEncodingContainer {
    let node: JSONNode
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.becomeObject()
        return KeyedEncodingContainer(ObjectEncoder<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.becomeArray()
        return ArrayEncoder(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    private func put(_ value: JSON) { node.content = .value(value) }

    private func put(unsigned value: some UnsignedInteger) throws {
        guard let number = Int64(exactly: value) else {
            let context = EncodingError.Context(codingPath: codingPath, debugDescription: "number out of range")
            throw EncodingError.invalidValue(value, context)
        }
        put(.int(number))
    }

    func encodeNil() throws { put(.null) }
    func encode(_ value: Bool) throws { put(.bool(value)) }
    func encode(_ value: String) throws { put(.string(value)) }
    func encode(_ value: Double) throws {
        guard value.isFinite else {
            let context = EncodingError.Context(codingPath: codingPath, debugDescription: "not a finite number")
            throw EncodingError.invalidValue(value, context)
        }
        put(.double(value))
    }
    func encode(_ value: Float) throws { try encode(Double(value)) }
    func encode(_ value: Int) throws { put(.int(Int64(value))) }
    func encode(_ value: Int8) throws { put(.int(Int64(value))) }
    func encode(_ value: Int16) throws { put(.int(Int64(value))) }
    func encode(_ value: Int32) throws { put(.int(Int64(value))) }
    func encode(_ value: Int64) throws { put(.int(value)) }
    func encode(_ value: UInt) throws { try put(unsigned: value) }
    func encode(_ value: UInt8) throws { put(.int(Int64(value))) }
    func encode(_ value: UInt16) throws { put(.int(Int64(value))) }
    func encode(_ value: UInt32) throws { put(.int(Int64(value))) }
    func encode(_ value: UInt64) throws { try put(unsigned: value) }

    func encode(_ value: some Encodable) throws {
        if let json = value as? JSON { put(json) } else { try value.encode(to: self) }
    }
}

private struct ObjectEncoder<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONNode
    let codingPath: [any CodingKey]

    private func at(_ key: some CodingKey) -> ValueEncoder {
        ValueEncoder(node: node.child(key.stringValue), codingPath: codingPath + [key])
    }

    func encodeNil(forKey key: Key) throws { try at(key).encodeNil() }
    func encode(_ value: Bool, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: String, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: Double, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: Float, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: Int, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: Int8, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: Int16, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: Int32, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: Int64, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: UInt, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: UInt8, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: UInt16, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: UInt32, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: UInt64, forKey key: Key) throws { try at(key).encode(value) }
    func encode(_ value: some Encodable, forKey key: Key) throws { try at(key).encode(value) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { at(key).container(keyedBy: type) }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { at(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { at(JSONPathKey(name: "super")) }
    func superEncoder(forKey key: Key) -> any Encoder { at(key) }
}

private struct ArrayEncoder: UnkeyedEncodingContainer {
    let node: JSONNode
    let codingPath: [any CodingKey]
    var count: Int { node.count }

    private func next() -> ValueEncoder {
        let key = JSONPathKey(count)
        return ValueEncoder(node: node.append(), codingPath: codingPath + [key])
    }

    func encodeNil() throws { try next().encodeNil() }
    func encode(_ value: Bool) throws { try next().encode(value) }
    func encode(_ value: String) throws { try next().encode(value) }
    func encode(_ value: Double) throws { try next().encode(value) }
    func encode(_ value: Float) throws { try next().encode(value) }
    func encode(_ value: Int) throws { try next().encode(value) }
    func encode(_ value: Int8) throws { try next().encode(value) }
    func encode(_ value: Int16) throws { try next().encode(value) }
    func encode(_ value: Int32) throws { try next().encode(value) }
    func encode(_ value: Int64) throws { try next().encode(value) }
    func encode(_ value: UInt) throws { try next().encode(value) }
    func encode(_ value: UInt8) throws { try next().encode(value) }
    func encode(_ value: UInt16) throws { try next().encode(value) }
    func encode(_ value: UInt32) throws { try next().encode(value) }
    func encode(_ value: UInt64) throws { try next().encode(value) }
    func encode(_ value: some Encodable) throws { try next().encode(value) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        next().container(keyedBy: type)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next().unkeyedContainer() }
    func superEncoder() -> any Encoder { next() }
}
