// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import Testing

/// Goal: no byte of a header or of a target is lost between the wire and a handler.
@Suite("Bytes as text")
struct WireTextTests {
    @Test(
        "any bytes come back as they were, and are counted as they are sent",
        arguments: [
            [], Array("plain".utf8), Array("h\u{e9} \u{ac00} \u{1F600}".utf8), [0xFF], [0x61, 0xC3],
            [0xC3, 0x61], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xED, 0xA0, 0x80], [0xC0, 0x80],
            [0xF4, 0x8F, 0xBE, 0x80], [0xF4, 0x8F, 0xBF, 0xBF], [0xF4, 0x8F, 0xBD, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xF4], Array(0x01...0xFF),
        ] as [[UInt8]])
    func roundTrip(_ bytes: [UInt8]) {
        let text = WireText.text(bytes)
        #expect(WireText.bytes(text) == bytes)
        #expect(WireText.byteCount(text) == bytes.count)
    }

    @Test("what is text stays the text it is")
    func plain() {
        #expect(WireText.text(Array("h\u{e9}".utf8)) == "h\u{e9}")
        #expect(!WireText.isEscaped("h\u{e9}"))
        #expect(WireText.isEscaped(WireText.text([0x61, 0xC3])))
    }

    @Test(
        "a target keeps its shape, and what was not encoded is",
        arguments: [
            ("/v1//a/../b/./%2f%2E?x=%zz&y", "/v1//a/../b/./%2f%2E?x=%zz&y"), ("/\u{e9}", "/%C3%A9"),
            ("/a\u{7f}\u{1}", "/a%7F%01"),
        ])
    func targets(_ sent: String, _ read: String) {
        #expect(Array(sent.utf8).withUnsafeBytes { Percent.encodeTarget($0) } == read)
    }
}
