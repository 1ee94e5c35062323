// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Glibc
import LifecycleKit
import TestKit
import Testing

@testable import BlockStorageCore

/// Goal: what is kept comes back byte for byte, an incremental backup keeps no more than what changed, and nothing that
/// is torn or altered is ever taken for a backup.
/// Method: small chunks, real files; files are altered by hand between two calls.
@Suite("Backups in files")
struct FileBackupStoreTests {
    private static let chunk = 4096
    private static let first = VolumeBackupID("11111111-1111-4111-8111-111111111111")
    private static let second = VolumeBackupID("22222222-2222-4222-8222-222222222222")
    private static let third = VolumeBackupID("33333333-3333-4333-8333-333333333333")

    private struct Place: Sendable {
        let directory: String
        let store: FileBackupStore

        init(_ directory: String) {
            self.directory = directory
            store = FileBackupStore(directory: directory + "/backups", chunkBytes: FileBackupStoreTests.chunk)
        }

        func write(_ name: String, _ bytes: [UInt8]) throws -> String {
            let path = "\(directory)/\(name)"
            try BackupFiles.write(path, bytes)
            return path
        }

        func fetch(_ id: VolumeBackupID, sizeBytes: Int64 = 0, cipher: BackupCipher? = nil) async throws -> [UInt8] {
            let path = "\(directory)/fetched"
            try await store.fetch(id, to: path, sizeBytes: sizeBytes, cipher: cipher)
            return try #require(try BackupFiles.readAll(path, limit: 1 << 30))
        }
    }

    private static func with(_ body: (Place) async throws -> Void) async throws {
        try await withTemporaryDirectory { try await body(Place($0)) }
    }

    private static func bytes(_ chunks: Int, seed: UInt8 = 1, tail: Int = 0) -> [UInt8] {
        (0..<(chunks * chunk + tail)).map { UInt8(truncatingIfNeeded: $0 / 7 + Int(seed)) }
    }

    @Test("bytes come back, with zeros after them up to the size that is asked for")
    func roundTrip() async throws {
        try await Self.with { place in
            let bytes = Self.bytes(300, tail: 100)
            let content = try await place.store.keep(
                Self.first, from: place.write("volume", bytes), parent: nil, cipher: nil)
            #expect(content.sizeBytes == Int64(bytes.count))
            #expect(content.objectCount == 5)
            let size = bytes.count + 5000
            let back = try await place.fetch(Self.first, sizeBytes: Int64(size))
            #expect(back == bytes + [UInt8](repeating: 0, count: 5000))
        }
    }

    @Test("holes and zeros take no room")
    func zeros() async throws {
        try await Self.with { place in
            var bytes = [UInt8](repeating: 0, count: 100 * Self.chunk)
            bytes[50 * Self.chunk + 3] = 9
            let path = try place.write("volume", bytes)
            #expect(truncate(path, 1000 * Self.chunk) == 0)
            let content = try await place.store.keep(Self.first, from: path, parent: nil, cipher: nil)
            #expect(content.keptBytes == Int64(Self.chunk))
            let back = try await place.fetch(Self.first)
            #expect(back.count == 1000 * Self.chunk)
            #expect(Array(back.prefix(bytes.count)) == bytes)
        }
    }

    @Test("an incremental backup keeps what changed, through several generations")
    func incremental() async throws {
        try await Self.with { place in
            var bytes = Self.bytes(20)
            _ = try await place.store.keep(Self.first, from: place.write("volume", bytes), parent: nil, cipher: nil)
            bytes[5 * Self.chunk] ^= 1
            let one = bytes
            let content = try await place.store.keep(
                Self.second, from: place.write("volume", bytes), parent: Self.first, cipher: nil)
            #expect(content.keptBytes == Int64(Self.chunk))
            #expect(content.parent == Self.first)
            bytes[7 * Self.chunk] ^= 1
            bytes += Self.bytes(2, seed: 77)
            let grown = try await place.store.keep(
                Self.third, from: place.write("volume", bytes), parent: Self.second, cipher: nil)
            #expect(grown.keptBytes == Int64(3 * Self.chunk))
            #expect(try await place.fetch(Self.second) == one)
            #expect(try await place.fetch(Self.third) == bytes)
        }
    }

