// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import SecurityKit

/// What a request's signature must be.
package struct S3Signature: Sendable {
    /// Names in a query that count as part of the resource in version 2.
    private static let subresources: Set<String> = [
        "accelerate", "acl", "analytics", "cors", "delete", "inventory", "lifecycle", "location", "logging", "metrics",
        "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
        "response-cache-control", "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires", "restore", "select", "select-type",
        "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    ]
    /// Newer words, which some clients sign and some do not.
    private static let newSubresources: Set<String> = [
        "attributes", "encryption", "intelligent-tiering", "legal-hold", "ownershipControls", "policyStatus",
        "publicAccessBlock", "retention",
    ]
    /// Headers of these kinds change what a request does, so they are signed or refused.
    private static let mustBeSigned = ["x-amz-copy", "x-amz-acl", "x-amz-grant", "x-amz-meta", "x-amz-tagging"]

    package static let unsignedPayload = "UNSIGNED-PAYLOAD"
    package static let emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private let request: HTTPRequest
    private let authorization: S3Authorization
    /// The bucket that stands in the host's name; version 2 signs it as part of the path.
    private let hostBucket: String?

    package init(_ request: HTTPRequest, _ authorization: S3Authorization, hostBucket: String? = nil) {
        self.request = request
        self.authorization = authorization
        self.hostBucket = hostBucket
    }

    /// Throws `SignatureDoesNotMatch` unless `secret` signed the request. In version 4, returns what its chunks are
    /// signed with.
    @discardableResult
    package func check(secret: Secret) throws(S3Error) -> S3ChunkSigner? {
        switch authorization.version {
        case .two:
            let key = Array(secret.reveal().utf8)
            let expected = try stringsToSign2().map { Base64.encode(HMAC.sha1(key: key, WireText.bytes($0))) }
            guard expected.contains(where: isEqual) else { throw S3Error(.signatureDoesNotMatch) }
            return nil
        case .four(let scope, let signedHeaders):
            let key = SignatureV4.key(
                secret: secret, date: scope.date, region: scope.region, service: scope.service)
            let text = stringToSign4(scope, try canonicalRequest(signedHeaders))
            guard isEqual(SignatureV4.sign(text, key: key)) else { throw S3Error(.signatureDoesNotMatch) }
            return S3ChunkSigner(
                key: key, time: authorization.timeText, scope: scope.text, previous: authorization.signature)
        }
    }

    private func isEqual(_ expected: String) -> Bool {
        isEqualInConstantTime(Array(expected.utf8), Array(authorization.signature.utf8))
    }

    // MARK: Version 4

    package func stringToSign4(_ scope: S3Authorization.Scope, _ canonical: String) -> String {
        let digest = Hex.encode(Digest.of(WireText.bytes(canonical), .sha256))
        return "\(SignatureV4.algorithm)\n\(authorization.timeText)\n\(scope.text)\n\(digest)"
    }

    package func canonicalRequest(_ signedHeaders: [String]) throws(S3Error) -> String {
        let names = signedHeaders.map { ByteText($0) }.sorted().map(\.text)
        let signed = Set(names.map { ByteText($0) })
        var lines = ""
        for name in names { lines += "\(name):\(try value(of: name))\n" }
        for (name, _) in request.headers.fields {
            let name = name.asciiLowercased()
            guard !Self.mustBeSigned.contains(where: { name.hasBytePrefix($0) }) || signed.contains(ByteText(name))
            else {
                throw S3Error(
                    .accessDenied, "There were headers present in the request which were not signed",
                    [("HeadersNotSigned", name)])
            }
        }
        return [
            request.method.rawValue, try canonicalPath(), canonicalQuery(), lines, names.joined(separator: ";"),
            payloadDigest,
        ].joined(separator: "\n")
    }

    /// What the request says of its body's digest.
    package var payloadDigest: String {
        request.headers["X-Amz-Content-SHA256"]
            ?? (authorization.isPresigned
                ? request.queryValue("X-Amz-Content-Sha256") ?? Self.unsignedPayload : Self.unsignedPayload)
    }

    private func canonicalPath() throws(S3Error) -> String {
        guard let decoded = Percent.decode(request.path) else {
            throw S3Error(.invalidURI, nil, [("URI", request.path)])
        }
        return Percent.encode(decoded, keepsSlash: true)
    }

    private func canonicalQuery() -> String {
        var pairs: [(name: String, value: String)] = []
        for (name, value) in request.query where name != "X-Amz-Signature" && name != "Signature" {
            pairs.append((Percent.encode(name), Percent.encode(value)))
        }
        pairs.sort { left, right in left.name == right.name ? left.value < right.value : left.name < right.name }
        return pairs.map { $0.name + "=" + $0.value }.joined(separator: "&")
    }

    /// Every value of a header, white space made one. Throws when the header is not there: then something was lost.
    private func value(of name: String) throws(S3Error) -> String {
        let values = request.headers.fields.filter { $0.name.asciiLowercased().isByteEqual(to: name) }.map { field in
            field.value.utf8.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 }).map { Substring($0) }.joined(
                separator: " ")
        }
        guard !values.isEmpty else { throw S3Error(.signatureDoesNotMatch) }
        return values.joined(separator: ",")
    }

    // MARK: Version 2

    /// What may have been signed. Clients differ in whether a bucket alone ends in a slash, and in which words of the
    /// query they take for a part of the resource; all of it names the same.
    package func stringsToSign2() throws(S3Error) -> [String] {
        let head = head2()
        return try resources2().map { head + $0 }
    }

    private func head2() -> String {
        var amazon: [ByteText: [String]] = [:]
        for (name, value) in request.headers.fields {
            let name = name.asciiLowercased()
            if name.hasBytePrefix("x-amz-") { amazon[ByteText(name), default: []].append(value.trimmed) }
        }
        let date: String =
            if authorization.isPresigned { authorization.timeText } else if amazon["x-amz-date"] != nil { "" } else {
                request.headers["Date"] ?? ""
            }
        let lines = amazon.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.joined(separator: ","))" }
        return
            ([
                request.method.rawValue, request.headers["Content-MD5"]?.trimmed ?? "",
                request.headers["Content-Type"]?.trimmed ?? "", date,
            ] + lines + [""]).joined(separator: "\n")
    }

    private func resources2() throws(S3Error) -> [String] {
        let path = (hostBucket.map { "/" + $0 } ?? "") + (try canonicalPath())
        let isBucketAlone = path.utf8.count > 1 && !path.utf8.dropFirst().contains(UInt8(ascii: "/"))
        var queries = [resourceQuery { Self.subresources.contains($0) }]
        if request.query.contains(where: { Self.newSubresources.contains($0.name) }) {
            queries.append(resourceQuery { Self.subresources.contains($0) || Self.newSubresources.contains($0) })
        }
        return (isBucketAlone ? [path, path + "/"] : [path]).flatMap { path in queries.map { path + $0 } }
    }

    private func resourceQuery(_ isPart: (String) -> Bool) -> String {
        let parts = request.query.filter { isPart($0.name) }.sorted { $0.name < $1.name }
            .map { $0.value.isEmpty ? $0.name : "\($0.name)=\($0.value)" }
        return parts.isEmpty ? "" : "?" + parts.joined(separator: "&")
    }
}

