// SPDX-License-Identifier: Apache-2.0
import Glibc
import LinuxKit

/// Which process keeps a journal. Another process of the same host sees at once whether it still runs.
package struct ProcessIdentity: Sendable, Hashable {
    /// The boot and the namespace that the number is of.
    package var place: String
    package var number: Int32
    /// A number is given again; then it is of a process that started at another time.
    package var started: String

    package init(place: String, number: Int32, started: String) {
        self.place = place
        self.number = number
        self.started = started
    }

    package static func current() throws -> ProcessIdentity {
        var buffer = [CChar](repeating: 0, count: 256)
        let count = readlink("/proc/self/ns/pid", &buffer, buffer.count - 1)
        let namespace = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let boot = try FileSystem.text("/proc/sys/kernel/random/boot_id")?.prefix { $0 != "\n" } ?? ""
        let number = getpid()
        return ProcessIdentity(
            place: "\(boot)/\(namespace)", number: number, started: try startTime(of: number) ?? "")
    }

    var text: String { "\(place) \(number) \(started)" }

    init?(_ text: String) {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, let number = Int32(parts[1]) else { return nil }
        self.init(place: String(parts[0]), number: number, started: String(parts[2]))
    }

    /// Nil: it cannot be told from here.
    func hasEnded(seenFrom observer: ProcessIdentity) throws -> Bool? {
        guard place == observer.place else { return nil }
        return try Self.startTime(of: number) != started
    }

    /// Nil: there is no such process, or it has ended and its parent has not asked how.
    private static func startTime(of number: Int32) throws -> String? {
        guard let text = try FileSystem.text("/proc/\(number)/stat") else { return nil }
        // The name stands in parentheses and may hold anything; the time is the twentieth word after it.
        let words = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard words.count > 20, words[1] != "Z", words[1] != "X" else { return nil }
        return String(words[20])
    }
}
