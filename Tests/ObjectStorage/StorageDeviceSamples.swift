// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import ObjectStorageContract
import ObjectStorageDriverDisk
import SecurityKit

/// Things to put on a device, and ways to read them back.
enum StorageSample {
    /// Where `path` lies, with hashes of the test's own.
    static func location(_ path: ObjectPath, policy: Int = 0) -> StorageLocation {
        let digest = Digest.of(Array("salt \(path) salt".utf8), .md5)
        return StorageLocation(
            path: path, policy: path.object == nil ? 0 : policy, partition: Int(digest[0]), hash: Hex.encode(digest))
    }

    /// The samples' times are long ago; what was deleted then is remembered.
    static var options: DiskDevice.Options {
        var options = DiskDevice.Options()
        options.reclaimAge = .seconds(100 * 365 * 86_400)
        return options
    }

    static let account = ObjectPath(account: "AUTH_test")
    static let container = ObjectPath(account: "AUTH_test", container: "box")

    static func object(_ name: String, policy: Int = 0) -> StorageLocation {
        location(container.appending(name), policy: policy)
    }

    static func time(_ ticks: Int64) -> WriteTime { WriteTime(ticks: 170_000_000_000_000 + ticks) }

    static func bytes(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
        var value = UInt32(seed) &+ 1
        return (0..<count).map { _ in
            value = value &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: value >> 24)
        }
    }

    static func record(
        _ location: StorageLocation, _ bytes: [UInt8], at ticks: Int64, headers: [String: String] = [:]
    ) -> ObjectRecord {
        ObjectRecord(
            path: location.path, time: time(ticks), sizeBytes: Int64(bytes.count),
            etag: Hex.encode(Digest.of(bytes, .md5)), contentType: "text/plain", headers: headers)
    }

    static func row(_ name: String, at ticks: Int64, size: Int64 = 1, isDeleted: Bool = false) -> ObjectRow {
        ObjectRow(
            name: name, time: time(ticks), sizeBytes: isDeleted ? 0 : size, contentType: isDeleted ? "" : "text/plain",
            etag: isDeleted ? "" : "e-\(ticks)", isDeleted: isDeleted)
    }

    /// Names that a careless device would take for something else.
    static let hostileNames = [
        "..", ".", "/", "//", "../../etc/passwd", "a/../b", "/absolute", " ", "%2e%2e", "*",
        "'; DROP TABLE objects; --",
        "\"quoted\"", "line\nbreak", "\u{1}\u{7F}", "😀", "🧑‍🚀🧑‍🚀", "하늘", "\u{E9}", "e\u{301}", "\u{FFFF}", "\u{10FFFF}",
        "\u{D7FF}", "\u{E000}", "Case", "case", "0000000000000001.data", "x.ts", "-", "--help", "\\", "CON",
        String(repeating: "x", count: 1024), String(repeating: "😀", count: 256),
    ]
}

extension StorageDevice {
    /// Writes a whole object in pieces.
    @discardableResult
    func put(
        _ location: StorageLocation, _ bytes: [UInt8], at ticks: Int64, headers: [String: String] = [:],
        pieceBytes: Int = 100_000
    ) async throws -> ObjectRecord {
        let sink = try await beginObject(location, expecting: Int64(bytes.count))
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            try await sink.write(Array(bytes[start..<min(start + pieceBytes, bytes.count)]))
        }
        let record = StorageSample.record(location, bytes, at: ticks, headers: headers)
        try await sink.commit(record)
        return record
    }

    /// What is there. Nil: nothing is.
    func get(_ location: StorageLocation) async throws -> (record: ObjectRecord, bytes: [UInt8])? {
        guard let object = try await openObject(location) else { return nil }
        let bytes = try await object.bytes(0..<object.record.sizeBytes)
        await object.close()
        return (object.record, bytes)
    }
}

extension OpenObject {
    func bytes(_ range: Range<Int64>) async throws -> [UInt8] { try await body(range).bytes() }
}

extension ObjectBody {
    /// All of it; the descriptor is closed.
    func bytes() async throws -> [UInt8] {
        switch self {
        case .stream(let stream):
            var bytes: [UInt8] = []
            while let piece = try await stream.next() { bytes += piece }
            return bytes
        case .file(let descriptor, let offset, let length):
            defer { close(descriptor) }
            var bytes = [UInt8](repeating: 0, count: Int(length))
            let count = pread(descriptor, &bytes, bytes.count, off_t(offset))
            guard count == bytes.count else { throw CloudError(.bug, "\(count) of \(length) bytes") }
            return bytes
        }
    }
}
