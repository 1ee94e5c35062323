// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Uploads that are under way, and their parts.
struct S3UploadListing: Sendable {
    private static let maximum = 1000

    let call: S3Call

    private struct Upload {
        var key: String
        var id: String
        var begun: WriteTime
    }

    // MARK: Uploads

    func uploads() async throws -> SwiftResponse {
        let encodes = try call.encodesNames()
        let asked = try call.number("max-uploads", or: Self.maximum)
        let limit = min(asked, Self.maximum)
        _ = try await call.headBucket()
        let (keyMarker, idMarker) = (call.query("key-marker") ?? "", call.query("upload-id-marker") ?? "")
        var (found, prefixes) = try await find(limit: limit + 1, after: keyMarker, idMarker)
        let isTruncated = limit > 0 && found.count + prefixes.count > limit
        // The last in order of the two lists is the one too many.
        if found.count + prefixes.count > limit {
            if let prefix = prefixes.last, found.last.map({ $0.key.isByteOrdered(before: prefix) }) ?? true {
                prefixes.removeLast()
            } else if !found.isEmpty {
                found.removeLast()
            }
        }
        func shown(_ text: String) -> String { encodes ? Percent.encode(text, keepsSlash: true) : text }
        let bytes = XMLWriter.document("ListMultipartUploadsResult", namespace: S3Text.namespace) { writer in
            writer.element("Bucket", call.bucketName)
            writer.element("KeyMarker", shown(keyMarker))
            writer.element("UploadIdMarker", idMarker)
            if isTruncated {
                let (last, prefix) = (found.last, prefixes.last)
                if let prefix, last.map({ $0.key.isByteOrdered(before: prefix) }) ?? true {
                    writer.element("NextKeyMarker", shown(prefix))
                    writer.element("NextUploadIdMarker", "")
                } else if let last {
                    writer.element("NextKeyMarker", shown(last.key))
                    writer.element("NextUploadIdMarker", last.id)
                }
            }
            if let delimiter = call.query("delimiter") { writer.element("Delimiter", shown(delimiter)) }
            if let prefix = call.query("prefix") { writer.element("Prefix", shown(prefix)) }
            writer.element("MaxUploads", asked)
            if encodes { writer.element("EncodingType", "url") }
            writer.element("IsTruncated", isTruncated)
            for upload in found { write(upload, shown(upload.key), &writer) }
            for prefix in prefixes { writer.element("CommonPrefixes") { $0.element("Prefix", shown(prefix)) } }
        }
        return call.reply(bytes)
    }

    private func write(_ upload: Upload, _ key: String, _ writer: inout XMLWriter) {
        writer.element("Upload") { writer in
            writer.element("Key", key)
            writer.element("UploadId", upload.id)
            call.owner.write("Initiator", &writer)
            call.owner.write("Owner", &writer)
            writer.element("StorageClass", "STANDARD")
            writer.element("Initiated", S3Text.time(upload.begun))
        }
    }

    /// Names of parts stand between those of uploads: each upload's are stepped over, not read.
    private func find(limit: Int, after keyMarker: String, _ idMarker: String) async throws -> ([Upload], [String]) {
        var (uploads, prefixes): ([Upload], [String]) = ([], [])
        var marker = keyMarker.isEmpty ? "" : idMarker.isEmpty ? keyMarker : Self.past("\(keyMarker)/\(idMarker)")
        let prefix = call.query("prefix") ?? ""
        let delimiter = call.query("delimiter") ?? ""
        pages: while uploads.count + prefixes.count < limit {
            let items = try await page(prefix, after: marker)
            guard let last = items.last else { break }
            marker = last.name
            for case .object(let object) in items {
                guard let slash = object.name.lastIndex(ofByte: "/") else { continue }
                let id = String(object.name.text(after: slash))
                let key = String(object.name[..<slash])
                if S3Uploads.number(ofPart: id) != nil {
                    marker = Self.past(key)
                    continue pages
                }
                if key.isByteEqual(to: keyMarker) && idMarker.isEmpty || !key.hasBytePrefix(prefix) { continue }
                if let shared = Self.shared(key, prefix, delimiter) {
                    if !shared.isByteEqual(to: keyMarker) { prefixes.append(shared) }
                    marker = shared + "\u{10FFFF}"
                    if uploads.count + prefixes.count >= limit { break pages }
                    continue pages
                }
                uploads.append(Upload(key: key, id: id, begun: object.modified))
                if uploads.count + prefixes.count >= limit { break pages }
            }
        }
        return (uploads, prefixes)
    }

    private func page(_ prefix: String, after marker: String) async throws -> [SwiftListing.Item] {
        let response = await call.ask(
            .get, call.segmentsPath, query: [("prefix", prefix), ("marker", marker), ("limit", "200")])
        // No upload was ever begun.
        if response.status == 404 { return [] }
        try call.check(response, call.segmentsPath)
        guard case .listing(let listing) = response.body else { return [] }
        return listing.items
    }

    /// After everything below `name/`: `0` is the character behind `/`.
    private static func past(_ name: String) -> String { name + "0" }

    private static func shared(_ key: String, _ prefix: String, _ delimiter: String) -> String? {
        guard !delimiter.isEmpty, let rest = key.removing(bytePrefix: prefix),
            let place = rest.range(ofBytes: delimiter)
        else { return nil }
        return prefix + rest[..<place.upperBound]
    }

    // MARK: Parts

    func parts(of id: String) async throws -> SwiftResponse {
        let encodes = try call.encodesNames()
        let asked = try call.number("max-parts", or: Self.maximum)
        let limit = min(asked, Self.maximum)
        let marker = try call.number("part-number-marker", or: 0)
        let uploads = S3Uploads(call: call)
        let checksum = S3Checksum(kept: try await uploads.headers(of: id)[S3Header.checksum])
        let rest = S3Uploads.newest(try await uploads.parts(of: id)).filter { $0.number > marker }
        let parts = rest.prefix(limit)
        // Where an upload has no checksum, nobody needs to ask.
        let places = checksum == nil ? [] : parts.map(uploads.place)
        let checksums = try await S3Checksums.stored(places, call)
        let key = encodes ? Percent.encode(call.keyName, keepsSlash: true) : call.keyName
        let bytes = XMLWriter.document("ListPartsResult", namespace: S3Text.namespace) { writer in
            writer.element("Bucket", call.bucketName)
            writer.element("Key", key)
            writer.element("UploadId", id)
            call.owner.write("Initiator", &writer)
            call.owner.write("Owner", &writer)
            writer.element("StorageClass", "STANDARD")
            writer.element("PartNumberMarker", marker)
            writer.element("NextPartNumberMarker", parts.last?.number ?? 0)
            writer.element("MaxParts", asked)
            if encodes { writer.element("EncodingType", "url") }
            if let checksum {
                writer.element("ChecksumAlgorithm", checksum.algorithm.rawValue)
                writer.element("ChecksumType", checksum.kind.rawValue)
            }
            writer.element("IsTruncated", rest.count > limit)
            for (index, part) in parts.enumerated() {
                writer.element("Part") { writer in
                    writer.element("PartNumber", part.number)
                    writer.element("LastModified", S3Text.time(part.modified))
                    writer.element("ETag", S3Text.quoted(part.etag))
                    writer.element("Size", part.sizeBytes)
                    if index < checksums.count { S3Checksums.write(checksums[index], &writer, withKind: false) }
                }
            }
        }
        return call.reply(bytes)
    }
}