    @Test("what is sealed comes back with its passphrase alone, and its increments find equal chunks")
    func sealed() async throws {
        try await Self.with { place in
            let cipher = BackupCipher(passphrase: "secret")
            var bytes = Self.bytes(10)
            _ = try await place.store.keep(Self.first, from: place.write("volume", bytes), parent: nil, cipher: cipher)
            let object = try #require(
                try BackupFiles.readAll("\(place.store.directory)/\(Self.first)/objects-00000", limit: 1 << 20))
            #expect(!object.starts(with: bytes.prefix(64)))
            #expect(try await place.fetch(Self.first, cipher: cipher) == bytes)
            await #expect(throws: CloudError.self) {
                _ = try await place.fetch(Self.first, cipher: BackupCipher(passphrase: "another"))
            }
            bytes[0] ^= 1
            let content = try await place.store.keep(
                Self.second, from: place.write("volume", bytes), parent: Self.first, cipher: cipher)
            #expect(content.keptBytes == Int64(Self.chunk + BackupCipher.overhead))
            #expect(try await place.fetch(Self.second, cipher: cipher) == bytes)
        }
    }

    @Test("a second try begins anew after half a backup, and leaves a whole one alone")
    func repeats() async throws {
        try await Self.with { place in
            let bytes = Self.bytes(3)
            let folder = "\(place.store.directory)/\(Self.first)"
            try BackupFiles.makeDirectories(folder, mode: 0o700)
            try BackupFiles.write(folder + "/objects-00007", [1, 2, 3])
            #expect(try await place.store.content(Self.first) == nil)
            #expect(try await place.store.fragments(olderThan: .seconds(-5)) == [Self.first])
            let path = try place.write("volume", bytes)
            let content = try await place.store.keep(Self.first, from: path, parent: nil, cipher: nil)
            #expect(try await place.store.fragments(olderThan: .seconds(-5)).isEmpty)
            unlink(path)
            #expect(try await place.store.keep(Self.first, from: path, parent: nil, cipher: nil) == content)
            #expect(try await place.fetch(Self.first) == bytes)
        }
    }

    @Test("altered bytes and an altered manifest are refused")
    func damage() async throws {
        try await Self.with { place in
            let path = try place.write("volume", Self.bytes(3))
            _ = try await place.store.keep(Self.first, from: path, parent: nil, cipher: nil)
            _ = try await place.store.keep(Self.second, from: path, parent: nil, cipher: nil)
            let object = "\(place.store.directory)/\(Self.first)/objects-00000"
            var bytes = try #require(try BackupFiles.readAll(object, limit: 1 << 20))
            bytes[100] ^= 1
            try BackupFiles.write(object, bytes)
            await #expect(throws: CloudError.self) { _ = try await place.fetch(Self.first) }

            let manifest = "\(place.store.directory)/\(Self.second)/manifest"
            var text = try #require(try BackupFiles.readAll(manifest, limit: 1 << 20))
            text[30] ^= 1
            try BackupFiles.write(manifest, text)
            await #expect(throws: CloudError.self) { _ = try await place.store.content(Self.second) }
        }
    }

    @Test("removing may be repeated, and a name that is no id reaches no path")
    func remove() async throws {
        try await Self.with { place in
            let path = try place.write("volume", Self.bytes(1))
            _ = try await place.store.keep(Self.first, from: path, parent: nil, cipher: nil)
            try await place.store.remove(Self.first)
            try await place.store.remove(Self.first)
            #expect(try await place.store.content(Self.first) == nil)
            await #expect(throws: CloudError.self) { try await place.store.remove(VolumeBackupID("../volume")) }
            #expect(try BackupFiles.readAll(path, limit: 1 << 20) != nil)
        }
    }
}
