// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit

/// One request of S3's language, signed by somebody who is known, and the store as that one may use it.
struct S3Call: Sendable {
    let http: HTTPRequest
    let bucket: String?
    let key: String?
    let account: String
    let caller: Principal
    let requestID: String
    let origin: String
    let body: S3Body
    let config: S3Config
    let clock: WallClock
    let ids: IDSource
    let writes: S3ConditionalWrites
    /// As the client sent it: a form is sent by POST and stored as by PUT.
    var askedMethod: HTTPMethod
    private let pipeline: SwiftNext

    init(
        http: HTTPRequest, place: S3Place, account: String, caller: Principal, requestID: String, origin: String,
        body: S3Body, config: S3Config, clock: WallClock, ids: IDSource, writes: S3ConditionalWrites,
        pipeline: SwiftNext
    ) {
        self.http = http
        askedMethod = http.method
        bucket = place.bucket
        key = place.key
        self.account = account
        self.caller = caller
        self.requestID = requestID
        self.origin = origin
        self.body = body
        self.config = config
        self.clock = clock
        self.ids = ids
        self.writes = writes
        self.pipeline = pipeline
    }

    // MARK: The request

    func query(_ name: String) -> String? { http.queryValue(name) }
    func has(_ name: String) -> Bool { http.queryValue(name) != nil }
    func header(_ name: String) -> String? { http.headers[name] }

    /// A number in the query. Throws for what is none or is negative.
    func number(_ name: String, or standard: Int) throws(S3Error) -> Int {
        guard let text = query(name) else { return standard }
        guard let value = Int(text) else {
            throw .invalidArgument(name, text, "Provided \(name) not an integer or within integer range")
        }
        guard value >= 0, value <= Int(Int32.max) else {
            throw .invalidArgument(name, text, "Argument \(name) must be an integer between 0 and 2147483647")
        }
        return value
    }

    /// Whether names in the answer are to be percent-encoded.
    func encodesNames() throws(S3Error) -> Bool {
        guard let type = query("encoding-type") else { return false }
        guard type == "url" else {
            throw .invalidArgument("encoding-type", type, "Invalid Encoding Method specified in Request")
        }
        return true
    }

    /// The body as a document; nil when there is none.
    func document(limit: Int) async throws -> XMLElement? {
        let bytes: [UInt8]
        do {
            bytes = try await body.collect(limit: limit)
        } catch let error as CloudError where error.code == .tooLarge {
            throw S3Error(.malformedXML)
        }
        if let text = header("Content-MD5")?.trimmed, !text.isEmpty {
            guard let digest = Base64.decode(text), digest.count == 16 else {
                throw S3Error(.invalidDigest, nil, [("Content-MD5", text)])
            }
            guard Digest.of(bytes, .md5) == digest else { throw S3Error(.badDigest) }
        }
        guard !bytes.isEmpty else { return nil }
        do {
            return try XMLReader.read(bytes)
        } catch {
            throw S3Error(.malformedXML)
        }
    }

    // MARK: The store

    var bucketName: String { bucket ?? "" }
    var keyName: String { key ?? "" }
    var bucketPath: ObjectPath { ObjectPath(account: account, container: bucketName) }
    var keyPath: ObjectPath { bucketPath.appending(keyName) }
    var segmentsPath: ObjectPath { ObjectPath(account: account, container: bucketName + S3BucketName.segmentsSuffix) }

    /// Asks the store as the caller.
    func ask(
        _ method: HTTPMethod, _ path: ObjectPath, query: [(name: String, value: String)] = [],
        headers: SwiftHeaders = [:], body: (source: any ByteSource, length: Int64?)? = nil,
        late: (@Sendable () -> [String: String])? = nil
    ) async -> SwiftResponse {
        var request = SwiftRequest(method: method, path: path, query: query, headers: headers)
        request.caller = .user(caller)
        request.transactionID = requestID
        request.origin = origin
        request.remoteAddress = http.remoteAddress
        request.lateSystem = late
        if let body {
            request.body = body.source
            request.contentLength = body.length
            if let length = body.length {
                request.headers["content-length"] = String(length)
            } else {
                request.headers["transfer-encoding"] = "chunked"
            }
        } else if method == .put || method == .post {
            request.headers["content-length"] = "0"
        }
        return await pipeline(request)
    }

