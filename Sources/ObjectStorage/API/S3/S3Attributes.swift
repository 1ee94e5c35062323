// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// GetObjectAttributes: what is known of an object, without its bytes.
struct S3Attributes: Sendable {
    private static let maximumParts = 1000
    private static let maximumManifestBytes = 32 << 20
    private static let known: Set<String> = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]

    let call: S3Call

    private struct Part {
        var number: Int
        var place: ObjectPath
        var sizeBytes: Int64
    }

    /// A page of the parts of an object.
    private struct Parts {
        var total: Int
        var marker: Int
        var maximum: Int
        var isTruncated: Bool
        var page: [(part: Part, checksum: S3Checksum?)]
    }

    func show() async throws -> SwiftResponse {
        // The header may be repeated.
        let names = SwiftHeaders(call.http.headers)["x-amz-object-attributes"] ?? ""
        let wanted = Set(names.split(byte: ",").map(\.trimmed))
        guard !wanted.isEmpty, wanted.isSubset(of: Self.known) else {
            throw S3Error.invalidArgument(
                "x-amz-object-attributes", names, "Invalid attribute name specified.")
        }
        let head = try await head()
        let checksum = S3Checksum(kept: head.headers[S3Header.checksum])
        let parts = wanted.contains("ObjectParts") ? try await parts(of: head, checksum) : nil
        let bytes = XMLWriter.document("GetObjectAttributesResponse", namespace: S3Text.namespace) { writer in
            if wanted.contains("ETag") { writer.element("ETag", S3WriteCondition.etag(head)) }
            if wanted.contains("Checksum"), let checksum {
                writer.element("Checksum") { S3Checksums.write(checksum, &$0) }
            }
            if let parts { write(parts, &writer) }
            if wanted.contains("StorageClass") { writer.element("StorageClass", "STANDARD") }
            if wanted.contains("ObjectSize") { writer.element("ObjectSize", head.contentLength ?? 0) }
        }
        var result = call.reply(bytes)
        result.headers["last-modified"] = head.headers["last-modified"]
        result.headers["x-object-version-id"] = head.headers["x-object-version-id"]
        return result
    }

    /// Nothing is ever put where it would have to be brought back from.
    func restore() async throws -> SwiftResponse {
        _ = try await head()
        throw S3Error(.invalidObjectState, "Restore is not allowed for the object's current storage class")
    }

    private var versionQuery: [(name: String, value: String)] {
        call.query("versionId").map { [("version-id", $0)] } ?? []
    }

    private func head() async throws -> SwiftResponse {
        let head = await call.ask(.head, call.keyPath, query: versionQuery)
        await head.drop()
        if head.status == 404 {
            _ = try await call.headBucket()
            throw call.query("versionId").map { S3Error.noSuchVersion(call.keyName, $0) } ?? .noSuchKey(call.keyName)
        }
        try call.check(head, call.keyPath)
        return head
    }

    // MARK: Parts

    /// Nil: the object came whole.
    private func parts(of head: SwiftResponse, _ checksum: S3Checksum?) async throws -> Parts? {
        guard head.headers.isTrue("x-static-large-object"), head.headers[S3Header.uploadID] != nil else { return nil }
        let all = try await manifest()
        let marker = try number("x-amz-part-number-marker", or: 0)
        let maximum = min(try number("x-amz-max-parts", or: Self.maximumParts), Self.maximumParts)
        let rest = all.filter { $0.number > marker }
        var parts = Parts(total: all.count, marker: marker, maximum: maximum, isTruncated: false, page: [])
        // As Amazon does: of parts that have no checksum it says how many there are.
        guard checksum != nil else { return parts }
        parts.isTruncated = rest.count > maximum
        let page = Array(rest.prefix(maximum))
        parts.page = Array(zip(page, try await S3Checksums.stored(page.map(\.place), call)))
        return parts
    }

    private func number(_ name: String, or standard: Int) throws(S3Error) -> Int {
        guard let text = call.header(name) else { return standard }
        guard let number = Int(text), number >= 0 else { throw .invalidArgument(name, text) }
        return number
    }

    private func manifest() async throws -> [Part] {
        let response = await call.ask(.get, call.keyPath, query: versionQuery + [("multipart-manifest", "get")])
        try call.check(response, call.keyPath)
        guard let list = try JSONReader.read(try await response.collect(limit: Self.maximumManifestBytes)).array else {
            throw S3Error(.internalError)
        }
        return list.enumerated().compactMap { index, entry in
            guard let name = entry["name"]?.string?.removing(bytePrefix: "/"), let size = entry["bytes"]?.int,
                let slash = name.firstIndex(ofByte: "/"), let last = name.lastIndex(ofByte: "/")
            else { return nil }
            let place = ObjectPath(
                account: call.account, container: String(name[..<slash]), object: String(name.text(after: slash)))
            let number = S3Uploads.number(ofPart: name.text(after: last)) ?? index + 1
            return Part(number: number, place: place, sizeBytes: size)
        }
    }

    private func write(_ parts: Parts, _ writer: inout XMLWriter) {
        writer.element("ObjectParts") { writer in
            if !parts.page.isEmpty {
                writer.element("PartNumberMarker", parts.marker)
                writer.element("NextPartNumberMarker", parts.page.last?.part.number ?? 0)
                writer.element("MaxParts", parts.maximum)
                writer.element("IsTruncated", parts.isTruncated)
            }
            for (part, checksum) in parts.page {
                writer.element("Part") { writer in
                    S3Checksums.write(checksum, &writer, withKind: false)
                    writer.element("PartNumber", part.number)
                    writer.element("Size", part.sizeBytes)
                }
            }
            writer.element("PartsCount", parts.total)
        }
    }
}
