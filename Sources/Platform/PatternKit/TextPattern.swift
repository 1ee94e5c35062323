// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CPCRE2

/// A regular expression from a request, as upstream's databases take it: found anywhere in the text, in any case.
///
/// Whoever asks may send any expression, so everything that it can cost is bounded: its length, its nesting, its compiled
/// form, the steps and memory of a match, and the time of all matches of one request.
package struct TextPattern: Sendable, Equatable {
    package static let maximumLength = 255
    private static let maximumNesting: UInt32 = 32
    /// Of the compiled form. Repetitions are written out in it.
    private static let maximumCompiledBytes = 32 << 10
    /// Steps and KiB of one match: some milliseconds.
    private static let maximumSteps: UInt32 = 100_000
    private static let maximumMatchKiB: UInt32 = 512
    /// Of one request's matches together.
    private static let maximumTime = Duration.seconds(1)

    package let text: String
    /// How it is matched; nil is the way of filters.
    private let exactness: Exactness?

    /// An operator's expression, matched with regard to case.
    package enum Exactness: Sendable {
        /// Python: `re.match`, for what a text must be from its beginning.
        case fromStart
        /// Python: `re.search`.
        case anywhere
    }

    /// Throws `.badRequest` for what is no expression, or is too long.
    package init(_ text: String) throws {
        guard text.utf8.count <= Self.maximumLength else { throw CloudError.badRequest("Invalid filter: too long.") }
        self.text = text
        exactness = nil
        _ = try compiled()
    }

    /// Throws `.badRequest` for what is no expression, or is too long.
    package init(_ text: String, _ exactness: Exactness) throws {
        guard text.utf8.count <= Self.maximumLength else { throw CloudError.badRequest("Invalid filter: too long.") }
        self.text = text
        self.exactness = exactness
        _ = try compiled()
    }

    package func compiled() throws -> Matcher {
        if let exactness {
            return try Matcher(expression: text, exactness == .fromStart ? UInt32(PCRE2_ANCHORED) : 0)
        }
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte > 0x7F
                || byte == 0x2D || byte == 0x5F || byte == 0x20 || byte == 0x3A || byte == 0x40
        }
        return isPlain ? Matcher(plain: text) : try Matcher(expression: text, UInt32(PCRE2_CASELESS))
    }

    private static func tooComplex(_ text: String) -> CloudError {
        CloudError.badRequest("Invalid filter: '\(text.prefix(64))' is too complex.")
    }

    /// Owns the compiled form; used on the thread that made it.
    package final class Matcher {
        private let text: String
        private let plain: String?
        private var code: OpaquePointer?
        private var limits: OpaquePointer?
        private var result: OpaquePointer?
        private var left = TextPattern.maximumTime

        fileprivate init(plain: String) {
            text = plain
            self.plain = plain.lowercased()
        }

        fileprivate init(expression text: String, _ extra: UInt32) throws {
            self.text = text
            plain = nil
            let settings = pcre2_compile_context_create_8(nil)
            defer { pcre2_compile_context_free_8(settings) }
            pcre2_set_parens_nest_limit_8(settings, TextPattern.maximumNesting)
            let options =
                extra | UInt32(PCRE2_UTF) | UInt32(PCRE2_NEVER_BACKSLASH_C)
                | UInt32(PCRE2_NO_START_OPTIMIZE) | UInt32(PCRE2_NO_AUTO_POSSESS)
            var (error, offset) = (Int32(0), 0)
            let bytes = Array(text.utf8)
            code = pcre2_compile_8(bytes, bytes.count, options, &error, &offset, settings)
            guard code != nil else {
                throw CloudError.badRequest("Invalid filter: '\(text.prefix(64))' is not a valid expression.")
            }
            var size = 0
            pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_SIZE), &size)
            guard size <= TextPattern.maximumCompiledBytes else { throw TextPattern.tooComplex(text) }
            limits = pcre2_match_context_create_8(nil)
            pcre2_set_match_limit_8(limits, TextPattern.maximumSteps)
            pcre2_set_heap_limit_8(limits, TextPattern.maximumMatchKiB)
            result = pcre2_match_data_create_8(1, nil)
        }

        deinit {
            pcre2_match_data_free_8(result)
            pcre2_match_context_free_8(limits)
            pcre2_code_free_8(code)
        }

        /// Throws `.badRequest` when it would cost too much to know.
        package func matches(_ text: String) throws -> Bool {
            if let plain { return plain.isEmpty || text.lowercased().contains(plain) }
            guard left > .zero else { throw TextPattern.tooComplex(self.text) }
            let begin = ContinuousClock.now
            let bytes = Array(text.utf8)
            let found = pcre2_match_8(code, bytes, bytes.count, 0, 0, result, limits)
            left -= ContinuousClock.now - begin
            if found >= 0 { return true }
            guard found == PCRE2_ERROR_NOMATCH else { throw TextPattern.tooComplex(self.text) }
            return false
        }
    }
}