/// The chain of signatures of a body that comes in chunks: each signs the one before.
package struct S3ChunkSigner: Sendable {
    private let key: [UInt8]
    private let time: String
    private let scope: String
    private var previous: String

    package init(key: [UInt8], time: String, scope: String, previous: String) {
        self.key = key
        self.time = time
        self.scope = scope
        self.previous = previous
    }

    /// Whether `signature` is that of the next chunk, whose digest is `digest`.
    package mutating func check(digest: String, signature: String) -> Bool {
        next(
            "AWS4-HMAC-SHA256-PAYLOAD\n\(time)\n\(scope)\n\(previous)\n\(S3Signature.emptyDigest)\n\(digest)", signature
        )
    }

    /// Whether `signature` is that of the trailing headers, which come as `name:value\n` each, in order of name.
    package mutating func checkTrailer(_ headers: String, signature: String) -> Bool {
        let digest = Hex.encode(Digest.of(Array(headers.utf8), .sha256))
        return next("AWS4-HMAC-SHA256-TRAILER\n\(time)\n\(scope)\n\(previous)\n\(digest)", signature)
    }

    private mutating func next(_ text: String, _ signature: String) -> Bool {
        let expected = SignatureV4.sign(text, key: key)
        previous = expected
        return isEqualInConstantTime(Array(expected.utf8), Array(signature.utf8))
    }
}
