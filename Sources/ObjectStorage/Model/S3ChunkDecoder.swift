// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// Takes the frame off a body of kind `aws-chunked`: `size;chunk-signature=…\r\n`, bytes, `\r\n`, and so on to a chunk
/// of none, then trailing headers. Bytes come out as they come in; a wrong signature is found when its chunk ends, and
/// then the body as a whole is refused.
package struct S3ChunkDecoder: Sendable {
    package static let minimumChunk = 8192
    private static let maximumLine = 4096

    private enum State: Sendable {
        case header
        case data(left: Int64, signature: String?)
        case separator
        case trailers
        case end
    }

    private let expected: Int64
    /// Names, in lower case, of headers that must follow the body.
    private let trailerNames: Set<String>
    private var signer: S3ChunkSigner?
    private let signsTrailers: Bool
    private var state = State.header
    private var line: [UInt8] = []
    private var digest = Digest(.sha256)
    private var received: Int64 = 0
    private var lastChunk: Int64?
    private var trailerOrder: [(name: String, value: String)] = []
    package private(set) var trailers: [String: String] = [:]

    /// `expected`: `X-Amz-Decoded-Content-Length`. `signer` nil: chunks are not signed.
    package init(expecting expected: Int64, signer: S3ChunkSigner?, trailers: Set<String>, signsTrailers: Bool) {
        self.expected = expected
        self.signer = signer
        self.signsTrailers = signsTrailers
        trailerNames = trailers
    }

    /// What of `input` is the body's own.
    package mutating func decode(_ input: [UInt8]) throws(S3Error) -> [UInt8] {
        var output: [UInt8] = []
        var index = 0
        while index < input.count {
            switch state {
            case .header, .separator, .trailers:
                let byte = input[index]
                index += 1
                line.append(byte)
                guard byte == UInt8(ascii: "\n") else {
                    guard line.count < Self.maximumLine else { throw S3Error(.incompleteBody) }
                    continue
                }
                guard line.count >= 2, line[line.count - 2] == UInt8(ascii: "\r") else {
                    throw S3Error(.incompleteBody)
                }
                let text = String(decoding: line.dropLast(2), as: UTF8.self)
                line.removeAll(keepingCapacity: true)
                try take(line: text)
            case .data(let left, let signature):
                let count = Int(min(left, Int64(input.count - index)))
                let piece = input[index..<index + count]
                if signer != nil { digest.update(piece) }
                output += piece
                index += count
                received += Int64(count)
                guard left == Int64(count) else {
                    state = .data(left: left - Int64(count), signature: signature)
                    continue
                }
                try close(signature)
                state = .separator
            case .end: throw S3Error(.incompleteBody)
            }
        }
        return output
    }

    /// When the input has ended. Throws unless everything came that had to.
    package mutating func finish() throws(S3Error) {
        switch state {
        case .end: break
        // The last line may be missing where nothing follows.
        case .trailers where line.isEmpty && trailerNames.isEmpty && !signsTrailers: break
        case .trailers where line.isEmpty && !trailers.isEmpty: try closeTrailers()
        default: throw S3Error(.incompleteBody)
        }
        guard received == expected else { throw S3Error(.incompleteBody) }
    }

    // MARK: Parts

    private mutating func take(line: String) throws(S3Error) {
        switch state {
        case .separator:
            guard line.isEmpty else { throw S3Error(.incompleteBody) }
            state = .header
        case .trailers:
            if line.isEmpty {
                try closeTrailers()
                return
            }
            guard let colon = line.firstIndex(ofByte: ":"), trailers.count < 8 else { throw S3Error(.malformedTrailer) }
            let (name, value) = (line[..<colon].trimmed.asciiLowercased(), line.text(after: colon).trimmed)
            guard trailerNames.contains(name) || signsTrailers && name == "x-amz-trailer-signature",
                trailers[name] == nil
            else { throw S3Error(.malformedTrailer) }
            trailers[name] = value
            if name != "x-amz-trailer-signature" { trailerOrder.append((name, value)) }
        default: try open(line)
        }
    }

    private mutating func open(_ line: String) throws(S3Error) {
        let parts = line.split(byte: ";", maxSplits: 1, omittingEmptySubsequences: false)
        let digits = parts[0].trimmed
        guard (1...16).contains(digits.utf8.count), !digits.hasBytePrefix("+"), let size = Int64(digits, radix: 16),
            size >= 0
        else { throw S3Error(.incompleteBody) }
        if let lastChunk, lastChunk < Int64(Self.minimumChunk), size > 0 { throw S3Error(.invalidChunkSize) }
        lastChunk = size
        guard size <= expected - received else { throw S3Error(.incompleteBody) }
        var signature: String?
        if signer != nil {
            let field = (parts.count > 1 ? parts[1].trimmed : "").split(byte: "=", maxSplits: 1)
            guard field.count == 2, field[0].trimmed == "chunk-signature" else { throw S3Error(.incompleteBody) }
            signature = field[1].trimmed
        }
        guard size == 0 else {
            state = .data(left: size, signature: signature)
            return
        }
        try close(signature)
        state = .trailers
    }

    private mutating func close(_ signature: String?) throws(S3Error) {
        guard let signature else { return }
        guard signer?.check(digest: digest.hex(), signature: signature) == true else {
            throw S3Error(.signatureDoesNotMatch)
        }
        digest = Digest(.sha256)
    }

    private mutating func closeTrailers() throws(S3Error) {
        guard Set(trailerOrder.map(\.name)) == trailerNames else { throw S3Error(.malformedTrailer) }
        if signsTrailers {
            guard let signature = trailers["x-amz-trailer-signature"] else { throw S3Error(.incompleteBody) }
            let text = trailerOrder.sorted { $0.name.isByteOrdered(before: $1.name) }.map { "\($0.name):\($0.value)\n" }
                .joined()
            guard signer?.checkTrailer(text.isEmpty ? "\n" : text, signature: signature) == true else {
                throw S3Error(.signatureDoesNotMatch)
            }
        }
        state = .end
    }
}
