// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit

/// CompleteMultipartUpload: the parts that the client names become one object.
struct S3UploadCompletion: Sendable {
    private static let maximumBodyBytes = 2 << 20

    let call: S3Call

    private struct Wanted {
        var number: Int
        var etag: String
        var checksum: S3Checksum?
    }

    func complete(_ id: String) async throws -> SwiftResponse {
        try await call.conditionally { try await write(id) }
    }

    private func write(_ id: String) async throws -> SwiftResponse {
        // The body first: whoever sends it slowly keeps nobody waiting.
        let wanted = try await wanted(id)
        return try await call.writes.inTurn(S3Uploads(call: call).marker(id)) { try await join(wanted, id) }
    }

    private func join(_ wanted: [Wanted], _ id: String) async throws -> SwiftResponse {
        var headers = SwiftHeaders()
        if call.header("If-None-Match") != nil { headers["if-none-match"] = "*" }
        let etag = Self.etag(wanted.map(\.etag))
        let uploads = S3Uploads(call: call)
        guard let begun = try await uploads.headersIfThere(of: id) else {
            guard let answer = try await again(id, etag) else {
                throw S3Error(.noSuchUpload, nil, [("UploadId", id)])
            }
            return answer
        }
        if let answer = try await again(id, etag) {
            try await uploads.clear(id, keeping: try await uploads.used(by: id))
            return answer
        }
        let parts = try chosen(wanted, S3Uploads.newest(try await uploads.parts(of: id)), id)
        let manifest = manifest(parts)
        try checkSize(parts.map(\.sizeBytes).reduce(0, +))
        let checksum = try await checksum(S3Checksum(kept: begun[S3Header.checksum]), wanted, parts, id)
        Self.takeDescription(begun, &headers)
        headers[S3Header.checksum] = checksum?.text
        headers[S3Header.uploadID] = id
        headers[S3Header.etag] = etag
        // The layer of large objects sets the first part; this stands behind it in the container's row.
        headers[StorageHeader.rowETag] = "; s3_etag=\(etag)"
        let response = await call.send(
            .put, call.keyPath, query: [("multipart-manifest", "put")], headers: headers, manifest)
        if response.status == 400 || response.status == 409, case .bytes(let bytes) = response.body {
            let text = String(decoding: bytes, as: UTF8.self)
            if text.containsBytes("Etag Mismatch") || text.containsBytes("404 Not Found") {
                throw S3Error(.invalidPart, nil, [("UploadId", id)])
            }
        }
        try call.check(response, call.keyPath)
        // What was uploaded and is not wanted would be reached by nobody.
        try await uploads.clear(id, keeping: Set(parts.map { ByteText($0.name) }))
        var result = call.reply(document(etag, checksum))
        result.headers["x-object-version-id"] = response.headers["x-object-version-id"]
        return result
    }

    private func document(_ etag: String, _ checksum: S3Checksum?) -> [UInt8] {
        let scheme = call.origin.hasBytePrefix("https") ? "https" : "http"
        let host = call.header("Host") ?? ""
        return XMLWriter.document("CompleteMultipartUploadResult", namespace: S3Text.namespace) { writer in
            writer.element("Location", "\(scheme)://\(host)\(call.http.path)")
            writer.element("Bucket", call.bucketName)
            writer.element("Key", call.keyName)
            writer.element("ETag", S3Text.quoted(etag))
            S3Checksums.write(checksum, &writer)
        }
    }

    /// A client that lost the answer asks again. Nil: the object is not, or no longer, what the upload became.
    private func again(_ id: String, _ etag: String) async throws -> SwiftResponse? {
        let response = await call.ask(.head, call.keyPath)
        await response.drop()
        guard response.isSuccess, response.headers[S3Header.uploadID] == id, response.headers[S3Header.etag] == etag
        else { return nil }
        return call.reply(document(etag, S3Checksum(kept: response.headers[S3Header.checksum])))
    }

    // MARK: Parts

    private func wanted(_ id: String) async throws -> [Wanted] {
        guard let document = try await call.document(limit: Self.maximumBodyBytes) else {
            throw S3Error(.invalidRequest, "You must specify at least one part")
        }
        let elements = document.all("Part")
        guard document.name == "CompleteMultipartUpload", !elements.isEmpty, elements.count <= call.config.maximumParts
        else { throw S3Error(.malformedXML) }
        var wanted: [Wanted] = []
        for element in elements {
            guard let text = element.value("PartNumber"), let number = Int(text), let tag = element.value("ETag") else {
                throw S3Error(.malformedXML)
            }
            guard number > wanted.last?.number ?? 0 else { throw S3Error(.invalidPartOrder, nil, [("UploadId", id)]) }
            let etag = EntityTags.plain(tag).asciiLowercased()
            guard Hex.decode(etag)?.count == 16 else { throw Self.invalidPart(id, number, tag) }
            wanted.append(Wanted(number: number, etag: etag, checksum: Self.checksum(in: element)))
        }
        return wanted
    }

