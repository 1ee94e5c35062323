// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Containers: made, listed, described, removed when empty.
package struct ContainerEngine: Sendable {
    private let cluster: StorageCluster

    package init(cluster: StorageCluster) { self.cluster = cluster }

    package func objects(_ access: ContainerAccess, _ query: ListingQuery) async throws -> [ListingEntry<ObjectRow>] {
        guard access.record != nil else { return [] }
        return try await cluster.listObjects(access.path, query)
    }

    /// True when it was not there before. `policy` nil: what it has, or `standard`.
    package func put(
        _ access: ContainerAccess, policy: Int?, standard: Int, headers: [String: String]
    ) async throws -> Bool {
        precondition(access.mayWrite, "a container is made through an access for writing")
        let time = cluster.clock.now()
        if let record = access.record, let policy, policy != record.policy {
            throw CloudError.conflict("The container has another storage policy.")
        }
        var record = IndexRecord(path: access.path, time: time, policy: access.record?.policy ?? policy ?? standard)
        record.headers = headers.timed(time)
        try await cluster.createIndex(record)
        return access.record == nil
    }

    /// An empty value removes a header.
    package func update(_ access: ContainerAccess, headers: [String: String]) async throws {
        precondition(access.mayWrite, "a container is changed through an access for writing")
        guard let record = access.record else { throw CloudError.notFound("The container does not exist.") }
        // As a PUT of what is there already: `Last-Modified` tells of changes, too.
        let time = cluster.clock.now()
        var change = IndexRecord(path: access.path, time: time, policy: record.policy)
        change.createdTime = record.createdTime
        change.headers = headers.timed(time)
        try await cluster.createIndex(change)
    }

    /// Throws `.conflict` while it holds an object.
    package func delete(_ access: ContainerAccess) async throws {
        precondition(access.mayWrite, "a container is deleted through an access for writing")
        guard access.record != nil else { throw CloudError.notFound("The container does not exist.") }
        guard try await cluster.listObjects(access.path, ListingQuery(limit: 1)).isEmpty else {
            throw CloudError.conflict("The container is not empty.")
        }
        try await cluster.deleteIndex(access.path, at: cluster.clock.now())
    }
}
