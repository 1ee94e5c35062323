// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import SecurityKit

/// What proves that a request comes from a host that has the key, is for this host, is new, and is as it was sent:
/// `Authorization: Haneul-Storage-1 <seconds> <nonce> <SHA-256 of the content> <HMAC-SHA256>`.
///
/// The content is the body of a call, and the `Call` header of a request whose body is a stream or that has none.
struct RequestSignature: Sendable {
    static let scheme = "Haneul-Storage-1"
    /// The parameters of a request whose body is something else.
    static let callHeader = "X-Haneul-Call"
    static let answerHeader = "X-Haneul-Signature"

    let seconds: Int64
    let nonce: UInt128
    let contentHash: String
    private let signature: String

    /// For a request that is to be sent.
    init(
        _ key: ClusterKey, endpoint: String, method: HTTPMethod, path: String, content: [UInt8], now: Timestamp
    ) {
        seconds = now.seconds
        nonce = SecureRandom.bytes(16).reduce(0) { $0 << 8 | UInt128($1) }
        contentHash = Hex.encode(Digest.of(content, .sha256))
        let text = Self.text(endpoint, method, path, seconds, nonce, contentHash)
        signature = Hex.encode(key.sign(text))
    }

    var header: String { "\(Self.scheme) \(seconds) \(String(nonce, radix: 16)) \(contentHash) \(signature)" }

    /// Of a request that came. Nil when the header is not of this shape.
    init?(header: String) {
        let words = header.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 5, words[0] == Self.scheme, words.allSatisfy({ $0.utf8.count <= 64 }),
            let seconds = Int64(words[1]), let nonce = UInt128(words[2], radix: 16)
        else { return nil }
        self.seconds = seconds
        self.nonce = nonce
        contentHash = String(words[3])
        signature = String(words[4])
    }

    func isRight(_ key: ClusterKey, endpoint: String, method: HTTPMethod, path: String) -> Bool {
        let text = Self.text(endpoint, method, path, seconds, nonce, contentHash)
        return isEqualInConstantTime(Array(Hex.encode(key.sign(text)).utf8), Array(signature.utf8))
    }

    func covers(_ content: [UInt8]) -> Bool {
        isEqualInConstantTime(Array(Hex.encode(Digest.of(content, .sha256)).utf8), Array(contentHash.utf8))
    }

    /// With the endpoint, a request to one host is none to another that has a device of the same path.
    private static func text(
        _ endpoint: String, _ method: HTTPMethod, _ path: String, _ seconds: Int64, _ nonce: UInt128, _ hash: String
    ) -> String {
        "request\n\(endpoint)\n\(method.rawValue)\n\(path)\n\(seconds)\n\(nonce)\n\(hash)"
    }

    // MARK: What follows a request

    /// Covers the last frame of an upload: the record.
    func commitSignature(_ key: ClusterKey, _ record: [UInt8]) -> [UInt8] {
        key.sign("commit\n\(nonce)\n\(Hex.encode(Digest.of(record, .sha256)))")
    }

    /// Covers an answer; of one whose body is a file the status alone.
    func answerSignature(_ key: ClusterKey, status: Int, _ body: [UInt8]) -> String {
        Hex.encode(key.sign("answer\n\(nonce)\n\(status)\n\(Hex.encode(Digest.of(body, .sha256)))"))
    }
}

/// The requests of the last minute, so that none is answered twice.
struct NonceWindow {
    /// How old a request may be, and how far ahead its host's clock, in seconds.
    static let ageLimit: Int64 = 60
    /// Of one span of a minute.
    private static let countLimit = 1 << 20

    enum Verdict { case new, stale, repeated, tooMany }

    /// By the minute of the requests' own time.
    private var seen: [Int64: Set<UInt128>] = [:]

    mutating func admit(_ nonce: UInt128, at seconds: Int64, now: Int64) -> Verdict {
        // Compared, not subtracted: the number is the sender's.
        guard seconds >= now - Self.ageLimit, seconds <= now + Self.ageLimit else { return .stale }
        let oldest = (now - Self.ageLimit) / 60
        if seen.keys.contains(where: { $0 < oldest }) { seen = seen.filter { $0.key >= oldest } }
        guard seen[seconds / 60]?.count ?? 0 < Self.countLimit else { return .tooMany }
        return seen[seconds / 60, default: []].insert(nonce).inserted ? .new : .repeated
    }
}
