// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import Synchronization

/// Uploads from a page's form, signed with a key of the account or container.
package struct FormPostLayer: SwiftLayer {
    private static let maximumFieldBytes = 4096
    private static let maximumFields = 100
    private static let maximumParts = 10_000
    package static let info: InfoPage.Section = (
        "formpost", ["allowed_digests": ["sha1", "sha256", "sha512"], "deprecated_digests": ["sha1"]]
    )

    private let gate: AccessGate
    private let clock: WallClock

    package init(gate: AccessGate, clock: WallClock) {
        self.gate = gate
        self.clock = clock
    }

    private struct Unauthorized: Error { let message: String }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard request.method == .post, let type = request.headers["content-type"] else { return await next(request) }
        let (kind, attributes) = FormHeader.parse(type)
        guard kind == "multipart/form-data", let boundary = attributes["boundary"], !boundary.isEmpty else {
            return await next(request)
        }
        do {
            return try await take(FormReader(request.body, boundary: boundary), request, next)
        } catch let fault as FormFault {
            return .plain(400, "FormPost: \(fault.message)")
        } catch let fault as Unauthorized {
            return .text(401, "FormPost: \(fault.message)")
        }
    }

    private func take(_ form: FormReader, _ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        let keys = request.path.container == nil ? [] : try await TempURLKeys(gate: gate).keys(request)
        var fields: [String: String] = [:]
        var (count, status, message, parts) = (0, 0, "", 0)
        var last: SwiftResponse?
        while let part = try await form.next() {
            parts += 1
            guard parts <= Self.maximumParts, fields.count <= Self.maximumFields else {
                throw FormFault(message: "too many fields")
            }
            guard let filename = part.filename, !filename.isEmpty else {
                if let name = part.name { fields[name.asciiLowercased()] = try await value(part.body) }
                continue
            }
            guard !filename.utf8.contains(0) else { throw FormFault(message: "invalid file name") }
            count += 1
            guard let maximum = Int(fields["max_file_count"] ?? "0") else {
                throw FormFault(message: "max_file_count not an integer")
            }
            guard count <= maximum else {
                (status, message) = (400, "Max File Count Exceeded")
                break
            }
            let response = try await store(part, filename, fields, keys, request, next)
            (status, last) = (response.status, response)
            if !response.isSuccess { break }
        }
        if status == 0 { (status, message) = (400, "No Files To Process") }
        return answer(status, message, fields["redirect"], last)
    }

    private func value(_ body: FormPartSource) async throws -> String {
        var bytes: [UInt8] = []
        while let piece = try await body.next() {
            if bytes.count < Self.maximumFieldBytes { bytes += piece.prefix(Self.maximumFieldBytes - bytes.count) }
        }
        return String(decoding: bytes, as: UTF8.self).trimmed
    }

    private func store(
        _ part: FormReader.Part, _ filename: String, _ fields: [String: String],
        _ keys: [(key: String, scope: ObjectPath)], _ request: SwiftRequest, _ next: SwiftNext
    ) async throws -> SwiftResponse {
        let scope = try check(fields, keys, request)
        guard let filename = String(validating: WireText.bytes(filename), as: UTF8.self) else {
            return .text(412, "Invalid UTF8 or contains NULL")
        }
        guard let maximum = Int64(fields["max_file_size"] ?? "0") else {
            throw FormFault(message: "max_file_size not an integer")
        }
        var put = request.step(.put, request.path)
        put.path.object = (request.path.object ?? "") + filename
        put.caller = .keyHolder(of: scope)
        put.contentLength = nil
        put.headers["transfer-encoding"] = "chunked"
        put.headers["origin"] = request.headers["origin"]
        put.headers["content-type"] = fields["content-type"] ?? part.headers["content-type"]
        put.headers["content-encoding"] = fields["content-encoding"] ?? part.headers["content-encoding"]
        if let text = fields["x_delete_at"] {
            guard Int64(text) != nil else {
                throw FormFault(message: "x_delete_at not an integer: Unix timestamp required.")
            }
            put.headers["x-delete-at"] = text
        }
        if let text = fields["x_delete_after"] {
            guard Int64(text) != nil else {
                throw FormFault(message: "x_delete_after not an integer: Number of seconds required.")
            }
            put.headers["x-delete-after"] = text
        }
        let body = CappedSource(part.body, limit: maximum)
        put.body = body
        let response = await next(put)
        if body.isExceeded { throw FormFault(message: "max_file_size exceeded") }
        return response
    }

    private func check(
        _ fields: [String: String], _ keys: [(key: String, scope: ObjectPath)], _ request: SwiftRequest
    ) throws -> ObjectPath {
        guard let expires = Int64(fields["expires"] ?? "0") else { throw FormFault(message: "expired not an integer") }
        guard expires >= clock.now().seconds else { throw Unauthorized(message: "Form Expired") }
        let message = [
            request.pathText, fields["redirect"] ?? "", fields["max_file_size"] ?? "0", fields["max_file_count"] ?? "0",
            fields["expires"] ?? "0",
        ].joined(separator: "\n")
        if let signature = TempURLSignature(fields["signature"] ?? "") {
            for (key, scope) in keys where signature.signs(message, key: key) { return scope }
        }
        throw Unauthorized(message: "Invalid Signature")
    }

    private func answer(_ status: Int, _ message: String, _ redirect: String?, _ last: SwiftResponse?) -> SwiftResponse
    {
        var headers = SwiftHeaders((last?.headers.values ?? [:]).filter { $0.key.hasBytePrefix("access-control") })
        if let redirect, !redirect.isEmpty {
            let target =
                redirect + (redirect.containsByte("?") ? "&" : "?")
                + "status=\(status)&message=\(SwiftText.quoted(message))"
            headers["location"] = target
            headers["content-type"] = "text/html; charset=UTF-8"
            let page =
                "<html><body><p><a href=\"\(SwiftText.escapedXML(target))\">Click to continue...</a></p></body></html>"
            return SwiftResponse(303, headers: headers, body: .bytes(Array(page.utf8)))
        }
        headers["content-type"] = "text/plain"
        let text = SwiftStatus.line(status) + (message.isEmpty ? "" : "\r\nFormPost: \(message)")
        return SwiftResponse(status, headers: headers, body: .bytes(Array(text.utf8)))
    }
}

/// A body that may be only so long.
final class CappedSource: ByteSource {
    private let source: any ByteSource
    private let left: Mutex<Int64>

    init(_ source: any ByteSource, limit: Int64) {
        self.source = source
        left = Mutex(limit)
    }

    var isExceeded: Bool { left.withLock { $0 < 0 } }

    func next() async throws -> [UInt8]? {
        guard let piece = try await source.next() else { return nil }
        let isWithin = left.withLock { left in
            left -= Int64(piece.count)
            return left >= 0
        }
        guard isWithin else { throw UploadFault.tooLarge }
        return piece
    }
}
