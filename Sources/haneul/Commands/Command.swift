// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Why a command could not do what it was asked, with what to do about it. Printed as it is; the exit status is 1.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What follows the command's name: options first, then operands; `--` ends the options.
struct Arguments {
    private(set) var operands: [String] = []
    /// With `passing`: every word that was not taken, in order.
    private(set) var others: [String] = []
    private var values: [String: [String]] = [:]
    private var flags: Set<String> = []

    /// `valued` options take the next word (or `--name=value`); any other option is a mistake, or, with `passing`,
    /// somebody else's, as are words without dashes.
    init(_ words: [String], valued: Set<String> = [], flags known: Set<String> = [], passing: Bool = false) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                operands += rest
                return
            }
            guard word.hasPrefix("--") else {
                if passing { others.append(word) } else { operands.append(word) }
                continue
            }
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1).map(String.init)
            let name = parts.first ?? ""
            if valued.contains(name) {
                guard let value = parts.count > 1 ? parts[1] : rest.popFirst() else {
                    throw CommandFailure("--\(name) needs a value.")
                }
                values[name, default: []].append(value)
            } else if known.contains(name), parts.count == 1 {
                flags.insert(name)
            } else if passing {
                others.append(word)
            } else {
                let all = (valued.union(known)).sorted().map { "--" + $0 }.joined(separator: ", ")
                throw CommandFailure("--\(name) is no option here" + (all.isEmpty ? "." : "; there are \(all)."))
            }
        }
    }

    /// Of an option that was given more than once, the last.
    func value(_ name: String) -> String? { values[name]?.last }
    func all(_ name: String) -> [String] { values[name] ?? [] }
    func has(_ flag: String) -> Bool { flags.contains(flag) }

    func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let text = value(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw CommandFailure("--\(name) takes a number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    var state: SandboxState {
        SandboxState(
            directory: value("state") ?? getenv("HANEUL_STATE").map { String(cString: $0) }
                ?? SandboxState.defaultDirectory)
    }
}

/// Words for the person at the terminal.
enum Terminal {
    static func say(_ text: String) { put(text + "\n", STDOUT_FILENO) }
    static func complain(_ text: String) { put(text + "\n", STDERR_FILENO) }

    private static func put(_ text: String, _ descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

func requireRoot(_ why: String) throws {
    guard geteuid() == 0 else {
        throw CommandFailure("This needs root: \(why). Run it with sudo.")
    }
}
