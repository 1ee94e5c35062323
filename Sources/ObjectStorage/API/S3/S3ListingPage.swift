// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit

/// A page of a bucket's listing, and the document that shows it.
struct S3ListingPage: Sendable {
    enum Kind: Sendable { case first, second, versions }

    struct Object: Sendable, Equatable {
        var key: String
        var etag: String
        var sizeBytes: Int64
        var modified: WriteTime
        var version = "null"
        var isLatest = true
        var isDeleteMarker = false
    }

    enum Item: Sendable, Equatable {
        case object(Object)
        case prefix(String)

        var name: String {
            switch self {
            case .object(let object): object.key
            case .prefix(let name): name
            }
        }
        var version: String { if case .object(let object) = self { object.version } else { "null" } }
    }

    let kind: Kind
    let bucket: String
    var prefix: String?
    var delimiter: String?
    var maximum: Int
    var encodesNames: Bool
    var marker: String?
    var versionMarker: String?
    var startAfter: String?
    var token: String?
    var showsOwner = false
    private(set) var items: [Item] = []
    private(set) var isTruncated = false

    init(kind: Kind, bucket: String, prefix: String?, delimiter: String?, maximum: Int, encodesNames: Bool) {
        self.kind = kind
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.maximum = maximum
        self.encodesNames = encodesNames
    }

    /// `found` holds one more than `limit` where there is more.
    mutating func take(_ found: [Item], limit: Int) {
        items = Array(found.prefix(limit))
        isTruncated = limit > 0 && found.count > limit
    }

    // MARK: Document

    func document(owner: S3Owner) -> [UInt8] {
        let capacity = 512 + items.count * 320
        switch kind {
        case .first, .second:
            return XMLWriter.document("ListBucketResult", namespace: S3Text.namespace, capacity: capacity) { writer in
                if kind == .first { headFirst(&writer) } else { headSecond(&writer) }
                for item in items { write(item, owner, &writer) }
            }
        case .versions:
            return XMLWriter.document("ListVersionsResult", namespace: S3Text.namespace, capacity: capacity) { writer in
                headVersions(&writer)
                for item in items { write(item, owner, &writer) }
            }
        }
    }

    private func headFirst(_ writer: inout XMLWriter) {
        writer.element("Name", bucket)
        writer.element("Prefix", shown(prefix))
        writer.element("Marker", shown(marker))
        if isTruncated, delimiter != nil, let last = items.last { writer.element("NextMarker", shown(last.name)) }
        tail(&writer)
    }

    private func headSecond(_ writer: inout XMLWriter) {
        writer.element("Name", bucket)
        writer.element("Prefix", shown(prefix))
        if isTruncated, let last = items.last {
            writer.element("NextContinuationToken", Base64.encode(Array(last.name.utf8)))
        }
        if let token { writer.element("ContinuationToken", token) }
        if let startAfter { writer.element("StartAfter", shown(startAfter)) }
        writer.element("KeyCount", items.count)
        tail(&writer)
    }

    private func headVersions(_ writer: inout XMLWriter) {
        writer.element("Name", bucket)
        writer.element("Prefix", shown(prefix))
        writer.element("KeyMarker", shown(marker))
        writer.element("VersionIdMarker", versionMarker ?? "")
        if isTruncated, let last = items.last {
            writer.element("NextKeyMarker", shown(last.name))
            writer.element("NextVersionIdMarker", last.version)
        }
        tail(&writer)
    }

    private func tail(_ writer: inout XMLWriter) {
        writer.element("MaxKeys", maximum)
        if let delimiter, !delimiter.isEmpty { writer.element("Delimiter", shown(delimiter)) }
        if encodesNames { writer.element("EncodingType", "url") }
        writer.element("IsTruncated", isTruncated)
    }

    private func write(_ item: Item, _ owner: S3Owner, _ writer: inout XMLWriter) {
        switch item {
        case .prefix(let name): writer.element("CommonPrefixes") { $0.element("Prefix", shown(name)) }
        case .object(let object):
            let name: StaticString =
                if kind != .versions { "Contents" } else if object.isDeleteMarker { "DeleteMarker" } else { "Version" }
            writer.element(name) { write(object, owner, &$0) }
        }
    }

    private func write(_ object: Object, _ owner: S3Owner, _ writer: inout XMLWriter) {
        writer.element("Key", shown(object.key))
        if kind == .versions {
            writer.element("VersionId", object.version)
            writer.element("IsLatest", object.isLatest)
        }
        writer.element("LastModified", S3Text.time(object.modified))
        if !object.isDeleteMarker {
            writer.element("ETag", S3Text.quoted(object.etag))
            writer.element("Size", object.sizeBytes)
        }
        if showsOwner { owner.write("Owner", &writer) }
        if !object.isDeleteMarker { writer.element("StorageClass", "STANDARD") }
    }

    private func shown(_ name: String?) -> String {
        guard let name else { return "" }
        return encodesNames ? Percent.encode(name, keepsSlash: true) : name
    }
}
