// SPDX-License-Identifier: Apache-2.0

/// CRCs that S3's clients send beside a body. Eight bytes a step.
package struct CyclicChecksum: Sendable {
    package enum Kind: Sendable { case crc32, crc32c, crc64nvme }

    package let kind: Kind
    private let tables: [[UInt64]]
    private var state: UInt64

    package init(_ kind: Kind) {
        self.kind = kind
        tables =
            switch kind {
            case .crc32: Self.crc32
            case .crc32c: Self.crc32c
            case .crc64nvme: Self.crc64nvme
            }
        state = kind == .crc64nvme ? UInt64.max : 0xFFFF_FFFF
    }

    package mutating func update(_ bytes: [UInt8]) {
        var index = 0
        var state = state
        while index + 8 <= bytes.count {
            var word: UInt64 = 0
            for offset in 0..<8 { word |= UInt64(bytes[index + offset]) << UInt64(8 * offset) }
            word ^= state
            state = 0
            for offset in 0..<8 { state ^= tables[7 - offset][Int(word >> UInt64(8 * offset) & 0xFF)] }
            index += 8
        }
        while index < bytes.count {
            state = tables[0][Int((state ^ UInt64(bytes[index])) & 0xFF)] ^ state >> 8
            index += 1
        }
        self.state = state
    }

    /// In the order of the network: 4 or 8 bytes.
    package func finish() -> [UInt8] {
        let value = state ^ (kind == .crc64nvme ? UInt64.max : 0xFFFF_FFFF)
        let width = kind == .crc64nvme ? 8 : 4
        return (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (width - 1 - $0))) }
    }

    private static let crc32 = tables(0xEDB8_8320)
    private static let crc32c = tables(0x82F6_3B78)
    private static let crc64nvme = tables(0x9A6C_9329_AC4B_C9B5)

    /// `polynomial` with its bits reversed.
    private static func tables(_ polynomial: UInt64) -> [[UInt64]] {
        let first = (0..<256).map { index in
            (0..<8).reduce(UInt64(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
        }
        var tables = [first]
        for _ in 1..<8 {
            let last = tables[tables.count - 1]
            tables.append(last.map { first[Int($0 & 0xFF)] ^ $0 >> 8 })
        }
        return tables
    }
}
