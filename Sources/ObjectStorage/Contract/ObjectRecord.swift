// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What is written beside an object's bytes.
package struct ObjectRecord: Sendable, Hashable, Codable {
    package var path: ObjectPath
    /// Of the bytes.
    package var time: WriteTime
    /// Of the last POST, which replaced the metadata; nil: none since the bytes.
    package var metadataTime: WriteTime?
    package var sizeBytes: Int64
    /// MD5 of the bytes, in hexadecimal.
    package var etag: String
    package var contentType: String
    /// Lower-case names: `x-object-meta-…`, and those of features: `content-encoding`, `x-delete-at`, `x-object-manifest`.
    package var headers: [String: String]
    /// What a feature keeps and no client sets or sees: `x-object-sysmeta-…`.
    package var system: [String: String]

    package init(
        path: ObjectPath, time: WriteTime, sizeBytes: Int64, etag: String, contentType: String,
        headers: [String: String] = [:], system: [String: String] = [:]
    ) {
        self.path = path
        self.time = time
        self.sizeBytes = sizeBytes
        self.etag = etag
        self.contentType = contentType
        self.headers = headers
        self.system = system
    }

    /// `Last-Modified` and `X-Timestamp`.
    package var modified: WriteTime { max(time, metadataTime ?? time) }
}

/// A row of a container's listing.
package struct ObjectRow: Sendable, Hashable, Codable {
    package var name: String
    package var time: WriteTime
    package var sizeBytes: Int64
    package var contentType: String
    /// As a listing shows it: of a large object that of the manifest's content, where a feature says so.
    package var etag: String
    package var isDeleted: Bool
    package init(
        name: String, time: WriteTime, sizeBytes: Int64, contentType: String, etag: String, isDeleted: Bool = false
    ) {
        self.name = name
        self.time = time
        self.sizeBytes = sizeBytes
        self.contentType = contentType
        self.etag = etag
        self.isDeleted = isDeleted
    }

    /// The name's bytes count, as they do for all that orders or finds rows.
    package static func == (left: ObjectRow, right: ObjectRow) -> Bool {
        left.time == right.time && left.sizeBytes == right.sizeBytes && left.isDeleted == right.isDeleted
            && left.name.isByteEqual(to: right.name) && left.contentType.isByteEqual(to: right.contentType)
            && left.etag.isByteEqual(to: right.etag)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(ByteText(name))
        hasher.combine(time)
    }
}

/// A row of an account's listing.
package struct ContainerRow: Sendable, Hashable, Codable {
    package var name: String
    /// Of its last PUT, and of its last DELETE: the later one says whether it is there.
    package var putTime: WriteTime
    package var deleteTime: WriteTime?
    package var objectCount: Int64
    package var bytesUsed: Int64
    package var policy: Int
    /// When the two totals were counted: of two rows of a name the later count is kept. Nil: at `putTime`.
    package var totalsTime: WriteTime?
    package init(
        name: String, putTime: WriteTime, deleteTime: WriteTime? = nil, objectCount: Int64 = 0, bytesUsed: Int64 = 0,
        policy: Int = 0, totalsTime: WriteTime? = nil
    ) {
        self.name = name
        self.putTime = putTime
        self.deleteTime = deleteTime
        self.objectCount = objectCount
        self.bytesUsed = bytesUsed
        self.policy = policy
        self.totalsTime = totalsTime
    }

    /// The name's bytes count, as they do for all that orders or finds rows.
    package static func == (left: ContainerRow, right: ContainerRow) -> Bool {
        left.putTime == right.putTime && left.deleteTime == right.deleteTime && left.totalsTime == right.totalsTime
            && left.objectCount == right.objectCount && left.bytesUsed == right.bytesUsed
            && left.policy == right.policy && left.name.isByteEqual(to: right.name)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(ByteText(name))
        hasher.combine(putTime)
    }

    package var isDeleted: Bool { deleteTime.map { $0 >= putTime } ?? false }
}

/// What an account or a container is, beside its rows.
package struct IndexRecord: Sendable, Hashable, Codable {
    package var path: ObjectPath
    package var createdTime: WriteTime
    package var putTime: WriteTime
    package var deleteTime: WriteTime?
    package var objectCount: Int64
    package var bytesUsed: Int64
    /// Of an account.
    package var containerCount: Int64
    /// Of a container: the index of its storage policy.
    package var policy: Int
    /// Lower-case name to value and when it was set; an empty value was removed. `x-container-meta-…`, `x-container-read`,
    /// and what features keep: `x-container-sysmeta-…`.
    package var headers: [String: TimedValue]

    package struct TimedValue: Sendable, Hashable, Codable {
        package var value: String
        package var time: WriteTime
        package init(_ value: String, _ time: WriteTime) {
            self.value = value
            self.time = time
        }

        package static func == (left: TimedValue, right: TimedValue) -> Bool {
            left.time == right.time && left.value.isByteEqual(to: right.value)
        }
    }

    package init(path: ObjectPath, time: WriteTime, policy: Int = 0) {
        self.path = path
        createdTime = time
        putTime = time
        objectCount = 0
        bytesUsed = 0
        containerCount = 0
        self.policy = policy
        headers = [:]
    }

    package var isDeleted: Bool { deleteTime.map { $0 >= putTime } ?? false }
    package func header(_ name: String) -> String? {
        guard let value = headers[name]?.value, !value.isEmpty else { return nil }
        return value
    }
}

/// A part of a listing. Names compare by their UTF-8 bytes.
package struct ListingQuery: Sendable, Hashable, Codable {
    package var limit: Int
    /// After this name, in the order of the listing.
    package var marker: String?
    package var endMarker: String?
    package var prefix: String?
    /// Names that share what stands before it after `prefix` are rolled up into one.
    package var delimiter: String?
    package var isReversed: Bool
    package init(limit: Int) {
        self.limit = limit
        isReversed = false
    }
}

/// An entry of a listing: a row, or a name that several share up to the delimiter.
package enum ListingEntry<Row: Sendable & Hashable & Codable>: Sendable, Hashable, Codable {
    case row(Row)
    case subdirectory(String)
}
