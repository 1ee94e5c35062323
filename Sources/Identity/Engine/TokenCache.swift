// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// A token and what it meant at one generation of Identity.
package final class KnownToken: Sendable {
    package let token: String
    package let payload: TokenPayload
    package let subject: TokenSubject
    let generation: UInt64
    private let rendered = Mutex<[UInt8]?>(nil)

    init(token: String, payload: TokenPayload, subject: TokenSubject, generation: UInt64) {
        self.token = token
        self.payload = payload
        self.subject = subject
        self.generation = generation
    }

    /// What `make` gives, made once. Every caller passes the same `make`.
    package func body(_ make: () -> [UInt8]) -> [UInt8] {
        if let bytes = rendered.withLock({ $0 }) { return bytes }
        let bytes = make()
        rendered.withLock { $0 = bytes }
        return bytes
    }
}

/// Tokens seen lately. Two halves: a full young half becomes the old one, and what the old one held is forgotten
/// unless it was used again meanwhile.
final class TokenCache: Sendable {
    private struct Halves {
        var young: [String: KnownToken] = [:]
        var old: [String: KnownToken] = [:]
    }

    private let halfSize: Int
    private let halves = Mutex(Halves())

    init(size: Int) {
        precondition(size >= 2)
        halfSize = size / 2
    }

    subscript(token: String) -> KnownToken? {
        halves.withLock { halves in
            if let known = halves.young[token] { return known }
            guard let known = halves.old.removeValue(forKey: token) else { return nil }
            insert(known, into: &halves)
            return known
        }
    }

    func insert(_ known: KnownToken) { halves.withLock { insert(known, into: &$0) } }

    private func insert(_ known: KnownToken, into halves: inout Halves) {
        if halves.young.count >= halfSize {
            halves.old = halves.young
            halves.young = [:]
        }
        halves.young[known.token] = known
    }
}
