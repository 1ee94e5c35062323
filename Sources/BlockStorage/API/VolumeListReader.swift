// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import PolicyKit

/// Reads what a list of volumes asks for: filters, page, order.
struct VolumeListReader {
    let request: APIRequest
    let context: CallContext

    /// What everybody may filter by (cinder: etc/resource_filters.json).
    private static let common: Set<String> = [
        "name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id", "size",
        "created_at", "updated_at", "consumes_quota", "glance_metadata",
    ]

    struct Wanted {
        var query: VolumeQuery
        var isCounted: Bool
    }

    func read(maximum: Int, isPaged: Bool = true) throws -> Wanted {
        var query = VolumeQuery()
        query.project = try VolumeWire.project(request, context)
        if isPaged {
            let paging = try VolumeWire.paging(request, maximum: maximum)
            query.limit = paging.limit
            query.offset = paging.offset
            query.marker = paging.marker.map { VolumeID($0) }
            query.sort = try paging.sort.map { part in
                let name = part.key == "name" ? "display_name" : part.key
                guard let key = VolumeQuery.SortKey(rawValue: name) else { throw VolumeWire.invalidSortKey(part.key) }
                return (key, part.isDescending)
            }
        }
        try VolumeWire.readFilters(request, context, common: Self.common) { try filter(&query, $0, $1) }
        let isCounted = try context.has(45) && (request.queryBool("with_count") ?? false)
        return Wanted(query: query, isCounted: isCounted)
    }

    private func filter(_ query: inout VolumeQuery, _ name: String, _ value: String) throws {
        switch name {
        case "name", "display_name": query.name = value
        case "name~" where context.has(34), "display_name~" where context.has(34): query.nameContains = value
        case "status": query.status = value
        case "metadata": query.metadata = try VolumeWire.map(value)
        case "glance_metadata": if context.has(4) { query.imageMetadata = try VolumeWire.map(value) }
        case "bootable": query.isBootable = try boolean(value, name)
        case "multiattach": query.isMultiattach = try boolean(value, name)
        case "encrypted": query.isEncrypted = try boolean(value, name)
        case "consumes_quota": if context.has(65) { query.isEmpty = try boolean(value, name) == false }
        case "migration_status": query.migration = value
        case "availability_zone": query.zone = value
        case "group_id", "consistencygroup_id": if context.has(10) { query.group = value }
        case "size":
            guard let size = Int(value) else { return query.isEmpty = true }
            query.sizeGiB = size
        case "created_at": if context.has(60) { query.created = try VolumeWire.bounds(value, name) }
        case "updated_at": if context.has(60) { query.updated = try VolumeWire.bounds(value, name) }
        case "id": query.ids = [VolumeID(value)]
        case "host": query.host = value
        case "user_id": query.user = UserID(value)
        case "project_id", "tenant_id":
            if query.project == nil { query.project = ProjectID(value) }
        case "snapshot_id": query.snapshot = value
        case "source_volid": query.source = value
        case "image_id": query.image = value
        case "volume_type_id": query.type = VolumeTypeID(value)
        case "description", "display_description": query.description = value
        default: query.isEmpty = true
        }
    }

    /// Before 3.2 whatever is no word for false is true.
    private func boolean(_ value: String, _ name: String) throws -> Bool {
        if context.has(2) { return try VolumeWire.bool(value, name) }
        return !["false", "0", "f", "no", "n", "off", ""].contains(value.lowercased())
    }
}
