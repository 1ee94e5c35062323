// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// A container that keeps versions, or may.
struct VersionedContainer: Sendable {
    let gate: AccessGate
    let next: SwiftNext

    func answer(_ request: SwiftRequest) async throws -> SwiftResponse {
        switch request.method {
        case .put, .post:
            guard request.headers["x-versions-enabled"] != nil else { return shown(await next(request)) }
            return try await enable(request)
        case .delete: return try await delete(request)
        case .get, .head: return try await read(request)
        default: return await next(request)
        }
    }

    private func hidden(_ request: SwiftRequest) -> ObjectPath {
        ObjectPath(account: request.path.account, container: VersionNames.container(request.path.container ?? ""))
    }

    private func shown(_ response: SwiftResponse) -> SwiftResponse {
        var response = response
        if let value = response.headers[ObjectVersioning.enabled] { response.headers["x-versions-enabled"] = value }
        return response
    }

    private func enable(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await gate.container(request.path, .writeContainer, for: request.caller)
        let record = access.record
        if record?.header("x-container-sysmeta-versions-location") != nil {
            throw SwiftFault(
                400,
                "Cannot enable object versioning on a container that is already using the legacy versioned writes "
                    + "feature.")
        }
        if record?.header("x-container-sync-to") != nil {
            throw SwiftFault(
                400, "Cannot enable object versioning on a container configured as source of container syncing.")
        }
        let isOn = SwiftText.isTrue(request.headers["x-versions-enabled"] ?? "")
        var changed = request
        changed.headers[ObjectVersioning.enabled] = isOn ? "True" : "False"
        changed.headers["x-versions-enabled"] = nil
        if isOn {
            guard record != nil || request.method == .put else { throw SwiftFault(404) }
            var put = request.trustedStep(.put, hidden(request))
            put.headers["x-storage-policy"] = request.headers["x-storage-policy"]
            let response = await next(put)
            guard response.isSuccess || response.status == 409 else {
                throw SwiftFault(500, "Error enabling object versioning")
            }
            changed.headers[ObjectVersioning.container] = Percent.encode(hidden(request).container ?? "")
        }
        return shown(await next(changed))
    }

    private func delete(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await gate.container(request.path, .writeContainer, for: request.caller)
        guard access.record?.header(ObjectVersioning.container) != nil else { return await next(request) }
        // What is refused leaves the versions' own container alone.
        guard access.record?.objectCount == 0 else { return await next(request) }
        let versions = try await gate.container(hidden(request), .readContainer, for: .system)
        guard versions.record?.objectCount ?? 0 == 0 else {
            throw SwiftFault(409, "Delete all versions before deleting container.")
        }
        if versions.record != nil {
            let response = await next(request.trustedStep(.delete, hidden(request)))
            if response.status == 409 { throw SwiftFault(409, "Delete all versions before deleting container.") }
            guard response.isSuccess || response.status == 404 else {
                throw SwiftFault(500, "Error deleting versioned container")
            }
        }
        return await next(request)
    }

    // MARK: Reading

    private func read(_ request: SwiftRequest) async throws -> SwiftResponse {
        var response = shown(await next(request))
        guard response.isSuccess else { return response }
        if response.headers[ObjectVersioning.container] != nil {
            let versions = try await gate.container(hidden(request), .readContainer, for: .system).record
            let own = response.headers["x-container-bytes-used"].flatMap(Int64.init) ?? 0
            response.headers["x-container-bytes-used"] = String(own + (versions?.bytesUsed ?? 0))
        }
        guard case .listing(var listing) = response.body else { return response }
        var links: [ByteText: SwiftListing.Object] = [:]
        listing.items = listing.items.map { item in
            guard case .object(let object) = item, let (shown, version) = current(object, request) else { return item }
            links[ByteText(version)] = shown
            return .object(shown)
        }
        if request.method == .get, request.parameter("versions") != nil {
            listing.items = try await versions(listing.items, links, request)
            listing.form = .json
            response.headers["vary"] = nil
        }
        response.body = .listing(listing)
        return response
    }

