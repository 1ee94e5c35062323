// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /os-hosts and /os-availability-zone
struct StorageHostRoutes: Sendable {
    let services: BlockStorageServiceEngine

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.get, "/os-availability-zone", object: "volume:get_all", zones)
        routes.add(.get, "/os-hosts", policy: "volume_extension:hosts", list)
        routes.add(.get, "/os-hosts/{host}", policy: "volume_extension:hosts", show)
        routes.add(.put, "/os-hosts/{host}", policy: "volume_extension:hosts", update)
    }

    /// For every token: where volumes can be.
    private func zones(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        context.authorizeListing()
        let found = try await services.zones()
        return .object { writer in
            writer.array("availabilityZoneInfo") { writer in
                for zone in found {
                    writer.beginObject()
                    writer.field("zoneName", zone.name)
                    writer.object("zoneState") { $0.field("available", zone.isAvailable) }
                    writer.endObject()
                }
            }
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let zone = request.query("zone").flatMap { $0.isEmpty ? nil : $0 }
        let found = try await services.services().filter { service in
            !service.isDisabled && (zone.map { $0 == service.zone } ?? true)
        }
        return .object { writer in
            writer.array("hosts") { writer in
                for service in found {
                    writer.beginObject()
                    writer.field("host_name", service.host)
                    writer.field("service", service.topic)
                    writer.field("zone", service.zone)
                    writer.field("service-status", service.isUp ? "available" : "unavailable")
                    writer.field("service-state", service.isDisabled ? "disabled" : "enabled")
                    writer.field("last-update", BlockStorageWords.time(service.seenAt))
                    writer.endObject()
                }
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let host = request.parameter("host")
        let use = try await services.use(ofHost: host)
        return .object { writer in
            writer.array("host") { writer in
                for entry in use {
                    writer.beginObject()
                    writer.object("resource") { writer in
                        writer.field("host", host)
                        writer.field("project", entry.project?.rawValue ?? "(total)")
                        writer.field("volume_count", String(entry.volumes))
                        writer.field("total_volume_gb", String(entry.volumeGiB))
                        writer.field("snapshot_count", String(entry.snapshots))
                        writer.field("total_snapshot_gb", String(entry.snapshotGiB))
                    }
                    writer.endObject()
                }
            }
        }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let host = request.parameter("host")
        guard case .object(let fields) = try await request.json() else {
            throw CloudError.badRequest("Invalid input for field/attribute body. It is not of type 'object'")
        }
        var isDisabled: Bool?
        for (key, value) in fields {
            guard BlockStorageWords.trimmed(key).lowercased() == "status" else {
                throw CloudError.badRequest("Invalid update setting: '\(key.prefix(64))'")
            }
            switch value.string.map({ BlockStorageWords.trimmed($0).lowercased() }) {
            case "enable"?: isDisabled = false
            case "disable"?: isDisabled = true
            default: throw CloudError.badRequest("Invalid status: '\(value.string?.prefix(64) ?? "")'")
            }
        }
        guard let isDisabled else { return .object { _ in } }
        try await services.setDisabled(host, BlockStorageServiceEngine.volumeBinary, isDisabled, reason: nil)
        return .object { writer in
            writer.field("host", host)
            writer.field("status", isDisabled ? "disabled" : "enabled")
        }
    }
}
