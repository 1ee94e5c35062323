// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LifecycleKit
import ObjectStorageContract
import ObjectStorageCore
import Synchronization

/// A body that is in memory.
package final class BytesSource: ByteSource {
    private let bytes: Mutex<[UInt8]>
    package init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes) }

    package func next() async throws -> [UInt8]? {
        bytes.withLock { bytes in
            defer { bytes = [] }
            return bytes.isEmpty ? nil : bytes
        }
    }
}

/// An object's own stream as a body.
struct ObjectStreamSource: ByteSource {
    let stream: any ObjectByteStream
    func next() async throws -> [UInt8]? { try await stream.next() }
}

/// A part of a file as a body; the descriptor is closed with it.
struct FileSource: ByteSource {
    /// Reads from a disk that is slow hold up other reads, not the other work of the process.
    private static let pool = BlockingPool("object-read", threads: 8)
    private let pieces: FilePieces

    init(descriptor: Int32, offset: Int64, length: Int64) {
        pieces = FilePieces(descriptor: descriptor, offset: offset, length: length, pool: Self.pool)
    }

    func next() async throws -> [UInt8]? { try await pieces.next() }
}

/// One body after the other; each is opened when the one before has ended.
package final class ChainedSource: ByteSource {
    package typealias Part = @Sendable () async throws -> (any ByteSource)?
    private let following: @Sendable () async throws -> (any ByteSource)?
    private let current = Mutex<(any ByteSource)?>(nil)

    /// `following` gives the next body; nil at the end.
    package init(_ following: @escaping Part) { self.following = following }

    package func next() async throws -> [UInt8]? {
        while true {
            if let source = current.withLock({ $0 }) {
                if let piece = try await source.next() { return piece }
                current.withLock { $0 = nil }
            }
            guard let source = try await following() else { return nil }
            current.withLock { $0 = source }
        }
    }
}

/// A list that several awaits draw from, one after the other.
final class Drawer<Element: Sendable>: Sendable {
    private let rest: Mutex<ArraySlice<Element>>
    init(_ elements: [Element]) { rest = Mutex(elements[...]) }
    func draw() -> Element? { rest.withLock { $0.popFirst() } }
}

extension ByteSource {
    /// Reads what is left and throws it away, up to `limit`.
    package func discard(limit: Int) async throws {
        var count = 0
        while let piece = try await next() {
            count += piece.count
            if count > limit { return }
        }
    }
}
