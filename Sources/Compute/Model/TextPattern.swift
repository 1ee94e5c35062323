// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc

/// A POSIX extended regular expression from a request, as upstream's databases take it: found anywhere in the text.
package struct TextPattern: Sendable, Equatable {
    package static let maximumLength = 255
    /// Of the expression's automaton, with repetitions written out.
    private static let maximumStates = 512

    package let text: String

    /// Throws `.badRequest` for what is no expression, or is too long.
    package init(_ text: String) throws {
        guard text.utf8.count <= Self.maximumLength else { throw CloudError.badRequest("Invalid filter: too long.") }
        guard let cost = Self.states(of: Array(text.utf8)), cost <= Self.maximumStates else {
            throw CloudError.badRequest("Invalid filter: '\(text.prefix(64))' is too complex.")
        }
        self.text = text
        _ = try compiled()
    }

    /// About as many states as the compiled expression has, nil when it has a back-reference. The C library multiplies
    /// nested intervals out, and looks for back-references in exponential time: a single request could take all memory
    /// or a reader for ever. Never less than the true figure; a malformed expression is left to the compiler.
    private static func states(of pattern: [UInt8]) -> Int? {
        var groups: [Int] = []
        var (total, atom, index) = (0, 0, 0)
        func add(_ count: Int) {
            total = min(total + count, maximumStates + 1)
        }
        while index < pattern.count {
            let byte = pattern[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\\"):
                if index < pattern.count, (0x31...0x39).contains(pattern[index]) { return nil }
                index += 1
                atom = 1
                add(1)
            case UInt8(ascii: "("):
                groups.append(total)
                (total, atom) = (1, 1)
            case UInt8(ascii: ")") where !groups.isEmpty:
                atom = total
                add(groups.removeLast())
            case UInt8(ascii: "["):
                index = bracketEnd(pattern, index)
                atom = 1
                add(1)
            case UInt8(ascii: "{"):
                let end = pattern[index...].firstIndex(of: UInt8(ascii: "}")) ?? pattern.endIndex
                let counts = pattern[index..<end].split(separator: UInt8(ascii: ","))
                    .map { Int(String(decoding: $0, as: UTF8.self)) ?? maximumStates }
                let copies = min(max(counts.max() ?? 1, 1), maximumStates + 1)
                add(atom * (copies - 1))
                atom = min(atom * copies, maximumStates + 1)
                index = min(end + 1, pattern.endIndex)
            case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): add(1)
            default:
                atom = 1
                add(1)
            }
        }
        return groups.reduce(total) { min($0 + $1, maximumStates + 1) }
    }

    /// Behind the bracket expression whose `[` stands before `start`.
    private static func bracketEnd(_ pattern: [UInt8], _ start: Int) -> Int {
        var index = start
        if index < pattern.count, pattern[index] == UInt8(ascii: "^") { index += 1 }
        if index < pattern.count, pattern[index] == UInt8(ascii: "]") { index += 1 }
        while index < pattern.count, pattern[index] != UInt8(ascii: "]") {
            // [:alpha:], [.a.], [=a=]
            if pattern[index] == UInt8(ascii: "["), index + 1 < pattern.count,
                [UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: "=")].contains(pattern[index + 1])
            {
                let kind = pattern[index + 1]
                index += 2
                while index + 1 < pattern.count, pattern[index] != kind || pattern[index + 1] != UInt8(ascii: "]") {
                    index += 1
                }
                index += 1
            }
            index += 1
        }
        return min(index + 1, pattern.count)
    }

    package func compiled() throws -> Matcher {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte > 0x7F
                || byte == 0x2D || byte == 0x5F || byte == 0x20 || byte == 0x3A || byte == 0x40
        }
        return isPlain ? Matcher(plain: text) : try Matcher(expression: text)
    }

    /// Owns the compiled form; used on the thread that made it.
    package final class Matcher {
        private let plain: String?
        private var expression = regex_t()
        private let isCompiled: Bool

        fileprivate init(plain: String) {
            self.plain = plain.lowercased()
            isCompiled = false
        }

        fileprivate init(expression text: String) throws {
            plain = nil
            guard regcomp(&expression, text, REG_EXTENDED | REG_NOSUB | REG_ICASE) == 0 else {
                throw CloudError.badRequest("Invalid filter: '\(text.prefix(64))' is not a valid expression.")
            }
            isCompiled = true
        }

        deinit { if isCompiled { regfree(&expression) } }

        package func matches(_ text: String) -> Bool {
            if let plain { return plain.isEmpty || text.lowercased().contains(plain) }
            return regexec(&expression, text, 0, nil, 0) == 0
        }
    }
}
