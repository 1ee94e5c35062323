// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// `/v1/{account}/{container}/{object}`
struct ObjectRoutes: Sendable {
    let gate: AccessGate
    let objects: ObjectEngine
    let settings: SwiftSettings
    let clock: WallClock

    func answer(_ request: SwiftRequest) async throws -> SwiftResponse {
        switch request.method {
        case .get, .head: try await read(request)
        case .put: try await upload(request)
        case .post: try await describe(request)
        case .delete: try await delete(request)
        default: throw SwiftFault(405)
        }
    }

    private func access(_ request: SwiftRequest, _ action: StorageAction) async throws -> ObjectAccess {
        try await gate.object(
            request.path, action, for: request.caller, referrer: request.referrer, seen: request.seen)
    }

    private func read(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await access(request, .readObject)
        guard let object = try await objects.open(access, evenExpired: opensExpired(request)) else {
            var response = SwiftResponse(404)
            response.isConditional = true
            return response
        }
        var response = SwiftResponse(200, headers: Self.headers(object.record))
        response.record = object.record
        response.modified = object.record.modified
        response.isConditional = true
        response.body = .content(StoredContent(object: object))
        return response
    }

    /// What has expired and is not yet removed, for those who ask, where the operator allows it.
    private func opensExpired(_ request: SwiftRequest) -> Bool {
        settings.allowsOpenExpired && request.headers.isTrue("x-open-expired")
    }

    static func headers(_ record: ObjectRecord) -> SwiftHeaders {
        var headers = SwiftHeaders(record.headers)
        headers.merge(record.system)
        headers["content-type"] = record.contentType
        headers["etag"] = record.etag
        headers["last-modified"] = record.modified.httpDate
        headers["x-timestamp"] = record.modified.text
        headers["accept-ranges"] = "bytes"
        return headers
    }

    private func upload(_ request: SwiftRequest) async throws -> SwiftResponse {
        let condition = EntityTags(request.headers["if-none-match"])
        if let condition, !condition.isAny { throw SwiftFault.plain(400, "If-None-Match only supports *") }
        let access = try await access(request, .writeObject)
        var headers = request.headers
        let name = request.path.object ?? ""
        let type = contentType(request, name)
        try checkCreation(request, name, type)
        try setExpiry(&headers)
        try MetadataRules(limits: settings.limits).check(headers, .object)
        var draft = ObjectDraft(contentType: type)
        draft.headers = kept(headers)
        draft.system = headers.values.filter { $0.key.hasBytePrefix("x-object-sysmeta-") }
        draft.lateSystem = request.lateSystem
        draft.sizeBytes = request.contentLength
        draft.etag = headers["etag"].map { EntityTags.plain($0).asciiLowercased() }.flatMap { $0.isEmpty ? nil : $0 }
        draft.mustBeNew = condition != nil
        draft.time = request.time
        let record = try await objects.upload(access, draft, from: request.body)
        var response = SwiftResponse(
            201, headers: ["etag": record.etag, "last-modified": record.modified.httpDate], body: .none)
        response.headers["content-type"] = "text/html; charset=UTF-8"
        response.record = record
        return response
    }

    private func contentType(_ request: SwiftRequest, _ name: String) -> String {
        let sent = request.headers["content-type"] ?? ""
        if sent.isEmpty || request.headers.isTrue("x-detect-content-type") {
            return ContentTypes.guess(name) ?? ContentTypes.unknown
        }
        return sent
    }

    private func checkCreation(_ request: SwiftRequest, _ name: String, _ type: String) throws {
        let limits = settings.limits
        if let length = request.contentLength {
            guard length >= 0 else { throw SwiftFault(400, "Invalid Content-Length") }
            guard length <= limits.fileBytes else { throw SwiftFault.plain(413, "Your request is too large.") }
        } else if request.headers["transfer-encoding"]?.asciiLowercased() != "chunked" {
            throw SwiftFault.plain(411, "Missing Content-Length header.")
        }
        guard name.utf8.count <= limits.objectNameBytes else {
            throw SwiftFault.plain(
                400, "Object name length of \(name.utf8.count) longer than \(limits.objectNameBytes)")
        }
        let parameters = type.split(byte: ";").dropFirst()
        if !request.hasChosenType, parameters.contains(where: { $0.trimmed.hasBytePrefix("swift_") }) {
            throw SwiftFault(400, "Invalid Content-Type, swift_* is not a valid parameter name.")
        }
    }

