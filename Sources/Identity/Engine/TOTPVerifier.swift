// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import SecurityKit

/// Time-based one-time passcodes (RFC 6238): six digits, half a minute each.
package enum TOTP {
    package static let digits = 6
    private static let period: Int64 = 30

    /// Nil for a secret that is no Base32.
    package static func passcode(secret: String, at time: Timestamp) -> String? {
        guard let key = base32(secret), !key.isEmpty else { return nil }
        let counter = UInt64(bitPattern: time.seconds / period)
        let message = stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: counter >> UInt64($0)) }
        let mac = HMAC.sha1(key: key, message)
        let offset = Int(mac[mac.count - 1] & 0x0F)
        let number = mac[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let text = String(number % 1_000_000)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// Those that are good at `time`, the newest first.
    package static func passcodes(secret: String, at time: Timestamp, windows: Int) -> [String] {
        (0...windows).compactMap { passcode(secret: secret, at: time - .seconds(period * Int64($0))) }
    }

    /// RFC 4648, with or without padding.
    static func base32(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (word, bits): (UInt32, UInt32) = (0, 0)
        for digit in text.utf8 {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = digit - UInt8(ascii: "A")
            case UInt8(ascii: "2")...UInt8(ascii: "7"): value = digit - UInt8(ascii: "2") + 26
            case UInt8(ascii: "="): continue
            default: return nil
            }
            word = word << 5 | UInt32(value)
            bits += 5
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> bits))
                word &= (1 << bits) - 1
            }
        }
        return bytes
    }
}

/// Checks passcodes against the user's credentials of type `totp`.
struct TOTPVerifier: Sendable {
    private let database: IdentityDatabase
    private let store: CredentialStore
    private let clock: WallClock
    private let windows: Int
    private let resolver = AccessResolver()
    private let used = UsedPasscodes()

    init(database: IdentityDatabase, store: CredentialStore, clock: WallClock, windows: Int) {
        self.database = database
        self.store = store
        self.clock = clock
        self.windows = windows
    }

    /// Throws `.unauthorized` for a wrong passcode, for one that was used, and after too many wrong ones. `proven` is who
    /// has shown a password.
    func check(_ reference: AuthRequest.UserReference, _ passcode: Secret, proven: UserID?) async throws -> UserID {
        let (resolver, store, now) = (resolver, store, clock.now())
        let found = try await database.read { tx -> (UserID, [String])? in
            guard let user = try resolver.find(reference, tx) else { return nil }
            return (user.id, try store.list(user: user.id, type: "totp", tx).map(\.blob))
        }
        guard let (user, secrets) = found else { throw IdentityError.unauthorized }
        let given = Array(passcode.reveal().utf8)
        let isRight = secrets.contains { secret in
            TOTP.passcodes(secret: secret, at: now, windows: windows).contains {
                isEqualInConstantTime(Array($0.utf8), given)
            }
        }
        let isGood = used.judge(
            user, passcode, isRight: isRight, isProven: proven == user, at: now, keeping: .seconds(30 * (windows + 1)))
        guard isGood else { throw IdentityError.unauthorized }
        return user
    }
}
