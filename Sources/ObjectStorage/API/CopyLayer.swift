// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Copies inside the store: `COPY` with `Destination`, and `PUT` with `X-Copy-From`.
package struct CopyLayer: SwiftLayer {
    private static let notCopied: Set<String> = [
        "x-static-large-object", "x-object-manifest", "etag", "content-type", "x-timestamp", "content-length",
        "last-modified", "accept-ranges", "content-range", "x-manifest-etag", "x-object-version-id", "content-location",
        "date", "vary",
    ]
    private let limits: StorageLimits

    package init(limits: StorageLimits) { self.limits = limits }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard request.isObject else { return await next(request) }
        if request.method == .copy { return try await copy(asPut(request), next) }
        if request.method == .put, let source = request.headers["x-copy-from"], !source.isEmpty {
            return try await copy(request, next)
        }
        return await next(request)
    }

    private func asPut(_ request: SwiftRequest) throws -> SwiftRequest {
        guard let destination = request.headers["destination"], !destination.isEmpty else {
            throw SwiftFault(412, "Destination header required")
        }
        var put = request
        let source = request.path
        if let account = request.headers["destination-account"] {
            put.path.account = try CopyName.account(account)
            put.headers["x-copy-from-account"] = SwiftText.quoted(source.account)
        }
        (put.path.container, put.path.object) = try CopyName.object(
            destination, "Destination header must be of the form <container name>/<object name>")
        put.method = .put
        put.headers["x-copy-from"] = SwiftText.quoted("/\(source.container ?? "")/\(source.object ?? "")")
        put.headers["destination"] = nil
        put.headers["destination-account"] = nil
        put.headers["content-length"] = "0"
        put.contentLength = 0
        return put
    }

    private func copy(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard (request.contentLength ?? 0) == 0 else {
            throw SwiftFault.plain(400, "Copy requests require a zero byte body")
        }
        let source = try sourcePath(request)
        let response = await readSource(source, request, next)
        guard response.status < 300 else { return response }
        guard let length = response.contentLength, length <= limits.fileBytes else {
            await response.drop()
            throw SwiftFault(413)
        }
        var put = try await sink(request, response, length)
        put.body = try await response.source()
        var answer = await next(put)
        guard answer.isSuccess else { return answer }
        let name = "\(source.container ?? "")/\(source.object ?? "")"
        answer.headers["x-copied-from-account"] = SwiftText.quoted(source.account)
        answer.headers["x-copied-from"] = SwiftText.quoted(name)
        answer.headers["x-copied-from-last-modified"] = response.headers["last-modified"]
        answer.headers["x-copied-from-version-id"] = response.headers["x-object-version-id"]
        for (header, value) in put.headers.values
        where header.hasBytePrefix("x-object-meta-") || header == StorageHeader.deleteAt {
            answer.headers[header] = value
        }
        return answer
    }

    private func sourcePath(_ request: SwiftRequest) throws -> ObjectPath {
        var path = ObjectPath(account: request.path.account)
        if let account = request.headers["x-copy-from-account"], !account.isEmpty {
            path.account = try CopyName.account(account)
        }
        (path.container, path.object) = try CopyName.object(
            request.headers["x-copy-from"] ?? "",
            "X-Copy-From header must be of the form <container name>/<object name>")
        return path
    }

    /// With the request's own conditions and range: they are meant for the source.
    private func readSource(_ path: ObjectPath, _ request: SwiftRequest, _ next: SwiftNext) async -> SwiftResponse {
        var get = request.step(.get, path)
        get.query = request.query
        for name in ["range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] {
            get.headers[name] = request.headers[name]
        }
        if EntityTags(get.headers["if-none-match"])?.isAny == true { get.headers["if-none-match"] = nil }
        if get.parameter("multipart-manifest") == "get" { get.set("format", "raw") }
        get.headers["x-newest"] = "true"
        return await SwiftAnswer.resolved(await next(get), for: get)
    }

    private func sink(_ request: SwiftRequest, _ source: SwiftResponse, _ length: Int64) async throws -> SwiftRequest {
        var put = request
        for name in [
            "range", "if-match", "if-modified-since", "if-unmodified-since", "x-copy-from",
            "x-copy-from-account",
        ] { put.headers[name] = nil }
        let isFresh = request.headers.isTrue("x-fresh-metadata")
        let system = source.headers.values.filter { $0.key.hasBytePrefix("x-object-sysmeta-") }
        var headers = SwiftHeaders(isFresh ? system : source.headers.values.filter { !Self.notCopied.contains($0.key) })
        // Only the versions of a container make such a link.
        headers[SymlinkHeader.isInternal] = nil
        if put.headers[SymlinkHeader.target] != nil {
            for (_, kept) in SymlinkHeader.pairs { headers[kept] = nil }
        }
        // What the request says itself counts more.
        headers.merge(put.headers.values)
        put.headers = headers
        if request.parameter("multipart-manifest") == "get" {
            if source.headers.isTrue(StorageHeader.isManifest) { put.set("multipart-manifest", "put") }
            if let manifest = source.headers["x-object-manifest"] {
                put.set("multipart-manifest", nil)
                put.headers["x-object-manifest"] = manifest
            }
        }
        put.set("version-id", nil)
        put.set("symlink", request.parameter("symlink"))
        let isWhole = source.status == 200
        let isLarge = source.headers.isTrue(StorageHeader.isManifest) || source.headers["x-object-manifest"] != nil
        if isWhole, !isLarge || request.parameter("multipart-manifest") == "get",
            put.parameter("multipart-manifest") != "put"
        {
            put.headers["etag"] = source.etag
        } else {
            put.headers["etag"] = nil
            put.headers.removeAll { $0.hasBytePrefix("x-object-sysmeta-container-update-override-") }
            put.headers[S3Header.checksum] = nil
        }
        // What the manifest was is no property of what its segments were put together to.
        if put.parameter("multipart-manifest") != "put" {
            put.headers[StorageHeader.manifestETag] = nil
            put.headers[StorageHeader.manifestSize] = nil
            put.headers[StorageHeader.isManifest] = nil
            put.headers[S3Header.etag] = nil
            put.headers[S3Header.uploadID] = nil
        }
        if (request.headers["content-type"] ?? "").isEmpty {
            put.headers["content-type"] = source.headers["content-type"]
        }
        put.contentLength = length
        put.headers["content-length"] = String(length)
        put.headers["transfer-encoding"] = nil
        return put
    }
}

/// Names in `Destination`, `X-Copy-From` and their like.
enum CopyName {
    /// What a header names; nil: an escape is cut short, or it is not UTF-8.
    static func text(_ value: String) -> String? {
        String(validating: WireText.bytes(value), as: UTF8.self).flatMap { Percent.decode($0) }
    }

    static func object(_ text: String, _ message: String) throws -> (String?, String?) {
        guard let decoded = self.text(text) else { throw SwiftFault.plain(412, message) }
        let path = decoded.removing(bytePrefix: "/") ?? decoded[...]
        let parts = path.split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, !path.utf8.contains(0) else {
            throw SwiftFault.plain(412, message)
        }
        return (parts[0], parts[1])
    }

    static func account(_ text: String) throws -> String {
        let name = self.text(text) ?? ""
        guard !name.isEmpty else { throw SwiftFault(412, "Account name cannot be empty") }
        guard !name.containsByte("/") else { throw SwiftFault(412, "Account name cannot contain slashes") }
        return name
    }
}
