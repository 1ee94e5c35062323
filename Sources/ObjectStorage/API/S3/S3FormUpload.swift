// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit
import Synchronization

/// A file from a page's form: fields, then the file. A policy among the fields, signed by a key's holder, says what may
/// be uploaded; the page's visitor needs no key.
struct S3FormUpload: Sendable {
    private static let maximumFields = 100
    private static let maximumFieldBytes = 20_000

    let signature: S3PostSignature
    private let fields: [String: String]
    private let place: S3Place
    private let file: S3SizedBody
    private let form: FormReader

    static func isPresent(in request: HTTPRequest, _ place: S3Place) -> Bool {
        guard request.method == .post, place.bucket != nil, place.key == nil, request.query.isEmpty,
            let type = request.headers["Content-Type"]
        else { return false }
        return FormHeader.parse(type).value == "multipart/form-data"
    }

    /// Reads the fields before the file. Nothing of them is true until `check`.
    init(_ http: HTTPRequest, _ place: S3Place) async throws {
        let boundary = FormHeader.parse(http.headers["Content-Type"] ?? "").attributes["boundary"] ?? ""
        guard (1...256).contains(boundary.utf8.count) else { throw S3Error(.malformedPOSTRequest) }
        form = FormReader(http.body, boundary: boundary)
        var fields: [String: String] = [:]
        var left = Self.maximumFieldBytes
        var file: FormReader.Part?
        do {
            while file == nil, let part = try await form.next() {
                guard let name = part.name?.asciiLowercased() else { throw S3Error(.malformedPOSTRequest) }
                guard name != "file" else {
                    file = part
                    break
                }
                let text = try await Self.text(part.body, &left)
                guard fields[name] == nil, fields.count < Self.maximumFields else {
                    throw S3Error(.invalidArgument, "A field stands in the form twice, or there are too many.")
                }
                fields[name] = text
            }
        } catch is FormFault {
            throw S3Error(.malformedPOSTRequest)
        }
        guard let file else { throw S3Error(.invalidArgument, "POST requires exactly one file upload per request.") }
        guard let key = fields["key"], !key.isEmpty else {
            throw S3Error(.invalidArgument, "Bucket POST must contain a field named 'key'.")
        }
        // Names of files come as the bytes that the page sent.
        let name = String(validating: WireText.bytes(file.filename ?? ""), as: UTF8.self) ?? ""
        let last = name.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
        fields["key"] = key.replacing("${filename}", with: last)
        fields["bucket"] = place.bucket
        self.fields = fields
        self.place = place
        self.file = S3SizedBody(file.body)
        signature = try S3PostSignature(fields)
    }

    private static func text(_ body: FormPartSource, _ left: inout Int) async throws -> String {
        var bytes: [UInt8] = []
        while let piece = try await body.next() {
            left -= piece.count
            guard left >= 0 else { throw S3Error(.maxPostPreDataLengthExceeded) }
            bytes += piece
        }
        guard let text = String(validating: bytes, as: UTF8.self), !text.utf8.contains(0) else {
            throw S3Error(.malformedPOSTRequest)
        }
        return text
    }

    /// Throws unless the key's holder allowed this upload.
    func check(secret: Secret, now: Timestamp) throws(S3Error) {
        try signature.check(secret: secret)
        let policy = try S3PostPolicy(signature.policy)
        // The bucket is in the address: no field needs to name it, and none can name another.
        var said = fields
        if !policy.conditions.contains(where: { Self.speaksOfBucket($0) }) { said["bucket"] = nil }
        let size = try policy.check(said, now: now)
        file.limit(to: size)
    }

    private static func speaksOfBucket(_ condition: S3PostPolicy.Condition) -> Bool {
        switch condition {
        case .equals("bucket", _), .startsWith("bucket", _): true
        default: false
        }
    }

    // MARK: Upload

