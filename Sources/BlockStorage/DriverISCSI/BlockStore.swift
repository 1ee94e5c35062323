// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// The name of a block object, which follows from an id, so that a repeated call finds what an earlier one left.
struct BlockName: Hashable, Sendable, CustomStringConvertible {
    static let prefix = "haneul-"
    private static let partPrefix = "haneul-part-"

    let text: String
    var description: String { text }

    /// Nil unless `text` is a name that this driver could have given.
    init?(_ text: String) {
        guard text.hasPrefix(Self.prefix), Self.isPlain(text) else { return nil }
        self.text = text
    }

    private init(_ kind: String, _ id: String) throws {
        guard UUIDText.isUUID(id) else { throw CloudError.badRequest("'\(id)' is not an id.") }
        text = "\(Self.prefix)\(kind)-\(id)"
    }

    static func volume(_ id: VolumeID) throws -> BlockName { try BlockName("volume", id.rawValue) }
    static func snapshot(_ id: VolumeSnapshotID) throws -> BlockName { try BlockName("snapshot", id.rawValue) }
    /// Something that is not complete; it becomes the volume or snapshot of that id.
    static func part(_ id: String) throws -> BlockName { try BlockName("part", id) }
    static func unmanaged(_ id: VolumeID) throws -> String {
        guard UUIDText.isUUID(id.rawValue) else { throw CloudError.badRequest("'\(id)' is not an id.") }
        return "unmanaged-\(id.rawValue)"
    }
    static func unmanaged(_ id: VolumeSnapshotID) throws -> String {
        guard UUIDText.isUUID(id.rawValue) else { throw CloudError.badRequest("'\(id)' is not an id.") }
        return "unmanaged-snapshot-\(id.rawValue)"
    }

    /// Whether the operator's name says that it is a snapshot: as given back by this driver, or made by upstream's.
    static func namesSnapshot(_ text: String) -> Bool {
        ["unmanaged-snapshot-", "snapshot-", "_snapshot-"].contains { text.hasPrefix($0) }
    }

    var isPart: Bool { text.hasPrefix(Self.partPrefix) }

    /// One component of a path and an argument that no program takes for an option.
    static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 120, first != UInt8(ascii: "-"),
            first != UInt8(ascii: ".")
        else { return false }
        return text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "+")
        }
    }
}

/// Where an iSCSI backend keeps its bytes: thin block devices or raw files, by name. Everything may be repeated.
protocol BlockStore: Sendable {
    /// Whether `clone` of something that is written to meanwhile is what it was at one moment.
    var clonesAtOnce: Bool { get }

    func start() async throws
    func space() async throws -> BlockSpace
    func path(_ name: String) -> String
    /// Everything there, the operator's included.
    func list() async throws -> [BlockObject]
    /// Nil: there is none.
    func object(_ name: String) async throws -> BlockObject?

    /// Makes one that reads as zeros.
    func make(_ name: BlockName, sizeBytes: Int64) async throws
    func clone(_ source: BlockName, as name: BlockName) async throws
    func grow(_ name: BlockName, toBytes size: Int64) async throws
    /// Replaces what has the name.
    func rename(_ name: String, to target: String) async throws
    func remove(_ name: BlockName) async throws
}

struct BlockObject: Sendable, Equatable {
    var name: String
    var sizeBytes: Int64
    var madeSeconds: Int64
    /// What it was cloned from, where the store knows.
    var origin: String?
}

struct BlockSpace: Sendable {
    var totalBytes: Int64
    var freeBytes: Int64
}
