// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// A static large object's manifest as a client sends it: what it names is still to be looked at.
package struct ManifestDraft: Sendable {
    package enum Part: Sendable {
        case object(Segment)
        case inline([UInt8])
    }

    package struct Segment: Sendable {
        package var path: String
        package var etag: String?
        package var sizeBytes: Int64?
        package var range: RangeHeader?
        /// `container/object`.
        package var place: String { String(path.dropping(leading: "/")) }
    }

    package var parts: [Part]

    package var segments: [Segment] {
        parts.compactMap { part in if case .object(let segment) = part { segment } else { nil } }
    }

    /// `own` is the manifest's own place. Throws one message with a line for each fault.
    package init(_ bytes: [UInt8], own: String) throws(CloudError) {
        guard let json = try? JSONReader.read(bytes) else {  // told to the client
            throw .badRequest("Manifest must be valid JSON.\n")
        }
        guard let entries = json.array else { throw .badRequest("Manifest must be a list.\n") }
        parts = []
        var faults: [String] = []
        for (index, entry) in entries.enumerated() {
            do throws(Fault) {
                parts.append(try Self.part(entry, own: own, isLast: index == entries.count - 1))
            } catch {
                faults.append("Index \(index): \(error.text)\n")
            }
        }
        if faults.isEmpty, !parts.isEmpty, segments.isEmpty {
            faults.append("Inline data segments require at least one object-backed segment.\n")
        }
        if !faults.isEmpty { throw .badRequest(faults.joined()) }
    }

    private struct Fault: Error { let text: String }

    private static func part(_ entry: JSON, own: String, isLast: Bool) throws(Fault) -> Part {
        guard let fields = entry.object else { throw Fault(text: "not a JSON object") }
        let isInline = fields["data"] != nil
        guard isInline || fields["path"] != nil else {
            throw Fault(text: "expected keys to include one of 'data' or 'path'")
        }
        let allowed: Set<String> = isInline ? ["data"] : ["path", "range", "etag", "size_bytes"]
        let extra = fields.keys.filter { !allowed.contains($0) }.sorted()
        guard extra.isEmpty else {
            throw Fault(text: "extraneous keys " + extra.map { JSON.string($0).text() }.joined(separator: ", "))
        }
        return isInline ? .inline(try inline(fields)) : .object(try segment(fields, own: own, isLast: isLast))
    }

    private static let tooSmall = Fault(text: "too small; each segment must be at least 1 byte.")

    private static func inline(_ fields: [String: JSON]) throws(Fault) -> [UInt8] {
        guard let text = fields["data"]?.string, let bytes = Base64.decode(text) else {
            throw Fault(text: "data must be valid base64")
        }
        guard !bytes.isEmpty else { throw tooSmall }
        return bytes
    }

    private static func segment(_ fields: [String: JSON], own: String, isLast: Bool) throws(Fault) -> Segment {
        guard let path = fields["path"]?.string else { throw Fault(text: "\"path\" must be a string") }
        var segment = Segment(path: path)
        switch fields["etag"] {
        case nil, .null: break
        case .string(let etag): segment.etag = etag
        default: throw Fault(text: "\"etag\" must be a string or null (if provided)")
        }
        let names = path.split(byte: "/", omittingEmptySubsequences: false).drop { $0.isEmpty }
        guard names.count > 1, names.dropFirst().contains(where: { !$0.isEmpty }) else {
            throw Fault(text: "path does not refer to an object. Path must be of the form /container/object.")
        }
        switch fields["size_bytes"] {
        case nil, .null: break
        case .int(let size): segment.sizeBytes = size
        case .string(let text):
            guard let size = Int64(text.trimmed) else { throw Fault(text: "invalid size_bytes") }
            segment.sizeBytes = size
        case .double(let size) where size.magnitude < 9e15: segment.sizeBytes = Int64(size)
        default: throw Fault(text: "invalid size_bytes")
        }
        if let size = segment.sizeBytes, size < 1, !isLast { throw tooSmall }
        guard !segment.place.isByteEqual(to: own) else {
            throw Fault(text: "manifest must not include itself as a segment")
        }
        try readRange(fields["range"], into: &segment)
        return segment
    }

    private static func readRange(_ field: JSON?, into segment: inout Segment) throws(Fault) {
        guard let field, field != .null, field != .string("") else { return }
        guard let text = field.string, let range = RangeHeader("bytes=" + text) else {
            throw Fault(text: "invalid range")
        }
        guard range.specs.count == 1 else { throw Fault(text: "multiple ranges (only one allowed)") }
        if let size = segment.sizeBytes, range.resolved(size: size).count != 1 {
            throw Fault(text: "unsatisfiable range")
        }
        segment.range = range
    }
}
