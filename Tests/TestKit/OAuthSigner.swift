// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// Signs requests as an OAuth 1.0 consumer does, by the letter of RFC 5849.
package struct OAuthSigner: Sendable {
    package let id: String
    package let secret: String
    private let origin: String

    package init(id: String, secret: String, origin: String) {
        self.id = id
        self.secret = secret
        self.origin = origin
    }

    /// The `Authorization` header of a POST to `path`, which is as the server sees it.
    package func header(
        _ path: String, at seconds: Int64, token: (key: String, secret: String)? = nil, verifier: String? = nil,
        algorithm: String = "HMAC-SHA1"
    ) -> String {
        var fields = [
            "oauth_consumer_key": id, "oauth_nonce": "\(UInt64.random(in: 0...UInt64.max))", "oauth_version": "1.0",
            "oauth_timestamp": "\(seconds)",
            "oauth_signature_method": algorithm,
        ]
        fields["oauth_token"] = token?.key
        fields["oauth_verifier"] = verifier
        let pairs = fields.map { "\(Percent.encode($0.key))=\(Percent.encode($0.value))" }.sorted()
        let base = ["POST", origin + path, pairs.joined(separator: "&")].map { Percent.encode($0) }
            .joined(separator: "&")
        let key = Array((Percent.encode(secret) + "&" + Percent.encode(token?.secret ?? "")).utf8)
        let message = Array(base.utf8)
        let mac =
            algorithm == "HMAC-SHA1" ? HMAC.sha1(key: key, message) : HMAC.sha256(key: key, message)
        fields["oauth_signature"] = Base64.encode(mac)
        let parts = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(Percent.encode($0.value))\"" }
        return "OAuth " + parts.joined(separator: ", ")
    }
}
