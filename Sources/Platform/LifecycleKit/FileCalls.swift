// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLinux
import Glibc

/// Blocking file calls that several stores share. For closures on a `BlockingPool` only.
package enum FileCalls {
    /// A failed call on a file. The number decides; the path goes to the log alone.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let call: String
        package let path: String
        package let errorNumber: Int32
        package var description: String { "\(call) \(path): errno \(errorNumber)" }
    }

    /// The current `errno` as an error.
    package static func failure(_ call: String, _ path: String) -> Failure {
        Failure(call: call, path: path, errorNumber: errno)
    }

    /// The names in a directory, without `.` and `..`.
    package static func names(in directory: String) throws -> [String] {
        guard let stream = opendir(directory) else { throw failure("opendir", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw failure("readdir", directory) }
                return names
            }
            // SAFETY: the kernel ends every name with a NUL inside the field; the entry lives until the next readdir.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { field in
                String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    /// Copies the rest of one descriptor to another: by shared extents, else inside the kernel, else through memory.
    package static func copy(from source: Int32, to target: Int32, path: String) throws {
        while true {
            let copied = clinux_copy_file_range(source, target, 1 << 30)
            if copied == 0 { return }
            if copied > 0 { continue }
            switch errno {
            case EINTR: continue
            case EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EBADF, ETXTBSY: return try copyThroughMemory(source, target, path)
            default: throw failure("copy_file_range", path)
            }
        }
    }

    private static func copyThroughMemory(_ source: Int32, _ target: Int32, _ path: String) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(source, &buffer, buffer.count)
            if count == 0 { return }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("read", path)
            }
            try writeAll(buffer.count == count ? buffer : Array(buffer[..<count]), to: target, path: path)
        }
    }

    package static func writeAll(_ bytes: [UInt8], to descriptor: Int32, path: String) throws {
        var rest = bytes
        while !rest.isEmpty {
            let written = write(descriptor, rest, rest.count)
            if written < 0 {
                if errno == EINTR { continue }
                throw failure("write", path)
            }
            if written == rest.count { return }
            rest.removeFirst(written)
        }
    }

    /// Makes a rename, link or unlink in `directory` durable.
    package static func syncDirectory(_ directory: String) throws {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("fsync", directory) }
    }
}
