// SPDX-License-Identifier: Apache-2.0

/// What tgtd tells of itself, in the text that its tool prints.
enum TgtdReport {
    struct Target: Equatable {
        var number: Int32
        var name: String
        /// Devices by unit.
        var paths: [Int: String] = [:]
        var accounts: Set<String> = []
        /// Addresses and initiators.
        var access: Set<String> = []
    }

    struct Connection: Equatable {
        var session: UInt64
        var number: UInt32
        var address: String
    }

    static func targets(_ text: String) -> [Target] {
        enum Part { case other, units, accounts, access }
        var targets: [Target] = []
        var (part, unit) = (Part.other, 0)
        for line in text.split(separator: "\n") {
            let words = line.drop { $0 == " " }
            let indentation = line.count - words.count
            switch indentation {
            case 0:
                let fields = words.split(separator: " ", maxSplits: 2)
                guard fields.count == 3, fields[0] == "Target", let number = Int32(fields[1].dropLast()) else {
                    continue
                }
                targets.append(Target(number: number, name: String(fields[2])))
                part = .other
            case 1...4:
                part =
                    words.hasPrefix("LUN information")
                    ? .units
                    : words.hasPrefix("Account information")
                        ? .accounts : words.hasPrefix("ACL information") ? .access : .other
            default:
                guard !targets.isEmpty else { continue }
                let last = targets.count - 1
                switch part {
                case .other: break
                case .accounts: targets[last].accounts.insert(String(words.prefix { $0 != " " }))
                case .access: targets[last].access.insert(String(words.prefix { $0 != " " }))
                case .units:
                    if let number = value(words, "LUN: ") { unit = Int(number) ?? 0 }
                    if let path = value(words, "Backing store path: ") { targets[last].paths[unit] = path }
                }
            }
        }
        return targets
    }

    static func connections(_ text: String) -> [Connection] {
        var (session, connection): (UInt64, UInt32?) = (0, nil)
        var connections: [Connection] = []
        for line in text.split(separator: "\n") {
            let words = line.drop { $0 == " " }
            if let number = value(words, "Session: ") { session = UInt64(number) ?? 0 }
            if let number = value(words, "Connection: ") { connection = UInt32(number) }
            if let address = value(words, "IP Address: "), let number = connection {
                connections.append(Connection(session: session, number: number, address: address))
            }
        }
        return connections
    }

    private static func value(_ line: Substring, _ name: String) -> String? {
        line.hasPrefix(name) ? String(line.dropFirst(name.count)) : nil
    }
}
