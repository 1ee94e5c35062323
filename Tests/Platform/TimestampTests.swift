// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Testing

@Suite("Timestamp")
struct TimestampTests {
    @Test(
        "reads and writes the same time",
        arguments: [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"), ("2026-02-28T23:59:59", "2026-02-28T23:59:59Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"), ("2026-01-01T08:30:00+09:00", "2025-12-31T23:30:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"), ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ])
    func reads(_ text: String, _ written: String) {
        #expect(Timestamp(iso8601: text)?.iso8601() == written)
    }

    @Test(
        "refuses what no calendar has, and what four digits of a year cannot say",
        arguments: [
            "0000-01-01T00:00:00+01:00", "0000-12-31", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
            "2026-02-29", "2026-02-31", "2026-04-31", "1900-02-29", "2026-13-01", "2026-00-01", "2026-01-00",
            "2026-01-01T24:00", "2026-01-01T00:60", "2026-01-01T00:00:00+99:99", "2026-01-01T00:00:00+24:00", "",
            "2026", "2026-01-01T", "2026-01-01T00:00:00.", "2026-01-01T00:00:00ZZ",
        ])
    func refuses(_ text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    @Test("arithmetic stops at the ends of what can be written")
    func saturates() {
        let first = Timestamp(microseconds: .min)
        let last = Timestamp(microseconds: .max)
        #expect(first.iso8601() == "0001-01-01T00:00:00Z")
        #expect(last.iso8601(fraction: true) == "9999-12-31T23:59:59.999999Z")
        #expect(Timestamp(seconds: .max) == last)
        #expect(Timestamp(seconds: .min) == first)
        #expect(first - .seconds(28 * 86_400) == first)
        #expect(last + .seconds(1) == last)
        #expect(last + .seconds(-1) < last)
    }
}