    /// The upload as a client with a key would have asked for it.
    func put(_ http: HTTPRequest) throws(S3Error) -> (request: HTTPRequest, place: S3Place, body: S3Body) {
        var place = place
        place.key = fields["key"]
        var headers = HTTPHeaders()
        for name in ["Host", "Origin"] { if let value = http.headers[name] { headers.set(name, value) } }
        let plain = [
            "content-type", "content-disposition", "content-encoding", "content-language", "cache-control", "expires",
            "content-md5", "x-amz-acl",
        ]
        for (name, value) in fields {
            guard !value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else {
                if name == "tagging" { continue }
                guard plain.contains(name) || name.hasBytePrefix("x-amz-") else { continue }
                throw .invalidArgument(name, value)
            }
            switch name {
            case "acl": headers.set("x-amz-acl", value)
            case _ where plain.contains(name): headers.set(name, value)
            case _ where name.hasBytePrefix("x-amz-meta-"), _ where name.hasBytePrefix("x-amz-checksum-"),
                "x-amz-storage-class", "x-amz-website-redirect-location", "x-amz-server-side-encryption":
                headers.set(name, value)
            default: break
            }
        }
        if let text = fields["tagging"] { headers.set("x-amz-tagging", try Self.tags(text).text) }
        headers.set("Transfer-Encoding", "chunked")
        let path = "/" + Percent.encode("\(place.bucket ?? "")/\(place.key ?? "")", keepsSlash: true)
        let request = HTTPRequest(
            method: .put, path: path, query: [], headers: headers, body: file, remoteAddress: http.remoteAddress)
        return (request, place, try S3Body(unsigned: request))
    }

    private static func tags(_ text: String) throws(S3Error) -> S3Tags {
        do {
            return try S3Tags(try XMLReader.read(Array(text.utf8)), maximum: S3Tags.maximumOfObject)
        } catch let error as S3Error {
            throw error
        } catch {
            throw S3Error(.malformedXML)
        }
    }

    func store(_ call: S3Call) async throws -> SwiftResponse {
        let stored = try await S3Operations.answer(call)
        if let fault = call.body.fault { throw fault }
        _ = try? await form.next()  // What follows is of no use; it is read so that the connection can be used again.
        let etag = S3Text.quoted(stored.etag ?? "")
        let location = "\(call.origin)\(call.http.path)"
        var headers: SwiftHeaders = ["etag": etag, "location": location]
        headers["x-object-version-id"] = stored.headers["x-object-version-id"]
        if let target = fields["success_action_redirect"] ?? fields["redirect"], Self.isAddress(target) {
            let query = [("bucket", call.bucketName), ("key", call.keyName), ("etag", etag)]
                .map { "\($0.0)=\(Percent.encode($0.1))" }.joined(separator: "&")
            headers["location"] = target + (target.containsByte("?") ? "&" : "?") + query
            return SwiftResponse(303, headers: headers, body: .bytes([]))
        }
        switch fields["success_action_status"] {
        case "201":
            let bytes = XMLWriter.document("PostResponse") { writer in
                writer.element("Location", location)
                writer.element("Bucket", call.bucketName)
                writer.element("Key", call.keyName)
                writer.element("ETag", etag)
            }
            return call.reply(bytes, status: 201, headers: headers)
        case "200": return SwiftResponse(200, headers: headers, body: .bytes([]))
        default: return SwiftResponse(204, headers: headers, body: .none)
        }
    }

    /// Where a page may be sent to. Others are left alone, as Amazon leaves them.
    private static func isAddress(_ text: String) -> Bool {
        let lower = text.asciiLowercased()
        return (lower.hasBytePrefix("http://") || lower.hasBytePrefix("https://"))
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
    }
}

/// A body whose size has to be within a range.
final class S3SizedBody: ByteSource {
    private struct State {
        var range: ClosedRange<Int64> = 0...Int64.max
        var received: Int64 = 0
    }
    private let source: any ByteSource
    private let state = Mutex(State())

    init(_ source: any ByteSource) { self.source = source }

    /// Before the first `next`. Nil: of any size.
    func limit(to range: ClosedRange<Int64>?) {
        if let range { state.withLock { $0.range = range } }
    }

    func next() async throws -> [UInt8]? {
        let piece: [UInt8]?
        do {
            piece = try await source.next()
        } catch is FormFault {
            throw S3Error(.malformedPOSTRequest)
        }
        try state.withLock { state throws(S3Error) in
            state.received += Int64(piece?.count ?? 0)
            guard state.received <= state.range.upperBound else { throw S3Error(.entityTooLarge) }
            guard piece != nil || state.received >= state.range.lowerBound else { throw S3Error(.entityTooSmall) }
        }
        return piece
    }
}
