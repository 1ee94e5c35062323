// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// Paths, limits and frames of what passes between a controller and a storage host.
///
/// - `POST /v1/devices/<device>/<call>`: parameters and answer are JSON, see `StorageCall`.
/// - `PUT /v1/devices/<device>/objects`: an object, as frames; begun on the device before the body is asked for.
/// - `POST /v1/devices/<device>/open`: an open object, and its bytes when they are few.
/// - `GET /v1/devices/<device>/objects/<handle>/<offset>-<end>`: bytes of an open object.
/// - `DELETE /v1/devices/<device>/objects/<handle>`: closes it.
///
/// A failure is a status of 400 or above with a `CloudError` as its body.
enum StorageWire {
    /// Of a call's parameters.
    static let callBytes = 64 << 20
    /// Of an answer: a partition may hold many objects.
    static let answerBytes = 512 << 20
    /// Objects up to here come with the answer to `open`.
    static let inlineBytes: Int64 = 64 << 10
    static let openName = "open"
    static let objectsName = "objects"

    static func path(_ device: String, _ parts: String...) -> String {
        "/v1/devices/\(Percent.encode(device))/" + parts.joined(separator: "/")
    }

    /// The device and what stands behind it. Nil for any other path.
    static func split(_ path: String) -> (device: String, parts: [Substring])? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[0].isEmpty, parts[1] == "v1", parts[2] == "devices",
            let device = Percent.decode(parts[3])
        else { return nil }
        return (device, Array(parts[4...]))
    }

    /// Four bytes, the highest first.
    static func number(_ value: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }
}

/// Parts of the body of an upload: a kind, four bytes of length, the content.
enum ObjectFrame {
    static let piece: UInt8 = 1
    /// The record and its signature: without it the upload came to nothing.
    static let commit: UInt8 = 2
    static let headBytes = 5
    static let commitBytes = 1 << 20
    static let signatureBytes = 32

    static func head(_ kind: UInt8, _ count: Int) -> [UInt8] { [kind] + StorageWire.number(count) }
}

/// Takes frames out of a body, however it was cut on the way.
struct FrameReader {
    enum Event: Equatable {
        /// Bytes of the object, in order; a frame may come as several.
        case bytes([UInt8])
        case commit(record: [UInt8], signature: [UInt8])
    }

    private var head: [UInt8] = []
    /// Bytes of the frame that have not come yet.
    private var left = 0
    private var commit: [UInt8] = []
    private(set) var isEnded = false

    /// Throws `.badRequest` for what is no frame, and for anything after the commit.
    mutating func read(_ bytes: [UInt8]) throws -> [Event] {
        var events: [Event] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard !isEnded else { throw Self.bad("bytes after the commit") }
            if left == 0 {
                let count = min(rest.count, ObjectFrame.headBytes - head.count)
                head += rest.prefix(count)
                rest = rest.dropFirst(count)
                guard head.count == ObjectFrame.headBytes else { break }
                left = head[1...].reduce(0) { $0 << 8 | Int($1) }
                try checkHead()
                continue
            }
            let part = rest.prefix(left)
            rest = rest.dropFirst(part.count)
            left -= part.count
            if head[0] == ObjectFrame.piece {
                events.append(.bytes(part.count == bytes.count ? bytes : Array(part)))
            } else {
                commit += part
            }
            guard left == 0 else { break }
            if head[0] == ObjectFrame.commit {
                isEnded = true
                let signature = Array(commit.prefix(ObjectFrame.signatureBytes))
                events.append(
                    .commit(record: Array(commit.dropFirst(ObjectFrame.signatureBytes)), signature: signature))
            }
            head = []
        }
        return events
    }

    private func checkHead() throws {
        switch head[0] {
        case ObjectFrame.piece where left > 0: break
        case ObjectFrame.commit where (ObjectFrame.signatureBytes...ObjectFrame.commitBytes).contains(left): break
        default: throw Self.bad("frame of kind \(head[0]) with \(left) bytes")
        }
    }

    private static func bad(_ cause: String) -> CloudError {
        CloudError(.badRequest, "The body is not an upload.", cause: cause)
    }
}