    /// Asks with a body that is in memory.
    func send(
        _ method: HTTPMethod, _ path: ObjectPath, query: [(name: String, value: String)] = [],
        headers: SwiftHeaders = [:],
        _ bytes: [UInt8]
    ) async -> SwiftResponse {
        await ask(method, path, query: query, headers: headers, body: (BytesSource(bytes), Int64(bytes.count)))
    }

    /// What is said of the bucket. Throws `NoSuchBucket`.
    func headBucket() async throws(S3Error) -> SwiftHeaders {
        let response = await ask(.head, bucketPath)
        try check(response, bucketPath)
        return response.headers
    }

    /// A page of a listing.
    func list(_ path: ObjectPath, query: [(name: String, value: String)]) async throws(S3Error) -> [SwiftListing.Item] {
        let response = await ask(.get, path, query: query)
        try check(response, path)
        guard case .listing(let listing) = response.body else { return [] }
        return listing.items.filter { !$0.name.utf8.contains(0) }
    }

    // MARK: Refusals

    /// Throws, in S3's words, what the store refused.
    func check(_ response: SwiftResponse, _ path: ObjectPath) throws(S3Error) {
        if let fault = body.fault { throw fault }
        guard !response.isSuccess, response.status != 304 else { return }
        throw fault(response, path)
    }

    func fault(_ response: SwiftResponse, _ path: ObjectPath) -> S3Error {
        let isObject = path.object != nil
        switch response.status {
        case 401, 403: return S3Error(.accessDenied)
        case 404: return isObject && http.method != .put ? .noSuchKey(keyName) : .noSuchBucket(bucketName)
        case 405: return S3Error(.methodNotAllowed)
        case 409: return isObject ? S3Error(.invalidRequest, "A later write is there.") : S3Error(.bucketNotEmpty)
        case 411: return S3Error(.missingContentLength)
        case 412: return S3Error(.preconditionFailed)
        case 413: return S3Error(.entityTooLarge)
        case 416: return S3Error(.invalidRange)
        case 422: return S3Error(.badDigest)
        case 408, 499: return S3Error(.incompleteBody)
        case 429, 498: return S3Error(.slowDown)
        case 501: return S3Error(.notImplemented)
        case 503, 507: return S3Error(.serviceUnavailable)
        case 400..<500: return Self.wordedFault(response)
        default: return S3Error(.internalError)
        }
    }

    /// What the store said in its own words.
    private static func wordedFault(_ response: SwiftResponse) -> S3Error {
        guard case .bytes(let bytes) = response.body else { return S3Error(.invalidRequest) }
        let text = String(decoding: bytes.prefix(1024), as: UTF8.self)
        if text.containsBytes("Metadata") || text.containsBytes("metadata") { return S3Error(.metadataTooLarge, text) }
        if text.hasBytePrefix("Object name length") { return S3Error(.keyTooLong) }
        return S3Error(.invalidRequest, text)
    }

    // MARK: Answers

    func reply(_ bytes: [UInt8], status: Int = 200, headers: SwiftHeaders = [:]) -> SwiftResponse {
        var headers = headers
        headers["content-type"] = "application/xml"
        return SwiftResponse(status, headers: headers, body: .bytes(bytes))
    }

    func done(_ status: Int = 200, headers: SwiftHeaders = [:]) -> SwiftResponse {
        SwiftResponse(status, headers: headers, body: .none)
    }

    /// Who owns everything in the account: its project.
    var owner: S3Owner {
        if case .project(let id, let name, _) = caller.scope { return S3Owner(id: id.rawValue, name: name) }
        return S3Owner(id: account, name: account)
    }
}

struct S3Owner: Sendable {
    var id: String
    var name: String

    func write(_ name: StaticString, _ writer: inout XMLWriter) {
        writer.element(name) { writer in
            writer.element("ID", id)
            writer.element("DisplayName", self.name)
        }
    }
}

enum S3Text {
    static let namespace: StaticString = "http://s3.amazonaws.com/doc/2006-03-01/"

    /// `2009-10-12T17:50:30.000Z`: whole seconds, so that it agrees with `Last-Modified`.
    static func time(_ time: WriteTime) -> String {
        Timestamp(seconds: time.secondsRoundedUp).iso8601(zone: false) + ".000Z"
    }

    static func quoted(_ etag: String) -> String { etag.hasBytePrefix("\"") ? etag : "\"\(etag)\"" }
}
