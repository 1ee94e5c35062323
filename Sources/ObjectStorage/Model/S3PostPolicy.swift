// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import SecurityKit

/// What a page's form may upload, and until when: a document that the key's holder signed.
package struct S3PostPolicy: Sendable {
    package enum Condition: Sendable, Equatable {
        case equals(field: String, value: String)
        case startsWith(field: String, prefix: String)
        case size(ClosedRange<Int64>)
    }

    private static let maximumConditions = 100
    /// Fields that no condition has to speak of.
    private static let free: Set<String> = [
        "policy", "signature", "x-amz-signature", "awsaccesskeyid", "file", "submit",
    ]

    package let expiresAt: Timestamp
    package let conditions: [Condition]

    /// The field `policy` as it was signed: JSON in base 64.
    package init(_ text: String) throws(S3Error) {
        guard let bytes = Base64.decode(text.filter { !$0.isWhitespace }) else {
            throw Self.invalid("Invalid 'policy' field value: not in base 64.")
        }
        let document: JSON
        do {
            document = try JSONReader.read(bytes)
        } catch {
            throw Self.invalid("Invalid JSON.")
        }
        guard let expiration = document["expiration"]?.string, let time = Timestamp(iso8601: expiration) else {
            throw Self.invalid("Invalid 'expiration' value.")
        }
        guard let list = document["conditions"]?.array, list.count <= Self.maximumConditions else {
            throw Self.invalid("Invalid 'conditions' value: must be a List.")
        }
        var conditions: [Condition] = []
        for entry in list { conditions += try Self.read(entry) }
        expiresAt = time
        self.conditions = conditions
    }

    private static func invalid(_ message: String) -> S3Error {
        S3Error(.invalidPolicyDocument, "Invalid Policy: " + message)
    }

    private static func read(_ entry: JSON) throws(S3Error) -> [Condition] {
        if let pairs = entry.object {
            var found: [Condition] = []
            for (name, value) in pairs {
                guard let value = value.string else { throw invalid("Invalid Simple-Condition.") }
                found.append(.equals(field: name.asciiLowercased(), value: value))
            }
            return found
        }
        guard let words = entry.array, words.count == 3, let operation = words[0].string?.asciiLowercased() else {
            throw invalid("Invalid Condition.")
        }
        if operation == "content-length-range" {
            guard let low = number(words[1]), let high = number(words[2]), low >= 0, low <= high else {
                throw invalid("Invalid content-length-range.")
            }
            return [.size(low...high)]
        }
        guard let name = words[1].string?.removing(bytePrefix: "$"), let value = words[2].string else {
            throw invalid("Invalid Condition.")
        }
        let field = String(name).asciiLowercased()
        switch operation {
        case "eq": return [.equals(field: field, value: value)]
        case "starts-with": return [.startsWith(field: field, prefix: value)]
        default: throw invalid("Invalid Condition operation.")
        }
    }

    private static func number(_ value: JSON) -> Int64? { value.int ?? value.string.flatMap { Int64($0) } }

    /// Throws unless `fields`, by names in lower case, are what was signed. Returns what size the file may have.
    package func check(_ fields: [String: String], now: Timestamp) throws(S3Error) -> ClosedRange<Int64>? {
        guard now < expiresAt else { throw S3Error(.accessDenied, "Invalid according to Policy: Policy expired.") }
        var size: ClosedRange<Int64>?
        var spokenOf = Self.free
        for condition in conditions {
            let holds: Bool
            switch condition {
            case .size(let range):
                let low = max(range.lowerBound, size?.lowerBound ?? 0)
                let high = min(range.upperBound, size?.upperBound ?? .max)
                guard low <= high else { throw Self.invalid("Invalid content-length-range.") }
                size = low...high
                holds = true
            case .equals(let field, let value):
                spokenOf.insert(field)
                holds = String.areByteEqual(fields[field] ?? "", value)
            case .startsWith(let field, let prefix):
                spokenOf.insert(field)
                holds = Self.begins(fields[field] ?? "", prefix, field)
            }
            guard holds else {
                throw S3Error(
                    .accessDenied, "Invalid according to Policy: Policy Condition failed: \(Self.shown(condition))")
            }
        }
        for name in fields.keys.sorted() where !spokenOf.contains(name) && !name.hasBytePrefix("x-ignore-") {
            throw S3Error(.accessDenied, "Invalid according to Policy: Extra input fields: \(name)")
        }
        return size
    }

    /// Of types there may be several, and each has to fit.
    private static func begins(_ value: String, _ prefix: String, _ field: String) -> Bool {
        guard field == "content-type", !prefix.isEmpty else { return value.hasBytePrefix(prefix) }
        let types = value.split(byte: ",").map(\.trimmed)
        return !types.isEmpty && types.allSatisfy { $0.hasBytePrefix(prefix) }
    }

    private static func shown(_ condition: Condition) -> String {
        switch condition {
        case .equals(let field, let value): "[\"eq\", \"$\(field)\", \"\(value)\"]"
        case .startsWith(let field, let prefix): "[\"starts-with\", \"$\(field)\", \"\(prefix)\"]"
        case .size(let range): "[\"content-length-range\", \(range.lowerBound), \(range.upperBound)]"
        }
    }
}