    /// `X-Delete-After` becomes `X-Delete-At`.
    private func setExpiry(_ headers: inout SwiftHeaders) throws {
        let now = clock.now().seconds
        if let text = headers["x-delete-after"] {
            guard let seconds = Self.seconds(text) else { throw SwiftFault.plain(400, "Non-integer X-Delete-After") }
            let (sum, isTooLarge) = now.addingReportingOverflow(seconds)
            guard seconds > 0 else { throw SwiftFault.plain(400, "X-Delete-After in past") }
            headers["x-delete-at"] = String(isTooLarge ? Self.latestDeletion : sum)
            headers["x-delete-after"] = nil
        }
        guard let text = headers["x-delete-at"] else { return }
        guard let seconds = Self.seconds(text) else { throw SwiftFault.plain(400, "Non-integer X-Delete-At") }
        guard seconds > now else { throw SwiftFault.plain(400, "X-Delete-At in past") }
        headers["x-delete-at"] = String(min(seconds, Self.latestDeletion))
    }

    /// A number of any length: what is past the last day is the last day.
    private static func seconds(_ text: String) -> Int64? {
        Int64(text) ?? (SwiftText.isNumber(text) ? latestDeletion : nil)
    }

    /// Ten digits.
    private static let latestDeletion: Int64 = 9_999_999_999

    private func kept(_ headers: SwiftHeaders) -> [String: String] {
        headers.values.filter { name, value in
            name.hasBytePrefix("x-object-meta-")
                || !value.isEmpty
                    && (name.hasBytePrefix("x-object-transient-sysmeta-") || MetadataRules.objectHeaders.contains(name))
        }
    }

    private func describe(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await access(request, .writeObject)
        var headers = request.headers
        try MetadataRules(limits: settings.limits).check(headers, .object)
        try setExpiry(&headers)
        let type = headers["content-type"].flatMap { $0.isEmpty ? nil : $0 }
        if let type, type.split(byte: ";").dropFirst().contains(where: { $0.trimmed.hasBytePrefix("swift_") }) {
            throw SwiftFault(400, "Invalid Content-Type, swift_* is not a valid parameter name.")
        }
        let described = try await objects.describe(
            access, contentType: type, headers: kept(headers), evenExpired: opensExpired(request))
        guard let record = described else { throw SwiftFault(404) }
        var response = SwiftResponse(202)
        response.headers.merge(record.system)
        response.record = record
        return response
    }

    private func delete(_ request: SwiftRequest) async throws -> SwiftResponse {
        let access = try await access(request, .writeObject)
        if let text = request.headers["x-if-delete-at"] { try await checkExpiry(text, access) }
        guard let record = try await objects.delete(access, at: request.time) else { throw SwiftFault(404) }
        var response = SwiftResponse(204)
        response.record = record
        return response
    }
}

extension ObjectRoutes {
    /// Deleted only if it still expires when the client thinks it does.
    private func checkExpiry(_ text: String, _ access: ObjectAccess) async throws {
        guard let wanted = WriteTime(text) else { throw SwiftFault(400, "Bad X-If-Delete-At header value") }
        guard let record = try await objects.record(access, evenExpired: true) else { throw SwiftFault(404) }
        guard record.headers[StorageHeader.deleteAt].flatMap({ WriteTime($0) }) == wanted else {
            throw SwiftFault(412, "X-If-Delete-At and X-Delete-At do not match")
        }
    }
}

/// The bytes of one object.
struct StoredContent: RangedContent {
    let object: any OpenObject
    var sizeBytes: Int64 { object.record.sizeBytes }

    func body(_ range: Range<Int64>) async throws -> SwiftBody {
        switch try await object.body(range) {
        case .file(let descriptor, let offset, let length):
            .file(descriptor: descriptor, offset: offset, length: length)
        case .stream(let stream):
            .stream(ObjectStreamSource(stream: stream), length: range.upperBound - range.lowerBound)
        }
    }

    func close() async { await object.close() }
}
