// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import SecurityKit

/// How somebody signed in, as a bit of a token.
package struct AuthMethods: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let password = AuthMethods(rawValue: 1)
    package static let token = AuthMethods(rawValue: 2)
    package static let applicationCredential = AuthMethods(rawValue: 4)
    package static let ec2Credential = AuthMethods(rawValue: 8)
    package static let oauth1 = AuthMethods(rawValue: 16)
    package static let totp = AuthMethods(rawValue: 32)
    /// An identity provider vouched for the user.
    package static let mapped = AuthMethods(rawValue: 64)

    private static let all: [(AuthMethods, String)] = [
        (.password, "password"), (.token, "token"), (.applicationCredential, "application_credential"),
        (.ec2Credential, "ec2credential"), (.oauth1, "oauth1"), (.totp, "totp"), (.mapped, "mapped"),
    ]

    /// Every method that somebody can sign in by.
    package static let knownNames = Set(all.map(\.1))

    package var names: [String] { Self.all.filter { contains($0.0) }.map(\.1) }
}

package enum TokenScope: Sendable, Equatable {
    case unscoped, system
    case project(ProjectID)
    case domain(DomainID)
}

/// What a Fernet token carries: who, how, where and until when. Roles are looked up when it is used.
package struct TokenPayload: Sendable, Equatable {
    package static let auditIDByteCount = 16
    private static let version: UInt8 = 1

    package var userID: UserID
    package var methods: AuthMethods
    package var scope: TokenScope
    package var applicationCredentialID: ApplicationCredentialID?
    /// The trust that it is of; `userID` is then the trustee.
    package var trustID: TrustID?
    package var accessTokenID: AccessTokenID?
    /// The `ec2` credential that signed the request for it: it ends with that, and has no more rights.
    package var credentialID: CredentialID?
    /// Exact to the microsecond, where the Fernet format itself has seconds: a password change in the same second must
    /// tell older tokens from newer ones.
    package var issuedAt: Timestamp
    package var expiresAt: Timestamp
    /// Of this token, then of the first one in its chain.
    package var auditIDs: [[UInt8]]

    package var auditTexts: [String] { auditIDs.map { Base64.encode($0, .urlSafe, padded: false) } }

    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = [Self.version, kind, methods.rawValue]
        Self.append(userID.rawValue, to: &bytes)
        switch scope {
        case .unscoped, .system: break
        case .project(let id): Self.append(id.rawValue, to: &bytes)
        case .domain(let id): Self.append(id.rawValue, to: &bytes)
        }
        if let applicationCredentialID { Self.append(applicationCredentialID.rawValue, to: &bytes) }
        if let trustID { Self.append(trustID.rawValue, to: &bytes) }
        if let accessTokenID { Self.append(accessTokenID.rawValue, to: &bytes) }
        if let credentialID { Self.append(credentialID.rawValue, to: &bytes) }
        for time in [issuedAt, expiresAt] {
            let bits = UInt64(bitPattern: time.microseconds)
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
        }
        bytes.append(UInt8(auditIDs.count))
        for id in auditIDs { bytes += id }
        return bytes
    }

    /// Nil for what `encoded` did not make.
    package init?(_ bytes: [UInt8]) {
        var reader = PayloadReader(bytes)
        guard reader.byte() == Self.version, let kind = reader.byte(), let methods = reader.byte(),
            let user = reader.text()
        else { return nil }
        switch kind & 0x0F {
        case 0: scope = .unscoped
        case 1:
            guard let id = reader.text() else { return nil }
            scope = .project(ProjectID(id))
        case 2:
            guard let id = reader.text() else { return nil }
            scope = .domain(DomainID(id))
        case 3: scope = .system
        default: return nil
        }
        if kind & 0x80 != 0 {
            guard let id = reader.text() else { return nil }
            applicationCredentialID = ApplicationCredentialID(id)
        }
        if kind & 0x20 != 0 {
            guard let id = reader.text() else { return nil }
            trustID = TrustID(id)
        }
        if kind & 0x10 != 0 {
            guard let id = reader.text() else { return nil }
            accessTokenID = AccessTokenID(id)
        }
        if kind & 0x40 != 0 {
            guard let id = reader.text() else { return nil }
            credentialID = CredentialID(id)
        }
        guard let issued = reader.number(), let expires = reader.number(), let count = reader.byte(), count <= 2 else {
            return nil
        }
        userID = UserID(user)
        self.methods = AuthMethods(rawValue: methods)
        issuedAt = Timestamp(microseconds: issued)
        expiresAt = Timestamp(microseconds: expires)
        auditIDs = []
        for _ in 0..<count {
            guard let id = reader.take(Self.auditIDByteCount) else { return nil }
            auditIDs.append(Array(id))
        }
        guard reader.isAtEnd else { return nil }
    }

    package init(
        userID: UserID, methods: AuthMethods, scope: TokenScope,
        applicationCredentialID: ApplicationCredentialID? = nil, trustID: TrustID? = nil,
        accessTokenID: AccessTokenID? = nil, credentialID: CredentialID? = nil,
        issuedAt: Timestamp, expiresAt: Timestamp, auditIDs: [[UInt8]]
    ) {
        self.userID = userID
        self.methods = methods
        self.scope = scope
        self.applicationCredentialID = applicationCredentialID
        self.trustID = trustID
        self.accessTokenID = accessTokenID
        self.credentialID = credentialID
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.auditIDs = auditIDs
    }

    /// The scope, with a bit for each delegation whose id follows.
    private var kind: UInt8 {
        scopeKind | (applicationCredentialID == nil ? 0 : 0x80) | (credentialID == nil ? 0 : 0x40)
            | (trustID == nil ? 0 : 0x20) | (accessTokenID == nil ? 0 : 0x10)
    }

    private var scopeKind: UInt8 {
        switch scope {
        case .unscoped: 0
        case .project: 1
        case .domain: 2
        case .system: 3
        }
    }

    /// Identity's own ids are 32 hexadecimal digits: 16 bytes behind a mark. Others, such as `default`, go as they are.
    private static func append(_ id: String, to bytes: inout [UInt8]) {
        if id.utf8.count == 32, let packed = Hex.decode(id), Hex.encode(packed) == id {
            bytes.append(PayloadReader.packedMark)
            bytes += packed
        } else {
            precondition(id.utf8.count < Int(PayloadReader.packedMark), "an id is too long")
            bytes.append(UInt8(id.utf8.count))
            bytes += id.utf8
        }
    }
}

private struct PayloadReader {
    static let packedMark: UInt8 = 0xFF
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func text() -> String? {
        guard let count = byte() else { return nil }
        if count == Self.packedMark { return take(16).map(Hex.encode) }
        return take(Int(count)).flatMap { String(validating: $0, as: UTF8.self) }
    }

    mutating func number() -> Int64? {
        take(8).map { Int64(bitPattern: $0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
    }
}
