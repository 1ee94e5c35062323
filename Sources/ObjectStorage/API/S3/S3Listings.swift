// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit

/// What a bucket holds: ListObjects, ListObjectsV2, ListObjectVersions.
struct S3Listings: Sendable {
    private static let deleteMarkerType = "application/x-deleted;swift_versions_deleted=1"

    let call: S3Call

    func objects() async throws -> SwiftResponse {
        let text = call.query("list-type") ?? "1"
        guard let version = Int(text) else {
            throw S3Error.invalidArgument("list-type", text, "Argument list-type must be an integer")
        }
        var page = S3ListingPage(
            kind: version == 2 ? .second : .first, bucket: call.bucketName,
            prefix: call.query("prefix"), delimiter: call.query("delimiter"),
            maximum: try call.number("max-keys", or: call.config.maximumKeys), encodesNames: try call.encodesNames())
        var marker = call.query("marker")
        if version == 2 {
            page.startAfter = call.query("start-after")
            page.token = call.query("continuation-token")
            marker = page.startAfter
            if let token = page.token {
                guard let bytes = Base64.decode(token), let name = String(validating: bytes, as: UTF8.self) else {
                    throw S3Error.invalidArgument(
                        "continuation-token", token, "The continuation token provided is incorrect")
                }
                marker = name
            }
            page.showsOwner = call.query("fetch-owner").map(SwiftText.isTrue) ?? false
        } else {
            page.marker = marker
            page.showsOwner = true
        }
        var query = try pageQuery(page)
        query.append(("marker", marker ?? ""))
        let items = try await fetch(query, page)
        page.take(items, limit: min(page.maximum, call.config.maximumKeys))
        return call.reply(page.document(owner: call.owner))
    }

    func versions() async throws -> SwiftResponse {
        var page = S3ListingPage(
            kind: .versions, bucket: call.bucketName, prefix: call.query("prefix"), delimiter: call.query("delimiter"),
            maximum: try call.number("max-keys", or: call.config.maximumKeys), encodesNames: try call.encodesNames())
        page.marker = call.query("key-marker")
        page.versionMarker = call.query("version-id-marker")
        page.showsOwner = true
        var query = try pageQuery(page)
        if let marker = page.marker {
            query.append(("marker", marker))
        } else if let versionMarker = page.versionMarker, !versionMarker.isEmpty {
            throw S3Error.invalidArgument(
                "version-id-marker", versionMarker, "A version-id marker cannot be specified without a key marker.")
        }
        if let versionMarker = page.versionMarker, !versionMarker.isEmpty {
            guard versionMarker == "null" || WriteTime(versionMarker) != nil else {
                throw S3Error.invalidArgument("version-id-marker", versionMarker, "Invalid version id specified")
            }
            query.append(("version_marker", versionMarker))
        }
        // A container that never had versions lists its objects, each with the one version that it has.
        query.append(("versions", "true"))
        query.append(("format", "json"))
        let items = try await fetch(query, page)
        page.take(items, limit: min(page.maximum, call.config.maximumKeys))
        return call.reply(page.document(owner: call.owner))
    }

    private func pageQuery(_ page: S3ListingPage) throws -> [(name: String, value: String)] {
        // One more than asked for says whether there is more.
        var query = [(name: "limit", value: String(min(page.maximum, call.config.maximumKeys) + 1))]
        if let prefix = page.prefix, !prefix.isEmpty { query.append(("prefix", prefix)) }
        if let delimiter = page.delimiter, !delimiter.isEmpty { query.append(("delimiter", delimiter)) }
        return query
    }

    private func fetch(_ query: [(name: String, value: String)], _ page: S3ListingPage) async throws -> [S3ListingPage
        .Item]
    {
        let found = try await call.list(call.bucketPath, query: query)
        return found.compactMap { item in
            switch item {
            case .container: nil
            case .subdirectory(let name): .prefix(name)
            case .object(let object): .object(Self.entry(object))
            }
        }
    }

    static func entry(_ object: SwiftListing.Object) -> S3ListingPage.Object {
        var object = object
        func extra(_ name: String) -> JSON? { object.extras.first { $0.name == name }?.value }
        let type = object.contentType
        let isMarker = type.hasBytePrefix("application/x-deleted") || type == deleteMarkerType
        var etag = extra("s3_etag")?.string.map(EntityTags.plain)
        if etag == nil { etag = object.takeParameters { $0 == "s3_etag" }["s3_etag"] }
        if etag == nil, let tag = extra("slo_etag")?.string { etag = EntityTags.plain(tag) + "-N" }
        return S3ListingPage.Object(
            key: object.name, etag: etag ?? EntityTags.plain(object.hash), sizeBytes: object.sizeBytes,
            modified: object.modified, version: extra("version_id")?.string ?? "null",
            isLatest: extra("is_latest")?.bool ?? true, isDeleteMarker: isMarker)
    }
}
