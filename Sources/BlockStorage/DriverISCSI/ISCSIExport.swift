// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import LinuxKit

/// Which hosts a volume is exported to. Kept on the disk, because the target forgets it.
struct ISCSIExport: Sendable, Codable, Equatable {
    struct Host: Sendable, Codable, Equatable {
        var name: String
        var address: String
        var initiator: String?
        var isReadOnly: Bool
    }

    var volume: VolumeID
    /// Name in the store.
    var object: String
    var chapUser: String
    var chapPassword: String
    var hosts: [Host]
}

/// The exports of a backend, one file each, for the eyes of their owner.
struct ISCSIExportRecords: Sendable {
    private static let suffix = ".json"
    private static let sizeLimit = 1 << 20

    let directory: String

    func prepare() async throws {
        let directory = directory
        try await FileSystem.onThread { try FileSystem.makeDirectories(directory, mode: 0o700) }
    }

    func all() async throws -> [ISCSIExport] {
        let directory = directory
        return try await FileSystem.onThread {
            try FileSystem.list(directory).filter { $0.hasSuffix(Self.suffix) }
                .compactMap { try Self.read("\(directory)/\($0)") }
        }
    }

    func record(of volume: VolumeID) async throws -> ISCSIExport? {
        let path = try path(volume)
        return try await FileSystem.onThread { try Self.read(path) }
    }

    func save(_ export: ISCSIExport) async throws {
        let path = try path(export.volume)
        let bytes = try JSONValueEncoder.bytes(export)
        try await FileSystem.onThread { try FileSystem.writeAtomically(path, bytes, mode: 0o600) }
    }

    func remove(_ volume: VolumeID) async throws {
        let path = try path(volume)
        try await FileSystem.onThread { try DurableFiles.remove(path) }
    }

    private func path(_ volume: VolumeID) throws -> String {
        guard UUIDText.isUUID(volume.rawValue) else { throw CloudError.badRequest("'\(volume)' is not an id.") }
        return "\(directory)/\(volume)\(Self.suffix)"
    }

    private static func read(_ path: String) throws -> ISCSIExport? {
        guard let bytes = try FileSystem.read(path, limit: sizeLimit) else { return nil }
        return try JSONValueDecoder.decode(ISCSIExport.self, from: bytes)
    }
}

/// Random text for CHAP: 12 to 16 characters, the lengths that every initiator takes, without any that a tool treats
/// as its own.
enum CHAPSecret {
    private static let alphabet = Array("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789")
    private static let length = 16

    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return String((0..<length).map { _ in alphabet[Int.random(in: alphabet.indices, using: &generator)] })
    }
}
