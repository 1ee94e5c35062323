// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The DNS servers that this host asks (resolv.conf(5)).
package enum HostResolvers {
    /// Those that others can ask, too: a resolver on the loopback is this host's alone.
    package static func shareable() throws -> [String] {
        shareable(in: try FileSystem.text("/etc/resolv.conf", limit: 1 << 16) ?? "")
    }

    package static func shareable(in text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split { $0 == " " || $0 == "\t" }
            guard words.count > 1, words[0] == "nameserver", let address = IPAddress(String(words[1])),
                !address.isLoopback, address.value != 0
            else { return nil }
            return address.description
        }
    }
}
