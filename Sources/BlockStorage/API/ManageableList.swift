// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit

/// The part of lists of manageable volumes and snapshots that is the same for both (cinder:
/// api/contrib/resource_common_manage.py).
struct ManageableList: Sendable {
    /// `manageable-volumes`.
    let key: StaticString
    /// `manageable_volumes_links`.
    let linksKey: StaticString
    /// Where the list is, in links.
    let path: String
    let showsSource: Bool

    /// The host that is asked about.
    static func host(_ request: APIRequest) throws -> String {
        guard let host = request.query("host"), !host.isEmpty else {
            throw VolumeErrors.invalidInput("Host field is missing.")
        }
        return host
    }

    func answer(
        _ request: APIRequest, maximum: Int, isDetailed: Bool, _ resources: [ManageableResource]
    ) throws -> HTTPResponse {
        let paging = try VolumeWire.paging(request, maximum: maximum)
        var found = resources
        try Self.sort(&found, by: paging.sort, request)
        if let marker = paging.marker {
            guard let index = found.firstIndex(where: { Self.names($0, marker) }) else {
                throw VolumeErrors.invalidInput("marker not found: \(marker.prefix(255))")
            }
            found.removeFirst(index + 1)
        }
        let page = found.dropFirst(paging.offset).prefix(paging.limit)
        return .object(capacity: page.count * 300 + 256) { writer in
            writer.array(key) { writer in
                for resource in page { write(&writer, resource, isDetailed: isDetailed) }
            }
            if let last = page.last, page.count == paging.limit {
                request.links.next(&writer, linksKey, path, marker: Self.marker(last))
            }
        }
    }

    private func write(_ writer: inout JSONWriter, _ resource: ManageableResource, isDetailed: Bool) {
        writer.beginObject()
        writer.object("reference") { $0.field("source-name", resource.reference) }
        writer.field("size", resource.sizeGiB)
        writer.field("safe_to_manage", resource.managedID == nil)
        if showsSource {
            if let source = resource.source {
                writer.object("source_reference") { $0.field("source-name", source) }
            } else {
                writer.nullField("source_reference")
            }
        }
        if isDetailed {
            writer.field("reason_not_safe", resource.managedID == nil ? nil : "already managed")
            writer.field("cinder_id", resource.managedID)
            writer.nullField("extra_info")
        }
        writer.endObject()
    }

    private static func sort(
        _ resources: inout [ManageableResource], by keys: [(key: String, isDescending: Bool)], _ request: APIRequest
    ) throws {
        var order = keys
        if order.isEmpty { order = [("reference", true)] }
        // A direction alone is one of the default key.
        if request.query("sort") == nil, request.query("sort_key") == nil { order[0].key = "reference" }
        let unknown = order.map(\.key).filter { $0 != "reference" && $0 != "size" }
        guard unknown.isEmpty else {
            throw CloudError.badRequest("Invalid sort keys passed: \(unknown.joined(separator: ", ").prefix(255))")
        }
        resources.sort { left, right in
            for (key, isDescending) in order {
                if key == "size", left.sizeGiB != right.sizeGiB {
                    return (left.sizeGiB < right.sizeGiB) != isDescending
                }
                if key == "reference", left.reference != right.reference {
                    return (left.reference < right.reference) != isDescending
                }
            }
            return false
        }
    }

    /// References are maps, and markers are maps as Python writes them; the bare name will do, too.
    private static func names(_ resource: ManageableResource, _ marker: String) -> Bool {
        if marker == resource.reference { return true }
        do {
            return try VolumeWire.map(marker) == ["source-name": resource.reference]
        } catch {
            return false  // no map
        }
    }

    private static func marker(_ resource: ManageableResource) -> String {
        "{'source-name': '\(resource.reference)'}"
    }

    /// `ref`: a name, or a map with one.
    static func reference(_ json: JSON?, _ what: String) throws -> String? {
        guard let json else { return nil }
        if let text = json.string { return text }
        guard let name = json["source-name"]?.string ?? json["source-id"]?.string else {
            throw CloudError.badRequest(
                "Manage existing \(what) failed due to invalid backend reference. Reference must contain source-name.",
                kind: "ManageExistingInvalidReference")
        }
        return name
    }
}
