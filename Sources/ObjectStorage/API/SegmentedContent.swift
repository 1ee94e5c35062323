// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import Synchronization

/// A piece of a large object: bytes of one object, or bytes that are here already.
struct SegmentPiece: Sendable {
    enum Kind: Sendable {
        case object(ObjectPath, etag: String?, objectBytes: Int64?)
        case inline([UInt8])
    }
    var kind: Kind
    var range: Range<Int64>
}

/// Gives the pieces of a range, one after the other; nil at the end. Pages of a listing, manifests in manifests.
typealias SegmentCursor = @Sendable () async throws -> SegmentPiece?

/// A content that is put together from segments while it is sent. Each is read with the caller's own rights.
struct SegmentedContent: RangedContent {
    let sizeBytes: Int64
    let cursor: @Sendable (Range<Int64>) -> SegmentCursor
    let request: SwiftRequest
    let next: SwiftNext

    /// Throws 409 when the first segment is not what the manifest says: later it is too late for a status.
    func body(_ range: Range<Int64>) async throws -> SwiftBody {
        let pieces = cursor(range)
        guard let first = try await pieces() else { return .none }
        let source: any ByteSource
        do {
            source = try await read(first)
        } catch is SegmentChanged {
            throw SwiftFault(409)
        }
        let begun = Mutex<(any ByteSource)?>(source)
        let chain = ChainedSource {
            if let source = begun.withLock({ source in
                defer { source = nil }
                return source
            }) {
                return source
            }
            guard let piece = try await pieces() else { return nil }
            return try await read(piece)
        }
        return .stream(chain, length: range.upperBound - range.lowerBound)
    }

    func close() async {}

    /// The length of the answer was told already: all that is left is to break off.
    private struct SegmentChanged: Error {}

    private func read(_ piece: SegmentPiece) async throws -> any ByteSource {
        switch piece.kind {
        case .inline(let bytes):
            return BytesSource(Array(bytes[Int(piece.range.lowerBound)..<Int(piece.range.upperBound)]))
        case .object(let path, let etag, let size):
            let response = await next(request.step(.get, path))
            guard response.status == 200, case .content(let content) = response.body else {
                await response.drop()
                throw SegmentChanged()
            }
            guard etag == nil || etag == response.etag, size == nil || size == content.sizeBytes,
                piece.range.upperBound <= content.sizeBytes
            else {
                await content.close()
                throw SegmentChanged()
            }
            let body = piece.range.isEmpty ? .none : try await content.body(piece.range)
            await content.close()
            return try await body.source()
        }
    }
}

/// The size of a large object whose bytes nobody asks for.
struct SizeOnly: RangedContent {
    let sizeBytes: Int64
    func body(_ range: Range<Int64>) async throws -> SwiftBody { .none }
    func close() async {}
}
