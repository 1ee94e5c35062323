// SPDX-License-Identifier: Apache-2.0
import CLinux
import LinuxKit

/// What a file system is known to do beyond what POSIX promises.
enum FileSystemKind {
    private static let ext4: Int64 = 0xEF53
    private static let xfs: Int64 = 0x5846_5342
    private static let btrfs: Int64 = 0x9123_683E
    private static let tmpfs: Int64 = 0x0102_1994

    /// Whether the sync of a new file also brings its name to the disk, and the folders that were made for it. Of tmpfs
    /// nothing stays either way.
    static func writesNamesWithFiles(_ path: String) throws(SystemError) -> Bool {
        let kind = clinux_file_system_kind(path)
        guard kind >= 0 else { throw SystemError("statfs", path) }
        return [ext4, xfs, btrfs, tmpfs].contains(kind)
    }
}
