// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import Synchronization

/// An object as it was when it was opened. Bytes that are many can be read until `keepReplaced` after it was replaced.
final class RadosOpenObject: OpenObject {
    let record: ObjectRecord
    private let cluster: RadosCluster
    private let inline: [UInt8]
    private let stripes: Stripes?

    init(record: ObjectRecord, cluster: RadosCluster, inline: [UInt8], stripes: Stripes?) {
        self.record = record
        self.cluster = cluster
        self.inline = inline
        self.stripes = stripes
    }

    func body(_ range: Range<Int64>) async throws -> ObjectBody {
        guard range.lowerBound >= 0, range.upperBound <= record.sizeBytes else {
            throw RadosFailure.bug("range \(range) of \(record.sizeBytes) bytes")
        }
        guard let stripes else {
            guard Int64(inline.count) == record.sizeBytes else {
                throw RadosFailure.away(cause: "\(record.path) has \(inline.count) of \(record.sizeBytes) bytes")
            }
            return .stream(InlineBytes(Array(inline[Int(range.lowerBound)..<Int(range.upperBound)])))
        }
        return .stream(StripeBytes(stripes, range, cluster))
    }

    func close() async {}
}

/// Bytes that came with the head.
private final class InlineBytes: ObjectByteStream {
    private let bytes: Mutex<[UInt8]>
    init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes) }

    func next() async throws -> [UInt8]? {
        bytes.withLock { bytes in
            defer { bytes = [] }
            return bytes.isEmpty ? nil : bytes
        }
    }
}

private final class StripeBytes: ObjectByteStream {
    private let stripes: Stripes
    private let cluster: RadosCluster
    private let rest: Mutex<Range<Int64>>

    init(_ stripes: Stripes, _ range: Range<Int64>, _ cluster: RadosCluster) {
        self.stripes = stripes
        self.cluster = cluster
        rest = Mutex(range)
    }

    func next() async throws -> [UInt8]? {
        let range = rest.withLock { $0 }
        guard !range.isEmpty else { return nil }
        let count = min(range.count, Stripes.pieceBytes)
        let piece = try await cluster.read { [stripes] in try stripes.read($0, at: range.lowerBound, count: count) }
        rest.withLock { $0 = (range.lowerBound + Int64(piece.count))..<range.upperBound }
        return piece
    }
}
