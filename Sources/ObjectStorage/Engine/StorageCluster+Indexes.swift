// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Accounts and containers: what they are, and what they list.
extension StorageCluster {
    /// What an account or a container is. Nil: it is not there, or was deleted.
    ///
    /// Of an account the totals are those that this process knows: updates of its containers that wait are put first.
    package func index(_ path: ObjectPath) async throws -> IndexRecord? {
        let record = try await indexEvenDeleted(path)
        return record.flatMap { $0.isDeleted ? nil : $0 }
    }

    /// As `index`; one that was deleted, too, as long as it is remembered (upstream's "recently deleted").
    package func indexEvenDeleted(_ path: ObjectPath) async throws -> IndexRecord? {
        if path.container == nil { await flush(account: path.account) }
        return try await IndexReading(cluster: self, place: place(path)).record()
    }

    /// Makes an account or a container, or makes it anew after it was deleted; of one that is there, takes the later of
    /// each header and the later `putTime`. A container is listed in its account when this returns.
    package func createIndex(_ record: IndexRecord) async throws {
        try await IndexWriting(cluster: self, place: place(record.path)).create(record)
        if record.path.container != nil { await list(record.path) }
    }

    /// Sets some headers; an empty value removes one. Throws `.notFound` when the index is not there.
    package func setHeaders(_ path: ObjectPath, _ headers: [String: IndexRecord.TimedValue]) async throws {
        try await IndexWriting(cluster: self, place: place(path)).setHeaders(headers)
    }

    /// Deletes an account or a container as of `time`, whatever it lists: the caller has looked. A container is listed
    /// no more when this returns. Throws `.notFound` when it is not there.
    package func deleteIndex(_ path: ObjectPath, at time: WriteTime) async throws {
        try await IndexWriting(cluster: self, place: place(path)).delete(at: time)
        if path.container != nil { await list(path) }
    }

    /// Tells the account of a container that came or went; later, where the account cannot be reached now.
    private func list(_ container: ObjectPath) async {
        do {
            try await updater.update(container, in: self)
        } catch {
            updater.changed(container)
            log.warning("a container's row waits", ["container": container, "error": "\(error)"])
        }
    }

    /// A page of a container's listing.
    package func listObjects(
        _ container: ObjectPath, _ query: ListingQuery
    ) async throws -> [ListingEntry<ObjectRow>] {
        try await IndexReading(cluster: self, place: place(container)).read { device, location in
            try await device.listObjects(location, query)
        }
    }

    /// A page of an account's listing, with the totals of its containers that this process knows.
    package func listContainers(
        _ account: ObjectPath, _ query: ListingQuery
    ) async throws -> [ListingEntry<ContainerRow>] {
        await flush(account: account.account)
        return try await IndexReading(cluster: self, place: place(account)).read { device, location in
            try await device.listContainers(location, query)
        }
    }

    /// Puts rows of objects that were written or deleted. They are listed when this returns, or, where no majority of
    /// the container's replicas could be reached, soon: the object itself is written already, so its row is kept and
    /// put again. Throws `.unavailable` when too many wait so. The account's totals follow by themselves.
    package func putObjectRows(_ container: ObjectPath, _ rows: [ObjectRow]) async throws {
        do {
            try await IndexWriting(cluster: self, place: place(container)).putObjectRows(rows)
            updater.changed(container)
        } catch let error as CancellationError {
            try updater.keep(container, rows)
            throw error
        } catch {
            try updater.keep(container, rows)
            log.warning("rows wait", ["container": container, "error": "\(error)"])
        }
    }

    /// Puts rows of containers. Engines need this seldom: creating and deleting a container does it.
    package func putContainerRows(_ account: ObjectPath, _ rows: [ContainerRow]) async throws {
        try await IndexWriting(cluster: self, place: place(account)).putContainerRows(rows)
    }

    /// Puts the totals of the account's containers that have changed. What cannot be put now is tried again later.
    package func flush(account: String) async { await updater.flush(account: account, in: self) }
}
