// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// An upload's bytes: `o.<hash>.<upload>.0`, `.1`, … They are written once and belong to that upload alone, so nobody
/// who reads another one ever sees them.
struct Stripes: Sendable, Hashable {
    static let objectBytes: Int64 = 4 << 20
    /// What one call writes or reads.
    static let pieceBytes = 1 << 20
    /// Writes that are on their way at once.
    static let depth = 4
    /// Of an upload that was cut off, so many in a row may lack though a later one is there.
    private static let gap = 3

    var hash: String
    var upload: String

    static func count(_ sizeBytes: Int64) -> Int { Int((sizeBytes + objectBytes - 1) / objectBytes) }

    func name(_ number: Int) -> String { "o.\(hash).\(upload).\(number)" }

    /// `count` bytes at most, within one stripe. Blocks.
    func read(_ pool: RadosPool, at offset: Int64, count: Int) throws -> [UInt8] {
        let (number, start) = offset.quotientAndRemainder(dividingBy: Self.objectBytes)
        let length = min(Int64(count), Self.objectBytes - start)
        guard let bytes = try pool.bytes(name(Int(number)), at: start, count: Int(length)),
            bytes.count == Int(length)
        else { throw StripeMissing(name: name(Int(number))) }
        return bytes
    }

    func remove(_ pool: RadosPool, count: Int) throws {
        for number in stride(from: count - 1, through: 0, by: -1) { try pool.remove(name(number)) }
    }

    /// All of an upload of which nobody knows how far it came. From the end: what is cut off is found again.
    func removeAll(_ pool: RadosPool) throws {
        var (end, next) = (0, 0)
        while next < end + Self.gap {
            if try pool.exists(name(next)) { end = next + 1 }
            next += 1
        }
        try remove(pool, count: end)
    }
}

/// Bytes that should be there are not: damaged, or removed after the object was replaced.
struct StripeMissing: Error, CustomStringConvertible {
    var name: String
    var description: String { "\(name) is missing or too short" }
}
