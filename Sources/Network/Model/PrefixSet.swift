// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Sets of prefixes, as pools have them. Pure.
package enum PrefixSet {
    /// The same addresses in the fewest prefixes, in order.
    package static func compacted(_ prefixes: [CIDR]) -> [CIDR] {
        var result: [CIDR] = []
        for prefix in prefixes.sorted(by: { ($0.network, $0.prefixLength) < ($1.network, $1.prefixLength) }) {
            if let last = result.last, last.contains(prefix) { continue }
            result.append(prefix)
            while result.count >= 2, let parent = parent(of: result[result.count - 2], result[result.count - 1]) {
                result.removeLast(2)
                result.append(parent)
            }
        }
        return result
    }

    /// The prefix that two neighbours make together; nil when they make none.
    private static func parent(of left: CIDR, _ right: CIDR) -> CIDR? {
        guard left.prefixLength == right.prefixLength, left.prefixLength > 0, left.isIPv6 == right.isIPv6, left != right
        else { return nil }
        let parent = CIDR(containing: left.network, prefixLength: left.prefixLength - 1)
        return parent.contains(right) ? parent : nil
    }

    /// What is left of `prefixes` without `taken`, in order of addresses.
    package static func remaining(of prefixes: [CIDR], without taken: [CIDR]) -> [CIDR] {
        prefixes.flatMap { prefix in
            let overlapping = taken.filter { $0.overlaps(prefix) }
            if overlapping.isEmpty { return [prefix] }
            if overlapping.contains(where: { $0.contains(prefix) }) { return [] }
            return remaining(of: halves(of: prefix), without: overlapping)
        }
    }

    private static func halves(of prefix: CIDR) -> [CIDR] {
        let length = prefix.prefixLength + 1
        let lower = CIDR(containing: prefix.network, prefixLength: length)
        return [lower, CIDR(containing: prefix.last, prefixLength: length)]
    }

    /// A free prefix of `length`, cut from the smallest piece that holds it so that large pieces last. Nil: none is
    /// left.
    package static func free(_ length: Int, in prefixes: [CIDR], without taken: [CIDR]) -> CIDR? {
        let pieces = remaining(of: prefixes, without: taken).filter { $0.prefixLength <= length }
        let best = pieces.max { $0.prefixLength < $1.prefixLength }
        // `max` gives the last of equals; the first keeps addresses low.
        return pieces.first { $0.prefixLength == best?.prefixLength }.map {
            CIDR(containing: $0.network, prefixLength: length)
        }
    }

    /// Whether every address of `inner` is in `outer`.
    package static func covers(_ outer: [CIDR], _ inner: [CIDR]) -> Bool {
        remaining(of: inner, without: compacted(outer)).isEmpty
    }
}
