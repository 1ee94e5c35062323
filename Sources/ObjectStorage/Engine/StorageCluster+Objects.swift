// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Objects. A container's listing is told of them by the caller: `putObjectRows` after `put` and `delete`.
extension StorageCluster {
    /// Writes an object: `body` sends its bytes to the tee, which streams them to every replica, and returns the record
    /// (with the tee's `sizeBytes` and `etag`). The object is there, durable on a majority, when this returns; nothing
    /// of it is when `body` throws.
    ///
    /// `sizeBytes` where it is known beforehand: a device without the room is not chosen.
    @discardableResult
    package func put(
        _ path: ObjectPath, policy: Int, expecting sizeBytes: Int64? = nil,
        _ body: (ObjectTee) async throws -> ObjectRecord
    ) async throws -> ObjectRecord {
        let tee = try await begin(path, policy: policy, expecting: sizeBytes)
        do {
            let record = try await body(tee)
            try await tee.commit(record)
            return record
        } catch {
            await tee.abort()
            throw error
        }
    }

    /// As `put`, in the caller's own order: `write` many times, then `commit`, or `abort`, once.
    package func begin(_ path: ObjectPath, policy: Int, expecting sizeBytes: Int64? = nil) async throws -> ObjectTee {
        try await ObjectTee.begin(self, place(path, policy: policy), expecting: sizeBytes)
    }

    /// The object, open, as it was last written. Nil: it is not there, or was deleted. The caller closes it.
    package func open(_ path: ObjectPath, policy: Int) async throws -> (any OpenObject)? {
        try await ObjectReading(cluster: self, place: place(path, policy: policy)).open()
    }

    /// What is written beside the object's bytes. Nil: it is not there.
    package func head(_ path: ObjectPath, policy: Int) async throws -> ObjectRecord? {
        guard let object = try await open(path, policy: policy) else { return nil }
        let record = object.record
        await object.close()
        return record
    }

    /// Replaces what a POST replaces: content type, headers, system headers, `metadataTime`, which is the write's time.
    /// False: there is no object.
    package func setHeaders(_ record: ObjectRecord, policy: Int) async throws -> Bool {
        precondition(record.metadataTime != nil, "headers are set at a time")
        return try await ObjectWriting(cluster: self, place: place(record.path, policy: policy)).setHeaders(record)
    }

    /// Deletes the object as of `time`; a later write stays. No error when it is not there.
    package func delete(_ path: ObjectPath, policy: Int, at time: WriteTime) async throws {
        try await ObjectWriting(cluster: self, place: place(path, policy: policy)).delete(at: time)
    }
}
