// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import Synchronization

/// What a container, or a whole account, may hold: `X-Container-Meta-Quota-Bytes`, `X-Account-Quota-Bytes`,
/// `X-Account-Quota-Bytes-Policy-NAME` for what lies under one storage policy, and the same for counts.
///
/// Both look at what is there when an upload begins, so one upload may go past a quota by what came meanwhile.
package struct QuotaLayer: SwiftLayer {
    package static let containerInfo: InfoPage.Section = ("container_quotas", [:])
    package static let accountInfo: InfoPage.Section = ("account_quotas", [:])
    private let gate: AccessGate
    private let accounts: AccountEngine
    private let unlimited = UnlimitedAccounts()

    package init(gate: AccessGate) {
        self.gate = gate
        accounts = AccountEngine(cluster: gate.cluster)
    }

    /// An account's quotas: as clients call them, and as they are kept, by the number of a policy that may be renamed.
    private var kinds: [(shown: String, kept: String)] {
        ["quota-bytes", "quota-count"].flatMap { kind in
            [(kind, kind)]
                + gate.cluster.policies.all.map {
                    ("\(kind)-policy-\($0.name.asciiLowercased())", "\(kind)-policy-\($0.index)")
                }
        }
    }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        if request.isObject {
            if request.method == .put, !request.allowsReservedNames { try await check(request) }
            return await next(request)
        }
        if request.isContainer {
            if request.method == .put || request.method == .post { try checkQuotas(request.headers) }
            return await next(request)
        }
        return try await account(request, next)
    }

    private func checkQuotas(_ headers: SwiftHeaders) throws {
        if let value = headers["x-container-meta-quota-bytes"], !value.isEmpty, !SwiftText.isNumber(value) {
            throw SwiftFault(400, "Invalid bytes quota.")
        }
        if let value = headers["x-container-meta-quota-count"], !value.isEmpty, !SwiftText.isNumber(value) {
            throw SwiftFault(400, "Invalid count quota.")
        }
    }

    // MARK: Uploads

    private func check(_ request: SwiftRequest) async throws {
        // Whoever may not write learns nothing of a quota.
        let access = try await gate.object(request.path, .writeObject, for: request.caller, seen: request.seen)
        let size = max(0, request.contentLength ?? 0)
        let container = access.container
        let exceeded = SwiftFault(413, "Upload exceeds quota.")
        func quota(_ name: String) -> Int64? { container.header("x-container-meta-" + name).flatMap(Int64.init) }
        if let limit = quota("quota-bytes") {
            let used = try await container.bytesUsed + keptVersions(of: container, request)
            if limit - used < size { throw exceeded }
        }
        if let limit = quota("quota-count"), limit < container.objectCount + 1 { throw exceeded }
        let name = request.path.account
        let now = gate.cluster.clock.now()
        guard !gate.rules.isReseller(request.caller), !unlimited.contains(name, at: now) else { return }
        let account = try await gate.account(request.path, .readAccount, for: .system).record
        func total(_ name: String) -> Int64? { account?.header("x-account-sysmeta-" + name).flatMap(Int64.init) }
        let policy = container.policy
        if kinds.allSatisfy({ total($0.kept) == nil }) { return unlimited.insert(name, at: now) }
        if let limit = total("quota-bytes"), limit - (account?.bytesUsed ?? 0) < size { throw exceeded }
        if let limit = total("quota-count"), limit < (account?.objectCount ?? 0) + 1 { throw exceeded }
        let (bytes, count) = (total("quota-bytes-policy-\(policy)"), total("quota-count-policy-\(policy)"))
        guard bytes != nil || count != nil, let account else { return }
        let used = try await accounts.usage(account, under: gate.cluster.policies)[policy] ?? AccountUsage()
        if let bytes, bytes - used.bytes < size { throw exceeded }
        if let count, count < used.objects + 1 { throw exceeded }
    }

    /// Bytes of the versions that a container keeps out of its own listing.
    private func keptVersions(of container: IndexRecord, _ request: SwiftRequest) async throws -> Int64 {
        guard container.header(ObjectVersioning.container) != nil else { return 0 }
        let hidden = ObjectPath(
            account: request.path.account, container: VersionNames.container(request.path.container ?? ""))
        return try await gate.container(hidden, .readContainer, for: .system).record?.bytesUsed ?? 0
    }

    // MARK: Accounts

    private func account(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        var request = request
        if request.method == .post || request.method == .put { try translate(&request) }
        var response = await next(request)
        for kind in kinds {
            if let value = response.headers["x-account-sysmeta-" + kind.kept] {
                response.headers["x-account-" + kind.shown] = value
            }
        }
        return response
    }

    /// Only a reseller sets what an account may hold.
    private func translate(_ request: inout SwiftRequest) throws {
        for name in ["x-account-meta-quota-bytes", "x-remove-account-meta-quota-bytes"] {
            let other = name.split(byte: "-").filter { $0 != "meta" }.joined(separator: "-")
            if let value = request.headers[name], (request.headers[other] ?? "").isEmpty {
                request.headers[other] = value
            }
        }
        for kind in kinds {
            var quota = request.headers["x-account-" + kind.shown]
            if !(request.headers["x-remove-account-" + kind.shown] ?? "").isEmpty { quota = "" }
            guard let quota else { continue }
            guard gate.rules.isReseller(request.caller) else {
                if case .anonymous = request.caller { throw SwiftFault(401) }
                throw SwiftFault(403)
            }
            guard quota.isEmpty || SwiftText.isNumber(quota) else { throw SwiftFault(400) }
            request.headers["x-account-sysmeta-" + kind.kept] = quota
            unlimited.remove(request.path.account)
        }
    }
}

/// Accounts without a quota, as was seen a moment ago: most have none, and looking costs as much as a small upload.
private final class UnlimitedAccounts: Sendable {
    private static let limit = 10_000
    /// 5 seconds.
    private static let ticks: Int64 = 500_000
    private let seen = Mutex<[ByteText: Int64]>([:])

    func contains(_ account: String, at time: WriteTime) -> Bool {
        seen.withLock { seen in seen[ByteText(account)].map { time.ticks - $0 < Self.ticks } ?? false }
    }

    func insert(_ account: String, at time: WriteTime) {
        seen.withLock { seen in
            if seen.count >= Self.limit { seen.removeAll() }
            seen[ByteText(account)] = time.ticks
        }
    }

    func remove(_ account: String) { seen.withLock { $0[ByteText(account)] = nil } }
}
