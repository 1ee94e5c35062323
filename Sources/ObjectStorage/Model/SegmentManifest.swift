// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// The parts of a static large object, as they are kept: JSON, in upstream's own shape.
package struct SegmentManifest: Sendable, Equatable {
    package enum Part: Sendable, Equatable {
        case object(Segment)
        /// Bytes that stand in the manifest itself.
        case inline([UInt8])

        package var sizeBytes: Int64 {
            switch self {
            case .object(let segment): segment.sizeBytes
            case .inline(let bytes): Int64(bytes.count)
            }
        }
    }

    package struct Segment: Sendable, Equatable {
        /// `/container/object`.
        package var name: String
        /// Of the whole object.
        package var objectBytes: Int64
        package var etag: String
        package var contentType: String
        package var modified: String
        /// The part of it that counts; nil: all.
        package var range: Range<Int64>?
        /// It is a static large object itself.
        package var isManifest: Bool

        package init(
            name: String, objectBytes: Int64, etag: String, contentType: String, modified: String,
            range: Range<Int64>? = nil, isManifest: Bool = false
        ) {
            self.name = name
            self.objectBytes = objectBytes
            self.etag = etag
            self.contentType = contentType
            self.modified = modified
            self.range = range
            self.isManifest = isManifest
        }

        package var sizeBytes: Int64 { range.map { $0.upperBound - $0.lowerBound } ?? objectBytes }
        var rangeText: String? { range.map { "\($0.lowerBound)-\($0.upperBound - 1)" } }
    }

    package var parts: [Part]

    package init(parts: [Part]) { self.parts = parts }

    /// More than any disk has. Sums of as many as an answer can have of these do not overflow.
    package static let maximumBytes: Int64 = 1 << 54

    /// At most one more than `maximumBytes`.
    package var sizeBytes: Int64 {
        parts.reduce(0) { min($0 + min($1.sizeBytes, Self.maximumBytes), Self.maximumBytes + 1) }
    }

    /// The MD5 of the parts' ETags.
    package var etag: String {
        var digest = Digest(.md5)
        for part in parts {
            switch part {
            case .inline(let bytes): digest.update(Array(Hex.encode(Digest.of(bytes, .md5)).utf8))
            case .object(let segment):
                let text = segment.rangeText.map { "\(segment.etag):\($0);" } ?? segment.etag
                digest.update(Array(text.utf8))
            }
        }
        return digest.hex()
    }

    // MARK: As it is kept

    package func stored() -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + parts.count * 200)
        writer.beginArray()
        for part in parts {
            writer.beginObject()
            switch part {
            case .inline(let bytes): writer.field("data", Base64.encode(bytes))
            case .object(let segment):
                writer.field("name", segment.name)
                writer.field("bytes", segment.objectBytes)
                writer.field("hash", segment.etag)
                writer.field("content_type", segment.contentType)
                writer.field("last_modified", segment.modified)
                if let range = segment.rangeText { writer.field("range", range) }
                if segment.isManifest { writer.field("sub_slo", true) }
            }
            writer.endObject()
        }
        writer.endArray()
        return writer.finish()
    }

    /// Nil: these bytes are no manifest.
    package init?(stored bytes: [UInt8]) {
        guard let json = try? JSONReader.read(bytes), let entries = json.array else { return nil }  // nil says it
        parts = []
        for entry in entries {
            if let data = entry["data"]?.string {
                guard let bytes = Base64.decode(data) else { return nil }
                parts.append(.inline(bytes))
                continue
            }
            guard let name = entry["name"]?.string, let size = entry["bytes"]?.int, let etag = entry["hash"]?.string
            else { return nil }
            var segment = Segment(
                name: name, objectBytes: size, etag: etag, contentType: entry["content_type"]?.string ?? "",
                modified: entry["last_modified"]?.string ?? "")
            if let text = entry["range"]?.string {
                let ends = text.split(byte: "-").compactMap { Int64($0) }
                guard ends.count == 2, ends[0] <= ends[1] else { return nil }
                segment.range = ends[0]..<(ends[1] + 1)
            }
            segment.isManifest = entry["sub_slo"]?.bool ?? false
            parts.append(.object(segment))
        }
    }

    /// In the form in which a client sends one, so that what was read can be put again.
    package func raw() -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + parts.count * 150)
        writer.beginArray()
        for part in parts {
            writer.beginObject()
            switch part {
            case .inline(let bytes): writer.field("data", Base64.encode(bytes))
            case .object(let segment):
                writer.field("etag", segment.etag)
                writer.field("path", segment.name)
                if let range = segment.rangeText { writer.field("range", range) }
                writer.field("size_bytes", segment.objectBytes)
            }
            writer.endObject()
        }
        writer.endArray()
        return writer.finish()
    }
}
