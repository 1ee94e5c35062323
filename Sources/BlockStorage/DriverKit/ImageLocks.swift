// SPDX-License-Identifier: Apache-2.0
import Glibc
import LinuxKit

/// Who has an image open, as QEMU's programs tell each other: by locks on bytes of the file (`file-posix.c`). On NFS
/// they are seen by other hosts, too.
package enum ImageLocks {
    /// Byte 100 and up: what somebody does with the file; byte 200 and up: what they let nobody else do.
    private static let first = 100
    private static let count = 200
    private static let writing = 101
    /// `F_OFD_GETLK` of Linux, which Glibc's header hides from Swift.
    private static let query: Int32 = 36

    /// Whether any program of QEMU has the file open, as a disk or as a layer below one.
    package static func isOpen(_ path: String) throws(SystemError) -> Bool { try isLocked(path, first, count) }

    package static func isOpenForWriting(_ path: String) throws(SystemError) -> Bool { try isLocked(path, writing, 1) }

    private static func isLocked(_ path: String, _ start: Int, _ length: Int) throws(SystemError) -> Bool {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard number >= 0 else {
            if errno == ENOENT { return false }
            throw SystemError("open", path)
        }
        let file = OwnedDescriptor(number)
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = start
        lock.l_len = length
        guard fcntl(file.number, query, &lock) == 0 else { throw SystemError("lock", path) }
        return lock.l_type != Int16(F_UNLCK)
    }
}
