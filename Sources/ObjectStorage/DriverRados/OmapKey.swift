// SPDX-License-Identifier: Apache-2.0

/// Names as keys that sort as their UTF-8 bytes do and have no zero: the call that lists keys takes where it begins as
/// C's text, which ends at one.
enum OmapKey {
    typealias Bytes = [UInt8]

    static func encode(_ name: some Collection<UInt8>, _ kind: UInt8) -> Bytes {
        var key: Bytes = [kind]
        key.reserveCapacity(name.count + 1)
        for byte in name {
            if byte <= 1 { key += [1, byte + 1] } else { key.append(byte) }
        }
        return key
    }

    /// Without the kind.
    static func name(_ key: Bytes) -> Bytes {
        guard key.contains(1) else { return Array(key.dropFirst()) }
        var name: Bytes = []
        var rest = key.dropFirst()
        while let byte = rest.popFirst() {
            if byte == 1, let next = rest.popFirst() { name.append(next &- 1) } else { name.append(byte) }
        }
        return name
    }

    /// The least of all keys after `prefix` that do not begin with it. No byte of UTF-8 is 0xFF, so there is one.
    static func successor(of prefix: Bytes) -> Bytes {
        var key = prefix
        while let last = key.popLast() {
            if last < 0xFF { return key + [last + 1] }
        }
        return [0xFF]
    }

    /// What lies just before `key`: the keys after it are `key` and those that follow. No key has 0xFF in it.
    static func before(_ key: Bytes) -> Bytes {
        var start = key
        guard let last = start.popLast(), last > 1 else { return start }
        return start + [last - 1, 0xFF]
    }

    static func precedes(_ left: Bytes, _ right: Bytes) -> Bool { left.lexicographicallyPrecedes(right) }

    /// A key between two, about half way; nil: there is none that this finds.
    static func between(_ low: Bytes, _ high: Bytes) -> Bytes? {
        var shared = 0
        while shared < low.count, shared < high.count, low[shared] == high[shared] { shared += 1 }
        var middle = Array(low[..<shared])
        // As digits: the low one is 0 past its end, the high one 256 past its own.
        var isBelowHigh = false
        for index in shared..<(max(low.count, high.count) + 2) {
            let from = index < low.count ? Int(low[index]) : 0
            let to = isBelowHigh ? 256 : (index < high.count ? Int(high[index]) : 0)
            if to - from >= 2 {
                let digit = (from + to) / 2
                middle.append(UInt8(clamping: digit))
                return precedes(low, middle) && precedes(middle, high) && !middle.contains(0) ? middle : nil
            }
            guard from > 0 || index < low.count else { return nil }
            middle.append(UInt8(from))
            if to > from { isBelowHigh = true }
        }
        return nil
    }
}
