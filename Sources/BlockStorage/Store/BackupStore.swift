// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import SecurityKit

/// Where the bytes of backups are kept: files of this host, or of a share.
///
/// Every call may be repeated, from whatever an earlier try left, and gives the same result. Failures are `CloudError`
/// whose cause is for the operator.
package protocol BackupStore: Sendable {
    /// `service` of a backup: which store can read it.
    var service: String { get }
    /// Opens the store, and asks it whether it is there. Returns what it is and has, for the operator; throws what
    /// hinders it.
    @discardableResult
    func check() async throws -> String
    /// Keeps the bytes of the file. With `parent` only those that differ from it, so the parent must stay for as long.
    /// With a cipher, nobody reads them without it.
    func keep(
        _ id: VolumeBackupID, from path: String, parent: VolumeBackupID?, cipher: BackupCipher?
    ) async throws -> BackupContent
    /// Writes the bytes into a new sparse file of at least `sizeBytes`, checked against their digests.
    func fetch(_ id: VolumeBackupID, to path: String, sizeBytes: Int64, cipher: BackupCipher?) async throws
    /// Not an error when there is none.
    func remove(_ id: VolumeBackupID) async throws
    /// What a whole backup is; nil when there is none of that id.
    func content(_ id: VolumeBackupID) async throws -> BackupContent?
    /// What is no whole backup and unchanged for `age`. Whole ones are never swept, even if no row names them: the
    /// database may be the one that was lost, and a record brings them back.
    func fragments(olderThan age: Duration) async throws -> [VolumeBackupID]
}

package struct BackupContent: Sendable, Codable, Equatable {
    package var sizeBytes: Int64
    /// Files or objects of its own.
    package var objectCount: Int
    /// Bytes of its own.
    package var keptBytes: Int64
    package var parent: VolumeBackupID?

    package init(sizeBytes: Int64, objectCount: Int, keptBytes: Int64, parent: VolumeBackupID?) {
        self.sizeBytes = sizeBytes
        self.objectCount = objectCount
        self.keptBytes = keptBytes
        self.parent = parent
    }
}

/// Hides the chunks of an encrypted volume's backup, with a key of its passphrase.
///
/// The vector comes from the digest, which the key is part of: equal chunks stay equal, so that an incremental backup
/// finds them, and nothing else of them shows.
package struct BackupCipher: Sendable {
    private let key: [UInt8]

    package init(passphrase: String) {
        key = Digest.of(Array("haneul backup \(passphrase)".utf8), .sha256)
    }

    func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = Digest(.sha256)
        digest.update(key)
        digest.update(bytes)
        return digest.finish()
    }

    private func vector(_ digest: [UInt8]) -> [UInt8] {
        Array(Digest.of(key + digest, .sha256).prefix(AES128CBC.blockByteCount))
    }

    func seal(_ bytes: [UInt8], digest: [UInt8]) throws -> [UInt8] {
        try AES128CBC.encrypt(bytes, key: Array(key.prefix(AES128CBC.keyByteCount)), iv: vector(digest))
    }

    /// Nil: another key, or other bytes.
    func open(_ bytes: [UInt8], digest: [UInt8]) -> [UInt8]? {
        AES128CBC.decrypt(bytes, key: Array(key.prefix(AES128CBC.keyByteCount)), iv: vector(digest))
    }

    /// What a sealed chunk is longer by.
    static let overhead = AES128CBC.blockByteCount
}
