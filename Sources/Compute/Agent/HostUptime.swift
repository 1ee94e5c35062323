// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit

enum HostUptime {
    /// When the kernel started; nil when it does not say.
    static func bootedAt() throws -> Timestamp? {
        let table = try FileSystem.text("/proc/stat", limit: 1 << 20) ?? ""
        for line in table.split(separator: "\n") where line.hasPrefix("btime ") {
            return Int64(line.dropFirst("btime ".count)).map { Timestamp(seconds: $0) }
        }
        return nil
    }
}
