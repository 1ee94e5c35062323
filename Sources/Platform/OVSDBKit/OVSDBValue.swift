// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// One scalar of a column (RFC 7047, section 5.1, `<atom>`).
package enum OVSDBAtom: Hashable, Sendable, Comparable {
    case bool(Bool)
    case int(Int64)
    case real(Double)
    case string(String)
    case uuid(RowID)
    /// A row that the same transaction inserts.
    case named(String)

    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var int: Int64? { if case .int(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var uuid: RowID? { if case .uuid(let value) = self { value } else { nil } }

    init?(_ json: JSON) {
        switch json {
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .double(let value): self = .real(value)
        case .string(let value): self = .string(value)
        case .array(let pair):
            guard pair.count == 2, let text = pair[1].string else { return nil }
            switch pair[0].string {
            case "uuid":
                guard let id = RowID(text) else { return nil }
                self = .uuid(id)
            case "named-uuid": self = .named(text)
            default: return nil
            }
        default: return nil
        }
    }

    var json: JSON {
        switch self {
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .real(let value): .double(value)
        case .string(let value): .string(value)
        case .uuid(let id): ["uuid", .string(id.description)]
        case .named(let name): ["named-uuid", .string(name)]
        }
    }

    package static func < (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.bool(let left), .bool(let right)): !left && right
        case (.int(let left), .int(let right)): left < right
        case (.real(let left), .real(let right)): left < right
        case (.string(let left), .string(let right)): left < right
        case (.uuid(let left), .uuid(let right)): left < right
        case (.named(let left), .named(let right)): left < right
        default: left.rank < right.rank
        }
    }

    private var rank: Int {
        switch self {
        case .bool: 0
        case .int: 1
        case .real: 2
        case .string: 3
        case .uuid: 4
        case .named: 5
        }
    }
}

/// The value of a column. A scalar is a set of one, an absent optional the empty set: the protocol makes no difference.
package enum OVSDBValue: Equatable, Sendable {
    case set(Set<OVSDBAtom>)
    case map([OVSDBAtom: OVSDBAtom])

    package static let empty = OVSDBValue.set([])

    package static func string(_ value: String) -> OVSDBValue { .set([.string(value)]) }
    package static func int(_ value: Int) -> OVSDBValue { .set([.int(Int64(value))]) }
    package static func bool(_ value: Bool) -> OVSDBValue { .set([.bool(value)]) }
    package static func uuid(_ value: RowID) -> OVSDBValue { .set([.uuid(value)]) }
    package static func strings(_ values: some Sequence<String>) -> OVSDBValue {
        .set(Set(values.map(OVSDBAtom.string)))
    }
    package static func optional(_ value: String?) -> OVSDBValue { value.map(OVSDBValue.string) ?? .empty }
    package static func pairs(_ pairs: [String: String]) -> OVSDBValue {
        var map: [OVSDBAtom: OVSDBAtom] = [:]
        map.reserveCapacity(pairs.count)
        for (key, value) in pairs { map[.string(key)] = .string(value) }
        return .map(map)
    }

    /// Nil when `json` is not a `<value>`.
    init?(_ json: JSON) {
        guard case .array(let parts) = json, parts.count == 2, let elements = parts[1].array else {
            guard let atom = OVSDBAtom(json) else { return nil }
            self = .set([atom])
            return
        }
        switch parts[0].string {
        case "set":
            var set = Set<OVSDBAtom>(minimumCapacity: elements.count)
            for element in elements {
                guard let atom = OVSDBAtom(element) else { return nil }
                set.insert(atom)
            }
            self = .set(set)
        case "map":
            var map: [OVSDBAtom: OVSDBAtom] = [:]
            map.reserveCapacity(elements.count)
            for element in elements {
                guard let pair = element.array, pair.count == 2, let key = OVSDBAtom(pair[0]),
                    let value = OVSDBAtom(pair[1])
                else { return nil }
                map[key] = value
            }
            self = .map(map)
        default: return nil
        }
    }

    /// In order, so that equal values have equal text.
    var json: JSON {
        switch self {
        case .set(let atoms):
            if atoms.count == 1, let atom = atoms.first { return atom.json }
            return ["set", .array(atoms.sorted().map(\.json))]
        case .map(let map):
            let pairs = map.sorted { $0.key < $1.key }
            return ["map", .array(pairs.map { .array([$0.key.json, $0.value.json]) })]
        }
    }

    /// The one element of a scalar.
    package var atom: OVSDBAtom? {
        if case .set(let atoms) = self, atoms.count == 1 { atoms.first } else { nil }
    }
    package var atoms: Set<OVSDBAtom> { if case .set(let atoms) = self { atoms } else { [] } }
    package subscript(key: String) -> String? {
        if case .map(let map) = self { map[.string(key)]?.string } else { nil }
    }
    /// A map of strings; pairs of other types are left out.
    package var stringMap: [String: String] {
        guard case .map(let map) = self else { return [:] }
        var result: [String: String] = [:]
        for (key, value) in map {
            if let key = key.string, let value = value.string { result[key] = value }
        }
        return result
    }
}

/// Columns of a row by name.
package typealias OVSDBRow = [String: OVSDBValue]

extension OVSDBRow {
    package func string(_ column: String) -> String { self[column]?.atom?.string ?? "" }
    package func int(_ column: String) -> Int64 { self[column]?.atom?.int ?? 0 }
    /// Nil when the column is an empty optional.
    package func bool(_ column: String) -> Bool? { self[column]?.atom?.bool }
    package func uuid(_ column: String) -> RowID? { self[column]?.atom?.uuid }
    package func uuids(_ column: String) -> Set<RowID> { Set((self[column]?.atoms ?? []).compactMap(\.uuid)) }
    package func strings(_ column: String) -> [String] { (self[column]?.atoms ?? []).compactMap(\.string).sorted() }
    package func value(_ column: String, key: String) -> String? { self[column]?[key] }
}