    private static func checksum(in element: XMLElement) -> S3Checksum? {
        for algorithm in S3ChecksumAlgorithm.allCases {
            if let value = element.value(algorithm.element.description) { return S3Checksum(algorithm, value: value) }
        }
        return nil
    }

    private func checkSize(_ size: Int64) throws(S3Error) {
        guard let text = call.header("x-amz-mp-object-size") else { return }
        guard let expected = Int64(text), expected >= 0 else { throw .invalidArgument("x-amz-mp-object-size", text) }
        guard expected == size else {
            throw S3Error(
                .invalidRequest,
                "The provided 'x-amz-mp-object-size' header value \(expected) does not match what was computed: \(size)"
            )
        }
    }

    /// The object's checksum from its parts', which the client's words about both must agree with.
    private func checksum(
        _ begun: S3Checksum?, _ wanted: [Wanted], _ chosen: [S3Uploads.Part], _ id: String
    ) async throws -> S3Checksum? {
        let sent = S3BodyChecksum.sent(call.http.headers).first
        guard let begun else {
            guard sent == nil else {
                throw S3Error(.invalidRequest, "The upload was created without a checksum algorithm.")
            }
            return nil
        }
        var parts: [(checksum: S3Checksum?, sizeBytes: Int64)] = []
        let known = try await S3Checksums.stored(chosen.map(S3Uploads(call: call).place), call)
        for ((part, found), stored) in zip(zip(wanted, chosen), known) {
            if let named = part.checksum, named != stored { throw Self.invalidPart(id, part.number, part.etag) }
            parts.append((stored, found.sizeBytes))
        }
        guard let whole = S3Checksum.joined(parts, begun.algorithm, begun.kind) else {
            throw S3Error(.invalidPart, nil, [("UploadId", id)])
        }
        if let sent {
            // The number of parts may stand behind a composite one.
            let value = sent.value.trimmed
            guard S3ChecksumAlgorithm(header: sent.name) == begun.algorithm,
                value == whole.value || begun.kind == .composite && "\(value)-\(parts.count)" == whole.value
            else { throw S3BodyChecksum.mismatch(begun.algorithm) }
        }
        return whole
    }

    private static func invalidPart(_ id: String, _ number: Int, _ etag: String) -> S3Error {
        S3Error(.invalidPart, nil, [("UploadId", id), ("PartNumber", String(number)), ("ETag", etag)])
    }

    /// The parts that the client names. Throws where one is not there, is another, or is too small.
    private func chosen(
        _ wanted: [Wanted], _ parts: [S3Uploads.Part], _ id: String
    ) throws(S3Error) -> [S3Uploads.Part] {
        let known = Dictionary(parts.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
        let all = try wanted.map { part throws(S3Error) in
            guard let found = known[part.number], found.etag == part.etag else {
                throw Self.invalidPart(id, part.number, part.etag)
            }
            return found
        }
        for (index, (part, found)) in zip(wanted, all).enumerated() {
            guard index == wanted.count - 1 || found.sizeBytes >= call.config.minimumPartBytes else {
                throw S3Error(
                    .entityTooSmall, nil,
                    [
                        ("ProposedSize", String(found.sizeBytes)),
                        ("MinSizeAllowed", String(call.config.minimumPartBytes)),
                        ("PartNumber", String(part.number)),
                    ])
            }
        }
        return all
    }

    private func manifest(_ parts: [S3Uploads.Part]) -> [UInt8] {
        let entries = parts.map { part -> JSON in
            [
                "path": .string("/\(call.bucketName)\(S3BucketName.segmentsSuffix)/\(part.name)"),
                "etag": .string(part.etag),
                "size_bytes": .int(part.sizeBytes),
            ]
        }
        return Array(JSON.array(entries).text().utf8)
    }

    /// MD5 of the parts' MD5s, and how many there are.
    static func etag(_ parts: [String]) -> String {
        let bytes = parts.flatMap { Hex.decode($0) ?? [] }
        return Hex.encode(Digest.of(bytes, .md5)) + "-\(parts.count)"
    }

    /// What the upload's beginning said of the object.
    private static func takeDescription(_ begun: SwiftHeaders, _ headers: inout SwiftHeaders) {
        for name in ["content-encoding", "content-disposition", "content-language", "cache-control", "expires"] {
            headers[name] = begun[name]
        }
        for (name, value) in begun.values where name.hasBytePrefix("x-object-meta-") { headers[name] = value }
        headers[S3Header.objectTags] = begun[S3Header.objectTags]
        headers["content-type"] = begun[S3Header.hasType] == "yes" ? begun[S3Header.type] : "binary/octet-stream"
    }
}
