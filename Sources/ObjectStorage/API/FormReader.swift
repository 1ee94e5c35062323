// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore
import Synchronization

/// Why a form was not understood.
struct FormFault: Error { let message: String }

/// The parts of a `multipart/form-data` body, as it arrives. For one task at a time.
final class FormReader: Sendable {
    struct Part: Sendable {
        var headers: [String: String]
        var name: String?
        var filename: String?
        var body: FormPartSource
    }

    private static let maximumHeaderBytes = 16 << 10
    private enum Place {
        case start, part
        /// Behind a boundary, whose end says whether a part follows.
        case boundary
    }

    private struct State {
        var buffer: ArraySlice<UInt8> = []
        var hasEnded = false
        var place = Place.start
        /// The last boundary was seen.
        var isComplete = false
    }
    private let source: any ByteSource
    private let boundary: [UInt8]
    private let state = Mutex(State())

    init(_ source: any ByteSource, boundary: String) {
        self.source = source
        self.boundary = Array("\r\n--\(boundary)".utf8)
        // The first boundary has no line before it.
        state.withLock { $0.buffer = Array("\r\n".utf8)[...] }
    }

    /// The next part; what is left of the one before is skipped.
    func next() async throws -> Part? {
        if state.withLock({ $0.place == .start }), try await partBytes() != nil {
            throw FormFault(message: "invalid starting boundary")
        }
        while try await partBytes() != nil {}
        guard try await beginPart() else { return nil }
        let headers = try await readHeaders()
        let (_, attributes) = FormHeader.parse(headers["content-disposition"] ?? "")
        return Part(
            headers: headers, name: attributes["name"], filename: attributes["filename"], body: FormPartSource(self))
    }

    /// Behind a boundary: a line's end, and a part follows; `--`, and none does.
    private func beginPart() async throws -> Bool {
        while state.withLock({ $0.buffer.count < 2 && !$0.hasEnded }) { try await fill() }
        return try state.withLock { state in
            guard !state.isComplete, state.buffer.count >= 2 else { return false }
            let mark = Array(state.buffer.prefix(2))
            state.buffer = state.buffer.dropFirst(2)
            if mark == Array("--".utf8) {
                state.isComplete = true
                return false
            }
            guard mark == Array("\r\n".utf8) else { throw FormFault(message: "invalid boundary") }
            state.place = .part
            return true
        }
    }

    private func readHeaders() async throws -> [String: String] {
        var headers: [String: String] = [:]
        var count = 0
        while let line = try await line(), !line.isEmpty {
            count += line.utf8.count
            guard count <= Self.maximumHeaderBytes else { throw FormFault(message: "invalid headers") }
            guard let colon = line.firstIndex(ofByte: ":") else { continue }
            headers[line[..<colon].trimmed.asciiLowercased()] = line.text(after: colon).trimmed
        }
        return headers
    }

    private func line() async throws -> String? {
        while true {
            let found: String? = state.withLock { state in
                let bytes = Array(state.buffer)
                guard let end = bytes.indices.dropLast().first(where: { bytes[$0] == 13 && bytes[$0 + 1] == 10 }) else {
                    return nil
                }
                state.buffer = state.buffer.dropFirst(end + 2)
                return WireText.text(Array(bytes[..<end]))
            }
            if let found { return found }
            guard state.withLock({ !$0.hasEnded && $0.buffer.count <= Self.maximumHeaderBytes }) else { return nil }
            try await fill()
        }
    }

    /// Bytes of the part before its boundary; nil at the boundary, which is taken.
    func partBytes() async throws -> [UInt8]? {
        while true {
            let found: [UInt8]?? = try state.withLock { state in
                if state.place == .boundary { return .some(nil) }
                let bytes = Array(state.buffer)
                if let start = Self.index(of: boundary, in: bytes) {
                    if start > 0 {
                        state.buffer = bytes[start...]
                        return .some(Array(bytes[..<start]))
                    }
                    state.buffer = state.buffer.dropFirst(boundary.count)
                    state.place = .boundary
                    return .some(nil)
                }
                // What could be the beginning of a boundary stays.
                let safe = bytes.count - boundary.count
                if safe > 0 {
                    state.buffer = bytes[safe...]
                    return .some(Array(bytes[..<safe]))
                }
                if state.hasEnded { throw FormFault(message: "unexpected end of form") }
                return nil
            }
            if let found { return found }
            try await fill()
        }
    }

    private func fill() async throws {
        if let piece = try await source.next() {
            state.withLock { $0.buffer = Array($0.buffer + piece)[...] }
        } else {
            state.withLock { $0.hasEnded = true }
        }
    }

    private static func index(of pattern: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= pattern.count, let first = pattern.first else { return nil }
        var start = 0
        while start <= bytes.count - pattern.count {
            guard let found = bytes[start...(bytes.count - pattern.count)].firstIndex(of: first) else { return nil }
            if bytes[found..<found + pattern.count].elementsEqual(pattern) { return found }
            start = found + 1
        }
        return nil
    }
}

/// The body of one part.
struct FormPartSource: ByteSource {
    private let reader: FormReader
    init(_ reader: FormReader) { self.reader = reader }
    func next() async throws -> [UInt8]? { try await reader.partBytes() }
}

enum FormHeader {
    /// `form-data; name="file"; filename="a.txt"`.
    static func parse(_ text: String) -> (value: String, attributes: [String: String]) {
        var parts: [String] = []
        var (part, isQuoted, isEscaped) = ([UInt8](), false, false)
        for byte in text.utf8 {
            if isEscaped {
                part.append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\"), isQuoted {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == UInt8(ascii: ";"), !isQuoted {
                parts.append(String(decoding: part, as: UTF8.self))
                part = []
            } else {
                part.append(byte)
            }
        }
        parts.append(String(decoding: part, as: UTF8.self))
        var attributes: [String: String] = [:]
        for part in parts.dropFirst() {
            guard let equals = part.firstIndex(ofByte: "=") else { continue }
            attributes[part[..<equals].trimmed.asciiLowercased()] = part.text(after: equals).trimmed
        }
        return (parts[0].trimmed.asciiLowercased(), attributes)
    }
}
