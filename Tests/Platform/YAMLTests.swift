// SPDX-License-Identifier: Apache-2.0
import ConfigKit
import Testing

/// Goal: hostile YAML costs little, and an edit changes one entry only. Method: texts, compared byte for byte.
@Suite("YAML")
struct YAMLTests {
    @Test(
        "hostile documents are refused",
        arguments: [
            String(repeating: "[", count: 100),
            "a: [1, 2",
            "a: b\n---\nc: d\n",
            "? [a]\n: b\n",
            "a: 1\na: 2\n",
            "a: *missing\n",
        ])
    func refusals(_ text: String) {
        #expect(throws: YAMLError.self) { try YAMLReader.read(text) }
    }

    @Test("aliases cannot multiply without end")
    func bomb() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            text +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
                + "]\n"
        }
        var limits = YAMLLimits()
        limits.allowsAliases = true
        #expect(throws: YAMLError.self) { try YAMLReader.read(text, limits) }
    }

    @Test("quoted text is never null")
    func scalars() throws {
        let root = try YAMLReader.read("a: ''\nb:\nc: 'null'\nd: null\ne: |\n  two\n  lines\n")
        #expect(root?["a"]?.text == "")
        #expect(root?["b"]?.isNull == true)
        #expect(root?["c"]?.text == "null")
        #expect(root?["d"]?.text == nil)
        #expect(root?["e"]?.text == "two\nlines\n")
        #expect(try YAMLReader.read("# nothing\n") == nil)
    }

    private static let body = ["region_name: RegionOne", "auth:", "  username: demo"]
    private static let entry = "  haneul:\n    region_name: RegionOne\n    auth:\n      username: demo\n"

    @Test(
        "an entry is put in and every other byte stays",
        arguments: [
            ("", "clouds:\n" + entry),
            ("# mine\n", "# mine\nclouds:\n" + entry),
            ("clouds:\n", "clouds:\n" + entry),
            ("clouds: # all\nother: 1\n", "clouds: # all\n" + entry + "other: 1\n"),
            ("other: {a: [1, 2]}", "other: {a: [1, 2]}\nclouds:\n" + entry),
            (
                "clouds:\n  work:  # keep\n    auth: {username: 'x'}\n\n# end\nansible: 'é'\n",
                "clouds:\n  work:  # keep\n    auth: {username: 'x'}\n" + entry + "\n# end\nansible: 'é'\n"
            ),
            (
                "clouds:\n  haneul:\n    old: |\n      text\n      more\n  work:\n    a: 1\n",
                "clouds:\n" + entry + "  work:\n    a: 1\n"
            ),
            (
                "base: &b {x: 1}\nclouds:\n  work:\n    <<: *b\n",
                "base: &b {x: 1}\nclouds:\n  work:\n    <<: *b\n" + entry
            ),
        ])
    func insert(_ text: String, _ expected: String) throws {
        let edited = try YAMLEditor.set(text, section: "clouds", key: "haneul", body: Self.body)
        #expect(edited == expected)
        #expect(try YAMLEditor.set(edited, section: "clouds", key: "haneul", body: Self.body) == expected)
    }

    @Test("an entry is taken out again")
    func remove() throws {
        let text = "# a\nclouds:\n  work:\n    a: 1\n"
        let edited = try YAMLEditor.set(text, section: "clouds", key: "haneul", body: Self.body)
        #expect(try YAMLEditor.remove(edited, section: "clouds", key: "haneul") == text)
        #expect(try YAMLEditor.remove(text, section: "clouds", key: "haneul") == text)
        #expect(try YAMLEditor.remove("a: 1\nclouds:\n" + Self.entry, section: "clouds", key: "haneul") == "a: 1\n")
    }

    @Test(
        "what cannot be changed safely is left alone",
        arguments: [
            "clouds: {work: {a: 1}}\n", "{clouds: {}}\n", "clouds: []\n", "- a\n", "a: *b\n", "clouds: text\n",
        ])
    func leavesAlone(_ text: String) {
        #expect(throws: YAMLError.self) {
            try YAMLEditor.set(text, section: "clouds", key: "haneul", body: Self.body)
        }
    }

    @Test("line ends of the file are kept")
    func carriageReturns() throws {
        let edited = try YAMLEditor.set("clouds:\r\n  a:\r\n    b: 1\r\n", section: "clouds", key: "h", body: ["c: 2"])
        #expect(edited == "clouds:\r\n  a:\r\n    b: 1\r\n  h:\r\n    c: 2\r\n")
    }
}
