// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// /resource_filters: what lists may be filtered by.
struct ResourceFilterRoutes: Sendable {
    /// cinder: etc/cinder/resource_filters.json.
    static let filters: [String: [String]] = [
        "volume": [
            "name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id", "size",
            "created_at", "updated_at", "consumes_quota",
        ],
        "backup": ["name", "status", "volume_id"],
        "snapshot": ["name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"],
        "group": ["name"],
        "group_snapshot": ["name", "status", "group_id"],
        "attachment": ["volume_id", "status", "instance_id", "attach_status"],
        "message": ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
        "pool": ["name", "volume_type"],
        "volume_type": ["is_public", "extra_specs"],
    ]

    private static let order = [
        "volume", "backup", "snapshot", "group", "group_snapshot", "attachment", "message", "pool", "volume_type",
    ]

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.get, "/resource_filters", object: "volume:get_all", versions: versions(33), index)
    }

    /// For every token: it says nothing of anybody.
    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        context.authorizeListing()
        let wanted = request.query("resource")
        return .object { writer in
            writer.array("resource_filters") { writer in
                for name in Self.order where wanted == nil || wanted == name {
                    writer.beginObject()
                    writer.field("resource", name)
                    writer.field("filters", Self.filters[name] ?? [])
                    writer.endObject()
                }
            }
        }
    }
}
