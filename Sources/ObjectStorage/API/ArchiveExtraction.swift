// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CompressionKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// `PUT …?extract-archive=tar.gz`: each file of the archive becomes an object, its first folder a container.
struct ArchiveExtraction: Sendable {
    private static let maximumContainers = 10_000
    let limits: StorageLimits
    let next: SwiftNext

    func answer(_ request: SwiftRequest, _ type: String) async throws -> SwiftResponse {
        let name = type.asciiLowercased().dropping(leading: ".")
        guard ["tar", "tar.gz", "tar.bz2"].contains(name) else { throw SwiftFault(400, "Unsupported archive format") }
        let form = BulkReport.form(request, BulkLayer.forms)
        var run = Run(request: request)
        do {
            guard form != nil else { throw SwiftFault(406) }
            // Nobody may write who is not known: nothing of his is unpacked.
            if case .anonymous = request.caller { throw SwiftFault(401) }
            if request.contentLength == nil, request.headers["transfer-encoding"]?.asciiLowercased() != "chunked" {
                throw SwiftFault(411)
            }
            try await extract(&run, from: try source(request, String(name)))
            if !run.report.errors.isEmpty {
                run.status = run.failedStatus
            } else if run.created == 0 {
                (run.status, run.body) = (400, "Invalid Tar File: No Valid Files")
            }
        } catch let fault as TarFault {
            (run.status, run.body) = (400, "Invalid Tar File: \(fault.text)")
        } catch let error as DecompressionError {
            (run.status, run.body) = (400, "Invalid Tar File: \(error)")
        } catch {
            let response = SwiftNext.response(to: error, request)
            run.status = response.status
            if case .bytes(let bytes) = response.body { run.body = String(decoding: bytes, as: UTF8.self) }
            if case .standard = response.body { run.body = SwiftStatus.page(response.status) ?? "" }
        }
        run.report.fields = [
            "Response Status": .text(SwiftStatus.line(run.status)), "Response Body": .text(run.body),
            "Number Files Created": .number(run.created),
        ]
        let accepted = form ?? "text/plain"
        return SwiftResponse(
            200, headers: ["content-type": accepted], body: .bytes(run.report.render(accepted, root: "extract")))
    }

    private struct Run {
        let request: SwiftRequest
        var report = BulkReport()
        var created = 0
        var newContainers = 0
        var seen: Set<ByteText> = []
        var status = 201
        var body = ""
        var failedStatus = 400
    }

    private func source(_ request: SwiftRequest, _ type: String) throws -> any ByteSource {
        switch type {
        case "tar.gz": DecompressedSource(source: request.body, decompressor: try Decompressor(.gzip))
        case "tar.bz2": DecompressedSource(source: request.body, decompressor: try Decompressor(.bzip2))
        default: request.body
        }
    }

    private func extract(_ run: inout Run, from source: any ByteSource) async throws {
        let reader = ArchiveReader(source)
        while run.report.errors.count < BulkLayer.maximumFailures, let entry = try await reader.next() {
            let name = String(validating: WireText.bytes(entry.name), as: UTF8.self)
            guard let path = path(name ?? entry.name, run.request) else { continue }
            try await store(entry, path, isReadable: name != nil, &run)
        }
    }

    /// Nil: it would be no object.
    private func path(_ name: String, _ request: SwiftRequest) -> ObjectPath? {
        var name = name[...]
        if let rest = name.removing(bytePrefix: "./") { name = rest }
        name = name.dropping(leading: "/")
        var full = [request.path.container, request.path.object].compactMap { $0 }.joined(separator: "/")
        while let rest = full.removing(byteSuffix: "/") { full = String(rest) }
        full += (full.isEmpty ? "" : "/") + name
        let parts = full.split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        return ObjectPath(account: request.path.account, container: parts[0], object: parts[1])
    }

    private func store(
        _ entry: ArchiveReader.Entry, _ path: ObjectPath, isReadable: Bool, _ run: inout Run
    ) async throws {
        let text = "\(path.container ?? "")/\(path.object ?? "")"
        let bytes = isReadable ? Array(text.utf8) : WireText.bytes(text)
        let name = Percent.encode(bytes: bytes, keepsSlash: true)
        func fail(_ status: Int) { run.report.errors.append((name, SwiftStatus.line(status))) }
        guard isReadable, !path.description.utf8.contains(0) else { return fail(412) }
        guard entry.sizeBytes <= limits.fileBytes else { return fail(413) }
        if !run.seen.contains(ByteText(path.container ?? "")) {
            let status = try await ensure(path.ofContainer, &run)
            if status == 401 { throw SwiftFault(401) }
            guard (200..<300).contains(status) else { return fail(status) }
            run.seen.insert(ByteText(path.container ?? ""))
        }
        var put = run.request.step(.put, path)
        for (header, value) in run.request.headers.values
        where header == "x-delete-at" || header == "x-delete-after" || header.hasBytePrefix("x-object-meta-") {
            put.headers[header] = value
        }
        for (key, value) in entry.attributes {
            guard let header = header(key), value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { continue }
            put.headers[header] = value
        }
        put.contentLength = entry.sizeBytes
        put.headers["content-length"] = String(entry.sizeBytes)
        put.body = entry.body
        let response = await next(put)
        if response.isSuccess {
            run.created += 1
            return
        }
        fail(response.status)
        if response.status == 401 { throw SwiftFault(401) }
        if response.status == 499 { throw TarFault(text: "unexpected end of data") }
        if response.status >= 500 { run.failedStatus = 502 }
    }

    /// Extended attributes that archivers write.
    private func header(_ key: String) -> String? {
        for prefix in ["SCHILY.xattr.user.", "LIBARCHIVE.xattr.user."] {
            guard let name = key.removing(bytePrefix: prefix) else { continue }
            guard name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
            if name == "mime_type" { return "content-type" }
            if let meta = name.removing(bytePrefix: "meta.") { return "x-object-meta-" + meta.asciiLowercased() }
        }
        return nil
    }

    /// The status of the container, which is made when it is not there.
    private func ensure(_ path: ObjectPath, _ run: inout Run) async throws -> Int {
        let head = await next(run.request.step(.head, path))
        guard head.status == 404 else { return head.status }
        run.newContainers += 1
        guard run.newContainers <= Self.maximumContainers else {
            throw SwiftFault(400, "More than \(Self.maximumContainers) containers to create from tar.")
        }
        return await next(run.request.step(.put, path)).status
    }
}
