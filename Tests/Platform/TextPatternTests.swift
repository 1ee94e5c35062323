// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PatternKit
import Testing

@Suite("Patterns of lists")
struct TextPatternTests {
    @Test(
        "are found anywhere, without regard to case",
        arguments: [
            ("web", "my-WEB-1", true), ("^web", "my-web", false), ("w.b", "a-wob-c", true), ("web", "other", false),
            ("^([0-9]{1,3}\\.){3}[0-9]{1,3}$", "10.0.0.255", true), ("(a|aa)+$", "baaaa", true), ("[]{600}]{2}", "}]", true),
            ("^[[:xdigit:]]{8}(-.{4}){3}", "00c0ffee-0000-0000-0000", true), ("하.", "my 하늘", true), ("^$", "", true),
        ])
    func matches(_ pattern: String, _ text: String, _ isMatch: Bool) throws {
        #expect(try TextPattern(pattern).compiled().matches(text) == isMatch)
    }

    @Test(
        "are refused when they are none, or too large",
        arguments: [
            "a(", "[", "*a", "a\\", String(repeating: "(", count: 40) + String(repeating: ")", count: 40),
            String(repeating: "x", count: 256), "\\C",
        ])
    func invalid(_ pattern: String) { #expect(throws: CloudError.self) { try TextPattern(pattern) } }

    /// Each would take a C library all memory or a thread for ever: the answer may be any, but there is one.
    @Test(
        "cost no more than they may",
        arguments: [
            String(repeating: "\\b", count: 120), String(repeating: "(^|$)", count: 51), "(a*)(a*)\\1\\2b",
            "((a{1,50}){1,50}){1,20}", "((.{1,255}){1,255}){1,5}", "x{1,9}{1,99}", "(a+)+$", "(a|a)*b", "(.*)*(.*)*(.*)*z", "(?R)?a", "(a(?1)?)*z",
        ])
    func bounded(_ pattern: String) {
        let text = String(repeating: "a", count: 255) + "!"
        do {
            let matcher = try TextPattern(pattern).compiled()
            for _ in 0..<10_000 { _ = try matcher.matches(text) }
        } catch {
            #expect((error as? CloudError)?.code == .badRequest)
        }
    }
}
