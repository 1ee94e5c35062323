// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import ObjectStorageCore
import Synchronization

/// Walks the segments that a range of a manifest touches; manifests among them are read when their turn comes.
final class SegmentWalk: Sendable {
    private struct Frame {
        var parts: ArraySlice<SegmentManifest.Part>
        /// What is still to come, counted from the first of `parts`.
        var range: Range<Int64>
    }

    private enum Step {
        case piece(SegmentPiece)
        case manifest(String, Range<Int64>)
        case end
    }

    private let frames: Mutex<[Frame]>
    private let account: String
    private let request: SwiftRequest
    private let next: SwiftNext

    init(
        _ manifest: SegmentManifest, range: Range<Int64>, account: String, request: SwiftRequest, next: SwiftNext
    ) {
        frames = Mutex([Frame(parts: manifest.parts[...], range: range)])
        self.account = account
        self.request = request
        self.next = next
    }

    var cursor: SegmentCursor { { [self] in try await piece() } }

    private func piece() async throws -> SegmentPiece? {
        while true {
            switch frames.withLock({ advance(&$0) }) {
            case .end: return nil
            case .piece(let piece): return piece
            case .manifest(let name, let range):
                guard frames.withLock({ $0.count }) < StaticLargeObjects.maximumDepth else { throw SwiftFault(409) }
                let manifest = try await read(name)
                frames.withLock { $0.append(Frame(parts: manifest.parts[...], range: range)) }
            }
        }
    }

    private func advance(_ frames: inout [Frame]) -> Step {
        while var frame = frames.popLast() {
            guard !frame.range.isEmpty, let part = frame.parts.popFirst() else { continue }
            let size = part.sizeBytes
            let (low, high) = (frame.range.lowerBound, frame.range.upperBound)
            frame.range = max(0, low - size)..<max(max(0, low - size), high - size)
            frames.append(frame)
            if low >= size { continue }
            let inside = low..<min(high, size)
            switch part {
            case .inline(let bytes): return .piece(SegmentPiece(kind: .inline(bytes), range: inside))
            case .object(let segment):
                let offset = segment.range?.lowerBound ?? 0
                let range = inside.lowerBound + offset..<inside.upperBound + offset
                if segment.isManifest { return .manifest(segment.name, range) }
                let kind = SegmentPiece.Kind.object(
                    path(segment.name), etag: segment.etag, objectBytes: segment.objectBytes)
                return .piece(SegmentPiece(kind: kind, range: range))
            }
        }
        return .end
    }

    private func path(_ name: String) -> ObjectPath {
        let names = name.dropping(leading: "/").split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false)
        return ObjectPath(
            account: account, container: names.first.map(String.init), object: names.count > 1 ? String(names[1]) : nil)
    }

    private func read(_ name: String) async throws -> SegmentManifest {
        let response = await next(request.step(.get, path(name)))
        guard response.status == 200, response.headers.isTrue(StorageHeader.isManifest) else {
            await response.drop()
            throw SwiftFault(409)
        }
        return try await StaticLargeObjects.stored(response)
    }
}
