// SPDX-License-Identifier: Apache-2.0

extension JSON: Codable {
    /// From any decoder; `JSONValueDecoder` hands the value over without coming here.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {  // another type: tried next
            self = .bool(flag)
        } else if let number = try? container.decode(Int64.self) {  // another type: tried next
            self = .int(number)
        } else if let number = try? container.decode(Double.self) {  // another type: tried next
            self = .double(number)
        } else if let text = try? container.decode(String.self) {  // another type: tried next
            self = .string(text)
        } else if let elements = try? container.decode([JSON].self) {  // another type: tried next
            self = .array(elements)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let flag): try container.encode(flag)
        case .int(let number): try container.encode(number)
        case .double(let number): try container.encode(number)
        case .string(let text): try container.encode(text)
        case .array(let elements): try container.encode(elements)
        case .object(let fields): try container.encode(fields)
        }
    }
}
