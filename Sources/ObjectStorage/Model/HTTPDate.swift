// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Dates in HTTP headers (RFC 9110, 5.6.7): whole seconds, in Greenwich.
package enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    package static func text(seconds: Int64) -> String {
        let time = Timestamp(seconds: seconds)
        let iso = Array(time.iso8601().utf8)
        func part(_ range: Range<Int>) -> String { String(decoding: iso[range], as: UTF8.self) }
        let month = months[(Int(part(5..<7)) ?? 1) - 1]
        let days = time.seconds >= 0 ? time.seconds / 86_400 : (time.seconds - 86_399) / 86_400
        let day = Self.days[Int((days % 7 + 7) % 7)]
        return "\(day), \(part(8..<10)) \(month) \(part(0..<4)) \(part(11..<19)) GMT"
    }

    /// Seconds since 1970 of any of the three forms; nil for anything else.
    package static func seconds(_ text: String) -> Int64? {
        let words = text.split { $0 == " " || $0 == "," || $0 == "-" }.map(String.init)
        guard words.count >= 5 else { return nil }
        let isC = Int(words[1]) == nil
        let (dayWord, monthWord) = isC ? (words[2], words[1]) : (words[1], words[2])
        let (yearWord, clock) = isC ? (words[4], words[3]) : (words[3], words[4])
        guard let month = months.firstIndex(where: { $0.asciiLowercased() == monthWord.asciiLowercased() }),
            let day = Int(dayWord), var year = Int(yearWord)
        else { return nil }
        if yearWord.utf8.count == 2 { year += year < 69 ? 2000 : 1900 }
        guard (1...31).contains(day), (1...9999).contains(year) else { return nil }
        let date = "\(padded(year, 4))-\(padded(month + 1, 2))-\(padded(day, 2))T\(clock)Z"
        return Timestamp(iso8601: date)?.seconds
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}

extension WriteTime {
    /// Whole seconds, rounded up: what `Last-Modified` shows, so that nothing seems older than it is.
    package var secondsRoundedUp: Int64 { (ticks + 99_999) / 100_000 }

    package var httpDate: String { HTTPDate.text(seconds: secondsRoundedUp) }

    /// `2026-01-31T10:00:00.123450`: what listings show.
    package var listingText: String { Timestamp(microseconds: ticks * 10).iso8601(fraction: true, zone: false) }
}
