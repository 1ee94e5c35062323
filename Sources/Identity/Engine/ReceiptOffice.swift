// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import SecurityKit

/// Somebody who signs in showed some methods, and their rules ask for more.
package struct MoreMethodsNeeded: Error, Sendable {
    package let user: User
    package let domain: Project
    package let methods: AuthMethods
    /// When the first of them was shown.
    package let provenAt: Timestamp
}

/// What somebody has shown so far; it counts with the next request that carries it.
package struct AuthReceipt: Sendable {
    package var text: String
    package var needed: MoreMethodsNeeded
    package var issuedAt: Timestamp
    package var expiresAt: Timestamp
}

/// Makes receipts and reads them. They are sealed with the keys of tokens, under a version that no token has.
///
/// A receipt lives from the first method that it says was shown: going on from one makes no later end.
struct ReceiptOffice: Sendable {
    private static let version: UInt8 = 0xA2
    private static let timeByteCount = 8
    private static let maximumLength = 1024

    let keys: KeyRepository
    let clock: WallClock
    let lifetime: Duration

    func issue(_ needed: MoreMethodsNeeded) async throws -> AuthReceipt {
        let time = UInt64(bitPattern: needed.provenAt.microseconds)
        let payload =
            [Self.version, needed.methods.rawValue]
            + stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: time >> UInt64($0)) }
            + Array(needed.user.id.rawValue.utf8)
        let now = clock.now()
        let text = try await keys.fernet().seal(payload, at: now, padded: false)
        return AuthReceipt(text: text, needed: needed, issuedAt: now, expiresAt: needed.provenAt + lifetime)
    }

    /// Throws `.unauthorized` for a receipt that is none, or is old.
    func read(_ text: String) async throws -> KnownReceipt {
        let head = 2 + Self.timeByteCount
        guard text.utf8.count <= Self.maximumLength, let opened = try await keys.fernet().open(text, padded: false),
            opened.payload.count > head, opened.payload[0] == Self.version,
            let user = String(validating: opened.payload[head...], as: UTF8.self)
        else { throw IdentityError.unauthorized }
        let time = opened.payload[2..<head].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let provenAt = Timestamp(microseconds: Int64(bitPattern: time))
        guard provenAt + lifetime > clock.now() else { throw IdentityError.unauthorized }
        return KnownReceipt(userID: UserID(user), methods: AuthMethods(rawValue: opened.payload[1]), provenAt: provenAt)
    }
}

/// A receipt that is good: who showed what, and since when.
struct KnownReceipt: Sendable {
    let userID: UserID
    let methods: AuthMethods
    let provenAt: Timestamp

    /// Who has shown a password; nil: nobody has.
    var proven: UserID? { methods.contains(.password) ? userID : nil }
}
