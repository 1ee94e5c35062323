// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// `/v1/{account}`
struct AccountRoutes: Sendable {
    let gate: AccessGate
    let accounts: AccountEngine
    let settings: SwiftSettings

    func answer(_ request: SwiftRequest) async throws -> SwiftResponse {
        let length = request.path.account.utf8.count
        guard length <= settings.limits.accountNameBytes else {
            throw SwiftFault(400, "Account name length of \(length) longer than \(settings.limits.accountNameBytes)")
        }
        return switch request.method {
        case .get, .head: try await read(request)
        case .post: try await update(request)
        case .put: try await create(request)
        case .delete: try await delete(request)
        default: throw SwiftFault(405)
        }
    }

    private func read(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await gate.account(
            request.path, .readAccount, for: request.caller, referrer: request.referrer)
        _ = try ListingForm(request)
        let query = try ListingReader.query(request, limits: settings.limits)
        var response = SwiftResponse(request.method == .head ? 204 : 200)
        response.headers = headers(access)
        response.headers.merge(try await usage(access))
        var items: [SwiftListing.Item] = []
        if request.method == .get {
            items = try await accounts.containers(access, query).map { entry in
                switch entry {
                case .row(let row): .container(row, policy: settings.policyName(row.policy))
                case .subdirectory(let name): .subdirectory(name)
                }
            }
        }
        var listing = SwiftListing(account: access.path.account, container: nil, items: items)
        listing.showsReservedNames = request.allowsReservedNames
        response.body = .listing(listing)
        if request.method == .head { response.headers["content-length"] = "0" }
        return response
    }

    private func headers(_ access: AccountAccess) -> SwiftHeaders {
        let record = access.record
        let created = record?.createdTime ?? WriteTime(ticks: 0)
        var headers: SwiftHeaders = [
            "x-account-container-count": String(record?.containerCount ?? 0),
            "x-account-object-count": String(record?.objectCount ?? 0),
            "x-account-bytes-used": String(record?.bytesUsed ?? 0), "x-timestamp": created.text,
            "x-put-timestamp": (record?.putTime ?? created).text, "accept-ranges": "bytes",
        ]
        for (name, value) in record?.headers ?? [:] where !value.value.isEmpty {
            guard access.isOwner || !MetadataRules.ownerHeaders.contains(name) else { continue }
            headers[name] = value.value
        }
        if access.isOwner, let acl = record?.header(StorageHeader.accountACL), !acl.isEmpty {
            headers["x-account-access-control"] = acl
        }
        if let domain = record?.header(StorageHeader.projectDomain) { headers["x-account-project-domain-id"] = domain }
        return headers
    }

    /// How much of the account lies under each storage policy.
    private func usage(_ access: AccountAccess) async throws -> [String: String] {
        guard let record = access.record else { return [:] }
        let policies = settings.policies()
        var headers: [String: String] = [:]
        for (index, total) in try await accounts.usage(record, under: policies) {
            guard let name = policies[index]?.name.asciiLowercased() else { continue }
            headers["x-account-storage-policy-\(name)-container-count"] = String(total.containers)
            headers["x-account-storage-policy-\(name)-object-count"] = String(total.objects)
            headers["x-account-storage-policy-\(name)-bytes-used"] = String(total.bytes)
        }
        return headers
    }

    private func update(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await gate.account(request.path, .writeAccount, for: request.caller)
        try await accounts.put(access, headers: changes(request, access))
        return SwiftResponse(204)
    }

    private func create(_ request: SwiftRequest) async throws -> SwiftResponse {
        guard gate.rules.isReseller(request.caller) else { throw notAllowed }
        let access = try await gate.account(request.path, .writeAccount, for: request.caller)
        let isNew = try await accounts.put(access, headers: changes(request, access))
        return SwiftResponse(isNew ? 201 : 202)
    }

    private func delete(_ request: SwiftRequest) async throws -> SwiftResponse {
        guard gate.rules.isReseller(request.caller) else { throw notAllowed }
        guard request.query.isEmpty else { throw SwiftFault(400) }
        let access = try await gate.account(request.path, .removeAccount, for: request.caller)
        guard access.record != nil else { throw SwiftFault(404) }
        try await accounts.delete(access)
        return SwiftResponse(204)
    }

    /// Accounts come and go with projects; only a reseller makes and removes them by hand.
    private var notAllowed: SwiftFault {
        SwiftFault(SwiftResponse(405, headers: ["allow": "GET, HEAD, OPTIONS, POST"]))
    }

    private func changes(_ request: SwiftRequest, _ access: AccountAccess) throws -> [String: String] {
        let rules = MetadataRules(limits: settings.limits)
        try rules.check(request.headers, .account)
        var changes = rules.transferred(request.headers, .account, isOwner: access.isOwner)
        try rules.check(access.record, with: changes, .account)
        if access.isOwner, let text = request.headers["x-account-access-control"] {
            do {
                changes[StorageHeader.accountACL] = try AccountACL.cleaned(text)
            } catch {
                throw SwiftFault(400, "X-Account-Access-Control invalid: \(error.message)")
            }
        }
        changes.merge(settings.domainHeader(of: request.caller, request.path, access.record)) { old, _ in old }
        return changes
    }
}
