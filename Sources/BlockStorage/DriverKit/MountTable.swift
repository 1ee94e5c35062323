// SPDX-License-Identifier: Apache-2.0
import LinuxKit

/// What the kernel says is mounted where, the newest last. Blocks.
struct MountTable {
    struct Mount: Equatable {
        var id: String
        var path: String
        var source: String
    }

    let mounts: [Mount]

    init() throws {
        self.init(text: try FileSystem.text("/proc/thread-self/mountinfo", limit: 16 << 20) ?? "")
    }

    /// `36 35 98:0 / /mnt rw shared:1 - nfs4 server:/export rw`: optional fields end with the dash.
    init(text: String) {
        mounts = text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash > 5, fields.count > dash + 2 else { return nil }
            return Mount(
                id: String(fields[0]), path: Self.plain(fields[4]), source: Self.plain(fields[dash + 2]))
        }
    }

    /// What covers everything else that is mounted there.
    func mount(at path: String) -> Mount? { mounts.last { $0.path == path } }

    /// The mount that an open file belongs to.
    func mount(of descriptor: Int32) throws -> Mount? {
        let facts = try FileSystem.text("/proc/thread-self/fdinfo/\(descriptor)", limit: 1 << 16) ?? ""
        let line = facts.split(separator: "\n").first { $0.hasPrefix("mnt_id:") }
        guard let id = line?.split(whereSeparator: { $0 == "\t" || $0 == " " }).last else { return nil }
        return mounts.first { $0.id == id }
    }

    /// Blanks and the like are written as a backslash and three octal digits.
    private static func plain(_ field: Substring) -> String {
        let parts = field.split(separator: "\\", omittingEmptySubsequences: false)
        var bytes = Array((parts.first ?? "").utf8)
        for part in parts.dropFirst() {
            if let value = UInt8(part.prefix(3), radix: 8), part.utf8.count >= 3 {
                bytes.append(value)
                bytes += part.utf8.dropFirst(3)
            } else {
                bytes += Array("\\".utf8) + part.utf8
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
