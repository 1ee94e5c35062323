// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit

/// Objects: written, read, removed.
struct S3Objects: Sendable {
    static let maximumKeyBytes = 1024
    private static let kept = [
        "content-type", "content-encoding", "content-disposition", "content-language", "cache-control", "expires",
    ]

    let call: S3Call

    // MARK: Read

    func read() async throws -> SwiftResponse {
        let version = call.query("versionId")
        var query: [(name: String, value: String)] = []
        if let version { query.append(("version-id", version)) }
        if let version, version != "null" {
            // A bucket that never had versions has no version of that name.
            let bucket = try await call.headBucket()
            guard bucket[S3Header.versionsEnabled] != nil || bucket["x-versions-enabled"] != nil else {
                throw S3Error.noSuchVersion(call.keyName, version)
            }
        }
        let part = try partNumber(of: call.config.maximumParts)
        if let part { query.append(("part-number", String(part))) }
        var response = await call.ask(call.http.method, call.keyPath, query: query, headers: readHeaders)
        if !response.isSuccess {
            await response.drop()
            throw try await refusal(response, version)
        }
        if let part, !response.headers.isTrue("x-static-large-object") { try takePart(part, &response) }
        if part == nil, call.http.method == .head { try takeRange(&response) }
        if call.header("x-amz-checksum-mode")?.asciiLowercased() == "enabled", part == nil, call.header("Range") == nil
        {
            S3Checksums.set(S3Checksum(kept: response.headers[S3Header.checksum]), &response.headers)
        }
        for name in Self.kept {
            if let value = call.query("response-" + name) { response.headers[name] = value }
        }
        return response
    }

    /// What the layers behind look at. Conditions are for the end, since ETags differ there.
    private var readHeaders: SwiftHeaders {
        var headers = SwiftHeaders()
        if let range = call.header("Range") { headers["range"] = range }
        return headers
    }

    private func refusal(_ response: SwiftResponse, _ version: String?) async throws -> S3Error {
        guard response.status == 404 else { return call.fault(response, call.keyPath) }
        // A version that says that the object was deleted cannot be read.
        if version != nil, response.headers["x-object-version-id"] != nil {
            return S3Error(
                .methodNotAllowed, nil, [("Method", call.http.method.rawValue), ("ResourceType", "DeleteMarker")])
        }
        _ = try await call.headBucket()
        if let version { return .noSuchVersion(call.keyName, version) }
        return .noSuchKey(call.keyName)
    }

    private func partNumber(of maximum: Int) throws(S3Error) -> Int? {
        guard let text = call.query("partNumber") else { return nil }
        guard call.header("Range") == nil else {
            throw S3Error(.invalidRequest, "Cannot specify both Range header and partNumber query parameter")
        }
        return try Self.partNumber(text, maximum)
    }

    static func partNumber(_ text: String, _ maximum: Int) throws(S3Error) -> Int {
        guard let number = Int(text), (1...maximum).contains(number) else {
            throw .invalidArgument(
                "partNumber", text, "Part number must be an integer between 1 and \(maximum), inclusive")
        }
        return number
    }

    /// An object that came whole is its own first part.
    private func takePart(_ number: Int, _ response: inout SwiftResponse) throws(S3Error) {
        guard number == 1 else { throw S3Error(.invalidPartNumber) }
        guard let size = response.contentLength, size > 0 else { return }
        response.status = 206
        response.headers["content-range"] = "bytes 0-\(size - 1)/\(size)"
    }

    /// S3 looks at a range in HEAD, too.
    private func takeRange(_ response: inout SwiftResponse) throws {
        guard let header = RangeHeader(call.header("Range")), let size = response.contentLength, response.status == 200
        else {
            return
        }
        let ranges = header.resolved(size: size)
        guard !ranges.isEmpty else { throw S3Error(.invalidRange) }
        guard ranges.count == 1, case .content(let content) = response.body else { return }
        response.status = 206
        response.headers["content-range"] = SwiftAnswer.contentRange(ranges[0], size)
        response.body = .content(SizedContent(content: content, sizeBytes: ranges[0].upperBound - ranges[0].lowerBound))
    }

