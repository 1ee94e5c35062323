// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Cuts a stream into JSON objects: JSON-RPC over OVSDB has no delimiter but the closing brace.
struct JSONFramer {
    private let limit: Int
    /// What has arrived. The session appends to it directly.
    var buffer: [UInt8] = []
    private var position = 0
    private var start = 0
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// A message longer than `limit` bytes ends the session.
    init(limit: Int) { self.limit = limit }

    /// The next whole message, nil when more bytes are needed. Throws `.unavailable` for one that is too long.
    mutating func next() throws -> [UInt8]? {
        while position < buffer.count {
            let byte = buffer[position]
            position += 1
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if depth == 0 { start = position - 1 }
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 {
                    let message = Array(buffer[start..<position])
                    start = position
                    compact()
                    return message
                }
                guard depth > 0 else { throw Self.malformed("unbalanced brackets") }
            default: break
            }
        }
        guard buffer.count - start <= limit else { throw Self.malformed("message longer than \(limit) bytes") }
        compact()
        return nil
    }

    /// Drops what has been handed out, when it is the larger part.
    private mutating func compact() {
        guard start == buffer.count || start > buffer.count / 2 && start > 4096 else { return }
        let isLarge = buffer.capacity > 1 << 20
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: !isLarge)
        } else {
            buffer.removeFirst(start)
        }
        position -= start
        start = 0
    }

    private static func malformed(_ cause: String) -> CloudError {
        CloudError(.unavailable, "The OVSDB server sent a malformed message.", cause: cause)
    }
}
