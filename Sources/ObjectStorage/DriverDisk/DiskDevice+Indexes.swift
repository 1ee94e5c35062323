// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import DatabaseSQLite
import Glibc
import LifecycleKit
import LinuxKit
import ObjectStorageContract

extension DiskDevice {
    /// Of so many calls one forgets what was deleted long ago, more at once than so many calls can bring.
    private static let reclaimEvery = 64
    private static let reclaimLimit = 256

    // MARK: What they are

    package func createIndex(_ location: StorageLocation, _ record: IndexRecord) async throws {
        // Another call may make or remove it meanwhile.
        for _ in 1...5 {
            let isThere = try await present {
                try await self.write(location, isDurable: true) { tx in
                    try IndexRecordTable.merge(record, tx)
                }
            }
            if isThere { return }
            if try await makeIndex(location, record) { return }
        }
        throw DiskFailure.away(cause: "\(location.path) does not stand still")
    }

    package func index(_ location: StorageLocation) async throws -> IndexRecord? {
        do {
            return try await read(location, IndexRecordTable.read)
        } catch let error as CloudError where error.code == .notFound {
            return nil
        }
    }

    package func setHeaders(_ location: StorageLocation, _ headers: [String: IndexRecord.TimedValue]) async throws {
        let limit = reclaimTime
        try await write(location, isDurable: true) { tx in
            try IndexRecordTable.setHeaders(headers, tx)
            try IndexRecordTable.reclaimHeaders(before: limit, tx)
        }
    }

    package func deleteIndex(_ location: StorageLocation, at time: WriteTime) async throws {
        try await write(location, isDurable: true) { try IndexRecordTable.delete(at: time, $0) }
    }

    // MARK: Rows

    /// They are on the disk after the next `sync`: until then the objects themselves are what they are made of again.
    package func putObjectRows(_ location: StorageLocation, _ rows: [ObjectRow]) async throws {
        let limit = reclaimsNow ? reclaimTime : nil
        try await write(location, isDurable: false) { tx in
            try ObjectRowTable.put(rows, tx)
            if let limit { try ObjectRowTable.reclaim(before: limit, limit: Self.reclaimLimit, tx) }
        }
    }

    /// They are on the disk when this returns: nothing else says that a container is of an account.
    package func putContainerRows(_ location: StorageLocation, _ rows: [ContainerRow]) async throws {
        let limit = reclaimsNow ? reclaimTime : nil
        try await write(location, isDurable: true) { tx in
            try ContainerRowTable.put(rows, tx)
            if let limit { try ContainerRowTable.reclaim(before: limit, limit: Self.reclaimLimit, tx) }
        }
    }

    package func listObjects(
        _ location: StorageLocation, _ query: ListingQuery
    ) async throws -> [ListingEntry<ObjectRow>] {
        try await read(location) { try ObjectRowTable.list(query, $0) }
    }

    package func listContainers(
        _ location: StorageLocation, _ query: ListingQuery
    ) async throws -> [ListingEntry<ContainerRow>] {
        try await read(location) { try ContainerRowTable.list(query, $0) }
    }

    // MARK: Replication

    package func indexRows(
        _ location: StorageLocation, after position: Int64, limit: Int
    ) async throws -> IndexRows {
        let isAccount = location.path.container == nil
        return try await read(location) { tx in
            var page = IndexRows(position: position)
            if isAccount {
                let rows = try ContainerRowTable.rows(after: position, limit: limit, tx)
                page.containers = rows.map(\.1)
                page.position = rows.last?.0 ?? position
            } else {
                let rows = try ObjectRowTable.rows(after: position, limit: limit, tx)
                page.objects = rows.map(\.1)
                page.position = rows.last?.0 ?? position
            }
            page.isLast = try IndexTotals(tx).sequence <= page.position
            // Rows that were forgotten leave the counter where it was.
            if page.objects.isEmpty && page.containers.isEmpty { page.isLast = true }
            return page
        }
    }