/// Who signed a form's policy, and how.
package struct S3PostSignature: Sendable {
    package enum Version: Sendable, Equatable {
        case four(S3Authorization.Scope)
        case two
    }

    package let accessKey: String
    package let policy: String
    private let version: Version
    private let signature: String

    /// `fields` by names in lower case. Throws where one is missing.
    package init(_ fields: [String: String]) throws(S3Error) {
        guard let policy = fields["policy"], !policy.isEmpty else { throw S3Error(.accessDenied) }
        self.policy = policy
        if let accessKey = fields["awsaccesskeyid"] {
            guard let signature = fields["signature"] else { throw Self.missing("Signature") }
            (self.accessKey, self.signature, version) = (accessKey, signature, .two)
            return
        }
        let algorithm = fields["x-amz-algorithm"] ?? ""
        guard algorithm == SignatureV4.algorithm else { throw .invalidArgument("x-amz-algorithm", algorithm) }
        guard let credential = fields["x-amz-credential"] else { throw Self.missing("X-Amz-Credential") }
        guard let signature = fields["x-amz-signature"] else { throw Self.missing("X-Amz-Signature") }
        guard let date = fields["x-amz-date"], let time = SignatureV4.time(date) else {
            throw Self.missing("X-Amz-Date")
        }
        let parts = credential.split(byte: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, !parts[0].isEmpty, parts[1] == SignatureV4.text(time).prefix(8), parts[3] == "s3",
            parts[4] == SignatureV4.terminal
        else { throw .invalidArgument("x-amz-credential", credential) }
        accessKey = parts[0]
        self.signature = signature
        version = .four(S3Authorization.Scope(date: parts[1], region: parts[2], service: parts[3]))
    }

    private static func missing(_ name: String) -> S3Error {
        S3Error(
            .invalidArgument,
            "Bucket POST must contain a field named '\(name)'.  If it is specified, please check the "
                + "order of the fields.", [("ArgumentName", name), ("ArgumentValue", "")])
    }

    package func check(secret: Secret) throws(S3Error) {
        let expected: String =
            switch version {
            case .two:
                Base64.encode(HMAC.sha1(key: Array(secret.reveal().utf8), Array(policy.utf8)))
            case .four(let scope):
                SignatureV4.sign(
                    policy,
                    key: SignatureV4.key(
                        secret: secret, date: scope.date, region: scope.region, service: scope.service))
            }
        guard isEqualInConstantTime(Array(expected.utf8), Array(signature.utf8)) else {
            throw S3Error(.signatureDoesNotMatch)
        }
    }
}
