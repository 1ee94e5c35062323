// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit
import Synchronization

/// What requests and answers say of checksums.
enum S3Checksums {
    /// The system metadata of an object whose body has come.
    static func late(_ body: S3Body) -> @Sendable () -> [String: String] {
        { body.checksum.map { [S3Header.checksum: $0.text] } ?? [:] }
    }

    /// What a client asks to be computed by `x-amz-checksum-algorithm`; nil: nothing.
    static func asked(_ call: S3Call) throws(S3Error) -> S3ChecksumAlgorithm? {
        guard let text = call.header("x-amz-checksum-algorithm") else { return nil }
        guard let algorithm = S3ChecksumAlgorithm(rawValue: text.uppercased()) else {
            throw S3Error(
                .invalidRequest,
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
                    + "[\(S3ChecksumAlgorithm.allCases.map(\.rawValue).joined(separator: ", "))]")
        }
        return algorithm
    }

    /// Of an upload in parts: its algorithm, and whether its checksum is of the bytes or of the parts' checksums.
    static func ofUpload(_ call: S3Call) throws(S3Error) -> S3Checksum? {
        let type = call.header("x-amz-checksum-type")
        guard let algorithm = try asked(call) else {
            guard type == nil else {
                throw S3Error(
                    .invalidRequest,
                    "The x-amz-checksum-type header can only be used with the "
                        + "x-amz-checksum-algorithm header.")
            }
            return nil
        }
        let standard: S3Checksum.Kind = algorithm == .crc64nvme ? .whole : .composite
        guard let kind = type.map({ S3Checksum.Kind(rawValue: $0.uppercased()) }) ?? standard else {
            throw .invalidArgument("x-amz-checksum-type", type ?? "")
        }
        guard kind == .whole ? algorithm.cyclic != nil : algorithm != .crc64nvme else {
            throw S3Error(
                .invalidRequest,
                "The \(kind.rawValue) checksum type cannot be used with the \(algorithm.rawValue.asciiLowercased()) "
                    + "checksum algorithm.")
        }
        return S3Checksum(algorithm, kind)
    }

    /// What each of some objects was stored with; nil: nothing. A few are asked for at once.
    static func stored(_ paths: [ObjectPath], _ call: S3Call) async throws -> [S3Checksum?] {
        var found: [S3Checksum?] = []
        for start in stride(from: 0, to: paths.count, by: Self.atOnce) {
            let page = Array(paths[start..<min(start + Self.atOnce, paths.count)])
            found += try await withThrowingTaskGroup(of: (Int, S3Checksum?).self) { group in
                for (index, path) in page.enumerated() {
                    group.addTask { (index, try await stored(path, call)) }
                }
                var answers = [S3Checksum?](repeating: nil, count: page.count)
                for try await (index, checksum) in group { answers[index] = checksum }
                return answers
            }
        }
        return found
    }

    private static let atOnce = 16

    private static func stored(_ path: ObjectPath, _ call: S3Call) async throws -> S3Checksum? {
        let response = await call.ask(.head, path)
        await response.drop()
        if response.status == 404 { return nil }
        try call.check(response, path)
        return S3Checksum(kept: response.headers[S3Header.checksum])
    }

    static func set(_ checksum: S3Checksum?, _ headers: inout SwiftHeaders) {
        guard let checksum, !checksum.value.isEmpty else { return }
        headers[checksum.algorithm.header] = checksum.value
        headers["x-amz-checksum-type"] = checksum.kind.rawValue
    }

    static func write(_ checksum: S3Checksum?, _ writer: inout XMLWriter, withKind: Bool = true) {
        guard let checksum, !checksum.value.isEmpty else { return }
        writer.element(checksum.algorithm.element, checksum.value)
        if withKind { writer.element("ChecksumType", checksum.kind.rawValue) }
    }
}

/// A body that the store itself gives, as of a copy, with a checksum made of it on its way.
final class S3CountedBody: ByteSource {
    private let source: any ByteSource
    private let state: Mutex<(computation: S3ChecksumComputation, isAtEnd: Bool)>

    init(_ source: any ByteSource, _ algorithm: S3ChecksumAlgorithm) {
        self.source = source
        state = Mutex((S3ChecksumComputation(algorithm), false))
    }

    func next() async throws -> [UInt8]? {
        let piece = try await source.next()
        state.withLock { state in
            if let piece { state.computation.update(piece) } else { state.isAtEnd = true }
        }
        return piece
    }

    var checksum: S3Checksum? {
        state.withLock { state in
            state.isAtEnd ? S3Checksum(state.computation.algorithm, bytes: state.computation.finish()) : nil
        }
    }

    var late: @Sendable () -> [String: String] {
        { self.checksum.map { [S3Header.checksum: $0.text] } ?? [:] }
    }
}
