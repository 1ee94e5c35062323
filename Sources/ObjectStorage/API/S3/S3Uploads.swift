// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Objects that come in parts. An upload is an object `key/id` in the container `bucket+segments`, which keeps what the
/// object is to be; its parts are `key/id/1.…`, `key/id/2.…` there. What comes behind the number is each part's own:
/// nobody who is late writes over what a manifest names. Completed, they become one object, whose manifest names them,
/// for both worlds.
struct S3Uploads: Sendable {
    static let maximumParts = 10_000
    private static let maximumManifestBytes = 32 << 20
    private static let uniqueDigits = 12

    let call: S3Call

    struct Part: Sendable, Equatable {
        var number: Int
        /// Where it is, in the container of segments.
        var name: String
        var etag: String
        var sizeBytes: Int64
        var modified: WriteTime
    }

    /// CreateMultipartUpload.
    func begin() async throws -> SwiftResponse {
        try await S3ACLs(call: call).checkObjectHeaders()
        let checksum = try S3Checksums.ofUpload(call)
        var headers = try S3Objects.writeHeaders(call)
        headers["if-none-match"] = nil
        headers["etag"] = nil
        headers[S3Header.checksum] = checksum?.text
        let bucket = try await call.headBucket()
        let type = call.header("Content-Type").flatMap { $0.isEmpty ? nil : $0 }
        headers[S3Header.hasType] = type == nil ? "no" : "yes"
        headers[S3Header.type] = type
        headers["content-type"] = "application/directory"
        try await ensureSegments(bucket)
        // A letter first: what is digits alone is a part.
        let id = "u" + call.ids.hex()
        let response = await call.send(.put, marker(id), headers: headers, [])
        try call.check(response, call.bucketPath)
        let bytes = XMLWriter.document("InitiateMultipartUploadResult", namespace: S3Text.namespace) { writer in
            writer.element("Bucket", call.bucketName)
            writer.element("Key", call.keyName)
            writer.element("UploadId", id)
        }
        var result = call.reply(bytes)
        result.headers["x-amz-checksum-algorithm"] = checksum?.algorithm.rawValue
        result.headers["x-amz-checksum-type"] = checksum?.kind.rawValue
        return result
    }

    /// Parts are where the bucket's objects are, and open to whom the bucket is open to.
    private func ensureSegments(_ bucket: SwiftHeaders) async throws {
        let path = call.segmentsPath
        let known = await call.ask(.head, path)
        guard known.status == 404 else { return try call.check(known, path) }
        var headers = SwiftHeaders()
        for name in ["x-storage-policy", "x-container-read", "x-container-write"] { headers[name] = bucket[name] }
        try call.check(await call.ask(.put, path, headers: headers), path)
    }

    func marker(_ id: String) -> ObjectPath { call.segmentsPath.appending("\(call.keyName)/\(id)") }
    func place(_ part: Part) -> ObjectPath { call.segmentsPath.appending(part.name) }
    /// Where nothing is yet.
    func newPart(_ number: Int, of id: String) -> ObjectPath {
        call.segmentsPath.appending("\(call.keyName)/\(id)/\(number).\(call.ids.hex().suffix(Self.uniqueDigits))")
    }

    /// The number of the part that is called so, last in its path; nil: that is no part.
    static func number(ofPart name: some StringProtocol) -> Int? {
        guard let digits = String(name).split(byte: ".", maxSplits: 1, omittingEmptySubsequences: false).first,
            let number = Int(digits), number > 0
        else { return nil }
        return number
    }

    /// What the upload's beginning said. Throws `NoSuchUpload`.
    func headers(of id: String) async throws(S3Error) -> SwiftHeaders {
        guard let headers = try await headersIfThere(of: id) else {
            throw S3Error(.noSuchUpload, nil, [("UploadId", id)])
        }
        return headers
    }

