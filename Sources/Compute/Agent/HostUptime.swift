// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit

enum HostUptime {
    /// When this host's first process started: at the boot of a machine, or at the making of an isolated host. Nil when
    /// the kernel does not say.
    static func bootedAt() throws -> Timestamp? {
        guard let kernel = try kernelStart(), let text = try FileSystem.text("/proc/1/stat"),
            // The name in field 2 may hold spaces; field 22 counts clock ticks since the kernel's start.
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let ticks = Int64(fields[19]) else { return nil }
        return kernel + .milliseconds(ticks * 1000 / Int64(sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Over 1, 5 and 15 minutes, as proc(5) has it. Nil when the kernel does not say.
    static func loadAverage() throws -> [Double]? {
        let words = (try FileSystem.text("/proc/loadavg") ?? "").split(separator: " ").prefix(3).compactMap {
            Double($0)
        }
        return words.count == 3 ? words : nil
    }

    private static func kernelStart() throws -> Timestamp? {
        let table = try FileSystem.text("/proc/stat", limit: 1 << 20) ?? ""
        for line in table.split(separator: "\n") where line.hasPrefix("btime ") {
            return Int64(line.dropFirst("btime ".count)).map { Timestamp(seconds: $0) }
        }
        return nil
    }
}
