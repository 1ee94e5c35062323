// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// `/v1/{account}/{container}`
struct ContainerRoutes: Sendable {
    let gate: AccessGate
    let accounts: AccountEngine
    let containers: ContainerEngine
    let settings: SwiftSettings

    func answer(_ request: SwiftRequest) async throws -> SwiftResponse {
        defer { if !request.isRead { request.seen.forget(request.path) } }
        return switch request.method {
        case .get, .head: try await read(request)
        case .put: try await create(request)
        case .post: try await update(request)
        case .delete: try await delete(request)
        default: throw SwiftFault(405)
        }
    }

    private func read(_ request: SwiftRequest) async throws -> SwiftResponse {
        _ = try ListingForm(request)
        let query = try ListingReader.query(request, limits: settings.limits)
        let access = try await gate.container(
            request.path, .readContainer, for: request.caller, referrer: request.referrer, seen: request.seen)
        guard let record = access.record else { throw SwiftFault(404) }
        var response = SwiftResponse(request.method == .head ? 204 : 200)
        response.headers = headers(record, isOwner: access.isOwner)
        response.modified = record.putTime
        var items: [SwiftListing.Item] = []
        if request.method == .get {
            items = try await containers.objects(access, query).map { entry in
                switch entry {
                case .row(let row): .object(SwiftListing.Object(row))
                case .subdirectory(let name): .subdirectory(name)
                }
            }
            if request.parameter("path") != nil { items = try await direct(items, access, query.prefix) }
        } else {
            response.headers["content-length"] = "0"
        }
        var listing = SwiftListing(account: access.path.account, container: access.path.container, items: items)
        listing.showsReservedNames = request.allowsReservedNames
        response.body = .listing(listing)
        return response
    }

    /// What lies directly in a folder: objects, and those that stand for folders themselves, `photos/`; not the folder.
    private func direct(
        _ items: [SwiftListing.Item], _ access: ContainerAccess, _ folder: String?
    ) async throws -> [SwiftListing.Item] {
        var result: [SwiftListing.Item] = []
        for item in items where !String.areByteEqual(item.name, folder) {
            guard case .subdirectory(let name) = item else {
                result.append(item)
                continue
            }
            var query = ListingQuery(limit: 1)
            query.prefix = name
            if case .row(let row)? = try await containers.objects(access, query).first, row.name.isByteEqual(to: name) {
                result.append(.object(SwiftListing.Object(row)))
            }
        }
        return result
    }

    private func headers(_ record: IndexRecord, isOwner: Bool) -> SwiftHeaders {
        var headers: SwiftHeaders = [
            "x-container-object-count": String(record.objectCount), "x-container-bytes-used": String(record.bytesUsed),
            "x-timestamp": record.createdTime.text, "x-put-timestamp": record.putTime.text,
            "last-modified": record.putTime.httpDate, "accept-ranges": "bytes",
        ]
        headers["x-storage-policy"] = settings.policyName(record.policy)
        for (name, value) in record.headers where !value.value.isEmpty {
            if isOwner || !MetadataRules.ownerHeaders.contains(name) { headers[name] = value.value }
        }
        return headers
    }

    private func create(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await gate.container(request.path, .writeContainer, for: request.caller)
        let changes = try changes(request, access)
        let name = request.path.container ?? ""
        var policy: Int?
        if let text = request.headers["x-storage-policy"], !text.isEmpty {
            guard let index = settings.policyIndex(text) else {
                throw SwiftFault.plain(400, "Invalid X-Storage-Policy '\(text)'")
            }
            guard access.record != nil || !settings.isDeprecated(index) else {
                throw SwiftFault(400, "Storage Policy '\(text)' is deprecated")
            }
            policy = index
        }
        guard !name.containsByte("/") else { throw SwiftFault(400, "Container names have no slash.") }
        guard name.utf8.count <= settings.limits.containerNameBytes else {
            throw SwiftFault(
                400, "Container name length of \(name.utf8.count) longer than \(settings.limits.containerNameBytes)")
        }
        try await accounts.ensure(for: access, headers: settings.domainHeader(of: request.caller, request.path, nil))
        let isNew = try await containers.put(
            access, policy: policy, standard: settings.defaultPolicy, headers: changes)
        return SwiftResponse(isNew ? 201 : 202)
    }

    private func update(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await gate.container(request.path, .writeContainer, for: request.caller)
        let changes = try changes(request, access)
        guard access.record != nil else { throw SwiftFault(404) }
        try await containers.update(access, headers: changes)
        return SwiftResponse(204)
    }

    private func delete(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await gate.container(request.path, .writeContainer, for: request.caller)
        try await containers.delete(access)
        return SwiftResponse(204)
    }

    private func changes(_ request: SwiftRequest, _ access: ContainerAccess) throws -> [String: String] {
        let rules = MetadataRules(limits: settings.limits)
        try rules.check(request.headers, .container)
        var changes = rules.transferred(request.headers, .container, isOwner: access.isOwner)
        for name in [StorageHeader.readACL, StorageHeader.writeACL] {
            if let value = changes[name] { changes[name] = try ContainerACL.cleaned(value, name: name) }
        }
        try rules.check(access.record, with: changes, .container)
        return changes
    }
}
