// SPDX-License-Identifier: Apache-2.0
import LinuxKit

/// What a guest wrote to its serial console. QEMU appends to the file for as long as the guest lives, so the driver
/// cuts it from time to time; the last part before the cut is kept beside it.
struct ConsoleLog: Sendable, Equatable {
    /// As much as anyone gets to see; nova's limit.
    static let visibleBytes = 100 * 1024

    let path: String

    private var older: String { "\(path).old" }

    /// The last `lines` lines; nil: all that is visible.
    func tail(lines: Int?) throws -> [UInt8] {
        var bytes = try FileSystem.read(path, limit: Self.visibleBytes, fromEnd: true) ?? []
        if bytes.count < Self.visibleBytes, let before = try FileSystem.read(older, limit: Self.visibleBytes) {
            bytes = Array((before + bytes).suffix(Self.visibleBytes))
        }
        guard let lines else { return bytes }
        return Self.last(lines, of: bytes)
    }

    /// A line that is not ended yet counts as one.
    static func last(_ lines: Int, of bytes: [UInt8]) -> [UInt8] {
        guard lines > 0 else { return [] }
        let newline = UInt8(ascii: "\n")
        var left = lines
        var start = bytes.endIndex
        if bytes.last == newline { start -= 1 }
        while start > bytes.startIndex {
            if bytes[start - 1] == newline {
                left -= 1
                if left == 0 { break }
            }
            start -= 1
        }
        return Array(bytes[start...])
    }

    /// Cuts the file when it is larger than `limit`. What the guest writes between the two steps is lost.
    func trim(limit: Int) throws {
        guard let size = try FileSystem.status(path)?.size, size > Int64(limit) else { return }
        let kept = try FileSystem.read(path, limit: Self.visibleBytes, fromEnd: true) ?? []
        try FileSystem.writeAtomically(older, kept, mode: 0o600, durably: false)
        // QEMU appends, so it goes on at the new end.
        try FileSystem.truncate(path, to: 0)
    }
}
