// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import SecurityKit

/// What a request says of who signed it, and when. Nothing of it is true until `S3Signature` has checked it.
package struct S3Authorization: Sendable, Equatable {
    package enum Version: Sendable, Equatable {
        /// `scope`: date, region, service, terminal.
        case four(scope: Scope, signedHeaders: [String])
        case two
    }
    package struct Scope: Sendable, Equatable {
        package var date: String
        package var region: String
        package var service: String
        package init(date: String, region: String, service: String) {
            self.date = date
            self.region = region
            self.service = service
        }

        package var text: String { "\(date)/\(region)/\(service)/\(SignatureV4.terminal)" }
    }

    package static let maximumExpirySeconds: Int64 = 604_800
    /// How far the clocks of client and server may be apart.
    package static let skew: Duration = .seconds(15 * 60)

    package var version: Version
    package var accessKey: String
    package var signature: String
    package var isPresigned: Bool
    /// When it was signed, as it says and as it signed it.
    package var time: Timestamp
    package var timeText: String
    /// Of a presigned address: until when it counts.
    package var expiresAt: Timestamp?

    /// Whether a request speaks S3's language at all.
    package static func isPresent(in request: HTTPRequest) -> Bool {
        if let header = request.headers["Authorization"] {
            return header.hasBytePrefix(SignatureV4.algorithm) || header.hasBytePrefix("AWS ")
        }
        return request.query.contains {
            $0.name == "X-Amz-Algorithm" || $0.name == "X-Amz-Credential" || $0.name == "AWSAccessKeyId"
        }
    }

    /// Nil for a request that is not signed.
    package init?(_ request: HTTPRequest) throws(S3Error) {
        if request.queryValue("X-Amz-Credential") != nil || request.queryValue("X-Amz-Algorithm") != nil {
            try self.init(query4: request)
        } else if request.queryValue("AWSAccessKeyId") != nil {
            try self.init(query2: request)
        } else if let header = request.headers["Authorization"] {
            if header.hasBytePrefix(SignatureV4.algorithm) {
                try self.init(header4: header, request)
            } else if header.hasBytePrefix("AWS ") {
                try self.init(header2: header, request)
            } else {
                throw S3Error(.accessDenied)
            }
        } else {
            return nil
        }
    }

    /// Throws unless the request was signed lately, or for a time that is not over.
    package func checkTime(_ now: Timestamp) throws(S3Error) {
        if let expiresAt {
            guard now <= expiresAt else { throw S3Error(.accessDenied, "Request has expired") }
            guard time <= now + Self.skew else { throw S3Error(.accessDenied, "Request is not valid yet") }
            return
        }
        guard time <= now + Self.skew, now <= time + Self.skew else { throw S3Error(.requestTimeTooSkewed) }
    }

    // MARK: Version 4

    private init(header4 header: String, _ request: HTTPRequest) throws(S3Error) {
        var fields: [String: String] = [:]
        for part in (header.removing(bytePrefix: SignatureV4.algorithm) ?? "").split(byte: ",") {
            let halves = part.split(byte: "=", maxSplits: 1)
            if halves.count == 2 { fields[halves[0].trimmed] = halves[1].trimmed }
        }
        guard let credential = fields["Credential"], let names = fields["SignedHeaders"],
            let signature = fields["Signature"], !signature.isEmpty
        else { throw S3Error(.authorizationHeaderMalformed) }
        (timeText, time) = try Self.headerTime(request)
        (accessKey, version) = try Self.four(credential, names, time, .authorizationHeaderMalformed)
        self.signature = signature
        isPresigned = false
    }

    private init(query4 request: HTTPRequest) throws(S3Error) {
        let algorithm = request.queryValue("X-Amz-Algorithm") ?? ""
        guard algorithm == SignatureV4.algorithm else { throw .invalidArgument("X-Amz-Algorithm", algorithm) }
        guard let credential = request.queryValue("X-Amz-Credential"),
            let names = request.queryValue("X-Amz-SignedHeaders"),
            let signature = request.queryValue("X-Amz-Signature"), !signature.isEmpty
        else { throw S3Error(.accessDenied) }
        guard let text = request.queryValue("X-Amz-Date"), let time = SignatureV4.time(text) else {
            throw S3Error(.accessDenied, "AWS authentication requires a valid Date or x-amz-date header")
        }
        guard let expiry = request.queryValue("X-Amz-Expires") else { throw S3Error(.accessDenied) }
        guard let seconds = Int64(expiry) else {
            throw S3Error(.authorizationQueryParametersError, "X-Amz-Expires should be a number")
        }
        guard seconds >= 0 else {
            throw S3Error(.authorizationQueryParametersError, "X-Amz-Expires must be non-negative")
        }
        guard seconds <= Self.maximumExpirySeconds else {
            throw S3Error(
                .authorizationQueryParametersError,
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less "
                    + "than 604800 seconds")
        }
        (timeText, self.time) = (text, time)
        (accessKey, version) = try Self.four(credential, names, time, .authorizationQueryParametersError)
        self.signature = signature
        expiresAt = time + .seconds(seconds)
        isPresigned = true
    }

    private static func four(_ credential: String, _ names: String, _ time: Timestamp, _ code: S3Error.Code)
        throws(S3Error) -> (String, Version)
    {
        let parts = credential.split(byte: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, !parts[0].isEmpty else { throw S3Error(code) }
        guard parts[1] == SignatureV4.text(time).prefix(8) else {
            throw S3Error(
                code,
                "Invalid credential date \"\(parts[1])\". This date is not the same as X-Amz-Date: "
                    + "\"\(SignatureV4.text(time).prefix(8))\"."
            )
        }
        guard parts[3] == "s3" else {
            throw S3Error(
                code,
                "The authorization header is malformed; incorrect service \"\(parts[3])\". This endpoint "
                    + "belongs to \"s3\"."
            )
        }
        guard parts[4] == SignatureV4.terminal else {
            throw S3Error(
                code,
                "The authorization header is malformed; incorrect terminal \"\(parts[4])\". This endpoint uses "
                    + "\"aws4_request\".")
        }
        let headers = names.split(byte: ";").map { $0.asciiLowercased() }
        // Without the host in it a signature would be good on every server.
        guard headers.contains("host") else { throw S3Error(code, "The host header must be signed.") }
        return (
            parts[0], .four(scope: Scope(date: parts[1], region: parts[2], service: parts[3]), signedHeaders: headers)
        )
    }

    /// `X-Amz-Date`, else `Date`, in the form of signatures or in HTTP's.
    private static func headerTime(_ request: HTTPRequest) throws(S3Error) -> (String, Timestamp) {
        if let text = request.headers["X-Amz-Date"] ?? request.headers["Date"] {
            if let time = SignatureV4.time(text) { return (text, time) }
            if let seconds = HTTPDate.seconds(text) {
                let time = Timestamp(seconds: seconds)
                return (SignatureV4.text(time), time)
            }
        }
        throw S3Error(.accessDenied, "AWS authentication requires a valid Date or x-amz-date header")
    }

    // MARK: Version 2

    private init(header2 header: String, _ request: HTTPRequest) throws(S3Error) {
        let value = header.removing(bytePrefix: "AWS ") ?? ""
        guard let colon = value.lastIndex(ofByte: ":"), colon != value.startIndex else { throw S3Error(.accessDenied) }
        accessKey = value[..<colon].trimmed
        signature = value.text(after: colon).trimmed
        version = .two
        isPresigned = false
        (timeText, time) = try Self.headerTime(request)
    }

    private init(query2 request: HTTPRequest) throws(S3Error) {
        guard let accessKey = request.queryValue("AWSAccessKeyId"), !accessKey.isEmpty,
            let signature = request.queryValue("Signature"), !signature.isEmpty,
            let expiry = request.queryValue("Expires"), let seconds = Int64(expiry), (0..<1 << 31).contains(seconds)
        else { throw S3Error(.accessDenied) }
        self.accessKey = accessKey
        self.signature = signature
        version = .two
        isPresigned = true
        timeText = expiry
        time = Timestamp(seconds: 0)
        expiresAt = Timestamp(seconds: seconds)
    }
}
