// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// A request that somebody signed with an access key, as a service that received it passes it on.
package enum EC2Proof: Sendable {
    /// `/v3/ec2tokens`: the parts of the request, to be signed again and compared (keystoneclient: `Ec2Signer`).
    case request(EC2SignedRequest)
    /// `/v3/s3tokens`: the text that was signed (keystone: `api/s3tokens.py`).
    case text(accessKey: String, text: [UInt8], signature: String, time: String?)

    var accessKey: String {
        switch self {
        case .request(let request): request.accessKey
        case .text(let accessKey, _, _, _): accessKey
        }
    }

    /// Throws `.unauthorized` unless `secret` signed it.
    func check(secret: Secret) throws {
        switch self {
        case .request(let request): try request.check(secret: secret)
        case .text(_, let text, let signature, _):
            let expected =
                text.starts(with: "AWS4".utf8)
                ? try Self.version4(text, secret)
                : Base64.encode(HMAC.sha1(key: Array(secret.reveal().utf8), text))
            guard isEqualInConstantTime(Array(signature.utf8), Array(expected.utf8)) else {
                throw CloudError(.unauthorized, "Credential signature mismatch")
            }
        }
    }

    /// When it was signed; nil when it does not say so. Throws `.unauthorized` for what is no time.
    func time() throws -> Timestamp? {
        let text: String? =
            switch self {
            case .request(let request): request.time
            case .text(_, _, _, let time): time
            }
        guard let text, !text.isEmpty else { return nil }
        guard let time = SignatureV4.time(text) ?? Timestamp(iso8601: text) else {
            throw CloudError(.unauthorized, "Credential timestamp is invalid")
        }
        return time
    }

    private static func version4(_ text: [UInt8], _ secret: Secret) throws -> String {
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        let scope = lines.count == 4 ? lines[2].split(separator: "/", omittingEmptySubsequences: false) : []
        guard lines.first == Substring(SignatureV4.algorithm), scope.count == 4,
            scope[3] == Substring(SignatureV4.terminal),
            ["s3", "iam", "sts"].contains(scope[2])
        else { throw CloudError(.unauthorized, "Invalid EC2 signature.") }
        let key = SignatureV4.key(
            secret: secret, date: String(scope[0]), region: String(scope[1]), service: String(scope[2]))
        return Hex.encode(HMAC.sha256(key: key, text))
    }
}

/// A request to a service that speaks EC2's language, taken apart.
package struct EC2SignedRequest: Sendable {
    package var accessKey: String
    package var signature: String
    package var verb: String
    package var host: String
    package var path: String
    package var parameters: [String: String]
    package var headers: [String: String]
    package var bodyHash: String

    package init(
        accessKey: String, signature: String, verb: String, host: String, path: String, parameters: [String: String],
        headers: [String: String], bodyHash: String
    ) {
        self.accessKey = accessKey
        self.signature = signature
        self.verb = verb
        self.host = host
        self.path = path
        self.parameters = parameters
        self.headers = headers
        self.bodyHash = bodyHash
    }

    var time: String? { parameters["Timestamp"] ?? headers["X-Amz-Date"] ?? parameters["X-Amz-Date"] }

    func check(secret: Secret) throws {
        guard !signature.isEmpty else { throw CloudError(.unauthorized, "EC2 signature not supplied.") }
        // Some clients leave the port out of what they sign.
        var hosts = [host]
        if let colon = host.lastIndex(of: ":") { hosts.append(String(host[..<colon])) }
        for host in hosts {
            guard let expected = self.expected(secret, host: host) else { break }
            if isEqualInConstantTime(Array(signature.utf8), Array(expected.utf8)) { return }
        }
        throw CloudError(.unauthorized, "Invalid EC2 signature.")
    }

    /// Nil for a signature of no known kind.
    private func expected(_ secret: Secret, host: String) -> String? {
        let key = Array(secret.reveal().utf8)
        switch parameters["SignatureVersion"] {
        case "0":
            guard let action = parameters["Action"], let time = parameters["Timestamp"] else { return nil }
            return Base64.encode(HMAC.sha1(key: key, Array((action + time).utf8)))
        case "1":
            let text = parameters.sorted { $0.key.lowercased() < $1.key.lowercased() }.map { $0.key + $0.value }
            return Base64.encode(HMAC.sha1(key: key, Array(text.joined().utf8)))
        case "2":
            var signed = parameters
            signed["SignatureMethod"] = "HmacSHA256"
            let text = "\(verb)\n\(host)\n\(path)\n\(Self.query(signed))"
            return Base64.encode(HMAC.sha256(key: key, Array(text.utf8)))
        case nil: return version4(secret)
        default: return nil
        }
    }

    private func version4(_ secret: Secret) -> String? {
        let authorization = headers["Authorization"]
        guard
            authorization?.hasPrefix(SignatureV4.algorithm) ?? (parameters["X-Amz-Algorithm"] == SignatureV4.algorithm)
        else { return nil }
        func part(_ name: String) -> String? {
            guard let authorization else { return parameters["X-Amz-" + name] }
            for field in authorization.split(whereSeparator: { $0 == "," || $0 == " " })
            where field.hasPrefix(name + "=") {
                return String(field.dropFirst(name.count + 1))
            }
            return nil
        }
        guard let signedHeaders = part("SignedHeaders"), let date = headers["X-Amz-Date"] ?? parameters["X-Amz-Date"],
            let scope = part("Credential")?.split(separator: "/", omittingEmptySubsequences: false), scope.count == 5,
            date.hasPrefix(scope[1])
        else { return nil }
        let known = Dictionary(
            headers.map { (Self.trimmed($0.key.lowercased()), Self.trimmed($0.value)) }, uniquingKeysWith: { $1 })
        let lines = signedHeaders.split(separator: ";").compactMap { name in
            known[String(name)].map { "\(name):\($0)" }
        }
        let request = [
            verb.uppercased(), path, Self.query(parameters), lines.joined(separator: "\n") + "\n", signedHeaders,
            bodyHash,
        ]
        let digest = Hex.encode(Digest.of(Array(request.joined(separator: "\n").utf8), .sha256))
        let text = [SignatureV4.algorithm, date, scope.dropFirst().joined(separator: "/"), digest]
        let key = SignatureV4.key(
            secret: secret, date: String(scope[1]), region: String(scope[2]), service: String(scope[3]))
        return SignatureV4.sign(text.joined(separator: "\n"), key: key)
    }

    private static func query(_ parameters: [String: String]) -> String {
        parameters.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { Percent.encode($0.key) + "=" + Percent.encode($0.value) }.joined(separator: "&")
    }

    private static func trimmed(_ text: String) -> String {
        var rest = text[...]
        while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return String(rest)
    }
}
