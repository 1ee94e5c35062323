// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Accounts: made when they are first written to, listed, described, removed.
package struct AccountEngine: Sendable {
    private static let usagePage = 10_000
    private let cluster: StorageCluster

    package init(cluster: StorageCluster) { self.cluster = cluster }

    package func containers(_ access: AccountAccess, _ query: ListingQuery) async throws -> [ListingEntry<ContainerRow>]
    {
        guard access.record != nil else { return [] }
        return try await cluster.listContainers(access.path, query)
    }

    /// How much of an account lies under each storage policy, by its index. Reads all containers' rows where there is
    /// more than one policy.
    package func usage(_ account: IndexRecord, under policies: StoragePolicies) async throws -> [Int: AccountUsage] {
        guard account.containerCount > 0 else { return [:] }
        guard policies.all.count > 1 else {
            return [
                policies.defaultPolicy.index: AccountUsage(
                    containers: account.containerCount, objects: account.objectCount, bytes: account.bytesUsed)
            ]
        }
        var totals: [Int: AccountUsage] = [:]
        var query = ListingQuery(limit: Self.usagePage)
        while case let page = try await cluster.listContainers(account.path, query), !page.isEmpty {
            for case .row(let row) in page {
                totals[row.policy, default: AccountUsage()].add(row)
                query.marker = row.name
            }
            if page.count < query.limit { break }
        }
        return totals
    }

    /// Makes the account, or sets headers of it. An empty value removes a header. True when it was not there before.
    @discardableResult
    package func put(_ access: AccountAccess, headers: [String: String]) async throws -> Bool {
        precondition(access.mayWrite, "an account is changed through an access for writing")
        return try await put(access.path, access.record, headers)
    }

    /// The account of a container that is about to be made.
    package func ensure(for access: ContainerAccess, headers: [String: String]) async throws {
        guard try await cluster.index(access.path.ofAccount) == nil else { return }
        try await put(access.path.ofAccount, nil, headers)
    }

    @discardableResult
    private func put(_ path: ObjectPath, _ record: IndexRecord?, _ headers: [String: String]) async throws -> Bool {
        let time = cluster.clock.now()
        guard record == nil else {
            try await cluster.setHeaders(path, headers.timed(time))
            return false
        }
        var record = IndexRecord(path: path, time: time)
        record.headers = headers.timed(time)
        try await cluster.createIndex(record)
        return true
    }

    /// Removes the account with all that it holds. May be repeated when it did not come to its end.
    package func delete(_ access: AccountAccess) async throws {
        precondition(access.mayWrite, "an account is deleted through an access for writing")
        while true {
            let page = try await cluster.listContainers(access.path, ListingQuery(limit: 100))
            if page.isEmpty { break }
            for case .row(let row) in page {
                let container = ObjectPath(account: access.path.account, container: row.name)
                try await empty(container, policy: row.policy)
                try await cluster.deleteIndex(container, at: cluster.clock.now())
            }
        }
        try await cluster.deleteIndex(access.path, at: cluster.clock.now())
    }

    private func empty(_ container: ObjectPath, policy: Int) async throws {
        while true {
            let page = try await cluster.listObjects(container, ListingQuery(limit: 1000))
            if page.isEmpty { return }
            var rows: [ObjectRow] = []
            for case .row(var row) in page {
                let time = cluster.clock.now()
                try await cluster.delete(container.appending(row.name), policy: policy, at: time)
                row.isDeleted = true
                row.time = time
                rows.append(row)
            }
            try await cluster.putObjectRows(container, rows)
        }
    }
}

/// What some containers of an account hold together.
package struct AccountUsage: Sendable, Equatable {
    package var containers: Int64 = 0
    package var objects: Int64 = 0
    package var bytes: Int64 = 0

    package init(containers: Int64 = 0, objects: Int64 = 0, bytes: Int64 = 0) {
        self.containers = containers
        self.objects = objects
        self.bytes = bytes
    }

    mutating func add(_ row: ContainerRow) {
        containers += 1
        objects += row.objectCount
        bytes += row.bytesUsed
    }
}

extension [String: String] {
    func timed(_ time: WriteTime) -> [String: IndexRecord.TimedValue] {
        mapValues { IndexRecord.TimedValue($0, time) }
    }
}
