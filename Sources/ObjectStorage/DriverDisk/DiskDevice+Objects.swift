// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import ObjectStorageContract

extension DiskDevice {
    /// Below it the room for an object is not taken beforehand: it has it, or has it not, in one write.
    private static let reservedBytes: Int64 = 1 << 20

    package func beginObject(_ location: StorageLocation, expecting sizeBytes: Int64?) async throws -> any ObjectSink {
        let folder = try ObjectFolder(location, layout)
        return try await onWriteThread { [self] in
            // What is written into an emptied folder would be found by nobody who opens it.
            try layout.requireDevice()
            try requireSpace(sizeBytes ?? 0)
            let file = try UnnamedFile(near: above(folder), layout)
            if let sizeBytes, sizeBytes >= Self.reservedBytes { try file.reserve(sizeBytes) }
            return DiskObjectSink(file, folder, self)
        }
    }

    package func openObject(_ location: StorageLocation) async throws -> (any OpenObject)? {
        let folder = try ObjectFolder(location, layout)
        return try await onReadThread { [self] in
            while let found = try folder.open(expecting: location.path) {
                if try isWhole(found, folder) { return DiskOpenObject(found, self) }
                try folder.putAside(ObjectFileName(found.record.time, .data), "checksum")
            }
            return nil
        }
    }

    private func isWhole(_ found: borrowing FoundObject, _ folder: ObjectFolder) throws -> Bool {
        guard found.record.sizeBytes <= options.checkedBytes else { return true }
        let mark = FileMark(found.descriptor.number)
        if let mark, wholeFiles.contains(mark) { return true }
        guard try folder.isWhole(found) else { return false }
        if let mark { wholeFiles.insert(mark) }
        return true
    }

    package func replica(_ location: StorageLocation) async throws -> ReplicaState {
        let folder = try ObjectFolder(location, layout)
        return try await onReadThread { try folder.files().state }
    }

    package func setHeaders(_ location: StorageLocation, _ record: ObjectRecord) async throws -> Bool {
        guard let time = record.metadataTime else {
            throw CloudError(.bug, "The server could not complete the request.", cause: "headers without a time")
        }
        let folder = try ObjectFolder(location, layout)
        return try await onWriteThread { [self] in
            let files = try folder.files()
            guard let data = files.data else { return false }
            guard time > max(data.time, files.metadata?.time ?? data.time) else { return true }
            // Bytes that are damaged are not there, whatever their name says.
            guard try folder.open(expecting: location.path) != nil else { return false }
            var record = record
            record.sizeBytes = 0
            let file = try UnnamedFile(near: folder.path, layout)
            defer { file.close() }
            try publish(file, record, .meta, at: time, in: folder)
            try folder.removeObsolete()
            return true
        }
    }

    package func deleteObject(_ location: StorageLocation, at time: WriteTime) async throws {
        let folder = try ObjectFolder(location, layout)
        try await onWriteThread { [self] in
            let files = try folder.files()
            // A later write stays; a repeated call finds its tombstone.
            if let tombstone = files.tombstone, tombstone.time >= time { return }
            if let data = files.data, data.time > time { return }
            let file = try UnnamedFile(near: above(folder), layout)
            defer { file.close() }
            let record = ObjectRecord(path: location.path, time: time, sizeBytes: 0, etag: "", contentType: "")
            try publish(file, record, .deleted, at: time, in: folder)
            try folder.removeObsolete()
        }
    }

    /// The folder above: what is never published leaves no folder of its own.
    private func above(_ folder: ObjectFolder) -> String {
        folder.path.lastIndex(ofByte: "/").map { String(folder.path[..<$0]) } ?? folder.path
    }
}
