// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Many objects by one request: `?bulk-delete` and `?extract-archive=tar`.
package struct BulkLayer: SwiftLayer {
    static let forms = ["text/plain", "application/json", "application/xml", "text/xml"]
    static let maximumDeletes = 10_000
    static let maximumFailures = 1000

    package static let deleteInfo: InfoPage.Section = (
        "bulk_delete", ["max_deletes_per_request": 10_000, "max_failed_deletes": 1000]
    )
    package static let uploadInfo: InfoPage.Section = (
        "bulk_upload", ["max_containers_per_extraction": 10_000, "max_failed_extractions": 1000]
    )

    private let limits: StorageLimits

    package init(limits: StorageLimits) { self.limits = limits }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        if let type = request.parameter("extract-archive"), request.method == .put {
            return try await ArchiveExtraction(limits: limits, next: next).answer(request, type)
        }
        if request.parameter("bulk-delete") != nil, request.method == .post || request.method == .delete {
            return try await delete(request, next)
        }
        return await next(request)
    }

    private func delete(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        var deletion = BulkDeletion(request: request, next: next)
        let type = BulkReport.form(request, Self.forms)
        do {
            guard type != nil else { throw SwiftFault(406) }
            if let sent = request.headers["content-type"], !sent.isEmpty, !sent.hasBytePrefix("text/plain") {
                throw SwiftFault(406)
            }
            if request.contentLength == nil, request.headers["transfer-encoding"]?.asciiLowercased() != "chunked" {
                throw SwiftFault(411)
            }
            let (paths, unreadable) = try await names(request)
            for name in unreadable { deletion.failed(name, SwiftResponse(412)) }
            // Containers last: by then they may be empty.
            for path in paths where path.object != nil { try await delete(path, &deletion) }
            for path in paths where path.object == nil { try await delete(path, &deletion) }
        } catch {
            deletion.stopped(SwiftNext.response(to: error, request))
        }
        let form = type ?? "text/plain"
        return SwiftResponse(
            200, headers: ["content-type": form], body: .bytes(deletion.finish().render(form, root: "delete")))
    }

    private func delete(_ path: ObjectPath, _ deletion: inout BulkDeletion) async throws {
        await deletion.delete(path, version: nil)
        if deletion.failures >= Self.maximumFailures { throw SwiftFault(400, "Max delete failures exceeded") }
    }

    /// One a line, encoded or not; with those that are not UTF-8, encoded.
    private func names(_ request: SwiftRequest) async throws -> (paths: [ObjectPath], unreadable: [String]) {
        let limit = limits.objectNameBytes + limits.containerNameBytes + 2
        var paths: [ObjectPath] = []
        var unreadable: [String] = []
        var line: [UInt8] = []
        func take(_ line: [UInt8]) throws {
            let bytes = Percent.unquoted(Self.trimmed(line)).drop { $0 == UInt8(ascii: "/") }
            if bytes.isEmpty { return }
            guard paths.count + unreadable.count < Self.maximumDeletes else {
                throw SwiftFault(413, "Maximum Bulk Deletes: \(Self.maximumDeletes) per request")
            }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                unreadable.append(Percent.encode(bytes: bytes, keepsSlash: true))
                return
            }
            let parts = name.split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let object = parts.count > 1 && !parts[1].isEmpty ? parts[1] : nil
            paths.append(ObjectPath(account: request.path.account, container: parts[0], object: object))
        }
        while let piece = try await request.body.next() {
            for part in piece.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
                if part.offset > 0 {
                    try take(line)
                    line = []
                }
                line += part.element
                // A name of that length would be three times as long when each byte of it is escaped.
                if line.count > limit * 3 { throw SwiftFault(400, "Invalid File Name") }
            }
        }
        try take(line)
        return (paths, unreadable)
    }

    private static func trimmed(_ line: [UInt8]) -> [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        return Array(line.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}

/// Counts what was deleted and what was not.
struct BulkDeletion: Sendable {
    let request: SwiftRequest
    let next: SwiftNext
    private var report = BulkReport()
    private var deleted = 0
    private var missing = 0
    private var failedStatus = 400
    private var stop: SwiftResponse?

    init(request: SwiftRequest, next: SwiftNext) {
        self.request = request
        self.next = next
    }

    var failures: Int { report.errors.count }

    mutating func delete(_ path: ObjectPath, version: String?) async {
        guard !path.description.utf8.contains(0) else { return failed(path, SwiftResponse(412)) }
        var step = request.step(.delete, path)
        if let version { step.set("version-id", version) }
        let response = await next(step)
        if response.isSuccess {
            deleted += 1
        } else {
            failed(path, response)
        }
    }

    mutating func failed(_ path: ObjectPath, _ response: SwiftResponse) {
        failed(SwiftText.quoted("\(path.container ?? "")" + (path.object.map { "/" + $0 } ?? "")), response)
    }

    /// `name` is encoded.
    mutating func failed(_ name: String, _ response: SwiftResponse) {
        if response.status == 404 {
            missing += 1
            return
        }
        if response.status >= 500 { failedStatus = 502 }
        var status = SwiftStatus.line(response.status)
        if case .bytes(let bytes) = response.body, response.status == 400 {
            status = String(decoding: bytes, as: UTF8.self)
        }
        report.errors.append((name, status))
    }

    mutating func stopped(_ response: SwiftResponse) { stop = response }

    func finish() -> BulkReport {
        var report = report
        var (status, body) = (200, "")
        if let stop {
            status = stop.status
            if case .bytes(let bytes) = stop.body { body = String(decoding: bytes, as: UTF8.self) }
            if case .standard = stop.body { body = SwiftStatus.page(stop.status) ?? "" }
        } else if !report.errors.isEmpty {
            status = failedStatus
        } else if deleted + missing == 0 {
            (status, body) = (400, "Invalid bulk delete.")
        }
        report.fields = [
            "Response Status": .text(SwiftStatus.line(status)), "Response Body": .text(body),
            "Number Deleted": .number(deleted), "Number Not Found": .number(missing),
        ]
        return report
    }
}
