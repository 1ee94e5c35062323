// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLibvirt
import LinuxKit

/// What the host tells of its processor, as nova's `cpu_info`.
enum HostFacts {
    /// `sockets`, `cores`, `threads` as libvirt counts them per NUMA node.
    static func cpuInfo(_ node: virNodeInfo) throws -> String {
        let table = try FileSystem.text("/proc/cpuinfo", limit: 1 << 16) ?? ""
        return String(
            decoding: JSONWriter.object { json in
                json.field("arch", arch(node))
                json.field("model", field("model name", of: table))
                json.field("vendor", vendorName(field("vendor_id", of: table)))
                json.object("topology") { json in
                    json.field("cells", Int(node.nodes))
                    json.field("sockets", Int(node.sockets))
                    json.field("cores", Int(node.cores))
                    json.field("threads", Int(node.threads))
                }
                json.field("features", field("flags", of: table).split(separator: " ").map(String.init).sorted())
            }, as: UTF8.self)
    }

    static func arch(_ node: virNodeInfo) -> String {
        withUnsafeBytes(of: node.model) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// All of the host's memory. libvirt adds up the NUMA nodes, which kernels that initialise memory lazily fill only
    /// as it is used.
    static func memoryMiB() throws -> Int {
        let kibibytes = field("MemTotal", of: try FileSystem.text("/proc/meminfo") ?? "").prefix { $0 != " " }
        guard let count = Int(kibibytes) else {
            throw CloudError(.unavailable, "The host does not tell its memory.", cause: "/proc/meminfo")
        }
        return count / 1024
    }

    /// The value of the first line `name : value`; empty when there is none.
    static func field(_ name: String, of table: String) -> String {
        for line in table.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let key = line[..<colon]
            guard key.hasPrefix(name), key.dropFirst(name.count).allSatisfy({ $0 == " " || $0 == "\t" }) else {
                continue
            }
            return String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        return ""
    }

    private static func vendorName(_ id: String) -> String {
        switch id {
        case "GenuineIntel": "Intel"
        case "AuthenticAMD": "AMD"
        default: id
        }
    }
}

extension HostFacts {
    /// The name that iSCSI targets know this host's guests by: the host's own, or one made of its name.
    static func initiator(_ config: LibvirtConfig) throws -> String {
        let text = try FileSystem.text("/etc/iscsi/initiatorname.iscsi") ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix("InitiatorName=") {
            let name = line.dropFirst("InitiatorName=".count)
            if !name.isEmpty { return String(name) }
        }
        let host = config.hostname.lowercased().unicodeScalars.map { scalar -> Character in
            switch scalar {
            case "a"..."z", "0"..."9", ".", "-": Character(scalar)
            default: "-"
            }
        }
        return "iqn.2025-01.local.haneul:\(String(host))"
    }
}