    /// The entry of a current version says what the version is, not what its link is.
    private func current(
        _ object: SwiftListing.Object, _ request: SwiftRequest
    ) -> (SwiftListing.Object, version: String)? {
        let extras = Dictionary(object.extras.map { ($0.name, $0.value) }) { first, _ in first }
        guard let path = extras["symlink_path"]?.string.flatMap({ Percent.decode($0) }),
            let etag = extras["symlink_etag"]?.string, let size = extras["symlink_bytes"]?.int,
            let start = path.range(ofBytes: "/" + (hidden(request).container ?? "") + "/"),
            let (_, version) = VersionNames.split(String(path[start.upperBound...]))
        else { return nil }
        var shown = object
        shown.hash = etag + object.hash.suffix(fromFirst: ";")
        shown.sizeBytes = size
        let link =
            "/\(request.version)/"
            + SwiftText.quoted(
                "\(request.path.account)/\(request.path.container ?? "")/\(object.name)") + "?version-id="
            + version.text
        shown.extras = object.extras.filter { !$0.name.hasBytePrefix("symlink_") }
        shown.extras += [("version_symlink", true), ("symlink_path", .string(link))]
        return (shown, String(path[start.upperBound...]))
    }

    private func versions(
        _ items: [SwiftListing.Item], _ links: [ByteText: SwiftListing.Object], _ request: SwiftRequest
    ) async throws -> [SwiftListing.Item] {
        guard
            request.parameter("format") == "json"
                || (request.parameter("format") ?? "").isEmpty
                    && AcceptHeader(request.headers["accept"])?
                        .best(of: ["application/json"]) != nil
        else { throw SwiftFault(406) }
        let found = await next(try listing(request))
        var subdirectories: Set<ByteText> = []
        var hasLatest: Set<ByteText> = []
        var result: [SwiftListing.Item] = []
        for item in items {
            switch item {
            case .subdirectory(let name): subdirectories.insert(ByteText(name))
            case .object(var object) where !object.extras.contains(where: { $0.name == "version_symlink" }):
                object.extras += [("version_id", "null"), ("is_latest", true)]
                hasLatest.insert(ByteText(object.name))
                result.append(.object(object))
            default: break
            }
        }
        if case .listing(let listing) = found.body, found.isSuccess {
            for item in listing.items {
                switch item {
                case .subdirectory(let name):
                    subdirectories.insert(ByteText(name.split(byte: "\0").first ?? ""))
                case .object(var object):
                    guard let (name, version) = VersionNames.split(object.name) else { continue }
                    let isMarker = object.contentType == VersionCopy.markerType
                    let isLatest =
                        links[ByteText(object.name)] != nil || isMarker && !hasLatest.contains(ByteText(name))
                    if isLatest { hasLatest.insert(ByteText(name)) }
                    object.name = name
                    object.extras += [("version_id", .string(version.text)), ("is_latest", .bool(isLatest))]
                    result.append(.object(object))
                case .container: break
                }
            }
        } else if found.status != 404 {
            throw SwiftFault(found)
        }
        result += subdirectories.map { .subdirectory($0.text) }
        return merged(result, request)
    }

    /// Stable: versions of one name stay newest first.
    private func merged(_ items: [SwiftListing.Item], _ request: SwiftRequest) -> [SwiftListing.Item] {
        let isReversed = request.parameter("reverse").map(SwiftText.isTrue) ?? false
        let sorted = items.enumerated().sorted { left, right in
            let (a, b) = (Array(left.element.name.utf8), Array(right.element.name.utf8))
            if a == b { return left.offset < right.offset }
            return isReversed ? b.lexicographicallyPrecedes(a) : a.lexicographicallyPrecedes(b)
        }.map(\.element)
        let limit = request.parameter("limit").flatMap(Int.init) ?? sorted.count
        return Array(sorted.prefix(max(0, limit)))
    }

    private func listing(_ request: SwiftRequest) throws -> SwiftRequest {
        var step = request.trustedStep(.get, hidden(request))
        for name in ["limit", "delimiter", "reverse"] { step.set(name, request.parameter(name)) }
        if let delimiter = request.parameter("delimiter"),
            delimiter.utf8.contains(where: { "0123456789.\0".utf8.contains($0) })
        {
            throw SwiftFault(400, "invalid delimiter param")
        }
        if let prefix = request.parameter("prefix") { step.set("prefix", "\0" + prefix) }
        if let marker = request.parameter("marker"), !marker.isEmpty {
            switch request.parameter("version_marker") {
            case nil: step.set("marker", VersionNames.prefix(marker) + ":")
            case "null": step.set("marker", VersionNames.prefix(marker))
            case let text?:
                guard let time = WriteTime(text) else { throw SwiftFault(400, "invalid version_marker param") }
                step.set("marker", VersionNames.object(marker, time))
            }
        } else if request.parameter("version_marker") != nil {
            throw SwiftFault(400, "version_marker param requires marker")
        }
        step.set("format", "json")
        return step
    }
}
