// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A point in time: microseconds since 1970-01-01T00:00:00Z, in the years 1 to 9999, which are those that ISO 8601 can
/// write in four digits. Arithmetic that would leave them stops at their ends.
package struct Timestamp: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    private static let earliest = days(year: 1, month: 1, day: 1) * 86_400_000_000
    private static let latest = days(year: 10_000, month: 1, day: 1) * 86_400_000_000 - 1

    package let microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = min(max(microseconds, Self.earliest), Self.latest) }
    package init(seconds: Int64) {
        let (product, isTooLarge) = seconds.multipliedReportingOverflow(by: 1_000_000)
        self.init(microseconds: isTooLarge ? (seconds < 0 ? .min : .max) : product)
    }

    package var seconds: Int64 { microseconds.floorDivided(by: 1_000_000) }

    package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    package static func + (time: Self, duration: Duration) -> Self {
        let (sum, isTooLarge) = time.microseconds.addingReportingOverflow(duration.microseconds)
        return Timestamp(microseconds: isTooLarge ? (duration < .zero ? .min : .max) : sum)
    }
    package static func - (time: Self, duration: Duration) -> Self {
        let (difference, isTooLarge) = time.microseconds.subtractingReportingOverflow(duration.microseconds)
        return Timestamp(microseconds: isTooLarge ? (duration < .zero ? .max : .min) : difference)
    }
    package static func - (end: Self, start: Self) -> Duration {
        .microseconds(end.microseconds - start.microseconds)
    }

    package var description: String { iso8601() }

    /// ISO 8601 in UTC. Services differ: Identity shows a fraction and `Z`, Compute `Z` alone or a fraction alone.
    package func iso8601(fraction: Bool = false, zone: Bool = true) -> String {
        let total = seconds
        let days = total.floorDivided(by: 86_400)
        let second = Int(total - days * 86_400)
        let (year, month, day) = Self.civil(fromDays: days)
        return String(unsafeUninitializedCapacity: 32) { buffer in
            var position = 0
            func put(_ value: Int, width: Int) {
                var rest = value
                for offset in stride(from: width - 1, through: 0, by: -1) {
                    buffer[position + offset] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                position += width
            }
            func put(_ character: Unicode.Scalar) {
                buffer[position] = UInt8(ascii: character)
                position += 1
            }
            put(year, width: 4)
            put("-")
            put(month, width: 2)
            put("-")
            put(day, width: 2)
            put("T")
            put(second / 3600, width: 2)
            put(":")
            put(second / 60 % 60, width: 2)
            put(":")
            put(second % 60, width: 2)
            if fraction {
                put(".")
                put(Int(microseconds - total * 1_000_000), width: 6)
            }
            if zone { put("Z") }
            return position
        }
    }

    /// Reads `2026-01-31T10:00:00`, with an optional fraction and `Z` or an offset such as `+09:00`. Nil for anything else,
    /// for a day that no calendar has, and for a time outside the years 1 to 9999.
    package init?(iso8601 text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[range] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
        func has(_ character: Unicode.Scalar, at index: Int) -> Bool {
            index < bytes.count && bytes[index] == UInt8(ascii: character)
        }
        guard let year = number(0..<4), has("-", at: 4), let month = number(5..<7), has("-", at: 7),
            let day = number(8..<10), year > 0, (1...12).contains(month),
            (1...Self.length(ofMonth: month, year)).contains(day)
        else { return nil }
        var total = Self.days(year: year, month: month, day: day) * 86_400
        var fraction: Int64 = 0
        if bytes.count > 10 {
            guard has("T", at: 10) || has(" ", at: 10), let hour = number(11..<13), has(":", at: 13),
                let minute = number(14..<16), hour < 24, minute < 60
            else { return nil }
            total += Int64(hour * 3600 + minute * 60)
            var index = 16
            if has(":", at: index) {
                guard let second = number(17..<19), second < 60 else { return nil }
                total += Int64(second)
                index = 19
            }
            if has(".", at: index) {
                index += 1
                var scale: Int64 = 100_000
                let start = index
                while index < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) {
                    fraction += Int64(bytes[index] - UInt8(ascii: "0")) * scale
                    scale /= 10
                    index += 1
                }
                guard index > start else { return nil }
            }
            if has("Z", at: index) {
                index += 1
            } else if has("+", at: index) || has("-", at: index) {
                guard let hours = number(index + 1..<index + 3) else { return nil }
                let hasColon = has(":", at: index + 3)
                let minutes = number(index + (hasColon ? 4 : 3)..<index + (hasColon ? 6 : 5)) ?? 0
                guard hours < 24, minutes < 60 else { return nil }
                let offset = Int64(hours * 3600 + minutes * 60)
                total += has("+", at: index) ? -offset : offset
                index = min(bytes.count, index + (hasColon ? 6 : 5))
            }
            guard index == bytes.count else { return nil }
        }
        let microseconds = total * 1_000_000 + fraction
        guard (Self.earliest...Self.latest).contains(microseconds) else { return nil }
        self.init(microseconds: microseconds)
    }

    private static func length(ofMonth month: Int, _ year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // Howard Hinnant's civil-calendar algorithms: days since 1970-01-01 in the proleptic Gregorian calendar.
    private static func days(year: Int, month: Int, day: Int) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468)
    }

    private static func civil(fromDays days: Int64) -> (Int, Int, Int) {
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
    }
}

/// The time of day. Passed in, so that tests and simulations control it.
package struct WallClock: Sendable {
    private let read: @Sendable () -> Timestamp

    package init(_ read: @escaping @Sendable () -> Timestamp) { self.read = read }

    package static let system = WallClock {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    package func now() -> Timestamp { read() }
}

extension Duration {
    package var microseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}

extension Int64 {
    func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
