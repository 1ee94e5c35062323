// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract

/// Objects: written as a stream, read by ranges, described, deleted, expired.
package struct ObjectEngine: Sendable {
    private let cluster: StorageCluster
    private let expiry: ExpiryQueue
    private let limits: StorageLimits

    package init(cluster: StorageCluster, limits: StorageLimits = StorageLimits()) {
        self.cluster = cluster
        self.limits = limits
        expiry = ExpiryQueue(cluster: cluster)
    }

    /// The object, open; nil when there is none. One that has expired is not there, unless that is asked for.
    package func open(_ access: ObjectAccess, evenExpired: Bool = false) async throws -> (any OpenObject)? {
        guard let object = try await cluster.open(access.path, policy: access.container.policy) else { return nil }
        guard evenExpired || !isExpired(object.record) else {
            await object.close()
            return nil
        }
        return object
    }

    package func record(_ access: ObjectAccess, evenExpired: Bool = false) async throws -> ObjectRecord? {
        guard let object = try await open(access, evenExpired: evenExpired) else { return nil }
        await object.close()
        return object.record
    }

    /// Nothing of the object is there when this throws; all of it, durable, and listed, when it returns.
    package func upload(
        _ access: ObjectAccess, _ draft: ObjectDraft, from body: any ByteSource
    ) async throws -> ObjectRecord {
        precondition(access.mayWrite, "an object is written through an access for writing")
        if draft.mustBeNew, try await record(access) != nil { throw UploadFault.alreadyThere }
        let path = access.path
        let record = try await cluster.put(path, policy: access.container.policy, expecting: draft.sizeBytes) { tee in
            try await receive(draft, from: body) { try await tee.write($0) }
            if let etag = draft.etag, etag != tee.etag { throw UploadFault.wrongETag }
            var record = ObjectRecord(
                path: path, time: draft.time ?? cluster.clock.now(), sizeBytes: tee.sizeBytes, etag: tee.etag,
                contentType: draft.contentType, headers: draft.headers,
                system: draft.system.merging(draft.lateSystem?() ?? [:]) { _, late in late })
            record.headers = draft.headers
            return record
        }
        try await cluster.putObjectRows(path.ofContainer, [record.row])
        try await queueExpiry(record)
        return record
    }

    private func receive(
        _ draft: ObjectDraft, from body: any ByteSource, _ write: ([UInt8]) async throws -> Void
    ) async throws {
        var received: Int64 = 0
        while let piece = try await next(of: body) {
            received += Int64(piece.count)
            guard received <= limits.fileBytes else { throw UploadFault.tooLarge }
            if let size = draft.sizeBytes, received > size { throw UploadFault.incomplete }
            try await write(piece)
        }
        if let size = draft.sizeBytes, received != size { throw UploadFault.incomplete }
    }

    /// A failure of the sender is told apart from one of the store.
    private func next(of body: any ByteSource) async throws -> [UInt8]? {
        do {
            return try await body.next()
        } catch is CancellationError {
            throw CancellationError()
        } catch let fault as UploadFault {
            throw fault
        } catch {
            throw UploadFault.incomplete
        }
    }

    /// Replaces what a POST replaces: all headers but those that describe the bytes. Nil when there is no object.
    package func describe(
        _ access: ObjectAccess, contentType: String?, headers: [String: String], evenExpired: Bool = false
    ) async throws -> ObjectRecord? {
        precondition(access.mayWrite, "an object is described through an access for writing")
        guard var record = try await record(access, evenExpired: evenExpired) else { return nil }
        var headers = headers
        headers[StorageHeader.isManifest] = record.headers[StorageHeader.isManifest]
        record.headers = headers
        if let contentType { record.contentType = contentType }
        record.metadataTime = cluster.clock.now()
        guard try await cluster.setHeaders(record, policy: access.container.policy) else { return nil }
        try await cluster.putObjectRows(access.path.ofContainer, [record.row])
        try await queueExpiry(record)
        return record
    }

    /// What was there; nil when nothing was. A row that nothing stands behind goes, too.
    @discardableResult
    package func delete(_ access: ObjectAccess, at time: WriteTime? = nil) async throws -> ObjectRecord? {
        precondition(access.mayWrite, "an object is deleted through an access for writing")
        let old = try await record(access, evenExpired: true)
        let time = time ?? cluster.clock.now()
        if let old {
            if old.time >= time { throw UploadFault.outdated }
            try await cluster.delete(access.path, policy: access.container.policy, at: time)
        }
        try await cluster.putObjectRows(access.path.ofContainer, [.deleted(access.path.object ?? "", at: time)])
        return old.flatMap { isExpired($0) ? nil : $0 }
    }

    private func queueExpiry(_ record: ObjectRecord) async throws {
        guard let text = record.headers[StorageHeader.deleteAt], let seconds = Int64(text) else { return }
        try await expiry.add(record.path, at: seconds)
    }

    private func isExpired(_ record: ObjectRecord) -> Bool {
        guard let text = record.headers[StorageHeader.deleteAt], let seconds = Int64(text) else { return false }
        return seconds <= cluster.clock.now().ticks / 100_000
    }
}

extension ObjectRow {
    package static func deleted(_ name: String, at time: WriteTime) -> ObjectRow {
        ObjectRow(name: name, time: time, sizeBytes: 0, contentType: "", etag: "", isDeleted: true)
    }
}
