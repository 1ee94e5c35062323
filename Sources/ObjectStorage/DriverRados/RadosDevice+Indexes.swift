// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

extension RadosDevice {
    /// Rows that one write takes.
    private static let rowLimit = 500

    // MARK: What they are

    package func createIndex(_ location: StorageLocation, _ record: IndexRecord) async throws {
        let place = PartitionRegistry.Place(PartitionRegistry.kind(ofIndex: location), location.partition)
        let name = IndexWriter.name(location)
        try await cluster.run { pool in
            // Before it is made, so that what is there can be found.
            guard try !pool.exists(name) else { return }
            try PartitionRegistry(pool: pool).add(place, location.hash, IndexPath.write(location.path))
        }
        try await indexes.change(location, .create(record))
    }

    package func index(_ location: StorageLocation) async throws -> IndexRecord? {
        try await cluster.read { try IndexWriter.read(IndexWriter.name(location), $0)?.record }
    }

    package func setHeaders(_ location: StorageLocation, _ headers: [String: IndexRecord.TimedValue]) async throws {
        try await indexes.change(location, .setHeaders(headers))
    }

    package func deleteIndex(_ location: StorageLocation, at time: WriteTime) async throws {
        try await indexes.change(location, .delete(time))
    }

    // MARK: Rows

    package func putObjectRows(_ location: StorageLocation, _ rows: [ObjectRow]) async throws {
        try await put(rows, location) { .putObjects($0) }
        journal.listed(location.path, rows)
    }

    package func putContainerRows(_ location: StorageLocation, _ rows: [ContainerRow]) async throws {
        try await put(rows, location) { .putContainers($0) }
    }

    private func put<Row: Sendable>(
        _ rows: [Row], _ location: StorageLocation, _ change: ([Row]) -> IndexWriter.Change
    ) async throws {
        var rest = rows[...]
        repeat {
            try await indexes.change(location, change(Array(rest.prefix(Self.rowLimit))))
            rest = rest.dropFirst(Self.rowLimit)
        } while !rest.isEmpty
    }

    package func listObjects(
        _ location: StorageLocation, _ query: ListingQuery
    ) async throws -> [ListingEntry<ObjectRow>] {
        try await list(location, query)
    }

    package func listContainers(
        _ location: StorageLocation, _ query: ListingQuery
    ) async throws -> [ListingEntry<ContainerRow>] {
        try await list(location, query)
    }

    private func list<Row: IndexedRow>(
        _ location: StorageLocation, _ query: ListingQuery
    ) async throws -> [ListingEntry<Row>] {
        let entries = try await cluster.read { pool in
            try IndexListing<Row>(query, IndexWriter.name(location), pool).run()
        }
        guard let entries else { throw RadosFailure.noIndex }
        return entries
    }

    // MARK: Replication

    package func indexRows(
        _ location: StorageLocation, after position: Int64, limit: Int
    ) async throws -> IndexRows {
        let page = try await cluster.read { pool in
            try IndexRowPage.read(
                IndexWriter.name(location), isAccount: location.path.container == nil, after: position, limit: limit,
                pool)
        }
        guard let page else { throw RadosFailure.noIndex }
        return page
    }

    package func mergeIndex(_ location: StorageLocation, _ record: IndexRecord, _ rows: IndexRows) async throws {
        try await createIndex(location, record)
        if !rows.objects.isEmpty { try await putObjectRows(location, rows.objects) }
        if !rows.containers.isEmpty { try await putContainerRows(location, rows.containers) }
    }
}

/// The path of an index where it is listed by its partition.
enum IndexPath {
    static func write(_ path: ObjectPath) -> [UInt8] {
        JSONWriter.object { json in
            json.field("account", path.account)
            if let container = path.container { json.field("container", container) }
        }
    }

    /// Nil: damaged.
    static func read(_ text: [UInt8]) -> ObjectPath? {
        guard let json = try? JSONReader.read(text), let account = json["account"]?.string else {  // nil: damaged
            return nil
        }
        return ObjectPath(account: account, container: json["container"]?.string)
    }
}

/// Rows in the order in which they came.
enum IndexRowPage {
    /// Nil: there is no such index. Blocks.
    static func read(
        _ name: String, isAccount: Bool, after position: Int64, limit: Int, _ pool: RadosPool
    ) throws -> IndexRows? {
        var page = IndexRows(position: position)
        let limit = min(max(limit, 1), RadosPool.pageLimit)
        guard let found = try pool.values(name, after: IndexKey.sequence(position), limit: limit) else { return nil }
        let entries = found.entries.prefix { $0.key.first == IndexKey.sequence }
        guard !entries.isEmpty else { return page }
        let rows = try pool.read(name, attributes: false, keys: entries.map(\.value))?.values ?? [:]
        for entry in entries {
            guard let number = Int64(String(decoding: entry.key.dropFirst(), as: UTF8.self)) else { continue }
            page.position = number
            // One that changed between the two reads comes later, by its new number.
            guard let value = rows[entry.value] else { continue }
            if isAccount {
                if let row = ContainerRow.read(entry.value, value), row.sequence == number {
                    page.containers.append(row.row)
                }
            } else if let row = ObjectRow.read(entry.value, value), row.sequence == number {
                page.objects.append(row.row)
            }
        }
        page.isLast = found.isLast || entries.count < found.entries.count
        return page
    }
}
