// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Names of what a link keeps, and of what clients see of it.
enum SymlinkHeader {
    static let target = "x-symlink-target"
    static let account = "x-symlink-target-account"
    static let etag = "x-symlink-target-etag"
    static let bytes = "x-symlink-target-bytes"
    static let keptTarget = "x-object-sysmeta-symlink-target"
    static let keptAccount = "x-object-sysmeta-symlink-target-account"
    static let keptETag = "x-object-sysmeta-symlink-target-etag"
    static let keptBytes = "x-object-sysmeta-symlink-target-bytes"
    /// A link of the versioning feature: whoever may read the link may read what it leads to.
    static let isInternal = "x-object-sysmeta-versions-symlink"
    static let pairs = [(target, keptTarget), (account, keptAccount), (etag, keptETag), (bytes, keptBytes)]
}

/// Objects that lead to others: soft ones by name, hard ones by name and ETag.
package struct SymlinkLayer: SwiftLayer {
    static let maximumHops = 2
    /// From a versioned object to its version, before and after each link.
    private static let maximumInternalHops = 3
    package static let info: InfoPage.Section = ("symlink", ["symloop_max": 2, "static_links": true])

    package init() {}

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        if request.isContainer, request.method == .get { return await list(request, next) }
        guard request.isObject else { return await next(request) }
        switch request.method {
        case .get, .head:
            return request.parameter("symlink") == "get"
                ? Self.shown(await next(request)) : try await follow(request, next)
        case .put where request.headers[SymlinkHeader.target] != nil: return try await put(request, next)
        case .post: return try await describe(request, next)
        default: return await next(request)
        }
    }

    private static func shown(_ response: SwiftResponse) -> SwiftResponse {
        var response = response
        for (name, kept) in SymlinkHeader.pairs {
            if let value = response.headers[kept] { response.headers[name] = value }
        }
        return response
    }

    // MARK: Reading

    private func follow(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        var step = request
        var (hops, internalHops, location, wanted) = (0, 0, String?.none, String?.none)
        while true {
            var response = await next(step)
            guard response.isSuccess, let target = Self.target(response, step.path.account) else {
                if let wanted, response.isSuccess, response.etag != wanted {
                    await response.drop()
                    throw changed(
                        location,
                        "Object Etag '\(response.etag ?? "")' does not match "
                            + "X-Symlink-Target-Etag header '\(wanted)'")
                }
                if let location { response.headers["content-location"] = location }
                return response
            }
            await response.drop()
            let isInternal = Self.isInternal(response, step.path, target)
            let etag = response.headers[SymlinkHeader.keptETag]
            if let wanted, wanted != etag ?? response.etag {
                throw changed(location, "X-Symlink-Target-Etag headers do not match")
            }
            guard isInternal ? internalHops < Self.maximumInternalHops : hops < Self.maximumHops else {
                throw changed(location, "Too many levels of symbolic links, maximum allowed is \(Self.maximumHops)")
            }
            if isInternal { internalHops += 1 } else { hops += 1 }
            step.path = target
            step.caller = isInternal ? .system : request.caller
            wanted = etag
            location = step.url
        }
    }

    /// Whether a link is of the versioning feature: it leads from an object to a version of it, and nowhere else.
    private static func isInternal(_ response: SwiftResponse, _ link: ObjectPath, _ target: ObjectPath) -> Bool {
        guard response.headers.isTrue(SymlinkHeader.isInternal), let container = link.container,
            target.account.isByteEqual(to: link.account), let object = target.object
        else { return false }
        guard String.areByteEqual(target.container, VersionNames.container(container)) else { return false }
        return String.areByteEqual(VersionNames.split(object)?.object, link.object)
    }

    private static func target(_ response: SwiftResponse, _ account: String) -> ObjectPath? {
        guard let kept = response.headers[SymlinkHeader.keptTarget], let name = Percent.decode(kept) else { return nil }
        let parts = name.split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { return nil }
        let other = response.headers[SymlinkHeader.keptAccount].flatMap { Percent.decode($0) }
        return ObjectPath(account: other ?? account, container: parts[0], object: parts[1])
    }

    private func changed(_ location: String?, _ message: String) -> SwiftFault {
        var response = SwiftResponse.plain(409, message)
        response.headers["content-location"] = location
        return SwiftFault(response)
    }

    // MARK: Writing

    private func put(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        var hasBody = request.contentLength.map { $0 != 0 } ?? false
        if request.contentLength == nil, try await request.body.next() != nil { hasBody = true }
        guard !hasBody else { throw SwiftFault.plain(400, "Symlink requests require a zero byte body") }
        let message = "X-Symlink-Target header must be of the form <container name>/<object name>"
        let sent = request.headers[SymlinkHeader.target] ?? ""
        guard CopyName.text(sent)?.hasBytePrefix("/") == false else { throw SwiftFault.plain(412, message) }
        var target = ObjectPath(account: request.path.account)
        if request.allowsReservedNames, request.linkCaller == nil {
            target = Self.reserved(sent, target)
        } else {
            (target.container, target.object) = try CopyName.object(sent, message)
        }
        if let account = request.headers[SymlinkHeader.account] { target.account = try CopyName.account(account) }
        guard target != request.path else { throw SwiftFault.plain(400, "Symlink cannot target itself") }
        var put = request
        put.setBody([])
        put.headers["etag"] = request.headers["etag"]
        if !request.allowsReservedNames || request.linkCaller != nil { put.headers[SymlinkHeader.isInternal] = nil }
        if let sent = request.headers[SymlinkHeader.etag] {
            let etag = EntityTags.plain(sent)
            guard !etag.utf8.contains(where: { ";\"\\".utf8.contains($0) }) else {
                throw SwiftFault.plain(400, "Bad X-Symlink-Target-Etag format")
            }
            if !etag.isEmpty { try await check(target, etag, &put, next) }
        }
        if (put.headers["content-type"] ?? "").isEmpty { put.headers["content-type"] = "application/symlink" }
        put.headers[SymlinkHeader.keptTarget] = SwiftText.quoted("\(target.container ?? "")/\(target.object ?? "")")
        if request.headers[SymlinkHeader.account] != nil {
            put.headers[SymlinkHeader.keptAccount] = SwiftText.quoted(target.account)
        }
        for (name, _) in SymlinkHeader.pairs { put.headers[name] = nil }
        put.headers[StorageHeader.rowETag] = rowETag(put.headers)
        return await next(put)
    }

    private static func reserved(_ sent: String, _ account: ObjectPath) -> ObjectPath {
        let name = Percent.decode(sent) ?? sent
        let parts = name.split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return ObjectPath(
            account: account.account, container: parts.first, object: parts.count > 1 ? parts[1] : nil)
    }

    /// A hard link is made only to what is there with that ETag.
    private func check(
        _ target: ObjectPath, _ etag: String, _ put: inout SwiftRequest, _ next: SwiftNext
    ) async throws {
        let location = "/" + put.version + SwiftText.quoted(target.description)
        var step = put.step(.head, target)
        if let caller = put.linkCaller {
            step.caller = caller
            step.allowsReservedNames = false
        }
        let head = await next(step)
        await head.drop()
        guard head.status != 404 else { throw changed(location, "X-Symlink-Target does not exist") }
        guard head.isSuccess else { throw SwiftFault(head.status) }
        let found = head.headers[SymlinkHeader.keptETag] ?? head.etag ?? ""
        let whole = head.headers[StorageHeader.manifestETag]
        guard found == etag else {
            throw changed(location, "Object Etag '\(found)' does not match X-Symlink-Target-Etag header '\(etag)'")
        }
        put.headers[SymlinkHeader.keptETag] = etag
        let size = head.headers[SymlinkHeader.keptBytes] ?? head.headers[StorageHeader.manifestSize]
        put.headers[SymlinkHeader.keptBytes] = size ?? String(head.contentLength ?? 0)
        if let whole { put.headers[StorageHeader.rowETag] = "\(Digests.emptyMD5); slo_etag=\(whole)" }
        if (put.headers["content-type"] ?? "").isEmpty { put.headers["content-type"] = head.headers["content-type"] }
    }

    private func rowETag(_ headers: SwiftHeaders) -> String {
        let before = (headers[StorageHeader.rowETag] ?? Digests.emptyMD5).split(byte: ";").map(\.trimmed)
        var parts = before.filter { !$0.hasBytePrefix("symlink_target") }
        parts.append("symlink_target=\(headers[SymlinkHeader.keptTarget] ?? "")")
        if let account = headers[SymlinkHeader.keptAccount] { parts.append("symlink_target_account=\(account)") }
        if let etag = headers[SymlinkHeader.keptETag] {
            parts.append("symlink_target_etag=\(etag)")
            parts.append("symlink_target_bytes=\(headers[SymlinkHeader.keptBytes] ?? "0")")
        }
        return parts.joined(separator: "; ")
    }

    private func describe(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard request.headers[SymlinkHeader.target] == nil else {
            throw SwiftFault.plain(400, "A PUT request is required to set a symlink target")
        }
        let response = await next(request)
        guard response.isSuccess, let target = Self.target(response, request.path.account) else { return response }
        var redirect = SwiftResponse.text(
            307,
            "The requested POST was applied to a symlink. POST directly to the target to apply requested metadata.")
        redirect.headers["location"] = "/" + request.version + SwiftText.quoted(target.description)
        redirect.headers[SymlinkHeader.etag] = response.headers[SymlinkHeader.keptETag]
        redirect.headers[SymlinkHeader.isInternal] = response.headers[SymlinkHeader.isInternal]
        return SwiftResponse(redirect.status, headers: redirect.headers, body: redirect.body)
    }

    // MARK: Listings

    private func list(_ request: SwiftRequest, _ next: SwiftNext) async -> SwiftResponse {
        var response = await next(request)
        guard case .listing(var listing) = response.body else { return response }
        listing.items = listing.items.map { item in
            guard case .object(var object) = item, object.hash.containsBytes("symlink_target=") else { return item }
            let kept = object.takeParameters { $0.hasBytePrefix("symlink_target") }
            if let etag = kept["symlink_target_etag"] { object.extras.append(("symlink_etag", .string(etag))) }
            if let size = kept["symlink_target_bytes"].flatMap(Int64.init) {
                object.extras.append(("symlink_bytes", .int(size)))
            }
            let account = kept["symlink_target_account"] ?? SwiftText.quoted(request.path.account)
            let path = "/\(request.version)/\(account)/\(kept["symlink_target"] ?? "")"
            object.extras.append(("symlink_path", .string(path)))
            return .object(object)
        }
        response.body = .listing(listing)
        return response
    }
}
