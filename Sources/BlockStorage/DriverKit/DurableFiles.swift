// SPDX-License-Identifier: Apache-2.0
import Glibc
import LifecycleKit
import LinuxKit

/// Steps on files that are on the disk when the call returns. They block: inside `FileSystem.onThread` only.
package enum DurableFiles {
    /// Gives a complete file its name, in the same folder: after a crash at any moment either all of it is there under
    /// that name, or what was there before.
    package static func publish(_ temporary: String, as path: String) throws {
        let number = open(temporary, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard number >= 0 else { throw SystemError("open", temporary) }
        let file = OwnedDescriptor(number)
        guard fsync(file.number) == 0 else { throw SystemError("fsync", temporary) }
        try FileSystem.rename(temporary, to: path)
        try FileCalls.syncDirectory(directory(of: path))
    }

    package static func rename(_ path: String, to target: String) throws {
        try FileSystem.rename(path, to: target)
        try FileCalls.syncDirectory(directory(of: target))
    }

    /// A second name of a file, in the same folder. Not an error when it has that name already.
    package static func link(_ path: String, as target: String) throws {
        if Glibc.link(path, target) != 0, errno != EEXIST { throw SystemError("link", target) }
        try FileCalls.syncDirectory(directory(of: target))
    }

    /// Not an error when there is none.
    package static func remove(_ path: String) throws {
        try FileSystem.removeTree(path)
        try FileCalls.syncDirectory(directory(of: path))
    }

    /// Whether both names are names of one file.
    package static func areSame(_ path: String, _ other: String) throws -> Bool {
        var (left, right) = (stat(), stat())
        guard lstat(path, &left) == 0 else { throw SystemError("stat", path) }
        guard lstat(other, &right) == 0 else { throw SystemError("stat", other) }
        return left.st_dev == right.st_dev && left.st_ino == right.st_ino
    }

    private static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}
