// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import SecurityKit

/// Whom an identity provider means by a user of this cloud.
package struct FederatedUser: Sendable, Equatable {
    package struct Source: Sendable, Equatable {
        package var providerID: IdentityProviderID
        package var protocolID: String
        package init(providerID: IdentityProviderID, protocolID: String) {
            self.providerID = providerID
            self.protocolID = protocolID
        }
    }

    package var source: Source
    package var uniqueID: String
    /// Shown with a token of the user.
    package var groupIDs: [GroupID] = []
}

/// The OpenID providers whose tokens are believed, with their keys.
package struct TokenIssuers: Sendable {
    /// What a token must be for: one that a user gave to another service is not good here.
    let audience: String
    let keys: [String: WebKeySet]

    package init(audience: String = "", keys: [String: WebKeySet] = [:]) {
        self.audience = audience
        self.keys = keys
    }

    /// What the token says, when one of `issuers` signed it for this cloud and its time has not passed. Otherwise
    /// throws `.unauthorized`, one and the same.
    func claims(_ text: String, of issuers: [String], at now: Timestamp, leeway: Duration) throws -> [String: JSON] {
        guard !audience.isEmpty, let token = WebToken(text), let issuer = token.claimedIssuer,
            issuers.contains(issuer), let keys = keys[issuer], let claims = try token.verify(keys),
            let end = Self.time(claims["exp"]), now < end + leeway,
            Self.time(claims["nbf"]).map({ $0 <= now + leeway }) ?? true,
            claims["aud"]?.string == audience || claims["aud"]?.array?.contains(.string(audience)) == true
        else { throw IdentityError.unauthorized }
        return claims
    }

    private static func time(_ json: JSON?) -> Timestamp? {
        guard case .int(let seconds) = json, (0...Int64(1) << 40).contains(seconds) else { return nil }
        return Timestamp(seconds: seconds)
    }
}

/// Claims by the names that a web server in front of upstream would give them.
enum OpenIDAttributes {
    /// `OIDC-email` and `HTTP_OIDC_EMAIL`. A claim that is a list has several values; a text is one, whatever is in it.
    static func values(_ claims: [String: JSON]) -> [String: [String]] {
        var values: [String: [String]] = [:]
        for (name, claim) in claims {
            let texts = (claim.array ?? [claim]).compactMap(text)
            guard !texts.isEmpty else { continue }
            values["OIDC-\(name)"] = texts
            let upper = name.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" }
            values["HTTP_OIDC_\(String(upper))"] = texts
        }
        return values
    }

    private static func text(_ json: JSON) -> String? {
        switch json {
        case .string(let text): text
        case .int(let number): String(number)
        case .bool(let flag): flag ? "1" : "0"
        default: nil
        }
    }
}
