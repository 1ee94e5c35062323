// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Glibc
import LifecycleKit
import SecurityKit

/// Backups in folders of one directory: `<backup>/objects-00000` … with the chunks that the backup holds itself, and
/// `<backup>/manifest`, which is written last: a folder without one is no backup.
///
/// A chunk that the parent has, too, is not kept again; its place in an older folder is noted. A parent outlives its
/// children, so no chain breaks.
package struct FileBackupStore: BackupStore {
    package static let chunkBytes = 4 << 20
    /// Chunks of one object file.
    private static let chunksPerObject = 64
    /// Chunks that one call looks at, most of which may be as before.
    private static let chunksPerCall = 256
    private static let manifestLimit = 1 << 30

    /// The same wherever the files are: they may be moved.
    package static let serviceName = "cinder.backup.drivers.haneul"
    package let service = FileBackupStore.serviceName
    package let directory: String
    private let chunkBytes: Int
    private let pool: BlockingPool

    package init(
        directory: String, chunkBytes: Int = FileBackupStore.chunkBytes,
        pool: BlockingPool = BlockingPool("backup-io", threads: 2)
    ) {
        precondition(chunkBytes > 0)
        self.directory = directory
        self.chunkBytes = chunkBytes
        self.pool = pool
    }

    package func check() async throws -> String {
        let free = try await freeBytes()
        return "\(free >> 30) GiB free in \(directory)"
    }

    /// Makes the folder when it is not there.
    func freeBytes() async throws -> Int64 {
        let directory = directory
        return try await perform {
            try BackupFiles.makeDirectories(directory, mode: 0o700)
            return try BackupFiles.freeBytes(directory)
        }
    }

    private func folder(_ id: VolumeBackupID) throws -> String {
        guard UUIDText.isUUID(id.rawValue) else {
            throw CloudError.badRequest("Invalid backup: '\(id.rawValue.prefix(64))' is no id of a backup.")
        }
        return "\(directory)/\(id)"
    }

    private static func object(_ folder: String, _ number: Int) -> String {
        let digits = String(number)
        return "\(folder)/objects-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }

    private func perform<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        do {
            return try await pool.run(body)
        } catch let failure as FileCalls.Failure {
            throw CloudError(
                .unavailable,
                failure.errorNumber == ENOSPC
                    ? "The backup store has no room left." : "The backup store cannot be reached.",
                cause: failure.description)
        }
    }

    // MARK: Keep

    /// One pass over the file, in memory between two calls of the pool.
    private struct Pass: Sendable {
        var manifest: BackupManifest
        var nextChunk = 0
        let chunkCount: Int
        let folder: String
    }

    package func keep(
        _ id: VolumeBackupID, from path: String, parent: VolumeBackupID?, cipher: BackupCipher?
    ) async throws -> BackupContent {
        if let whole = try await content(id) { return whole }
        let (folder, chunkBytes) = (try folder(id), chunkBytes)
        var before: [BackupManifest.Place?] = []
        var holders: [VolumeBackupID] = []
        if let parent {
            guard let manifest = try await manifest(parent), manifest.chunkBytes == chunkBytes else {
                throw CloudError(
                    .unavailable, "The backup that the new one builds on cannot be read.", cause: "parent \(parent)")
            }
            before = manifest.places()
            holders = manifest.holders
        }
        var pass = try await perform {
            // Whatever an earlier try left.
            try BackupFiles.removeFolder(folder)
            try BackupFiles.makeDirectories(folder, mode: 0o700)
            let size = try BackupFiles.size(path)
            return Pass(
                manifest: BackupManifest(id: id, sizeBytes: size, chunkBytes: chunkBytes, parent: parent),
                chunkCount: Int((size + Int64(chunkBytes) - 1) / Int64(chunkBytes)), folder: folder)
        }
        let known = (before, holders)
        while pass.nextChunk < pass.chunkCount {
            try Task.checkCancellation()
            let present = pass
            pass = try await perform { try Self.keepObject(present, from: path, known.0, known.1, cipher) }
        }
        let final = pass.manifest
        try await perform {
            try BackupFiles.write(folder + "/manifest", Array(final.text().utf8))
            try FileCalls.syncDirectory(folder)
        }
        let directory = directory
        try await perform { try FileCalls.syncDirectory(directory) }
        return final.content
    }

    /// Reads on until one object file is full, or the source at its end.
    private static func keepObject(
        _ pass: Pass, from path: String, _ before: [BackupManifest.Place?], _ holders: [VolumeBackupID],
        _ cipher: BackupCipher?
    ) throws -> Pass {
        var pass = pass
        let chunkBytes = pass.manifest.chunkBytes
        let source = try BackupFiles.open(path, O_RDONLY)
        defer { close(source) }
        let zeros = digest([UInt8](repeating: 0, count: chunkBytes), cipher)
        var object: Int32 = -1
        defer { if object >= 0 { close(object) } }
        var offset: Int64 = 0
        let name = Self.object(pass.folder, pass.manifest.objectCount)
        let end = min(pass.chunkCount, pass.nextChunk + chunksPerCall)
        while pass.nextChunk < end, offset < Int64(chunkBytes * chunksPerObject) {
            // Holes are not even read.
            let start = Int64(pass.nextChunk) * Int64(chunkBytes)
            let data = try BackupFiles.nextData(source, from: start, path) ?? pass.manifest.sizeBytes
            let skipped = min(Int(data / Int64(chunkBytes)), pass.chunkCount) - pass.nextChunk
            if skipped > 0 || data >= pass.manifest.sizeBytes {
                let count = data >= pass.manifest.sizeBytes ? pass.chunkCount - pass.nextChunk : skipped
                pass.manifest.addZeros(count)
                pass.nextChunk += count
                continue
            }
            var bytes = try BackupFiles.read(
                source, at: start, count: Int(min(Int64(chunkBytes), pass.manifest.sizeBytes - start)), path)
            // The last one is kept whole, so that a volume that grew compares chunk by chunk.
            if bytes.count < chunkBytes {
                bytes.append(contentsOf: repeatElement(0, count: chunkBytes - bytes.count))
            }
            let digest = digest(bytes, cipher)
            defer { pass.nextChunk += 1 }
            if digest == zeros {
                pass.manifest.addZeros(1)
                continue
            }
            let text = Hex.encode(digest)
            if pass.nextChunk < before.count, var place = before[pass.nextChunk], place.digest == text {
                place.holder = pass.manifest.holder(holders[place.holder])
                pass.manifest.entries.append(.chunk(place))
                continue
            }
            if object < 0 { object = try BackupFiles.open(name, O_WRONLY | O_CREAT | O_TRUNC) }
            let kept = try cipher?.seal(bytes, digest: digest) ?? bytes
            try FileCalls.writeAll(kept, to: object, path: name)
            pass.manifest.entries.append(
                .chunk(.init(digest: text, holder: 0, object: pass.manifest.objectCount, offset: offset)))
            offset += Int64(kept.count)
        }
        if object >= 0 {
            guard fsync(object) == 0 else { throw FileCalls.failure("fsync", name) }
            pass.manifest.objectCount += 1
            pass.manifest.keptBytes += offset
        }
        return pass
    }

    private static func digest(_ bytes: [UInt8], _ cipher: BackupCipher?) -> [UInt8] {
        cipher?.digest(bytes) ?? Digest.of(bytes, .sha256)
    }

    // MARK: Read

    private func manifest(_ id: VolumeBackupID) async throws -> BackupManifest? {
        let path = try folder(id) + "/manifest"
        let bytes = try await perform { try BackupFiles.readAll(path, limit: Self.manifestLimit) }
        guard let bytes else { return nil }
        guard let manifest = BackupManifest(String(decoding: bytes, as: UTF8.self)) else {
            throw CloudError(.unavailable, "The backup cannot be read.", cause: "\(path) is damaged")
        }
        return manifest
    }

    package func content(_ id: VolumeBackupID) async throws -> BackupContent? { try await manifest(id)?.content }

    package func fetch(
        _ id: VolumeBackupID, to path: String, sizeBytes: Int64, cipher: BackupCipher?
    ) async throws {
        guard let manifest = try await manifest(id) else {
            throw CloudError(.unavailable, "The backup has no bytes any more.", cause: "no manifest of \(id)")
        }
        let size = max(sizeBytes, manifest.sizeBytes)
        try await perform {
            let target = try BackupFiles.open(path, O_WRONLY | O_CREAT | O_TRUNC)
            defer { close(target) }
            guard ftruncate(target, Int(size)) == 0 else { throw FileCalls.failure("truncate", path) }
        }
        let folders = try manifest.holders.map(folder)
        let places = manifest.places()
        var next = 0
        while next < places.count {
            try Task.checkCancellation()
            let range = next..<min(places.count, next + Self.chunksPerObject)
            try await perform { try Self.write(places, range, manifest, folders, cipher, to: path, size: size) }
            next = range.upperBound
        }
        try await perform {
            let target = try BackupFiles.open(path, O_WRONLY)
            defer { close(target) }
            guard fsync(target) == 0 else { throw FileCalls.failure("fsync", path) }
        }
    }

    private static func write(
        _ places: [BackupManifest.Place?], _ range: Range<Int>, _ manifest: BackupManifest, _ folders: [String],
        _ cipher: BackupCipher?, to path: String, size: Int64
    ) throws {
        let target = try BackupFiles.open(path, O_WRONLY)
        defer { close(target) }
        var (opened, source): (String, Int32) = ("", -1)
        defer { if source >= 0 { close(source) } }
        for number in range {
            guard let place = places[number] else { continue }
            let name = object(folders[place.holder], place.object)
            if name != opened {
                if source >= 0 { close(source) }
                source = -1
                source = try BackupFiles.open(name, O_RDONLY)
                opened = name
            }
            let length = manifest.chunkBytes + (cipher == nil ? 0 : BackupCipher.overhead)
            let kept = try BackupFiles.read(source, at: place.offset, count: length, name)
            let bytes = cipher.map { $0.open(kept, digest: Hex.decode(place.digest) ?? []) } ?? kept
            guard let bytes, Hex.encode(digest(bytes, cipher)) == place.digest else {
                throw CloudError(
                    .unavailable, "The backup is damaged.", cause: "chunk \(number) in \(name) has another digest")
            }
            let start = Int64(number) * Int64(manifest.chunkBytes)
            let count = Int(min(Int64(bytes.count), size - start))
            try BackupFiles.write(Array(bytes.prefix(count)), to: target, at: start, path)
        }
    }

    // MARK: Remove

    /// The manifest goes first, so that half a backup is none.
    package func remove(_ id: VolumeBackupID) async throws {
        let folder = try folder(id)
        try await perform {
            let manifest = folder + "/manifest"
            guard unlink(manifest) == 0 || errno == ENOENT else { throw FileCalls.failure("unlink", manifest) }
            try BackupFiles.removeFolder(folder)
        }
    }

    package func fragments(olderThan age: Duration) async throws -> [VolumeBackupID] {
        let directory = directory
        return try await perform {
            guard access(directory, F_OK) == 0 else { return [] }
            return try FileCalls.names(in: directory).filter { name in
                guard UUIDText.isUUID(name), access("\(directory)/\(name)/manifest", F_OK) != 0 else { return false }
                return BackupFiles.age("\(directory)/\(name)").map { $0 > age } ?? false
            }.map { VolumeBackupID($0) }
        }
    }
}