    // MARK: Write

    func put() async throws -> SwiftResponse {
        try await S3ACLs(call: call).checkObjectHeaders()
        return try await call.conditionally(write)
    }

    private func write() async throws -> SwiftResponse {
        let headers = try Self.writeHeaders(call)
        guard call.body.length != nil || call.header("Transfer-Encoding") != nil else {
            throw S3Error(.missingContentLength)
        }
        let response = await call.ask(
            .put, call.keyPath, headers: headers, body: (call.body, call.body.length), late: S3Checksums.late(call.body)
        )
        try call.check(response, call.keyPath)
        var result = call.done(headers: ["content-length": "0"])
        S3Checksums.set(call.body.checksum, &result.headers)
        result.headers["etag"] = response.etag
        result.headers["x-object-version-id"] = response.headers["x-object-version-id"]
        return result
    }

    /// What an upload says of its object, for the store. Throws for what the store cannot do.
    static func writeHeaders(_ call: S3Call, isPart: Bool = false) throws(S3Error) -> SwiftHeaders {
        guard call.keyName.utf8.count <= maximumKeyBytes else { throw S3Error(.keyTooLong) }
        var headers = SwiftHeaders()
        try takeDigest(call, &headers)
        guard !isPart else { return headers }
        // Others are looked at before, since the store knows no S3 tag; this one it looks at, too.
        if call.header("If-None-Match") != nil { headers["if-none-match"] = "*" }
        takeDescription(call, &headers)
        if let tags = call.header("x-amz-tagging") {
            headers[S3Header.objectTags] = try S3Tags(header: tags, maximum: S3Tags.maximumOfObject).text
        }
        return headers
    }

    private static func takeDigest(_ call: S3Call, _ headers: inout SwiftHeaders) throws(S3Error) {
        guard let text = call.header("Content-MD5")?.trimmed, !text.isEmpty else { return }
        guard let digest = Base64.decode(text), digest.count == 16 else {
            throw S3Error(.invalidDigest, nil, [("Content-MD5", text)])
        }
        headers["etag"] = Hex.encode(digest)
    }

    /// Content type and its like, and the client's own metadata.
    static func takeDescription(_ call: S3Call, _ headers: inout SwiftHeaders) {
        for name in kept { headers[name] = call.header(name) }
        if headers["content-type"]?.isEmpty ?? true { headers["content-type"] = "binary/octet-stream" }
        if let encodings = headers["content-encoding"] {
            // The frame of the body is no encoding of the object.
            let own = encodings.split(byte: ",").map(\.trimmed).filter { $0 != "aws-chunked" && !$0.isEmpty }
            headers["content-encoding"] = own.isEmpty ? nil : own.joined(separator: ", ")
        }
        for (name, value) in call.http.headers.fields {
            let name = name.asciiLowercased()
            guard let rest = name.removing(bytePrefix: "x-amz-meta-") else { continue }
            let target = "x-object-meta-" + rest
            headers[target] = headers[target].map { $0 + "," + value } ?? value
        }
    }

    // MARK: Delete

    func delete() async throws -> SwiftResponse {
        let outcome = try await call.conditionally {
            try await S3Deletion(call: call).delete(call.keyName, version: call.query("versionId"))
        }
        var result = call.done(204)
        result.headers["x-object-version-id"] = outcome.version
        if outcome.isMarker { result.headers["x-amz-delete-marker"] = "true" }
        return result
    }
}

/// A part of a content, for an answer that says its size and sends nothing.
private struct SizedContent: RangedContent {
    let content: any RangedContent
    let sizeBytes: Int64
    func body(_ range: Range<Int64>) async throws -> SwiftBody { try await content.body(range) }
    func close() async { await content.close() }
}