    func headersIfThere(of id: String) async throws(S3Error) -> SwiftHeaders? {
        guard !id.isEmpty, id.utf8.count <= 128, !id.utf8.contains(UInt8(ascii: "/")), !id.utf8.contains(0) else {
            return nil
        }
        let response = await call.ask(.head, marker(id))
        await response.drop()
        if response.status == 404 { return nil }
        try call.check(response, call.bucketPath)
        return response.headers
    }

    /// Of each number the part that came last, in order of the numbers.
    static func newest(_ parts: [Part]) -> [Part] {
        let newest = Dictionary(parts.map { ($0.number, $0) }) { $0.modified < $1.modified ? $1 : $0 }
        return newest.values.sorted { $0.number < $1.number }
    }

    /// All parts that are there, those among them that were sent again.
    func parts(of id: String) async throws(S3Error) -> [Part] {
        var parts: [Part] = []
        var marker = ""
        let prefix = "\(call.keyName)/\(id)/"
        while true {
            let items = try await call.list(
                call.segmentsPath, query: [("prefix", prefix), ("delimiter", "/"), ("marker", marker)])
            guard let last = items.last else { break }
            marker = last.name
            for case .object(let object) in items {
                guard let rest = object.name.removing(bytePrefix: prefix), let number = Self.number(ofPart: rest)
                else { continue }
                parts.append(
                    Part(
                        number: number, name: object.name, etag: EntityTags.plain(object.hash),
                        sizeBytes: object.sizeBytes, modified: object.modified))
            }
        }
        return parts
    }

    /// AbortMultipartUpload.
    func abort(_ id: String) async throws -> SwiftResponse {
        try await call.writes.inTurn(marker(id)) {
            _ = try await headers(of: id)
            let used = try await used(by: id)
            try await clear(id, keeping: used)
            // It was completed, and only its end was cut short.
            guard used.isEmpty else { throw S3Error(.noSuchUpload, nil, [("UploadId", id)]) }
            return call.done(204)
        }
    }

    /// The upload goes, and its parts but for `used`. It goes after them, so that what was cut short can be asked for
    /// again; then those that came meanwhile go: who comes later sees for itself that there is no upload any more.
    func clear(_ id: String, keeping used: Set<ByteText>) async throws(S3Error) {
        for last in [[marker(id)], []] {
            let unused = try await parts(of: id).filter { !used.contains(ByteText($0.name)) }
            try await delete(unused.map(place) + last)
        }
    }

    /// The names of the parts that the object is made of which the upload became, whichever version of the key it is.
    /// Empty: it became none, or none that is still there.
    func used(by id: String) async throws -> Set<ByteText> {
        var names: Set<ByteText> = []
        for query in try await versions() {
            let head = await call.ask(.head, call.keyPath, query: query)
            await head.drop()
            if head.status == 404 { continue }
            try call.check(head, call.keyPath)
            guard head.headers[S3Header.uploadID] == id else { continue }
            let response = await call.ask(.get, call.keyPath, query: query + [("multipart-manifest", "get")])
            try call.check(response, call.keyPath)
            guard let list = try JSONReader.read(try await response.collect(limit: Self.maximumManifestBytes)).array
            else { throw S3Error(.internalError) }
            let prefix = "/\(call.segmentsPath.container ?? "")/"
            names.formUnion(list.compactMap { $0["name"]?.string?.removing(bytePrefix: prefix).map { ByteText($0) } })
        }
        return names
    }

    /// What asks for each version of the key; the first for what is current.
    private func versions() async throws -> [[(name: String, value: String)]] {
        let bucket = await call.ask(.head, call.bucketPath)
        if bucket.status == 404 { return [] }
        try call.check(bucket, call.bucketPath)
        guard bucket.headers[S3Header.versionsEnabled] != nil else { return [[]] }
        let items = try await call.list(
            call.bucketPath, query: [("prefix", call.keyName), ("versions", "true"), ("format", "json")])
        var queries: [[(name: String, value: String)]] = [[]]
        for case .object(let object) in items where object.name.isByteEqual(to: call.keyName) {
            guard let version = object.extras.first(where: { $0.name == "version_id" })?.value.string,
                version != "null"
            else { continue }
            queries.append([("version-id", version)])
        }
        return queries
    }

