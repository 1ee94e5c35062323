// SPDX-License-Identifier: Apache-2.0
import Glibc
import LifecycleKit
import LinuxKit

/// Files of the kernel's configuration file system: writing one acts, and nothing in it can be renamed.
enum AttributeFile {
    static func write(_ path: String, _ value: String) throws {
        let number = open(path, O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open", path) }
        let file = OwnedDescriptor(number)
        try FileCalls.writeAll(Array(value.utf8), to: file.number, path: path)
    }

    /// What is no link stays: attributes go with their folder.
    static func removeLink(_ path: String) throws {
        var info = stat()
        guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFLNK else { return }
        guard unlink(path) == 0 || errno == ENOENT else { throw SystemError("unlink", path) }
    }

    static func removeFolder(_ path: String) throws {
        guard rmdir(path) == 0 || errno == ENOENT else { throw SystemError("rmdir", path) }
    }
}

extension FileSystem {
    /// Where a link cannot be replaced, only made: one that is there stays.
    static func ensureSymlinkOnce(_ path: String, to target: String) throws {
        if symlink(target, path) != 0, errno != EEXIST { throw SystemError("symlink", path) }
    }
}
