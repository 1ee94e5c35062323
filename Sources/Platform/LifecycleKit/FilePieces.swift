// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import Synchronization

/// A part of a file, read piece by piece on a pool's threads. Owns the descriptor.
package final class FilePieces: Sendable {
    private static let pieceBytes: Int64 = 256 << 10
    private let descriptor: Int32
    private let pool: BlockingPool
    private let range: Mutex<(position: Int64, end: Int64)>

    package init(descriptor: Int32, offset: Int64, length: Int64, pool: BlockingPool) {
        self.descriptor = descriptor
        self.pool = pool
        range = Mutex((offset, offset + length))
    }

    deinit { close(descriptor) }

    /// Nil at the end. Throws when the file is shorter than it was said to be.
    package func next() async throws -> [UInt8]? {
        let (position, end) = range.withLock { $0 }
        guard position < end else { return nil }
        let count = Int(min(end - position, Self.pieceBytes))
        let piece = try await pool.run { [self] in try read(count, at: position) }
        range.withLock { $0.position += Int64(piece.count) }
        return piece
    }

    private func read(_ count: Int, at position: Int64) throws -> [UInt8] {
        let piece = try [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            // SAFETY: the buffer has room for `count` bytes; the descriptor is open as long as this object.
            while used < count {
                let got = pread(
                    descriptor, buffer.baseAddress?.advanced(by: used), count - used, off_t(position) + used)
                if got < 0, errno == EINTR { continue }
                guard got >= 0 else { throw FileCalls.failure("pread", "") }
                if got == 0 { break }
                used += got
            }
        }
        guard piece.count == count else { throw FileCalls.Failure(call: "pread", path: "", errorNumber: EIO) }
        return piece
    }
}