    /// A part has come. Throws `NoSuchUpload`, and takes it back, where the upload was completed without it or given up
    /// meanwhile.
    func confirm(_ path: ObjectPath, of id: String) async throws {
        guard try await headersIfThere(of: id) == nil else { return }
        guard try await !used(by: id).contains(ByteText(path.object ?? "")) else { return }
        try await delete([path])
        throw S3Error(.noSuchUpload, nil, [("UploadId", id)])
    }

    func delete(_ paths: [ObjectPath]) async throws(S3Error) {
        for path in paths {
            let response = await call.ask(.delete, path)
            guard response.status == 404 else {
                try call.check(response, path)
                continue
            }
        }
    }
}

/// UploadPart and UploadPartCopy.
struct S3Parts: Sendable {
    let call: S3Call

    func upload(to id: String) async throws -> SwiftResponse {
        guard let text = call.query("partNumber") else {
            throw S3Error.invalidArgument("ResourceType", "partNumber", "Unexpected query string parameter")
        }
        let number = try S3Objects.partNumber(text, call.config.maximumParts)
        let uploads = S3Uploads(call: call)
        var headers = try S3Objects.writeHeaders(call, isPart: true)
        headers["if-none-match"] = nil
        headers["content-type"] = "application/octet-stream"
        let wanted = S3Checksum(kept: try await uploads.headers(of: id)[S3Header.checksum])?.algorithm
        let path = uploads.newPart(number, of: id)
        if call.header("x-amz-copy-source") != nil {
            let result = try await copy(to: path, wanted)
            try await uploads.confirm(path, of: id)
            return result
        }
        if let wanted { try call.body.compute(wanted) }
        let response = await call.ask(
            .put, path, headers: headers, body: (call.body, call.body.length), late: S3Checksums.late(call.body))
        try call.check(response, path)
        try await uploads.confirm(path, of: id)
        var result = call.done(headers: ["etag": response.etag ?? "", "content-length": "0"])
        if let checksum = call.body.checksum { result.headers[checksum.algorithm.header] = checksum.value }
        return result
    }

    private func copy(to path: ObjectPath, _ algorithm: S3ChecksumAlgorithm?) async throws -> SwiftResponse {
        let response = try await S3CopySource(call).open(call)
        let body: (any ByteSource, Int64?)
        if let text = call.header("x-amz-copy-source-range") {
            body = try await ranged(text, response)
        } else {
            let size = response.contentLength
            body = (try await response.source(), size)
        }
        let written = try await S3Copies.write(
            body, to: path, ["content-type": "application/octet-stream"], algorithm, call)
        var result = call.reply(S3Copies.document("CopyPartResult", written.response, written.checksum))
        if let version = response.headers["x-object-version-id"] {
            result.headers["x-amz-copy-source-version-id"] = version
        }
        return result
    }

    private func ranged(_ text: String, _ response: SwiftResponse) async throws -> (any ByteSource, Int64?) {
        let size = response.contentLength ?? 0
        guard let specs = RangeHeader(text)?.specs, specs.count == 1, let first = specs[0].first,
            let last = specs[0].last
        else {
            await response.drop()
            throw S3Error.invalidArgument(
                "x-amz-copy-source-range", text,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                    + "zero-based offsets of the first and last bytes to copy")
        }
        guard first < size, last < size, case .content(let content) = response.body else {
            await response.drop()
            throw S3Error.invalidArgument(
                "x-amz-copy-source-range", text, "Range specified is not valid for source object of size: \(size)")
        }
        do {
            let body = try await content.body(first..<last + 1)
            await content.close()
            return (try await body.source(), last + 1 - first)
        } catch {
            await content.close()
            throw error
        }
    }
}
