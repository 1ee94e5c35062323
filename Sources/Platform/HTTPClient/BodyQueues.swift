// SPDX-License-Identifier: Apache-2.0
import LifecycleKit

/// Bytes on their way to the server.
struct OutgoingBytes {
    private var pieces = FIFO<[UInt8]>()
    /// The piece that is being taken, and how much of it was.
    private var front: [UInt8] = []
    private var taken = 0
    private(set) var count = 0

    mutating func append(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        pieces.append(bytes)
        count += bytes.count
    }

    /// Moves as much as fits; returns how much.
    mutating func copy(into target: UnsafeMutableRawBufferPointer) -> Int {
        var written = 0
        while written < target.count {
            if taken == front.count {
                guard let next = pieces.popFirst() else { break }
                (front, taken) = (next, 0)
            }
            let length = min(front.count - taken, target.count - written)
            front.withUnsafeBytes { bytes in
                let part = UnsafeRawBufferPointer(rebasing: bytes[taken..<taken + length])
                UnsafeMutableRawBufferPointer(rebasing: target[written...]).copyMemory(from: part)
            }
            taken += length
            written += length
        }
        count -= written
        return written
    }

    mutating func removeAll() { self = OutgoingBytes() }
}

/// Bytes that came from the server.
struct IncomingBytes {
    /// Small pieces are joined up to this size: fewer awaits for the reader.
    private static let pieceBytes = 64 << 10

    private var pieces = FIFO<[UInt8]>()
    /// The newest piece, which may still grow.
    private var tail: [UInt8] = []
    private(set) var count = 0

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if tail.count + bytes.count > Self.pieceBytes, !tail.isEmpty {
            pieces.append(tail)
            tail = []
        }
        tail.append(contentsOf: bytes)
        count += bytes.count
    }

    mutating func popFirst() -> [UInt8]? {
        var piece = pieces.popFirst()
        if piece == nil, !tail.isEmpty {
            piece = tail
            tail = []
        }
        count -= piece?.count ?? 0
        return piece
    }

    mutating func removeAll() { self = IncomingBytes() }
}

/// Memory of a caller who waits for the call's end.
///
/// SAFETY: made and used inside one synchronous call; nobody else has the memory meanwhile.
struct Lent<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
