// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// `PUT …?multipart-manifest=put`: looks at each segment, then writes the manifest.
struct ManifestUpload: Sendable {
    let layer: StaticLargeObjects
    let next: SwiftNext

    func answer(_ request: SwiftRequest) async throws -> SwiftResponse {
        let draft = try await read(request)
        let form = BulkReport.form(request, BulkLayer.forms) ?? "text/plain"
        let isHeartbeat = request.parameter("heartbeat").map(SwiftText.isTrue) == true
        var report = BulkReport()
        let manifest = try await check(draft, request, &report)
        let etag = manifest.etag
        let sent = EntityTags.plain(request.headers["etag"] ?? "")
        var response: SwiftResponse
        if !report.errors.isEmpty {
            response = SwiftResponse(
                400, headers: ["content-type": form], body: .bytes(report.render(form, root: "upload")))
        } else if !sent.isEmpty, sent != etag {
            response = SwiftResponse(422)
        } else {
            response = await store(manifest, etag, request)
        }
        return isHeartbeat ? heartbeat(response, report, form) : response
    }

    private func store(_ manifest: SegmentManifest, _ etag: String, _ request: SwiftRequest) async -> SwiftResponse {
        var put = request
        let bytes = manifest.stored()
        put.setBody(bytes)
        put.headers[StorageHeader.manifestETag] = etag
        put.headers[StorageHeader.manifestSize] = String(manifest.sizeBytes)
        put.headers[StorageHeader.isManifest] = "True"
        put.headers["etag"] = Digests.md5(bytes)
        // What another way to the same objects wants to see in the row stands behind it.
        let added = request.headers[StorageHeader.rowETag].flatMap { $0.hasBytePrefix(";") ? $0 : nil } ?? ""
        put.headers[StorageHeader.rowETag] = "\(Digests.md5(bytes)); slo_etag=\(etag)\(added)"
        if (put.headers["content-type"] ?? "").isEmpty {
            put.headers["content-type"] = ContentTypes.guess(request.path.object ?? "") ?? ContentTypes.unknown
        }
        var response = await next(put)
        if response.isSuccess { response.headers["etag"] = "\"\(etag)\"" }
        return response
    }

    private func read(_ request: SwiftRequest) async throws -> ManifestDraft {
        let limit = StaticLargeObjects.maximumManifestBytes
        guard request.headers["x-copy-from"] == nil else {
            throw SwiftFault(405, "Multipart Manifest PUTs cannot be COPY requests")
        }
        if request.contentLength == nil, request.headers["transfer-encoding"]?.asciiLowercased() != "chunked" {
            throw SwiftFault(411)
        }
        let tooLarge = SwiftFault(413, "Manifest File > \(limit) bytes")
        if let length = request.contentLength, length > Int64(limit) { throw tooLarge }
        let bytes: [UInt8]
        do {
            bytes = try await request.body.collect(limit: limit)
        } catch let error as CloudError where error.code == .tooLarge {
            throw tooLarge
        } catch {
            throw SwiftFault(499)
        }
        let own = "\(request.path.container ?? "")/\(request.path.object ?? "")"
        let draft: ManifestDraft
        do {
            draft = try ManifestDraft(bytes, own: own)
        } catch {
            throw SwiftFault.plain(400, error.message)
        }
        // S3's own limit is ten times ours, and its clients count on it.
        let maximum =
            request.headers[S3Header.uploadID] == nil ? StaticLargeObjects.maximumSegments : S3Uploads.maximumParts
        guard draft.segments.count <= maximum else {
            throw SwiftFault(413, "Number of object-backed segments must be <= \(maximum)")
        }
        return draft
    }

    private func check(
        _ draft: ManifestDraft, _ request: SwiftRequest, _ report: inout BulkReport
    ) async throws -> SegmentManifest {
        var heads: [ByteText: SwiftResponse] = [:]
        var parts: [SegmentManifest.Part] = []
        for (index, part) in draft.parts.enumerated() {
            switch part {
            case .inline(let bytes): parts.append(.inline(bytes))
            case .object(let segment):
                let head: SwiftResponse
                let path = ByteText(segment.path)
                if let known = heads[path] { head = known } else { head = try await look(segment, request) }
                heads[path] = head
                let isLast = index == draft.parts.count - 1
                if let checked = check(segment, head, isLast: isLast, &report) { parts.append(.object(checked)) }
            }
        }
        let manifest = SegmentManifest(parts: parts)
        guard manifest.sizeBytes <= SegmentManifest.maximumBytes else {
            throw SwiftFault(413, "The segments are too large together.")
        }
        return manifest
    }

    /// Through this layer: of a manifest the size and ETag of its content count.
    private func look(_ segment: ManifestDraft.Segment, _ request: SwiftRequest) async throws -> SwiftResponse {
        let names = segment.place.split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let path = ObjectPath(
            account: request.path.account, container: names[0], object: names.count > 1 ? names[1] : nil)
        var head: SwiftResponse
        do {
            head = try await layer.answer(request.step(.head, path), next)
        } catch {
            head = SwiftNext.response(to: error, request)
        }
        head.headers["content-length"] = head.contentLength.map(String.init)
        await head.drop()
        head.body = .none
        return head
    }

    private func check(
        _ segment: ManifestDraft.Segment, _ head: SwiftResponse, isLast: Bool, _ report: inout BulkReport
    ) -> SegmentManifest.Segment? {
        let name = SwiftText.quoted(segment.path)
        guard head.isSuccess else {
            report.errors.append((name, SwiftStatus.line(head.status)))
            return nil
        }
        let size = head.contentLength ?? 0
        let etag = head.etag ?? ""
        var checked = SegmentManifest.Segment(
            name: "/" + segment.place, objectBytes: size, etag: etag,
            contentType: head.headers["content-type"] ?? "", modified: head.modified?.listingText ?? "",
            isManifest: head.headers.isTrue(StorageHeader.isManifest))
        if let range = segment.range {
            let resolved = range.resolved(size: size)
            if let range = resolved.first {
                if range != 0..<size { checked.range = range }
            } else {
                report.errors.append((name, "Unsatisfiable Range"))
            }
        }
        if checked.sizeBytes < 1, !isLast {
            report.errors.append((name, "Too small; each segment must be at least 1 byte."))
        }
        if let wanted = segment.sizeBytes, wanted != size { report.errors.append((name, "Size Mismatch")) }
        if let wanted = segment.etag, EntityTags.plain(wanted) != etag { report.errors.append((name, "Etag Mismatch")) }
        return checked
    }

    /// For clients that asked to be kept awake: the real status stands in the body.
    private func heartbeat(_ response: SwiftResponse, _ errors: BulkReport, _ type: String) -> SwiftResponse {
        var report = errors
        report.fields["Response Status"] = .text(SwiftStatus.line(response.status))
        report.fields["Response Body"] = .text(response.isSuccess ? "" : SwiftStatus.text(response.status))
        if response.isSuccess {
            report.fields["Etag"] = .text(response.headers["etag"] ?? "")
            report.fields["Last Modified"] = .text(response.headers["last-modified"] ?? "")
        }
        let body = Array(" \r\n\r\n".utf8) + report.render(type, root: "upload")
        return SwiftResponse(202, headers: ["content-type": type], body: .stream(BytesSource(body), length: nil))
    }
}
