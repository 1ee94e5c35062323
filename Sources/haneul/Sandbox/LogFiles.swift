// SPDX-License-Identifier: Apache-2.0
import LinuxKit
import LogKit

/// Keeps the host's logs from filling the disk: one that has grown too large becomes `NAME.1`, and begins again.
///
/// Its writers keep it open, all of them for appending, so the file is copied and cut, not renamed. What is written between
/// the two is lost.
struct LogFiles {
    static let maximumBytes: Int64 = 32 << 20
    /// Log, program, file: deeper than any daemon writes.
    private static let depth = 3

    let directory: String
    private let log = Logger("host")

    init(directory: String) { self.directory = directory }

    func trim() {
        do {
            try trim(directory, depth: Self.depth)
        } catch {
            log.warning("logs not trimmed", ["error": "\(error)"])
        }
    }

    private func trim(_ folder: String, depth: Int) throws {
        for name in try FileSystem.list(folder) {
            let path = "\(folder)/\(name)"
            guard let status = try FileSystem.status(path) else { continue }
            if status.isDirectory, depth > 1 {
                try trim(path, depth: depth - 1)
            } else if status.isRegularFile, name.hasSuffix(".log"), status.size > Self.maximumBytes,
                let end = try FileSystem.read(path, limit: Int(Self.maximumBytes), fromEnd: true)
            {
                try FileSystem.writeAtomically(path + ".1", end, mode: 0o640, durably: false)
                try FileSystem.truncate(path, to: 0)
            }
        }
    }
}
