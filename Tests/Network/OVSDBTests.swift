// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Testing

@testable import OVSDBKit

/// Goal: the wire's forms are understood, and a replica follows the server.
/// Method: texts as an OVSDB server sends them.
@Suite("OVSDB")
struct OVSDBTests {
    private static let first = "00000000-0000-0000-0000-000000000001"
    private static let second = "00000000-0000-0000-0000-000000000002"

    private func replica() throws -> OVSDBReplica {
        let schema = try OVSDBSchema(
            JSONReader.read(
                """
                {"name":"D","version":"1.0","tables":{"T":{"columns":{
                "name":{"type":"string"},"count":{"type":"integer"},"up":{"type":{"key":"boolean","min":0,"max":1}},
                "ports":{"type":{"key":{"type":"uuid","refTable":"P"},"min":0,"max":"unlimited"}},
                "ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}}}}
                """))
        return OVSDBReplica(
            schema: schema,
            indexes: [
                .column(table: "T", column: "name"), .column(table: "T", column: "ports"),
                .mapKey(table: "T", column: "ids", key: "k"),
            ])
    }

    private func id(_ text: String) throws -> RowID { try #require(RowID(text)) }

    @Test(
        "values survive the wire",
        arguments: [
            #""text""#, "5", "true", #"["uuid","00000000-0000-0000-0000-000000000001"]"#, #"["set",[]]"#,
            #"["set",["a","b"]]"#, #"["map",[]]"#, #"["map",[["a","1"],["b","2"]]]"#, #"["named-uuid","new1"]"#,
        ])
    func values(_ text: String) throws {
        #expect(try OVSDBValue(JSONReader.read(text))?.json.text() == text)
    }

    @Test(
        "what is no value is refused",
        arguments: [
            #"["set"]"#, #"["uuid","x"]"#, #"["map",[["a"]]]"#, "null", #"["other",[]]"#, #"{"a":1}"#,
        ])
    func badValues(_ text: String) throws { #expect(try OVSDBValue(JSONReader.read(text)) == nil) }

    @Test("unset columns have the schema's values")
    func initialValues() throws {
        let replica = try replica()
        #expect(replica.value("T", [:], "name") == .string(""))
        #expect(replica.value("T", [:], "count") == .int(0))
        #expect(replica.value("T", [:], "up") == .empty)
        #expect(replica.value("T", [:], "ids") == .map([:]))
        #expect(replica.value("T", [:], "unknown") == nil)
    }

    @Test("a replica follows inserts, differences and deletes, and so do its indexes")
    func follows() throws {
        var replica = try replica()
        let row = try id(Self.first)
        func apply(_ text: String) throws -> [OVSDBChange] {
            try replica.apply(JSONReader.read("{\"T\":{\"\(Self.first)\":\(text)}}"))
        }
        _ = try apply(
            #"{"initial":{"name":"a","ports":["uuid","\#(Self.first)"],"ids":["map",[["k","1"],["l","2"]]]}}"#)
        #expect(replica.find(.column(table: "T", column: "name"), .string("a")) == [row])
        #expect(replica.find(.mapKey(table: "T", column: "ids", key: "k"), .string("1")) == [row])

        // Sets and maps tell what appears and what goes; scalars the new value.
        let changes = try apply(
            #"{"modify":{"name":"b","up":true,"ports":["set",[["uuid","\#(Self.first)"],["uuid","\#(Self.second)"]]],"#
                + #""ids":["map",[["k","3"],["l","2"],["m","4"]]]}}"#)
        #expect(changes.count == 1)
        #expect(changes[0].touches("name") && !changes[0].touches("count"))
        let now = try #require(replica.row("T", row))
        #expect(now.string("name") == "b")
        #expect(now.bool("up") == true)
        #expect(now.uuids("ports") == [try id(Self.second)])
        #expect(now["ids"] == .pairs(["k": "3", "m": "4"]))
        #expect(replica.find(.column(table: "T", column: "name"), .string("a")).isEmpty)
        #expect(replica.find(.column(table: "T", column: "ports"), .uuid(try id(Self.second))) == [row])

        _ = try apply(#"{"modify":{"up":["set",[]]}}"#)
        #expect(replica.row("T", row)?.bool("up") == nil)
        _ = try apply(#"{"delete":null}"#)
        #expect(replica.row("T", row) == nil)
        #expect(replica.find(.column(table: "T", column: "ports"), .uuid(try id(Self.second))).isEmpty)
    }

    @Test("a change of an unknown row is an error, not a guess")
    func unknownRow() throws {
        var replica = try replica()
        let update = try JSONReader.read(#"{"T":{"\#(Self.first)":{"modify":{"name":"x"}}}}"#)
        #expect(throws: CloudError.self) { try replica.apply(update) }
    }

    @Test("messages are cut at their braces, however they arrive", arguments: [1, 3, 7, 1000])
    func framing(_ piece: Int) throws {
        let messages = [#"{"a":"}{\"]["}"#, #"{"b":[{"c":{}}]}"#, "{}"]
        var framer = JSONFramer(limit: 100)
        var found: [String] = []
        var rest = Array(messages.joined(separator: "\n").utf8)[...]
        while !rest.isEmpty {
            framer.buffer += rest.prefix(piece)
            rest = rest.dropFirst(piece)
            while let message = try framer.next() {
                found.append(String(decoding: message, as: UTF8.self).drop { $0 == "\n" }.description)
            }
        }
        #expect(found == messages)
    }

    @Test("a message without end is refused")
    func framingLimit() throws {
        var framer = JSONFramer(limit: 100)
        framer.buffer += Array("{\"a\":\"".utf8) + [UInt8](repeating: 0x61, count: 200)
        #expect(throws: CloudError.self) { try framer.next() }
        var closed = JSONFramer(limit: 100)
        closed.buffer += Array("}".utf8)
        #expect(throws: CloudError.self) { try closed.next() }
    }

    @Test("results: ids of new rows, rows that were missed, refusals")
    func results() throws {
        var transaction = OVSDBTransaction()
        let new = transaction.insert("T", ["name": .string("a")])
        transaction.mutate("T", .uuid(try id(Self.first)), [.insert("ports", .set([new]))])
        let good = try OVSDBResult(
            JSONReader.read(#"[{"uuid":["uuid","\#(Self.second)"]},{"count":1}]"#), of: transaction)
        #expect(good.inserted[new] == (try id(Self.second)))
        #expect(good.isComplete)
        #expect(
            try !OVSDBResult(JSONReader.read(#"[{"uuid":["uuid","\#(Self.second)"]},{"count":0}]"#), of: transaction)
                .isComplete)
        #expect(throws: CloudError.self) {
            try OVSDBResult(
                JSONReader.read(#"[{},null,{"error":"constraint violation","details":"d"}]"#), of: transaction)
        }
    }

    @Test("addresses of servers")
    func endpoints() throws {
        #expect(
            try OVSDBEndpoint.list("tcp:10.0.0.1:6641,tcp:[fd00::1]:6641").map(\.description) == [
                "tcp:10.0.0.1:6641", "tcp:[fd00::1]:6641",
            ])
        #expect(OVSDBEndpoint("unix:/run/x.sock") == .unix(path: "/run/x.sock"))
        for bad in ["", "unix:x", "tcp:1.2.3.4", "tcp::1", "ssl:1.2.3.4:1", "tcp:1.2.3.4:0"] {
            #expect(OVSDBEndpoint(bad) == nil)
        }
    }
}
