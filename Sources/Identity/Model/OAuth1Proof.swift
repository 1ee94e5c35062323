// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// A request that is signed as OAuth 1.0 has it (RFC 5849), with what the signature is over.
package struct OAuth1Proof: Sendable {
    /// How far the signer's clock may be off (oauthlib: `timestamp_lifetime`).
    static let maximumSkew: Duration = .seconds(600)
    private static let maximumNonceLength = 255

    private let method: String
    /// The address as the signer may have known it: the cloud's own, and the one in `Host`.
    private let urls: [String]
    /// Of the header and the query, decoded, without `realm` and the signature.
    private let parameters: [(name: String, value: String)]
    private let oauth: [String: String]

    /// `oauth` is what the header says, decoded.
    package init(
        oauth: [String: String], method: String, urls: [String], query: [(name: String, value: String)]
    ) {
        self.oauth = oauth
        self.method = method
        self.urls = urls
        parameters =
            oauth.filter { $0.key != "realm" && $0.key != "oauth_signature" }.map { ($0.key, $0.value) } + query
    }

    package subscript(name: String) -> String? { oauth[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// Throws `.badRequest` when the header lacks `name` (keystone's words).
    package func required(_ name: String) throws -> String {
        guard let value = self[name] else { throw IdentityError.validation(name, in: "request") }
        return value
    }

    /// What no two requests have in common.
    var nonceKey: String {
        ["oauth_consumer_key", "oauth_token", "oauth_timestamp", "oauth_nonce"].map { oauth[$0] ?? "" }
            .joined(separator: "\n")
    }

    /// Whether who signed it knew both secrets, and signed lately.
    package func isSigned(consumerSecret: Secret, tokenSecret: Secret?, at now: Timestamp) -> Bool {
        guard let signature = self["oauth_signature"].flatMap({ Base64.decode($0) }),
            (self["oauth_nonce"]?.utf8.count).map({ $0 <= Self.maximumNonceLength }) == true,
            self["oauth_version"] ?? "1.0" == "1.0",
            let seconds = self["oauth_timestamp"].flatMap({ Int64($0) }), (0...1 << 40).contains(seconds)
        else { return false }
        let age = now - Timestamp(seconds: seconds)
        guard age <= Self.maximumSkew, age >= .zero - Self.maximumSkew else { return false }
        let key = Array(
            (Percent.encode(consumerSecret.reveal()) + "&" + Percent.encode(tokenSecret?.reveal() ?? "")).utf8)
        return urls.contains { url in
            let base = Array(baseString(url).utf8)
            switch self["oauth_signature_method"] {
            case "HMAC-SHA1": return isEqualInConstantTime(HMAC.sha1(key: key, base), signature)
            case "HMAC-SHA256": return isEqualInConstantTime(HMAC.sha256(key: key, base), signature)
            default: return false
            }
        }
    }

    /// RFC 5849, 3.4.1.
    func baseString(_ url: String) -> String {
        let pairs = parameters.map { (Percent.encode($0.name), Percent.encode($0.value)) }.sorted { $0 < $1 }
        let text = pairs.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        return [method.uppercased(), Self.normalized(url), text].map { Percent.encode($0) }.joined(separator: "&")
    }

    /// Scheme and host in lower case, without the scheme's own port.
    private static func normalized(_ url: String) -> String {
        guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else { return url }
        let scheme = url[..<colon].lowercased()
        let rest = url[url.index(colon, offsetBy: 3)...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var host = rest[..<slash].lowercased()
        for (name, port) in [("http", ":80"), ("https", ":443")] where scheme == name && host.hasSuffix(port) {
            host = String(host.dropLast(port.count))
        }
        return scheme + "://" + host + (slash == rest.endIndex ? "/" : String(rest[slash...]))
    }
}
