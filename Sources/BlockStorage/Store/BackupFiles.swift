// SPDX-License-Identifier: Apache-2.0
import Glibc
import LifecycleKit

/// Blocking calls on files of backups. For closures on a `BlockingPool` only.
enum BackupFiles {
    static func open(_ path: String, _ flags: Int32) throws -> Int32 {
        let descriptor = Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw FileCalls.failure("open", path) }
        return descriptor
    }

    static func size(_ path: String) throws -> Int64 {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileCalls.failure("stat", path) }
        return Int64(status.st_size)
    }

    /// Since the last change of the entry; nil when there is none.
    static func age(_ path: String) -> Duration? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return .seconds(Int64(time(nil)) - Int64(status.st_mtim.tv_sec))
    }

    /// Of a folder that this process may write to.
    static func freeBytes(_ directory: String) throws -> Int64 {
        guard access(directory, R_OK | W_OK | X_OK) == 0 else { throw FileCalls.failure("access", directory) }
        var space = statvfs()
        guard statvfs(directory, &space) == 0 else { throw FileCalls.failure("statvfs", directory) }
        return Int64(clamping: UInt64(space.f_bavail) * UInt64(space.f_frsize))
    }

    static func makeDirectories(_ path: String, mode: mode_t) throws {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/" + part
            guard mkdir(made, made == path ? mode : 0o755) == 0 || errno == EEXIST else {
                throw FileCalls.failure("mkdir", made)
            }
        }
    }

    /// A folder of files alone. Not an error when there is none.
    static func removeFolder(_ path: String) throws {
        guard access(path, F_OK) == 0 else { return }
        for name in try FileCalls.names(in: path) {
            guard unlink("\(path)/\(name)") == 0 || errno == ENOENT else {
                throw FileCalls.failure("unlink", "\(path)/\(name)")
            }
        }
        guard rmdir(path) == 0 || errno == ENOENT else { throw FileCalls.failure("rmdir", path) }
    }

    static func remove(_ path: String) throws {
        guard unlink(path) == 0 || errno == ENOENT else { throw FileCalls.failure("unlink", path) }
    }

    /// Where the next bytes that are no hole begin; nil: nowhere.
    static func nextData(_ descriptor: Int32, from offset: Int64, _ path: String) throws -> Int64? {
        let seekData: Int32 = 3
        let found = lseek(descriptor, Int(offset), seekData)
        if found >= 0 { return Int64(found) }
        switch errno {
        case ENXIO: return nil
        // A file system that knows no holes.
        case EINVAL, EOPNOTSUPP: return offset
        default: throw FileCalls.failure("lseek", path)
        }
    }

    static func read(_ descriptor: Int32, at offset: Int64, count: Int, _ path: String) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = pread(descriptor, &bytes, count, Int(offset))
        if got == count { return bytes }
        var whole = Array(bytes.prefix(max(got, 0)))
        if got < 0, errno != EINTR { throw FileCalls.failure("read", path) }
        while whole.count < count {
            let more = pread(descriptor, &bytes, count - whole.count, Int(offset) + whole.count)
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { throw FileCalls.failure("read", path) }
            whole.append(contentsOf: bytes.prefix(more))
        }
        return whole
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32, at offset: Int64, _ path: String) throws {
        guard lseek(descriptor, Int(offset), SEEK_SET) >= 0 else { throw FileCalls.failure("lseek", path) }
        try FileCalls.writeAll(bytes, to: descriptor, path: path)
    }

    /// The whole file; nil when there is none.
    static func readAll(_ path: String, limit: Int) throws -> [UInt8]? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw FileCalls.failure("open", path)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while bytes.count < limit {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileCalls.failure("read", path) }
            if count == 0 { break }
            bytes.append(contentsOf: buffer.prefix(count))
        }
        return bytes
    }

    /// So that after a crash the whole new file is there, or none.
    static func write(_ path: String, _ bytes: [UInt8]) throws {
        let part = path + ".part"
        let descriptor = try open(part, O_WRONLY | O_CREAT | O_TRUNC)
        do {
            defer { close(descriptor) }
            try FileCalls.writeAll(bytes, to: descriptor, path: part)
            guard fsync(descriptor) == 0 else { throw FileCalls.failure("fsync", part) }
        } catch {
            unlink(part)
            throw error
        }
        guard rename(part, path) == 0 else { throw FileCalls.failure("rename", path) }
    }
}
