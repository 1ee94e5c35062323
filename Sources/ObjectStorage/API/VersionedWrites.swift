// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// What two features of versions share: bytes and headers of one object become those of another, in the store's name.
struct VersionCopy: Sendable {
    let request: SwiftRequest
    let next: SwiftNext

    /// The object as it is, a link as a link. Nil: there is none.
    func source(_ path: ObjectPath) async throws -> SwiftResponse? {
        var get = request.trustedStep(.get, path)
        get.set("symlink", "get")
        get.set("multipart-manifest", "get")
        let response = await next(get)
        if response.status == 404 { return nil }
        try await check(response)
        return response
    }

    func put(_ source: SwiftResponse, to path: ObjectPath) async throws {
        var put = request.trustedStep(.put, path)
        put.headers = source.headers
        for name in ["x-timestamp", "last-modified", "accept-ranges", "content-length", "date", "content-location"] {
            put.headers[name] = nil
        }
        put.hasChosenType = true
        put.contentLength = source.contentLength
        put.body = try await source.source()
        try await check(await next(put))
    }

    func delete(_ path: ObjectPath) async throws {
        let response = await next(request.trustedStep(.delete, path))
        if response.status != 404 { try await check(response) }
    }

    static let markerType = "application/x-deleted;swift_versions_deleted=1"

    func putMarker(_ path: ObjectPath, at time: WriteTime? = nil) async throws {
        var put = request.trustedStep(.put, path)
        put.headers["content-type"] = Self.markerType
        put.hasChosenType = true
        put.time = time
        put.setBody([])
        try await check(await next(put))
    }

    func check(_ response: SwiftResponse) async throws {
        if response.isSuccess { return }
        await response.drop()
        throw SwiftFault((400..<500).contains(response.status) ? 412 : 503)
    }
}

