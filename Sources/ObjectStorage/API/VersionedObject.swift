// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// An object of a container that keeps versions.
struct VersionedObject: Sendable {
    let gate: AccessGate
    let next: SwiftNext
    /// Nil: the container keeps none.
    let versions: ObjectPath?

    private func place(_ request: SwiftRequest, _ version: WriteTime) throws -> ObjectPath {
        guard let versions else { throw noVersions }
        return versions.appending(VersionNames.object(request.path.object ?? "", version))
    }

    private var noVersions: SwiftFault {
        SwiftFault(400, "version-aware operations require that the container is versioned")
    }

    private func mayWrite(_ request: SwiftRequest) async throws {
        _ = try await gate.object(request.path, .writeObject, for: request.caller, seen: request.seen)
    }

    /// Versions are the owner's business: an ACL opens the current one only.
    private func mustOwn(_ request: SwiftRequest, _ action: StorageAction) async throws {
        let access = try await gate.object(request.path, action, for: request.caller, seen: request.seen)
        guard access.isOwner else {
            if case .user = request.caller { throw AccessDenied(isKnown: true) }
            throw AccessDenied(isKnown: false)
        }
    }

    // MARK: The current version

    /// What was there before versions were kept becomes a version, too.
    private func keepCurrent(_ request: SwiftRequest) async throws {
        let copy = VersionCopy(request: request, next: next)
        guard let source = try await copy.source(request.path) else { return }
        guard !source.headers.isTrue(SymlinkHeader.isInternal) else { return await source.drop() }
        let time = source.modified ?? gate.cluster.clock.now()
        try await copy.put(source, to: place(request, time))
    }

    func put(_ request: SwiftRequest) async throws -> SwiftResponse {
        try await mayWrite(request)
        if let tags = EntityTags(request.headers["if-none-match"]) {
            guard tags.isAny else { throw SwiftFault.plain(400, "If-None-Match only supports *") }
            let head = await next(request.trustedStep(.head, request.path))
            await head.drop()
            if head.isSuccess { throw SwiftFault(412) }
        }
        try await keepCurrent(request)
        let time = gate.cluster.clock.now()
        var version = request
        version.path = try place(request, time)
        version.caller = .system
        version.linkCaller = request.caller
        version.allowsReservedNames = true
        version.time = time
        version.query = []
        for name in ["x-delete-at", "x-delete-after", "if-none-match"] { version.headers[name] = nil }
        let response = await next(version)
        guard response.isSuccess, let record = response.record else {
            if response.status == 404 { throw missingContainer }
            return response
        }
        let size = record.system[StorageHeader.manifestSize] ?? String(record.sizeBytes)
        let etag = record.system[SymlinkHeader.keptETag] ?? record.etag
        return try await link(
            request, to: time, etag: etag, size: size, type: record.contentType,
            row: record.system[StorageHeader.rowETag])
    }

    private var missingContainer: SwiftFault {
        .plain(500, "The versions container does not exist. You may want to re-enable object versioning.")
    }

    private func link(
        _ request: SwiftRequest, to version: WriteTime, etag: String, size: String, type: String, row: String?
    ) async throws -> SwiftResponse {
        let target = try place(request, version)
        var put = request.trustedStep(.put, request.path)
        for (name, value) in request.headers.values where name == "x-delete-at" || name == "x-delete-after" {
            put.headers[name] = value
        }
        put.headers["content-type"] = type
        put.hasChosenType = true
        put.headers[SymlinkHeader.target] = SwiftText.quoted("\(target.container ?? "")/\(target.object ?? "")")
        put.headers[SymlinkHeader.keptETag] = etag
        put.headers[SymlinkHeader.keptBytes] = size
        put.headers[SymlinkHeader.isInternal] = "true"
        // What features keep behind the ETag in a row is listed of the current version, too.
        if let kept = row?.suffix(fromFirst: ";"), !kept.isEmpty {
            put.headers[StorageHeader.rowETag] = Digests.emptyMD5 + kept
        }
        var response = await next(put)
        if response.isSuccess {
            response.headers["etag"] = etag
            response.headers["x-object-version-id"] = version.text
        }
        return response
    }

    func delete(_ request: SwiftRequest) async throws -> SwiftResponse {
        try await mayWrite(request)
        try await keepCurrent(request)
        let time = gate.cluster.clock.now()
        try await VersionCopy(request: request, next: next).putMarker(place(request, time), at: time)
        var response = await next(request)
        if response.isSuccess || response.status == 404 { response.headers["x-object-version-id"] = time.text }
        return response
    }

    func describe(_ request: SwiftRequest) async throws -> SwiftResponse {
        let response = await next(request)
        guard response.status == 307, response.headers.isTrue(SymlinkHeader.isInternal), let versions,
            let location = response.headers["location"].flatMap({ Percent.decode($0) }),
            let name = location.range(ofBytes: versions.description + "/").map({ String(location[$0.upperBound...]) })
        else { return response }
        var post = request
        post.path = versions.appending(name)
        post.caller = .system
        post.allowsReservedNames = true
        for name in ["x-delete-at", "x-delete-after"] { post.headers[name] = nil }
        return await next(post)
    }