    package func mergeIndex(_ location: StorageLocation, _ record: IndexRecord, _ rows: IndexRows) async throws {
        try await createIndex(location, record)
        try await write(location, isDurable: true) { tx in
            if !rows.objects.isEmpty { try ObjectRowTable.put(rows.objects, tx) }
            if !rows.containers.isEmpty { try ContainerRowTable.put(rows.containers, tx) }
        }
    }

    // MARK: Databases

    var reclaimTime: WriteTime { WriteTime(ticks: (options.clock.now() - options.reclaimAge).microseconds / 10) }
    private var reclaimsNow: Bool { Int.random(in: 0..<Self.reclaimEvery) == 0 }

    private func read<T: Sendable>(
        _ location: StorageLocation, _ body: @escaping @Sendable (any Transaction) throws -> T
    ) async throws -> T {
        let path = try layout.index(location)
        return try await whole(location, path) { try await self.indexes.read(path, body) }
    }

    private func write<T: Sendable>(
        _ location: StorageLocation, isDurable: Bool, _ body: @escaping @Sendable (any Transaction) throws -> T
    ) async throws -> T {
        let path = try layout.index(location)
        return try await whole(location, path) { try await self.indexes.write(path, isDurable: isDurable, body) }
    }

    /// A database that is damaged is put aside: it is not there then, and other replicas have its rows.
    private func whole<T: Sendable>(
        _ location: StorageLocation, _ path: String, _ body: @Sendable () async throws -> T
    ) async throws -> T {
        do {
            return try await body()
        } catch DatabaseError.damaged(let reason) {
            try await putAside(location, path, reason)
            throw DiskFailure.noIndex
        } catch DatabaseError.missing {
            // Before it is called absent: the whole disk may be.
            try await onReadThread { [layout] in try layout.requireDevice() }
            throw DiskFailure.noIndex
        } catch {
            throw DiskFailure.describe(error)
        }
    }

    private func putAside(_ location: StorageLocation, _ path: String, _ reason: String) async throws {
        let kind = DiskLayout.kind(ofIndex: location)
        let folder = try layout.folder(location, kind)
        do {
            try await indexes.withoutUsers(path) { [layout] in
                let target = try layout.newQuarantine(of: folder, kind)
                guard rename(folder, target) == 0 || errno == ENOENT else { throw SystemError("rename", target) }
            }
        } catch {
            throw DiskFailure.describe(error)
        }
        DiskMetrics.quarantined.add()
        log.error("index put aside", ["path": location.path, "folder": folder, "reason": reason])
    }

    /// False: there is no such index.
    private func present(_ body: @Sendable () async throws -> Void) async throws -> Bool {
        do {
            try await body()
            return true
        } catch let error as CloudError where error.code == .notFound {
            return false
        }
    }

    /// Builds the database aside, so that none is ever seen that is not whole. False: another call was first.
    private func makeIndex(_ location: StorageLocation, _ record: IndexRecord) async throws -> Bool {
        let path = try layout.index(location)
        let folder = try layout.folder(location, DiskLayout.kind(ofIndex: location))
        return try await onWriteThread { [self] in
            let temporary = layout.newTemporary()
            defer { for end in ["", "-wal", "-shm"] { unlink(temporary + end) } }
            try SQLiteDatabases.create(temporary) { try IndexRecordTable.create(record, $0) }
            for attempt in 1...10 {
                try layout.make(folder)
                if link(temporary, path) == 0 { break }
                if errno == EEXIST { return false }
                // Others remove empty folders.
                guard errno == ENOENT, attempt < 10 else { throw SystemError("link", path) }
            }
            // By the folder, never by the file: to close a descriptor of it would drop locks of those who have it open.
            if syncsFolders { try layout.syncFolders(from: folder) } else { try FileCalls.syncDirectory(folder) }
            return true
        }
    }
}
