// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// The object that `x-amz-copy-source` names, open.
struct S3CopySource: Sendable {
    static let maximumBytes: Int64 = 5 << 30

    let path: ObjectPath
    let version: String?

    init(_ call: S3Call) throws(S3Error) {
        let text = call.header("x-amz-copy-source") ?? ""
        var wrong: S3Error {
            .invalidArgument(
                "x-amz-copy-source", text, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        }
        let halves = text.split(byte: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = halves.first.flatMap({ Percent.decode($0) }) else { throw wrong }
        let parts = (name.removing(bytePrefix: "/") ?? name[...])
            .split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, S3BucketName.isReachable(String(parts[0])), !parts[1].isEmpty, !name.utf8.contains(0)
        else {
            throw wrong
        }
        path = ObjectPath(account: call.account, container: String(parts[0]), object: String(parts[1]))
        if halves.count == 2 {
            guard let pairs = Percent.query(halves[1]), let pair = pairs.first, pair.name == "versionId" else {
                throw wrong
            }
            version = pair.value
        } else {
            version = nil
        }
    }

    /// The source's answer, whose body has still to be read or dropped. Throws where a condition does not hold.
    func open(_ call: S3Call) async throws -> SwiftResponse {
        let query = version.map { [(name: "version-id", value: $0)] } ?? []
        let response = await call.ask(.get, path, query: query)
        if response.status == 404 {
            let bucket = await call.ask(.head, path.ofContainer)
            guard bucket.isSuccess else { throw S3Error.noSuchBucket(path.container ?? "") }
            throw version.map { S3Error.noSuchVersion(path.object ?? "", $0) } ?? .noSuchKey(path.object ?? "")
        }
        try call.check(response, path)
        do {
            try checkConditions(call, response)
            guard response.contentLength ?? 0 <= Self.maximumBytes || call.header("x-amz-copy-source-range") != nil
            else {
                throw S3Error(
                    .invalidRequest,
                    "The specified copy source is larger than the maximum allowable size for a copy source: "
                        + "\(Self.maximumBytes)")
            }
            return response
        } catch {
            await response.drop()
            throw error
        }
    }

    private func checkConditions(_ call: S3Call, _ response: SwiftResponse) throws(S3Error) {
        let own = response.headers[S3Header.etag].flatMap { $0.isEmpty ? nil : $0 }
        let etag = own ?? response.etag ?? ""
        func header(_ name: String) -> String? { call.header("x-amz-copy-source-" + name) }
        let modified = response.modified?.secondsRoundedUp ?? 0
        var holds = true
        if let tags = EntityTags(header("if-match")) {
            holds = tags.matches(etag)
        } else if let since = header("if-unmodified-since").flatMap(HTTPDate.seconds) {
            holds = modified <= since
        }
        if let tags = EntityTags(header("if-none-match")) {
            holds = holds && !tags.matches(etag)
        } else if let since = header("if-modified-since").flatMap(HTTPDate.seconds) {
            holds = holds && modified > since
        }
        guard holds else { throw S3Error(.preconditionFailed) }
    }
}

/// CopyObject: the content of one object becomes another's.
struct S3Copies: Sendable {
    let call: S3Call

    func copy() async throws -> SwiftResponse {
        try await S3ACLs(call: call).checkObjectHeaders()
        return try await call.conditionally(write)
    }

    private func write() async throws -> SwiftResponse {
        let directive = call.header("x-amz-metadata-directive") ?? "COPY"
        guard ["COPY", "REPLACE"].contains(directive) else {
            throw S3Error.invalidArgument("x-amz-metadata-directive", directive, "Unknown metadata directive.")
        }
        let tagging = call.header("x-amz-tagging-directive") ?? "COPY"
        guard ["COPY", "REPLACE"].contains(tagging) else {
            throw S3Error.invalidArgument("x-amz-tagging-directive", tagging, "Unknown tagging directive.")
        }
        guard call.header("x-amz-copy-source-range") == nil else {
            throw S3Error.invalidArgument(
                "x-amz-copy-source-range", call.header("x-amz-copy-source-range") ?? "", "Illegal copy header")
        }
        let source = try S3CopySource(call)
        if let owner = call.header("x-amz-source-expected-bucket-owner"), !owner.isByteEqual(to: call.owner.id) {
            throw S3Error(.accessDenied)
        }
        guard source.path != call.keyPath || source.version != nil || directive == "REPLACE" else {
            throw S3Error(
                .invalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                    + "object's metadata, storage class, website redirect location or encryption attributes.")
        }
        var headers = try S3Objects.writeHeaders(call)
        headers["etag"] = nil
        let response = try await source.open(call)
        if directive == "COPY" { Self.takeDescription(of: response, &headers) }
        if tagging == "COPY" {
            headers[S3Header.objectTags] = response.headers[S3Header.objectTags]
        }
        let known = S3Checksum(kept: response.headers[S3Header.checksum])
        let written = try await Self.write(
            response, to: call.keyPath, headers, try S3Checksums.asked(call) ?? known?.algorithm, call)
        var result = call.reply(Self.document("CopyObjectResult", written.response, written.checksum))
        result.headers["x-object-version-id"] = written.response.headers["x-object-version-id"]
        if let version = response.headers["x-object-version-id"] {
            result.headers["x-amz-copy-source-version-id"] = version
        }
        return result
    }

    /// The whole of `source`, with a checksum of it where one is wanted.
    static func write(
        _ source: SwiftResponse, to path: ObjectPath, _ headers: SwiftHeaders, _ algorithm: S3ChecksumAlgorithm?,
        _ call: S3Call
    ) async throws -> (response: SwiftResponse, checksum: S3Checksum?) {
        let size = source.contentLength
        return try await write((try await source.source(), size), to: path, headers, algorithm, call)
    }

    static func write(
        _ body: (source: any ByteSource, length: Int64?), to path: ObjectPath, _ headers: SwiftHeaders,
        _ algorithm: S3ChecksumAlgorithm?, _ call: S3Call
    ) async throws -> (response: SwiftResponse, checksum: S3Checksum?) {
        guard let algorithm else {
            let response = await call.ask(.put, path, headers: headers, body: body)
            try call.check(response, path)
            return (response, nil)
        }
        let counted = S3CountedBody(body.source, algorithm)
        let response = await call.ask(
            .put, path, headers: headers, body: (counted, body.length), late: counted.late)
        try call.check(response, path)
        return (response, counted.checksum)
    }

    static func document(_ name: StaticString, _ written: SwiftResponse, _ checksum: S3Checksum?) -> [UInt8] {
        XMLWriter.document(name, namespace: S3Text.namespace) { writer in
            if let time = written.record?.modified {
                writer.element("LastModified", S3Text.time(time))
            }
            writer.element("ETag", S3Text.quoted(written.etag ?? ""))
            S3Checksums.write(checksum, &writer, withKind: name.description == "CopyObjectResult")
        }
    }

    private static func takeDescription(of source: SwiftResponse, _ headers: inout SwiftHeaders) {
        headers.removeAll { $0.hasBytePrefix("x-object-meta-") }
        let kept = [
            "content-type", "content-encoding", "content-disposition", "content-language", "cache-control", "expires",
        ]
        for name in kept { headers[name] = source.headers[name] }
        for (name, value) in source.headers.values where name.hasBytePrefix("x-object-meta-") { headers[name] = value }
    }
}
