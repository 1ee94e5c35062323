// SPDX-License-Identifier: Apache-2.0
import LifecycleKit

/// Bytes between two speeds, in pieces.
struct ByteQueue {
    /// Small pieces are joined up to this size: fewer awaits for the reader.
    private static let pieceBytes = 64 << 10

    private var pieces = FIFO<[UInt8]>()
    /// The newest piece, which may still grow.
    private var tail: [UInt8] = []
    /// What `copy` has already taken of `front`.
    private var front: [UInt8] = []
    private var frontOffset = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if tail.count + bytes.count > Self.pieceBytes, !tail.isEmpty {
            pieces.append(tail)
            tail = []
        }
        tail.append(contentsOf: bytes)
        count += bytes.count
    }

    mutating func append(_ bytes: [UInt8]) {
        if !tail.isEmpty {
            pieces.append(tail)
            tail = []
        }
        pieces.append(bytes)
        count += bytes.count
    }

    /// The next piece, or nil.
    mutating func popFirst() -> [UInt8]? {
        if let piece = pieces.popFirst() {
            count -= piece.count
            return piece
        }
        guard !tail.isEmpty else { return nil }
        let piece = tail
        tail = []
        count -= piece.count
        return piece
    }

    /// Moves as much as fits; returns how much. Not to be mixed with `popFirst`.
    mutating func copy(into target: UnsafeMutableRawBufferPointer) -> Int {
        var written = 0
        while written < target.count {
            if frontOffset == front.count {
                guard let next = pieces.popFirst() else { break }
                front = next
                frontOffset = 0
            }
            let length = min(front.count - frontOffset, target.count - written)
            front.withUnsafeBytes { bytes in
                let part = UnsafeRawBufferPointer(rebasing: bytes[frontOffset..<frontOffset + length])
                UnsafeMutableRawBufferPointer(rebasing: target[written...]).copyMemory(from: part)
            }
            frontOffset += length
            written += length
        }
        if frontOffset == front.count {
            front = []
            frontOffset = 0
        }
        count -= written
        return written
    }

    mutating func removeAll() { self = ByteQueue() }
}

/// Memory of a caller who waits for the call's end.
///
/// SAFETY: made and used inside one synchronous call; nobody else has the memory meanwhile.
struct Lent<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
