// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit

/// Writes the disk through which a guest gets its metadata without a network: ISO 9660 with the label `config-2`.
struct ConfigDrive {
    static let label = "config-2"
    private static let maximumBytes = 64 << 20

    let files: [GuestSpecification.ConfigDriveFile]

    /// Makes the image at `path` of files that `check` has passed; `folder` is emptied, used and removed.
    func write(to path: String, folder: String) async throws {
        let files = files
        try await FileSystem.onThread {
            try FileSystem.removeTree(folder)
            for file in files {
                let target = "\(folder)/\(file.path)"
                if let slash = target.lastIndex(of: "/") { try FileSystem.makeDirectories(String(target[..<slash])) }
                try FileSystem.writeAtomically(target, file.content, durably: false)
            }
        }
        let options = [
            "-quiet", "-J", "-r", "-ldots", "-allow-lowercase", "-allow-multidot", "-l", "-V", Self.label, "-o", path,
            folder,
        ]
        if let program = Subprocess.find("genisoimage", "mkisofs") {
            try await Subprocess.runChecked(program, options)
        } else if let program = Subprocess.find("xorriso") {
            try await Subprocess.runChecked(program, ["-as", "mkisofs"] + options)
        } else {
            throw CloudError(
                .unavailable, "The host cannot make config drives.", cause: "neither genisoimage nor xorriso is there")
        }
        try await FileSystem.onThread {
            // User data may hold passwords.
            try FileSystem.setMode(path, 0o600)
            try FileSystem.removeTree(folder)
        }
    }

    /// Paths must stay inside the drive.
    static func check(_ files: [GuestSpecification.ConfigDriveFile]) throws {
        for file in files {
            let parts = file.path.split(separator: "/", omittingEmptySubsequences: false)
            guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.utf8.contains(0) })
            else { throw CloudError.badRequest("'\(file.path)' is not a path on a config drive.") }
        }
        guard files.reduce(0, { $0 + $1.content.count }) <= maximumBytes else {
            throw CloudError(.tooLarge, "The config drive is too large.")
        }
    }
}
