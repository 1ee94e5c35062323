// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A JSON body with one thing wrong.
struct SpoiledJSON: Sendable {
    let what: String
    let bytes: [UInt8]
    /// No service can take it: a list or an object stands where text or a number should, or the other way around.
    var isImpossible = false
    /// A field that nobody knows.
    var isUnknownField = false

    /// What stands in place of a good value, as it is written.
    private static let values: [(name: String, text: String)] = [
        ("null", "null"), ("true", "true"), ("false", "false"), ("-1", "-1"), ("0", "0"), ("a fraction", "1.5"),
        ("Int64.max", "9223372036854775807"), ("Int64.min", "-9223372036854775808"),
        ("beyond Int64", "99999999999999999999"), ("beyond double", "1e999"), ("\"\"", "\"\""), ("\" \"", "\" \""),
        ("\"x\"", "\"x\""), ("a number in text", "\"12\""), ("NUL", #""a\u0000b""#), ("lone surrogate", #""\ud800""#),
        ("control characters", #""a\r\n\tb""#), ("emoji", "\"😀\""), ("text of 70,000", "\"\(String(repeating: "y", count: 70_000))\""),
        ("text of 300", "\"\(String(repeating: "z", count: 300))\""), ("[]", "[]"), ("{}", "{}"), ("[null]", "[null]"),
        ("[\"x\"]", "[\"x\"]"), ("[[]]", "[[]]"), ("[{}]", "[{}]"), ("{\"x\": \"y\"}", "{\"x\": \"y\"}"),
        ("{\"\": null}", "{\"\": null}"), ("a strange id", "\"00000000-0000-4000-8000-000000000000\""),
        ("10.0.0.300", "\"10.0.0.300\""), ("::", "\"::\""), ("0.0.0.0/0", "\"0.0.0.0/0\""),
        ("{\"x\": {\"y\": []}}", "{\"x\": {\"y\": []}}"),
    ]

    /// `body` with each of its values replaced by each wrong one, with each field left out, and with fields too many.
    static func all(of body: JSON) -> [SpoiledJSON] {
        var all: [SpoiledJSON] = []
        for place in places(of: body, "") {
            for value in values {
                let isNested = ["[", "{"].contains(value.text.first)
                all.append(
                    SpoiledJSON(
                        what: "\(place.path) = \(value.name)", bytes: Array(place.put(value.text).utf8),
                        isImpossible: place.isNested != isNested && value.text != "null"))
            }
            if let without = place.without {
                all.append(SpoiledJSON(what: "no \(place.path)", bytes: Array(without.utf8)))
            }
            if let more = place.more {
                all.append(
                    SpoiledJSON(
                        what: "\(place.path) with an unknown field", bytes: Array(more.utf8), isUnknownField: true))
            }
        }
        return all
    }

    /// A value within the body, and the body's text around it.
    private struct Place {
        let path: String
        let put: (String) -> String
        var isNested = false
        var without: String?
        var more: String?
    }

    private static func places(of json: JSON, _ path: String) -> [Place] {
        var own = Place(path: path.isEmpty ? "the body" : path, put: { $0 })
        switch json {
        case .object(let fields):
            own.isNested = true
            own.more = object(fields, adding: ["x_unknown": "x"])
            return [own]
                + fields.sorted { $0.key < $1.key }.flatMap { key, value in
                    inner(places(of: value, "\(path).\(key)"), without: object(fields.filter { $0.key != key })) {
                        object(fields, replacing: key, with: $0)
                    }
                }
        case .array(let elements):
            own.isNested = true
            return [own]
                + elements.indices.flatMap { index in
                    inner(places(of: elements[index], "\(path)[\(index)]"), without: nil) { text in
                        "[" + elements.indices.map { $0 == index ? text : elements[$0].text() }.joined(separator: ",") + "]"
                    }
                }
        default: return [own]
        }
    }

    /// The places of a part, seen from the whole. `without` is the whole without the part.
    private static func inner(_ places: [Place], without: String?, _ wrap: @escaping (String) -> String) -> [Place] {
        places.enumerated().map { index, place in
            Place(
                path: place.path, put: { wrap(place.put($0)) }, isNested: place.isNested,
                without: index == 0 ? without : place.without.map(wrap), more: place.more.map(wrap))
        }
    }

    private static func object(
        _ fields: [String: JSON], replacing key: String? = nil, with text: String = "", adding more: [String: JSON] = [:]
    ) -> String {
        let all = fields.merging(more) { $1 }.sorted { $0.key < $1.key }
        return "{" + all.map { "\(JSON.string($0.key).text()):\($0.key == key ? text : $0.value.text())" }.joined(separator: ",")
            + "}"
    }

    // MARK: Whole bodies

    static let wholes: [(what: String, bytes: [UInt8])] = [
        ("nothing", []), ("{}", Array("{}".utf8)), ("[]", Array("[]".utf8)), ("null", Array("null".utf8)),
        ("a number", Array("42".utf8)), ("text", Array("\"x\"".utf8)), ("no JSON", Array("a=b&c=d".utf8)),
        ("XML", Array("<?xml version=\"1.0\"?><a/>".utf8)), ("cut short", Array("{\"a\": [1, 2".utf8)),
        ("two values", Array("{} {}".utf8)), ("an unknown key", Array("{\"x\": {}}".utf8)), ("NaN", Array("NaN".utf8)),
        ("no UTF-8", [0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x3A, 0x31, 0x7D]), ("a byte order mark", [0xEF, 0xBB, 0xBF, 0x7B, 0x7D]),
        ("NULs", [0, 0, 0, 0]), ("the same key twice", Array("{\"a\": 1, \"a\": 2}".utf8)),
        ("100,000 arrays", Array(repeating: UInt8(ascii: "["), count: 100_000)),
        ("50,000 objects", Array(String(repeating: "{\"a\":", count: 50_000).utf8)),
    ]

    static func huge(_ size: Int) -> (what: String, bytes: [UInt8]) {
        ("\(size >> 20) MiB", Array("{\"a\": \"".utf8) + Array(repeating: UInt8(ascii: "x"), count: size) + Array("\"}".utf8))
    }
}
