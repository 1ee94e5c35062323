// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import LifecycleKit
import LinuxKit
import ObjectStorageContract
import Synchronization

/// A file that nobody sees until it is published, and that is gone when it is closed before. Its calls block and do not
/// overlap.
final class UnnamedFile: Sendable {
    /// Later than this many bytes the disk begins to write, so that the sync at the end is short.
    private static let writebackBytes: Int64 = 8 << 20

    private let descriptor: Int32
    private let folder: String
    private let layout: DiskLayout
    /// Where the file system has no files without a name: one in the folder that is swept at the start.
    private let temporary: String?
    private let isOpen = Atomic(true)
    private let size = Atomic<Int64>(0)
    private let handedOver = Atomic<Int64>(0)
    private let reserved = Atomic<Int64>(0)

    /// Near `folder`, which is made.
    init(near folder: String, _ layout: DiskLayout) throws {
        self.folder = folder
        self.layout = layout
        for attempt in 1...10 {
            try layout.make(folder)
            let number = open(folder, clinux_o_tmpfile | O_RDWR | O_CLOEXEC, 0o600)
            if number >= 0 {
                descriptor = number
                temporary = nil
                return
            }
            // Others remove empty folders.
            guard errno == ENOENT, attempt < 10 else { break }
        }
        guard [EOPNOTSUPP, EISDIR, EINVAL].contains(errno) else { throw SystemError("open", folder) }
        let path = layout.newTemporary()
        let named = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard named >= 0 else { throw SystemError("open", path) }
        descriptor = named
        temporary = path
    }

    deinit { close() }

    var isClosed: Bool { !isOpen.load(ordering: .acquiring) }

    /// Takes the room for so many bytes at once: whoever has none is told before he sends them.
    func reserve(_ bytes: Int64) throws(SystemError) {
        while clinux_reserve(descriptor, bytes) != 0 {
            if errno == EINTR { continue }
            // Not every file system can.
            if errno == EOPNOTSUPP || errno == ENOSYS { return }
            throw SystemError("fallocate", folder)
        }
        reserved.store(bytes, ordering: .relaxed)
    }

    func append(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { return }
        try FileCalls.writeAll(bytes, to: descriptor, path: folder)
        let end = size.add(Int64(bytes.count), ordering: .relaxed).newValue
        let start = handedOver.load(ordering: .relaxed)
        guard end - start >= Self.writebackBytes else { return }
        // A hint: a failure shows in the sync.
        _ = clinux_start_writeback(descriptor, start, end - start)
        handedOver.store(end, ordering: .relaxed)
    }

    /// Ends the file with its record and gives it a name in `folder`, in place of what has it. Returns when both are on
    /// the disk.
    func publish(_ record: ObjectRecord, as name: ObjectFileName, in folder: String, syncsFolders: Bool) throws {
        try append(ObjectTrailer.bytes(record))
        // What was reserved and is not used.
        let end = size.load(ordering: .relaxed)
        if reserved.load(ordering: .relaxed) > end, ftruncate(descriptor, off_t(end)) != 0 {
            throw SystemError("ftruncate", folder)
        }
        let path = "\(folder)/\(name.text)"
        try link(as: path, in: folder)
        do {
            // One sync for the bytes and the name: ext4, XFS and Btrfs write both with the file.
            guard fsync(descriptor) == 0 else { throw SystemError("fsync", path) }
            if syncsFolders { try layout.syncFolders(from: folder) }
        } catch {
            // Nobody was told that it is there; half of it may be.
            unlink(path)
            throw error
        }
    }

    /// Nil after `close`.
    func mark() -> FileMark? { isClosed ? nil : FileMark(descriptor) }

    func close() {
        guard isOpen.exchange(false, ordering: .acquiringAndReleasing) else { return }
        if let temporary { unlink(temporary) }
        Glibc.close(descriptor)
    }

    /// Others may remove the folder as long as it is empty.
    private func link(as path: String, in folder: String) throws {
        let source = temporary ?? "/proc/self/fd/\(descriptor)"
        let flags = temporary == nil ? AT_SYMLINK_FOLLOW : 0
        for attempt in 1...10 {
            try layout.make(folder)
            if linkat(AT_FDCWD, source, AT_FDCWD, path, flags) == 0 { return }
            if errno == ENOENT, attempt < 10 { continue }
            guard errno == EEXIST else { throw SystemError("linkat", path) }
            // A repeated call: what was there may be damaged, so it is replaced. If it was not, a crash must not leave
            // less.
            guard fsync(descriptor) == 0 else { throw SystemError("fsync", path) }
            let other = layout.newTemporary()
            guard linkat(AT_FDCWD, source, AT_FDCWD, other, flags) == 0 else { throw SystemError("linkat", other) }
            // A rename between two names of one file does nothing, and leaves both.
            defer { unlink(other) }
            guard rename(other, path) == 0 else {
                if errno == ENOENT, attempt < 10 { continue }
                throw SystemError("rename", path)
            }
            return
        }
    }
}