    func read(_ request: SwiftRequest) async -> SwiftResponse {
        var response = await next(request)
        guard response.isSuccess else { return response }
        response.headers["x-object-version-id"] = "null"
        for name in ["content-location", SymlinkHeader.target] {
            guard let value = response.headers[name].flatMap({ Percent.decode($0) }), let versions,
                let start = value.range(ofBytes: (versions.container ?? "") + "/"),
                let (_, version) = VersionNames.split(String(value[start.upperBound...]))
            else { continue }
            response.headers["x-object-version-id"] = version.text
            let place =
                name == SymlinkHeader.target
                ? SwiftText.quoted("\(request.path.container ?? "")/\(request.path.object ?? "")") : request.url
            response.headers[name] = place + "?version-id=" + version.text
        }
        return response
    }

    // MARK: One version

    func answer(_ request: SwiftRequest, version id: String) async throws -> SwiftResponse {
        if request.method == .post { throw SwiftFault(400, "POST to a specific version is not allowed") }
        if versions == nil, id != "null" { throw noVersions }
        if request.method == .options { return await next(request) }
        if id == "null" { return try await null(request) }
        guard let version = WriteTime(id) else { throw SwiftFault(400, "Invalid version parameter") }
        switch request.method {
        case .get, .head: return try await read(request, version)
        case .put: return try await makeCurrent(request, version)
        case .delete: return try await remove(request, version)
        default: return await next(request)
        }
    }

    /// What has no version, because none were kept when it was written.
    private func null(_ request: SwiftRequest) async throws -> SwiftResponse {
        if request.method == .put { throw SwiftFault(400, "Invalid version parameter") }
        var response = await next(request)
        guard request.isRead, response.isSuccess else { return response }
        let location = response.headers["content-location"].flatMap { Percent.decode($0) } ?? ""
        if location.range(ofBytes: "/\0versions\0") != nil {
            await response.drop()
            throw SwiftFault(404)
        }
        response.headers["x-object-version-id"] = "null"
        return response
    }

    private func read(_ request: SwiftRequest, _ version: WriteTime) async throws -> SwiftResponse {
        try await mustOwn(request, .readObject)
        var step = request
        step.path = try place(request, version)
        step.caller = .system
        step.allowsReservedNames = true
        var response = await next(step)
        if response.headers["content-type"] == VersionCopy.markerType {
            await response.drop()
            var missing = SwiftResponse(404)
            missing.headers["x-object-version-id"] = version.text
            missing.headers["content-type"] = VersionCopy.markerType
            throw SwiftFault(missing)
        }
        if response.isSuccess { response.headers["x-object-version-id"] = version.text }
        return response
    }

    private func makeCurrent(_ request: SwiftRequest, _ version: WriteTime) async throws -> SwiftResponse {
        try await mayWrite(request)
        let isChunked = request.headers["transfer-encoding"]?.asciiLowercased() == "chunked"
        guard request.contentLength != nil || isChunked else { throw SwiftFault(411) }
        var hasBody = (request.contentLength ?? 0) != 0
        if isChunked, try await request.body.next() != nil { hasBody = true }
        guard !hasBody else { throw SwiftFault.plain(400, "PUT version-id requests require a zero byte body") }
        var head = request.trustedStep(.head, try place(request, version))
        head.set("symlink", "get")
        let found = await next(head)
        await found.drop()
        guard found.status != 404 else { throw SwiftFault.plain(404, "The specified version does not exist") }
        try await VersionCopy(request: request, next: next).check(found)
        let size = found.headers[StorageHeader.manifestSize] ?? String(found.contentLength ?? 0)
        return try await link(
            request, to: version, etag: found.etag ?? "", size: size,
            type: found.headers["content-type"] ?? ContentTypes.unknown, row: found.headers[StorageHeader.rowETag])
    }

    private func remove(_ request: SwiftRequest, _ version: WriteTime) async throws -> SwiftResponse {
        try await mustOwn(request, .writeObject)
        let target = try place(request, version)
        var head = request.trustedStep(.head, request.path)
        head.set("symlink", "get")
        let current = await next(head)
        await current.drop()
        var currentID = "null"
        if current.isSuccess, current.headers.isTrue(SymlinkHeader.isInternal),
            let name = current.headers[SymlinkHeader.target].flatMap({ Percent.decode($0) })
        {
            if name.isByteEqual(to: "\(target.container ?? "")/\(target.object ?? "")") {
                try await VersionCopy(request: request, next: next).delete(request.path)
            } else if let start = name.range(ofBytes: (target.container ?? "") + "/"),
                let (_, other) = VersionNames.split(String(name[start.upperBound...]))
            {
                currentID = other.text
            }
        }
        var response = await next(request.trustedStep(.delete, target))
        response.headers["x-object-version-id"] = version.text
        response.headers["x-object-current-version-id"] = currentID
        return response
    }
}
