// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore
import SecurityKit
import Synchronization

/// A request's body as the store is to see it: its frame taken off, its digests compared. What does not agree ends the
/// body with an error before its end is reached, so that nothing of it is kept.
final class S3Body: ByteSource {
    private struct State {
        var decoder: S3ChunkDecoder?
        var sha256: (digest: Digest, expected: String)?
        var checksum: S3BodyChecksum?
        var isAtEnd = false
        var fault: S3Error?
    }

    /// Of the bytes that come out; nil: not known before the end.
    let length: Int64?
    private let source: any ByteSource
    private let state: Mutex<State>

    /// Reads from the headers what the body is to be. `signer` nil: the signature was not of version 4.
    init(_ request: HTTPRequest, authorization: S3Authorization, signer: S3ChunkSigner?) throws(S3Error) {
        var state = State()
        // Beside the list of parts of a large object stands the checksum of all of it, not of the list.
        let hasOwnChecksum = request.method == .put || request.queryValue("delete") != nil
        let declared = request.headers["X-Amz-Content-SHA256"]
        let contentLength = try Self.number(request.headers["Content-Length"])
        state.checksum = hasOwnChecksum ? try S3BodyChecksum(request) : nil
        if let declared, declared.hasBytePrefix("STREAMING-") {
            guard let signer, !authorization.isPresigned else { throw S3Error(.contentSHA256Mismatch) }
            guard let size = try Self.number(request.headers["X-Amz-Decoded-Content-Length"]) else {
                throw S3Error(.missingContentLength)
            }
            let isSigned: Bool
            switch declared {
            case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": isSigned = true
            case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": isSigned = false
            default:
                throw .notImplemented(
                    "Don't know how to validate \(String(declared.unicodeScalars.prefix(64))) streams")
            }
            let trailers = state.checksum.flatMap(\.trailer).map { Set([$0]) } ?? []
            state.decoder = S3ChunkDecoder(
                expecting: size, signer: isSigned ? signer : nil, trailers: trailers,
                signsTrailers: declared.hasByteSuffix("HMAC-SHA256-PAYLOAD-TRAILER"))
            length = size
        } else {
            guard state.checksum?.trailer == nil else { throw S3Error(.malformedTrailer) }
            try Self.expectDigest(declared, authorization, &state)
            let isChunked = request.headers["Transfer-Encoding"] != nil
            length = isChunked ? nil : contentLength ?? 0
        }
        source = request.body
        self.state = Mutex(state)
    }

    /// Of a form: the policy was signed, not the bytes.
    init(unsigned request: HTTPRequest) throws(S3Error) {
        var state = State()
        state.checksum = try S3BodyChecksum(request)
        guard state.checksum?.trailer == nil else { throw S3Error(.malformedTrailer) }
        length = nil
        source = request.body
        self.state = Mutex(state)
    }

    private static func expectDigest(_ declared: String?, _ authorization: S3Authorization, _ state: inout State)
        throws(S3Error)
    {
        guard case .four = authorization.version else { return }
        guard let declared else {
            guard authorization.isPresigned else {
                throw S3Error(.invalidRequest, "Missing required header for this request: x-amz-content-sha256")
            }
            return
        }
        if declared == S3Signature.unsignedPayload { return }
        guard declared.utf8.count == 64, Hex.decode(declared) != nil else {
            throw .invalidArgument(
                "x-amz-content-sha256", declared,
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                    + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid "
                    + "sha256 value.")
        }
        state.sha256 = (Digest(.sha256), declared.asciiLowercased())
    }

    private static func number(_ text: String?) throws(S3Error) -> Int64? {
        guard let text else { return nil }
        guard let value = Int64(text), value >= 0 else { throw .invalidArgument("Content-Length", text) }
        return value
    }

    /// Why the body was refused; nil: it was not.
    var fault: S3Error? { state.withLock { $0.fault } }

    func next() async throws -> [UInt8]? {
        while true {
            guard state.withLock({ !$0.isAtEnd }) else { return nil }
            let piece = try await piece()
            let output = try state.withLock { state in
                do throws(S3Error) {
                    return try Self.take(piece, &state)
                } catch {
                    state.fault = error
                    throw error
                }
            }
            if piece == nil { return nil }
            if !output.isEmpty { return output }
        }
    }

    /// What was refused before it came here, as the end of a form, is a fault of the body, too.
    private func piece() async throws -> [UInt8]? {
        do {
            return try await source.next()
        } catch let error as S3Error {
            state.withLock { $0.fault = error }
            throw error
        }
    }

