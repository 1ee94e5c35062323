// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc

/// A POSIX extended regular expression from a request, as upstream's databases take it: found anywhere in the text.
package struct TextPattern: Sendable, Equatable {
    package static let maximumLength = 255

    package let text: String

    /// Throws `.badRequest` for what is no expression, or is too long.
    package init(_ text: String) throws {
        guard text.utf8.count <= Self.maximumLength else { throw CloudError.badRequest("Invalid filter: too long.") }
        self.text = text
        _ = try compiled()
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
