// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageDriverKit
import Glibc
import LinuxKit
import Synchronization

/// Raw sparse files in a folder.
final class FileBlockStore: BlockStore {
    /// `FICLONE`: the whole file shares its extents with another one.
    private static let shareExtents: UInt = 0x4004_9409
    private static let suffix = ".raw"

    private let directory: String
    private let tool: DiskImageTool
    private let sharesExtents = Atomic(false)

    init(directory: String, tool: DiskImageTool) {
        self.directory = directory
        self.tool = tool
    }

    /// Found out at the start.
    var clonesAtOnce: Bool { sharesExtents.load(ordering: .relaxed) }

    func path(_ name: String) -> String { "\(directory)/\(name)\(Self.suffix)" }

    func start() async throws {
        try await FileSystem.onThread { [self] in
            try FileSystem.makeDirectories(directory, mode: 0o711)
            let (left, right) = (path("probe-1"), path("probe-2"))
            try FileSystem.writeAtomically(left, [UInt8](repeating: 1, count: 4096), mode: 0o600, durably: false)
            try FileSystem.removeTree(right)
            sharesExtents.store(try Self.share(left, as: right), ordering: .relaxed)
            try FileSystem.removeTree(left)
            try FileSystem.removeTree(right)
        }
    }

    func space() async throws -> BlockSpace {
        let directory = directory
        let space = try await FileSystem.onThread { try FileSystem.space(directory) }
        return BlockSpace(totalBytes: space.totalBytes, freeBytes: space.freeBytes)
    }

    func list() async throws -> [BlockObject] {
        try await FileSystem.onThread { [self] in
            try FileSystem.list(directory).filter { $0.hasSuffix(Self.suffix) }.compactMap { file in
                let name = String(file.dropLast(Self.suffix.count))
                return BlockName.isPlain(name) ? try read(name) : nil
            }
        }
    }

    func object(_ name: String) async throws -> BlockObject? {
        try await FileSystem.onThread { [self] in try read(name) }
    }

    func make(_ name: BlockName, sizeBytes: Int64) async throws {
        let path = path(name.text)
        try await FileSystem.onThread {
            try FileSystem.removeTree(path)
            try FileSystem.makeSparse(path, size: sizeBytes)
        }
    }

    func clone(_ source: BlockName, as name: BlockName) async throws {
        let (from, to) = (path(source.text), path(name.text))
        let isShared = try await FileSystem.onThread {
            try FileSystem.removeTree(to)
            return try Self.share(from, as: to)
        }
        if isShared { return }
        guard let size = try await object(source.text)?.sizeBytes else { throw SystemError("open", from, code: ENOENT) }
        try await make(name, sizeBytes: size)
        try await tool.copy(
            .raw(path: from), passphrase: nil, to: .raw(path: to), targetPassphrase: nil, secretDirectory: directory)
    }

    func grow(_ name: BlockName, toBytes size: Int64) async throws {
        guard let object = try await object(name.text), object.sizeBytes < size else { return }
        let path = path(name.text)
        try await FileSystem.onThread { try FileSystem.truncate(path, to: size) }
    }

    func rename(_ name: String, to target: String) async throws {
        let (from, to) = (path(name), path(target))
        try await FileSystem.onThread { try DurableFiles.publish(from, as: to) }
    }

    func remove(_ name: BlockName) async throws {
        let path = path(name.text)
        try await FileSystem.onThread { try DurableFiles.remove(path) }
    }

    private func read(_ name: String) throws -> BlockObject? {
        guard let status = try FileSystem.status(path(name)), status.isRegularFile else { return nil }
        return BlockObject(
            name: name, sizeBytes: status.size, madeSeconds: max(status.modifiedSeconds, status.changedSeconds))
    }

    /// False: this file system cannot.
    private static func share(_ source: String, as target: String) throws -> Bool {
        let input = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard input >= 0 else { throw SystemError("open", source) }
        let from = OwnedDescriptor(input)
        let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard output >= 0 else { throw SystemError("open", target) }
        let to = OwnedDescriptor(output)
        if ioctl(to.number, shareExtents, from.number) == 0 { return true }
        let code = errno
        try FileSystem.removeTree(target)
        guard [EOPNOTSUPP, EXDEV, EINVAL, ENOTTY, ENOSYS].contains(code) else {
            throw SystemError("share extents", source, code: code)
        }
        return false
    }
}