    /// The checksum of all that came out, once all has; nil where nobody asked for one.
    var checksum: S3Checksum? {
        state.withLock { state in state.isAtEnd && state.fault == nil ? state.checksum?.value : nil }
    }

    /// Computes a checksum that the client did not send. Before the first `next`.
    func compute(_ algorithm: S3ChecksumAlgorithm) throws(S3Error) {
        try state.withLock { state throws(S3Error) in
            if let sent = state.checksum {
                guard sent.algorithm == algorithm else {
                    throw S3Error(
                        .invalidRequest,
                        "Checksum Type mismatch occurred, expected checksum Type: \(algorithm.rawValue.asciiLowercased()), "
                            + "actual checksum Type: \(sent.algorithm.rawValue.asciiLowercased())")
                }
            } else {
                state.checksum = S3BodyChecksum(algorithm)
            }
        }
    }

    private static func take(_ piece: [UInt8]?, _ state: inout State) throws(S3Error) -> [UInt8] {
        guard let piece else {
            state.isAtEnd = true
            try finish(&state)
            return []
        }
        let output = try state.decoder?.decode(piece) ?? piece
        state.sha256?.digest.update(output)
        state.checksum?.update(output)
        return output
    }

    private static func finish(_ state: inout State) throws(S3Error) {
        try state.decoder?.finish()
        if let (digest, expected) = state.sha256, digest.hex() != expected {
            throw S3Error(
                .contentSHA256Mismatch, nil,
                [("ClientComputedContentSHA256", expected), ("S3ComputedContentSHA256", digest.hex())])
        }
        try state.checksum?.check(trailers: state.decoder?.trailers ?? [:])
    }
}

/// A checksum that a client sends beside a body, in a header or after it, or that is made for it.
struct S3BodyChecksum: Sendable {
    private enum Expected: Sendable {
        case value(String)
        case trailer
        case nothing
    }

    private let expected: Expected
    private var computation: S3ChecksumComputation

    var algorithm: S3ChecksumAlgorithm { computation.algorithm }
    var value: S3Checksum { S3Checksum(algorithm, bytes: computation.finish()) }
    /// The name of the header that comes after the body; nil: it came before.
    var trailer: String? { if case .trailer = expected { algorithm.header } else { nil } }

    init(_ algorithm: S3ChecksumAlgorithm) {
        computation = S3ChecksumComputation(algorithm)
        expected = .nothing
    }

    /// Nil: none was sent.
    init?(_ request: HTTPRequest) throws(S3Error) {
        let sent = Self.sent(request.headers)
        let announced = (request.headers["X-Amz-Trailer"] ?? "").split(byte: ",").map(\.trimmed)
            .filter { !$0.isEmpty }
        guard sent.count + announced.count <= 1 else {
            throw S3Error(
                .invalidRequest, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        }
        guard let name = sent.first?.name ?? announced.first else { return nil }
        guard let algorithm = S3ChecksumAlgorithm(header: name) else {
            throw S3Error(
                .invalidRequest,
                sent.isEmpty
                    ? "The value specified in the x-amz-trailer header is not supported"
                    : "The algorithm type you specified in x-amz-checksum- header is invalid.")
        }
        computation = S3ChecksumComputation(algorithm)
        expected = sent.first.map { .value($0.value.trimmed) } ?? .trailer
    }

    /// Headers that have a checksum, not those that say something of one.
    static func sent(_ headers: HTTPHeaders) -> [(name: String, value: String)] {
        headers.fields.filter { field in
            let name = field.name.asciiLowercased()
            return name.removing(bytePrefix: "x-amz-checksum-").map { !["algorithm", "type", "mode"].contains($0) }
                ?? false
        }
    }

    mutating func update(_ bytes: [UInt8]) { computation.update(bytes) }

    func check(trailers: [String: String]) throws(S3Error) {
        let expected: String?
        switch self.expected {
        case .nothing: return
        case .value(let value): expected = value
        case .trailer: expected = trailers[algorithm.header]
        }
        guard let expected, Base64.decode(expected) != nil else {
            throw S3Error(.invalidRequest, "Value for \(algorithm.header) header is invalid.")
        }
        guard value.value == expected else { throw Self.mismatch(algorithm) }
    }

    static func mismatch(_ algorithm: S3ChecksumAlgorithm) -> S3Error {
        S3Error(.badDigest, "The \(algorithm.rawValue) you specified did not match the calculated checksum.")
    }
}
