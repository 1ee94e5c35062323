// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import PolicyKit

/// Reads what a list of snapshots asks for: filters, page, order.
struct SnapshotListReader {
    let request: APIRequest
    let context: CallContext

    /// What everybody may filter by (cinder: etc/resource_filters.json).
    private static let common: Set<String> = [
        "name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota", "created_at", "updated_at",
    ]

    struct Wanted {
        var query: SnapshotQuery
        var isCounted: Bool
    }

    func read(maximum: Int) throws -> Wanted {
        var query = SnapshotQuery()
        query.project = try VolumeWire.project(request, context)
        let paging = try VolumeWire.paging(request, maximum: maximum)
        query.limit = paging.limit
        query.offset = paging.offset
        query.marker = paging.marker.map { VolumeSnapshotID($0) }
        query.sort = try paging.sort.map { part in
            let name = part.key == "name" ? "display_name" : part.key == "size" ? "volume_size" : part.key
            guard let key = SnapshotQuery.SortKey(rawValue: name) else { throw VolumeWire.invalidSortKey(part.key) }
            return (key, part.isDescending)
        }
        try VolumeWire.readFilters(request, context, common: Self.common) { try filter(&query, $0, $1) }
        let isCounted = try context.has(45) && (request.queryBool("with_count") ?? false)
        return Wanted(query: query, isCounted: isCounted)
    }

    private func filter(_ query: inout SnapshotQuery, _ name: String, _ value: String) throws {
        switch name {
        case "name", "display_name": query.name = value
        case "name~" where context.has(34), "display_name~" where context.has(34): query.nameContains = value
        case "status": query.status = value
        case "volume_id": query.volume = value
        case "metadata": if context.has(22) { query.metadata = try VolumeWire.map(value) }
        case "availability_zone": query.zone = value
        case "created_at": if context.has(60) { query.created = try VolumeWire.bounds(value, name) }
        case "updated_at": if context.has(60) { query.updated = try VolumeWire.bounds(value, name) }
        case "id": query.id = VolumeSnapshotID(value)
        case "user_id": query.user = UserID(value)
        case "volume_size": query.sizeGiB = Int(value) ?? -1
        case "project_id", "tenant_id":
            if query.project == nil { query.project = ProjectID(value) }
        case "consumes_quota":
            if context.has(65), try !VolumeWire.bool(value, name) { query.id = VolumeSnapshotID("") }
        default: query.id = VolumeSnapshotID("")
        }
    }
}
