// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore

/// Tags of buckets and objects.
struct S3Tagging: Sendable {
    private static let maximumBodyBytes = 100 * 1024

    let call: S3Call

    // MARK: Bucket

    func showBucket() async throws -> SwiftResponse {
        let headers = try await call.headBucket()
        guard let tags = S3Tags(kept: headers[S3Header.bucketTags]), !tags.tags.isEmpty else {
            throw S3Error(.noSuchTagSet, nil, [("BucketName", call.bucketName)])
        }
        return call.reply(Self.document(tags))
    }

    func setBucket() async throws -> SwiftResponse {
        let tags = try await read(maximum: S3Tags.maximumOfBucket)
        try await S3BucketSettings(call: call).keep(S3Header.bucketTags, tags.text)
        return call.done(204)
    }

    func deleteBucket() async throws -> SwiftResponse {
        try await S3BucketSettings(call: call).keep(S3Header.bucketTags, "")
        return call.done(204)
    }

    // MARK: Object

    func showObject() async throws -> SwiftResponse {
        let headers = try await headObject()
        var response = call.reply(Self.document(S3Tags(kept: headers[S3Header.objectTags] ?? "")))
        response.headers["x-object-version-id"] = headers["x-object-version-id"]
        return response
    }

    func setObject() async throws -> SwiftResponse {
        let tags = try await read(maximum: S3Tags.maximumOfObject)
        return try await post(tags.text, status: 200)
    }

    func deleteObject() async throws -> SwiftResponse { try await post("", status: 204) }

    private func headObject() async throws -> SwiftHeaders {
        let response = await call.ask(.head, call.keyPath, query: versionQuery)
        await response.drop()
        guard response.isSuccess else {
            if response.status == 404 { _ = try await call.headBucket() }
            if response.status == 404, let version = call.query("versionId") {
                throw S3Error.noSuchVersion(call.keyName, version)
            }
            if response.status == 404 { throw S3Error.noSuchKey(call.keyName) }
            throw call.fault(response, call.keyPath)
        }
        return response.headers
    }

    private var versionQuery: [(name: String, value: String)] {
        call.query("versionId").map { [("version-id", $0)] } ?? []
    }

    /// A POST replaces all that describes an object, so what is to stay is sent again.
    private func post(_ text: String, status: Int) async throws -> SwiftResponse {
        let known = try await headObject()
        var headers = SwiftHeaders()
        for name in [
            "content-type", "content-encoding", "content-disposition", "content-language", "cache-control", "expires",
            "x-delete-at", "x-object-manifest",
        ] { headers[name] = known[name] }
        for (name, value) in known.values where name.hasBytePrefix("x-object-meta-") { headers[name] = value }
        headers[S3Header.objectTags] = text.isEmpty ? nil : text
        let response = await call.ask(.post, call.keyPath, query: versionQuery, headers: headers)
        if response.status == 404 { throw S3Error.noSuchKey(call.keyName) }
        try call.check(response, call.keyPath)
        return call.done(status, headers: status == 204 ? [:] : ["content-length": "0"])
    }

    // MARK: Documents

    private func read(maximum: Int) async throws -> S3Tags {
        guard let document = try await call.document(limit: Self.maximumBodyBytes) else { throw S3Error(.malformedXML) }
        return try S3Tags(document, maximum: maximum)
    }

    private static func document(_ tags: S3Tags?) -> [UInt8] {
        XMLWriter.document("Tagging", namespace: S3Text.namespace) { writer in
            writer.element("TagSet") { writer in
                for tag in tags?.tags ?? [] {
                    writer.element("Tag") { writer in
                        writer.element("Key", tag.key)
                        writer.element("Value", tag.value)
                    }
                }
            }
        }
    }
}
