// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LifecycleKit
import LinuxKit
import ObjectStorageContract

/// Where things lie on a device. No name of a client's becomes a file's: hashes and numbers do.
struct DiskLayout: Sendable {
    /// Says that this is a device, and what state it was left in. Without it the disk is not mounted.
    static let markName = "device.json"
    private static let temporaryName = "tmp"
    private static let quarantineName = "quarantined"

    let root: String

    var mark: String { "\(root)/\(Self.markName)" }
    var lock: String { "\(root)/.lock" }
    var temporary: String { "\(root)/\(Self.temporaryName)" }

    func newTemporary() -> String {
        "\(temporary)/\(getpid())-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))"
    }

    static func name(_ kind: StorageKind) -> String {
        switch kind {
        case .accounts: "accounts"
        case .containers: "containers"
        case .objects(0): "objects"
        case .objects(let policy): "objects-\(policy)"
        }
    }

    /// The policy whose objects lie in a folder of the root; nil: another folder.
    static func policy(_ name: String) -> Int? {
        if name == "objects" { return 0 }
        guard let policy = name.removing(bytePrefix: "objects-").flatMap({ Int($0) }), policy > 0 else {
            return nil
        }
        return policy
    }

    func directory(_ kind: StorageKind) -> String { "\(root)/\(Self.name(kind))" }

    func partition(_ kind: StorageKind, _ partition: Int) -> String { "\(directory(kind))/\(partition)" }

    /// The folder of one hash: an object's files, or an index's database.
    func folder(_ location: StorageLocation, _ kind: StorageKind) throws -> String {
        guard Self.isHash(location.hash), location.partition >= 0, location.policy >= 0 else {
            throw CloudError(.bug, "The server could not complete the request.", cause: "bad location \(location)")
        }
        return "\(partition(kind, location.partition))/\(location.hash.suffix(3))/\(location.hash)"
    }

    func object(_ location: StorageLocation) throws -> String {
        try folder(location, .objects(policy: location.policy))
    }

    static func kind(ofIndex location: StorageLocation) -> StorageKind {
        location.path.container == nil ? .accounts : .containers
    }

    func index(_ location: StorageLocation) throws -> String {
        let folder = try folder(location, Self.kind(ofIndex: location))
        return "\(folder)/\(location.hash).db"
    }

    /// A place for what is damaged, not taken yet. The folder above it is made.
    func newQuarantine(of folder: String, _ kind: StorageKind) throws -> String {
        let above = "\(root)/\(Self.quarantineName)/\(Self.name(kind))"
        try make(above)
        let name = folder.split(byte: "/").last ?? "unknown"
        return "\(above)/\(name)-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))"
    }

    // MARK: Folders

    /// Makes a folder and what is missing above it, but never the root, nor anything in a root that is no device.
    func make(_ folder: String) throws {
        if mkdir(folder, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = folder.lastIndex(ofByte: "/") else { throw SystemError("mkdir", folder) }
        let above = String(folder[..<slash])
        guard above.utf8.count > root.utf8.count else { throw DiskFailure.away(cause: "no folder \(root)") }
        if above.utf8.count(where: { $0 == UInt8(ascii: "/") }) == root.utf8.count(where: { $0 == UInt8(ascii: "/") })
            + 1
        {
            try requireDevice()
        }
        try make(above)
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw SystemError("mkdir", folder) }
    }

    /// Before saying that something is not there: the disk may not be.
    func requireDevice() throws {
        guard access(mark, F_OK) == 0 else { throw DiskFailure.away(cause: "no mark \(mark): errno \(errno)") }
    }

    /// The names in a folder; nil when there is none.
    func names(in folder: String) throws -> [String]? {
        do {
            return try FileCalls.names(in: folder)
        } catch let failure as FileCalls.Failure where [ENOENT, ENOTDIR].contains(failure.errorNumber) {
            try requireDevice()
            return nil
        }
    }

    /// Removes an empty folder, and those above it that become empty, up to the kind's own.
    func prune(_ folder: String, _ kind: StorageKind) {
        let end = directory(kind)
        var path = folder
        while path.utf8.count > end.utf8.count, rmdir(path) == 0 || errno == ENOENT,
            let slash = path.lastIndex(ofByte: "/")
        {
            path = String(path[..<slash])
        }
    }

    /// Returns when the names in a folder, and in those above it up to the root, are on the disk.
    func syncFolders(from folder: String) throws {
        var path = folder
        while path.utf8.count >= root.utf8.count, let slash = path.lastIndex(ofByte: "/") {
            try FileCalls.syncDirectory(path)
            path = String(path[..<slash])
        }
    }

    private static func isHash(_ text: String) -> Bool {
        text.utf8.count == 32
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }
}
