// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit

/// What a device says of itself in its root: in which state it was left.
struct DeviceMark: Sendable, Codable, Equatable {
    /// Of the layout of files.
    static let currentVersion = 1

    var version = currentVersion
    /// False while a process uses it, so also after one that was ended by force.
    var isClean = true
    /// Rows of indexes that were put before are on the disk.
    var syncedMicroseconds: Int64 = 0
    /// Since when rows may be missing; kept until they were put again.
    var lostMicroseconds: Int64?

    var synced: Timestamp { Timestamp(microseconds: syncedMicroseconds) }
    var lost: Timestamp? { lostMicroseconds.map(Timestamp.init(microseconds:)) }

    /// Nil: there is none.
    static func read(_ layout: DiskLayout) throws -> DeviceMark? {
        guard let bytes = try FileSystem.read(layout.mark, limit: 1 << 16) else { return nil }
        let mark: DeviceMark
        do {
            mark = try JSONValueDecoder.decode(from: bytes)
        } catch {
            throw DiskFailure.away(cause: "\(layout.mark) is damaged: \(error)")
        }
        guard mark.version == currentVersion else {
            throw CloudError(
                .conflict, "The storage device was written by another version of this program.",
                cause: "\(layout.mark) has version \(mark.version)")
        }
        return mark
    }

    func write(_ layout: DiskLayout) throws {
        try FileSystem.writeAtomically(layout.mark, try JSONValueEncoder.bytes(self), mode: 0o600)
    }

    /// What a process that begins now writes. A device that was not left cleanly may lack rows: those that the disk had
    /// not yet when the power failed, and those of objects whose process ended between the object and its row.
    func opened(lookBack: Duration) -> DeviceMark {
        var next = self
        if !isClean {
            let since = (synced - lookBack).microseconds
            next.lostMicroseconds = min(since, lostMicroseconds ?? since)
        }
        next.isClean = false
        return next
    }
}
