// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit

/// A keyring: sections in brackets, `key = …` in them.
enum KeyringFile {
    private static let sizeLimit = 1 << 20

    static func text(_ path: String) throws -> String? { try FileSystem.text(path, limit: sizeLimit) }

    static func key(of entity: String, in text: String) -> String? {
        var isInside = false
        for line in text.split(separator: "\n") {
            let words = line.filter { $0 != " " && $0 != "\t" && $0 != "\r" }
            if words.hasPrefix("[") {
                isInside = words == "[\(entity)]"
            } else if isInside, words.hasPrefix("key=") {
                return String(words.dropFirst("key=".count))
            }
        }
        return nil
    }
}

/// `mon_host` as hosts want it: `[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0] mon-b` becomes `10.0.0.1:6789`, `mon-b`.
enum MonitorList {
    static func parse(_ text: String) -> [String] {
        var monitors: [String] = []
        var rest = text[...]
        while let first = rest.first {
            if first == "[", rest.dropFirst().hasPrefix("v"), let end = closing(rest) {
                let addresses = rest[rest.index(after: rest.startIndex)..<end].split(separator: ",").map(String.init)
                // Either version's port will do; the older one is known to every client.
                if let chosen = addresses.first(where: { $0.hasPrefix("v1:") }) ?? addresses.first {
                    monitors.append(plain(chosen))
                }
                rest = rest[rest.index(after: end)...]
            } else if first == "," || first == " " || first == ";" || first == "\t" {
                rest = rest.dropFirst()
            } else {
                let word = rest.prefix { !", ;\t".contains($0) }
                monitors.append(plain(String(word)))
                rest = rest.dropFirst(word.count)
            }
        }
        return monitors
    }

    /// The bracket that ends the group: addresses of version 6 have brackets of their own.
    private static func closing(_ text: Substring) -> Substring.Index? {
        var depth = 0
        for index in text.indices {
            if text[index] == "[" { depth += 1 }
            if text[index] == "]" { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }

    private static func plain(_ address: String) -> String {
        let bare = address.hasPrefix("v1:") || address.hasPrefix("v2:") ? address.dropFirst(3) : address[...]
        return String(bare.prefix { $0 != "/" })
    }
}
