// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import LifecycleKit

/// Files and folders. All calls block, so async code makes them inside `onThread`; reads of `/proc` need not.
package enum FileSystem {
    /// What a path is.
    package struct Status: Sendable {
        package var isDirectory: Bool
        package var isRegularFile: Bool
        package var size: Int64
        package var linkCount: Int
        package var modifiedSeconds: Int64
        /// When the entry last changed: also by a new or a removed link.
        package var changedSeconds: Int64
    }

    /// Total and free bytes of a file system.
    package struct Space: Sendable {
        package var totalBytes: Int64
        package var freeBytes: Int64
    }

    private static let threads = BlockingPool("files", threads: 4)

    /// Runs file work on a thread for blocking calls.
    package static func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await threads.run(body)
    }

    /// Nil when nothing is at `path`. Does not follow a symbolic link.
    package static func status(_ path: String) throws(SystemError) -> Status? {
        var info = stat()
        guard lstat(path, &info) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw SystemError("stat", path)
        }
        let kind = info.st_mode & S_IFMT
        return Status(
            isDirectory: kind == S_IFDIR, isRegularFile: kind == S_IFREG, size: Int64(info.st_size),
            linkCount: Int(info.st_nlink), modifiedSeconds: Int64(info.st_mtim.tv_sec),
            changedSeconds: Int64(info.st_ctim.tv_sec))
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes `path` and what is missing above it.
    package static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(SystemError) {
        if mkdir(path, mode) == 0 { return }
        switch errno {
        case EEXIST:
            var info = stat()
            guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
                throw SystemError("mkdir", path, code: EEXIST)
            }
        case ENOENT:
            guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
                throw SystemError("mkdir", path, code: ENOENT)
            }
            try makeDirectories(String(path[..<slash]), mode: 0o755)
            // Another thread may have made it meanwhile.
            if mkdir(path, mode) != 0, errno != EEXIST { throw SystemError("mkdir", path) }
        default: throw SystemError("mkdir", path)
        }
    }

    /// Names in a folder, sorted, without `.` and `..`. Empty when there is no such folder.
    package static func list(_ path: String) throws(SystemError) -> [String] {
        guard let directory = opendir(path) else {
            if errno == ENOENT { return [] }
            throw SystemError("opendir", path)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw SystemError("readdir", path) }
        return names.sorted()
    }

    /// At most `limit` bytes: the first, or, with `fromEnd`, the last. Nil when there is no such file.
    package static func read(_ path: String, limit: Int, fromEnd: Bool = false) throws(SystemError) -> [UInt8]? {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw SystemError("open", path)
        }
        let file = OwnedDescriptor(number)
        if fromEnd {
            let size = try check(lseek(file.number, 0, SEEK_END), "seek", path)
            try check(lseek(file.number, max(0, size - limit), SEEK_SET), "seek", path)
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit, 65_536))
        while bytes.count < limit {
            let wanted = min(chunk.count, limit - bytes.count)
            let count = Glibc.read(file.number, &chunk, wanted)
            if count < 0, errno == EINTR { continue }
            guard try check(count, "read", path) > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    /// A small text file, such as those of `/proc`; surrounding white space cut. Nil when there is none.
    package static func text(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> String? {
        guard let bytes = try read(path, limit: limit) else { return nil }
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        let start = bytes.firstIndex { !isSpace($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? start
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// Writes a whole file so that, after a crash at any moment, either the old or the new content is there.
    package static func writeAtomically(
        _ path: String, _ bytes: [UInt8], mode: mode_t = 0o644, durably: Bool = true
    ) throws(SystemError) {
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).tmp"
        do throws(SystemError) {
            try create(temporary, bytes, mode: mode, durably: durably)
            try check(Glibc.rename(temporary, path), "rename", path)
        } catch {
            unlink(temporary)
            throw error
        }
        if durably, let slash = path.lastIndex(of: "/") {
            try synchronize(slash == path.startIndex ? "/" : String(path[..<slash]))
        }
    }

    package static func writeAtomically(
        _ path: String, _ text: String, mode: mode_t = 0o644, durably: Bool = true
    ) throws(SystemError) {
        try writeAtomically(path, Array(text.utf8), mode: mode, durably: durably)
    }

    /// Removes a file or a whole folder; not an error when nothing is there. Never follows a symbolic link.
    package static func removeTree(_ path: String) throws(SystemError) {
        if unlink(path) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM, try status(path)?.isDirectory == true else {
            throw SystemError("unlink", path)
        }
        for name in try list(path) { try removeTree("\(path)/\(name)") }
        if rmdir(path) != 0, errno != ENOENT { throw SystemError("rmdir", path) }
    }

    /// A second name for a file on the same file system. Replaces `path`.
    package static func link(_ existing: String, as path: String) throws(SystemError) {
        unlink(path)
        try check(Glibc.link(existing, path), "link", path)
    }

    package static func rename(_ path: String, to target: String) throws(SystemError) {
        try check(Glibc.rename(path, target), "rename", target)
    }

    /// Makes a sparse file of `size` bytes, or sets the size of the one that is there.
    package static func makeSparse(_ path: String, size: Int64, mode: mode_t = 0o600) throws(SystemError) {
        let file = OwnedDescriptor(try check(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode), "open", path))
        try check(ftruncate(file.number, Int(size)), "truncate", path)
    }

    package static func truncate(_ path: String, to size: Int64) throws(SystemError) {
        try check(Glibc.truncate(path, Int(size)), "truncate", path)
    }

    package static func setMode(_ path: String, _ mode: mode_t) throws(SystemError) {
        try check(chmod(path, mode), "chmod", path)
    }

    /// Whether files in `directory` can be read and written past the page cache.
    package static func supportsDirectIO(_ directory: String) throws(SystemError) -> Bool {
        let path = "\(directory)/.direct-io-\(getpid())"
        let number = open(path, O_RDWR | O_CREAT | O_CLOEXEC | clinux_o_direct, 0o600)
        if number < 0, errno != EINVAL { throw SystemError("open", path) }
        if number >= 0 { close(number) }
        // Some file systems refuse the flag only after they have made the file.
        unlink(path)
        return number >= 0
    }

    /// Of the file system that holds `path`.
    package static func space(_ path: String) throws(SystemError) -> Space {
        var info = statvfs()
        try check(statvfs(path, &info), "statvfs", path)
        let unit = Int64(info.f_frsize)
        return Space(totalBytes: Int64(info.f_blocks) * unit, freeBytes: Int64(info.f_bavail) * unit)
    }

    // MARK: Private

    private static func create(
        _ path: String, _ bytes: [UInt8], mode: mode_t, durably: Bool
    ) throws(SystemError) {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        let file = OwnedDescriptor(try check(open(path, flags, mode), "open", path))
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(file.number, $0.baseAddress.map { $0 + offset }, $0.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            offset += try check(count, "write", path)
        }
        // The mode of `open` is cut by the umask.
        try check(fchmod(file.number, mode), "chmod", path)
        if durably { try check(fsync(file.number), "fsync", path) }
    }

    /// Returns when a file, or the names in a folder, are on the disk.
    package static func synchronize(_ path: String) throws(SystemError) {
        let file = OwnedDescriptor(try check(open(path, O_RDONLY | O_CLOEXEC), "open", path))
        try check(fsync(file.number), "fsync", path)
    }
}