/// Versions in a container that the owner names: `X-Versions-Location` (a stack) and `X-History-Location` (all).
package struct VersionedWrites: SwiftLayer {
    package static let info: InfoPage.Section = (
        "versioned_writes", ["allowed_flags": ["x-versions-location", "x-history-location"]]
    )
    private static let location = "x-container-sysmeta-versions-location"
    private static let mode = "x-container-sysmeta-versions-mode"
    private let gate: AccessGate

    package init(gate: AccessGate) { self.gate = gate }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        if request.isContainer { return try await container(request, next) }
        guard request.isObject, request.method == .put || request.method == .delete, !request.allowsReservedNames else {
            return await next(request)
        }
        let facts = try await gate.container(request.path, .readContainer, for: .system, seen: request.seen).record
        guard let location = facts?.header(Self.location) else { return await next(request) }
        // Whoever may not write must not make versions.
        _ = try await gate.object(request.path, .writeObject, for: request.caller, seen: request.seen)
        let name = (Percent.decode(location) ?? location).split(byte: "/").first.map(String.init) ?? location
        let versions = ObjectPath(account: request.path.account, container: name)
        let copy = VersionCopy(request: request, next: next)
        if request.method == .put {
            try await keepCurrent(request, versions, copy)
            return await next(request)
        }
        if facts?.header(Self.mode) == "history" {
            try await keepCurrent(request, versions, copy)
            try await copy.putMarker(versionPath(versions, request, gate.cluster.clock.now()))
            return await next(request)
        }
        return try await pop(request, versions, copy, next)
    }

    // MARK: Containers

    private func container(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        var request = request
        if request.method == .put || request.method == .post { try translate(&request.headers) }
        var response = await next(request)
        if let location = response.headers[Self.location], response.isSuccess {
            let isHistory = response.headers[Self.mode] == "history"
            response.headers[isHistory ? "x-history-location" : "x-versions-location"] = location
        }
        return response
    }

    private func translate(_ headers: inout SwiftHeaders) throws {
        let (stack, history) = (headers["x-versions-location"], headers["x-history-location"])
        if let stack, let history, !stack.isEmpty, !history.isEmpty {
            throw SwiftFault.plain(400, "Only one of x-versions-location or x-history-location may be specified")
        }
        let isRemoved = ["x-remove-versions-location", "x-remove-history-location"].contains {
            !(headers[$0] ?? "").isEmpty
        }
        let value = stack.flatMap { $0.isEmpty ? nil : $0 } ?? history.flatMap { $0.isEmpty ? nil : $0 }
        if let value {
            let name = CopyName.text(value) ?? ""
            guard !name.isEmpty else { throw SwiftFault(412, "Container name cannot be empty") }
            guard !name.containsByte("/") else { throw SwiftFault(412, "Container name cannot contain slashes") }
            headers[Self.location] = value
            headers[Self.mode] = (stack ?? "").isEmpty ? "history" : "stack"
        } else if isRemoved || stack != nil || history != nil {
            headers[Self.location] = ""
            headers[Self.mode] = ""
        }
        for name in [
            "x-versions-location", "x-history-location", "x-remove-versions-location",
            "x-remove-history-location",
        ] { headers[name] = nil }
    }

    // MARK: Objects

    /// `003cat/`: three digits for the length of the name keep names apart that begin alike.
    private func prefix(_ object: String) -> String {
        let length = String(object.utf8.count, radix: 16)
        return String(repeating: "0", count: max(0, 3 - length.utf8.count)) + length + object + "/"
    }

    private func versionPath(_ versions: ObjectPath, _ request: SwiftRequest, _ time: WriteTime) -> ObjectPath {
        versions.appending(prefix(request.path.object ?? "") + time.text)
    }

    private func keepCurrent(_ request: SwiftRequest, _ versions: ObjectPath, _ copy: VersionCopy) async throws {
        guard let source = try await copy.source(request.path) else { return }
        let time = source.modified ?? gate.cluster.clock.now()
        try await copy.put(source, to: versionPath(versions, request, time))
    }

    /// The version before becomes the current one.
    private func pop(
        _ request: SwiftRequest, _ versions: ObjectPath, _ copy: VersionCopy, _ next: SwiftNext
    ) async throws -> SwiftResponse {
        var entries = VersionEntries(versions, prefix: prefix(request.path.object ?? ""), copy)
        while let entry = try await entries.following() {
            let path = versions.appending(entry.name)
            guard entry.contentType == VersionCopy.markerType || entry.contentType == "application/x-deleted" else {
                guard let source = try await copy.source(path) else { continue }
                try await copy.put(source, to: request.path)
                return await next(request.trustedStep(.delete, path))
            }
            let head = await next(request.trustedStep(.head, request.path))
            await head.drop()
            if head.status != 404 {
                try await copy.check(head)
                break
            }
            while let older = try await entries.following(), older.contentType != VersionCopy.markerType {
                let place = versions.appending(older.name)
                guard let source = try await copy.source(place) else { continue }
                try await copy.put(source, to: request.path)
                try await copy.delete(place)
                break
            }
            return await next(request.trustedStep(.delete, path))
        }
        return await next(request)
    }
}

/// Versions of one object, the newest first, page by page.
struct VersionEntries: Sendable {
    private let place: ObjectPath
    private let prefix: String
    private let copy: VersionCopy
    private var page: ArraySlice<SwiftListing.Object> = []
    private var marker: String?
    private var hasEnded = false

    init(_ place: ObjectPath, prefix: String, _ copy: VersionCopy) {
        self.place = place
        self.prefix = prefix
        self.copy = copy
    }

    mutating func following() async throws -> SwiftListing.Object? {
        if let object = page.popFirst() { return object }
        guard !hasEnded else { return nil }
        var step = copy.request.trustedStep(.get, place)
        step.query = [("prefix", prefix), ("reverse", "on"), ("limit", "100"), ("format", "json")]
        if let marker { step.set("marker", marker) }
        let response = await copy.next(step)
        if response.status == 404 { return nil }
        guard response.isSuccess, case .listing(let listing) = response.body else {
            throw SwiftFault((400..<500).contains(response.status) ? 412 : 500)
        }
        page = listing.items.compactMap { if case .object(let object) = $0 { object } else { nil } }[...]
        hasEnded = page.isEmpty
        marker = page.last?.name
        return page.popFirst()
    }
}
