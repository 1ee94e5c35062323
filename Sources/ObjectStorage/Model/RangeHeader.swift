// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The value of a `Range` header (RFC 9110). One that is not well formed is no range at all.
package struct RangeHeader: Sendable, Equatable {
    package struct Spec: Sendable, Equatable {
        package var first: Int64?
        package var last: Int64?
        package init(first: Int64?, last: Int64?) {
            self.first = first
            self.last = last
        }
    }

    package var specs: [Spec]

    package init?(_ text: String?) {
        guard let text else { return nil }
        let plain = String(decoding: text.utf8.filter { $0 != 0x20 }, as: UTF8.self)
        guard let equals = plain.firstIndex(ofByte: "="), plain[..<equals].asciiLowercased().isByteEqual(to: "bytes")
        else {
            return nil
        }
        var specs: [Spec] = []
        for part in plain.text(after: equals).split(byte: ",", omittingEmptySubsequences: false) {
            guard let dash = part.firstIndex(ofByte: "-") else { return nil }
            let (left, right) = (part[..<dash], part.text(after: dash))
            guard let first = Self.number(left), let last = Self.number(right) else { return nil }
            guard first != nil || last != nil else { return nil }
            if let first, let last, last < first { return nil }
            specs.append(Spec(first: first, last: last))
        }
        self.specs = specs
    }

    /// Nil inside: absent. Nil outside: no number. What is larger than any object counts as the largest.
    private static func number(_ text: Substring) -> Int64?? {
        if text.isEmpty { return .some(nil) }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return .some(min(Int64(text) ?? .max, .max - 1))
    }

    /// The parts of a body of `size` bytes. Empty: none can be satisfied, which is 416.
    package func resolved(size: Int64) -> [Range<Int64>] {
        var ranges: [Range<Int64>] = []
        for spec in specs {
            switch (spec.first, spec.last) {
            case (nil, let count?):
                if count > 0 { ranges.append(max(0, size - count)..<size) }
            case (let first?, let last):
                if first < size { ranges.append(first..<min(size, last.map { $0 + 1 } ?? size)) }
            case (nil, nil): break
            }
        }
        return Self.isAbusive(ranges) ? [] : ranges
    }

    /// RFC 9110, 14.2: many ranges, or ranges that overlap or go backwards, cost the server much and the client little.
    private static func isAbusive(_ ranges: [Range<Int64>]) -> Bool {
        if ranges.count > 50 { return true }
        var overlaps = 0
        for (index, left) in ranges.enumerated() {
            for right in ranges[(index + 1)...] where left.overlaps(right) && left != right { overlaps += 1 }
            if overlaps > 2 { return true }
        }
        let isAscending = zip(ranges, ranges.dropFirst()).allSatisfy { $0.lowerBound <= $1.lowerBound }
        return !isAscending && ranges.count >= 8
    }
}
