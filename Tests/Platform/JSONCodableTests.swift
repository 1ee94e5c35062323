// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Testing

/// Goal: ledgers and bus messages come back from JSON as they went in; what does not fit is refused.
/// Method: one value with every shape that `Codable` synthesizes, and bad JSON for each.
@Suite("Codable by JSON")
struct JSONCodableTests {
    enum Colour: String, Codable { case red, blue }
    enum Shape: Codable, Equatable {
        case circle(radius: Double)
        case nothing
    }
    struct Inner: Codable, Equatable {
        var id: ProjectID
        var number: UInt64?
    }
    struct Outer: Codable, Equatable {
        var text = "하늘 \"x\"\n"
        var flag = true
        var small: UInt8 = 255
        var large = Int64.min
        var real = 0.5
        var whole = 3.0
        var missing: String?
        var time = Timestamp(seconds: 1)
        var colour = Colour.blue
        var shapes = [Shape.circle(radius: 1.5), .nothing]
        var inner = Inner(id: "p", number: 7)
        var list = [Inner(id: "q", number: nil)]
        var grid = [[1, 2], []]
        var names = ["b": 1, "a": 2]
        var optionals: [Int?] = [1, nil, 3]
        var raw: JSON = ["x": [1, nil, "y"]]
        var error = CloudError(.conflict, "in use", kind: "InUse")
    }

    @Test("every shape comes back")
    func roundTrip() throws {
        let value = Outer()
        let text = try JSONValueEncoder.text(value)
        #expect(try JSONValueDecoder.decode(Outer.self, from: text) == value)
        #expect(!text.contains("missing"))
    }

    @Test("values that are no object come back")
    func scalars() throws {
        #expect(try JSONValueDecoder.decode([String: Int].self, from: JSONValueEncoder.text(["a": 1])) == ["a": 1])
        #expect(try JSONValueDecoder.decode(String.self, from: JSONValueEncoder.text("x")) == "x")
        #expect(try JSONValueDecoder.decode([Int].self, from: JSONValueEncoder.text([Int]())) == [])
    }

    @Test("a type without fields is an object")
    func empty() throws {
        struct Empty: Codable {}
        #expect(try JSONValueEncoder.text(Empty()) == "{}")
        _ = try JSONValueDecoder.decode(Empty.self, from: "{}")
    }

    @Test("unknown fields are passed over, for older programs")
    func unknownFields() throws {
        let inner = try JSONValueDecoder.decode(Inner.self, from: #"{"id": "p", "new": {"a": [1]}}"#)
        #expect(inner == Inner(id: "p", number: nil))
    }

    @Test(
        "what does not fit is refused",
        arguments: [
            #"{}"#, #"{"id": 1}"#, #"{"id": null}"#, #"{"id": "p", "number": -1}"#, #"{"id": "p", "number": 1.5}"#,
            #"[]"#, #""p""#, #"{"id": "p""#,
        ])
    func misfits(_ text: String) {
        #expect(throws: (any Error).self) { try JSONValueDecoder.decode(Inner.self, from: text) }
    }

    @Test("numbers that JSON cannot carry are refused")
    func numbers() {
        #expect(throws: EncodingError.self) { try JSONValueEncoder.text([Double.infinity]) }
        #expect(throws: EncodingError.self) { try JSONValueEncoder.text([UInt64.max]) }
    }
}
