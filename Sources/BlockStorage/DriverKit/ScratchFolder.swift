// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit

/// A folder for files on their way to the storage.
package enum ScratchFolder {
    package static let suffix = ".part"
    private static let suffixes = [suffix, ".tmp"]

    /// Removes what a crash left. Returns the names.
    package static func sweep(_ directory: String, olderThan age: Duration, now: Timestamp) async throws -> [String] {
        let latest = now.microseconds / 1_000_000 - age.components.seconds
        return try await FileSystem.onThread {
            try FileSystem.list(directory).filter { file in
                guard suffixes.contains(where: file.hasSuffix),
                    let status = try FileSystem.status("\(directory)/\(file)"), status.isRegularFile,
                    max(status.modifiedSeconds, status.changedSeconds) <= latest
                else { return false }
                try FileSystem.removeTree("\(directory)/\(file)")
                return true
            }
        }
    }
}
