// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// /v2.1/os-volumes and /v2.1/os-snapshots, until 2.35: Block Storage's volumes and snapshots in the words of its first
/// API (nova: api/openstack/compute/volumes.py, snapshots.py).
struct VolumeProxyRoutes: Sendable {
    private static let maximumPage = 1000
    let neighbours: Neighbours

    func register(on routes: inout RouteTable) {
        let (volumes, snapshots, all) = ("/v2.1/os-volumes", "/v2.1/os-snapshots", versions(1, 35))
        routes.add(.get, volumes, policy: "os_compute_api:os-volumes:list", versions: all, listVolumes)
        routes.add(.get, volumes + "/detail", policy: "os_compute_api:os-volumes:detail", versions: all, listVolumes)
        routes.add(.post, volumes, policy: "os_compute_api:os-volumes:create", versions: all, createVolume)
        routes.add(.get, volumes + "/{volume_id}", policy: "os_compute_api:os-volumes:show", versions: all, showVolume)
        routes.add(
            .delete, volumes + "/{volume_id}", policy: "os_compute_api:os-volumes:delete", versions: all, deleteVolume)
        routes.add(.get, snapshots, policy: "os_compute_api:os-volumes:snapshots:list", versions: all, listSnapshots)
        routes.add(
            .get, snapshots + "/detail", policy: "os_compute_api:os-volumes:snapshots:detail", versions: all,
            listSnapshots)
        routes.add(
            .post, snapshots, policy: "os_compute_api:os-volumes:snapshots:create", versions: all, createSnapshot)
        routes.add(
            .get, snapshots + "/{snapshot_id}", policy: "os_compute_api:os-volumes:snapshots:show", versions: all,
            showSnapshot)
        routes.add(
            .delete, snapshots + "/{snapshot_id}", policy: "os_compute_api:os-volumes:snapshots:delete",
            versions: all, deleteSnapshot)
    }

    // MARK: Neighbour

    private static func path(_ context: CallContext, _ rest: String) throws -> String {
        "/volume/v3/\(Neighbours.segment(try context.requireProject().rawValue))/\(rest)"
    }

    private func list(_ key: String, _ request: APIRequest, _ context: CallContext) async throws -> ArraySlice<JSON> {
        let limit = try ComputeWire.limit(request, maximum: Self.maximumPage)
        let offset = try request.queryInt("offset", 0...Int(Int32.max)) ?? 0
        let answer = try await neighbours.call(.get, try Self.path(context, key + "/detail"), for: request)
        return (answer[key]?.array ?? []).dropFirst(offset).prefix(limit)
    }

    private func find(
        _ kind: String, _ id: String, _ request: APIRequest, _ context: CallContext
    ) async throws -> JSON {
        let path = try Self.path(context, "\(kind)s/\(Neighbours.segment(id))")
        guard !id.isEmpty, let found = try await neighbours.find(path, for: request)?[kind] else {
            throw Self.missing(kind, id)
        }
        return found
    }

    private static func missing(_ kind: String, _ id: String) -> CloudError {
        .notFound("\(kind == "volume" ? "Volume" : "Snapshot") \(id.prefix(64)) could not be found.")
    }

    private func delete(
        _ kind: String, _ id: String, _ request: APIRequest, _ context: CallContext
    ) async throws -> HTTPResponse {
        guard !id.isEmpty else { throw Self.missing(kind, id) }
        try await neighbours.call(
            .delete, try Self.path(context, "\(kind)s/\(Neighbours.segment(id))"), for: request)
        return HTTPResponse(status: 202)
    }

    // MARK: Volumes

    private static func write(_ writer: inout JSONWriter, volume: JSON) {
        let id = volume[shown: "id"]
        writer.beginObject()
        writer.field("id", id)
        writer.field("status", volume[shown: "status"])
        writer.field("size", volume[shown: "size"])
        writer.field("availabilityZone", volume[shown: "availability_zone"])
        writer.field("createdAt", volume[shown: "created_at"])
        writer.array("attachments") { writer in
            writer.beginObject()
            // One, even if there are more; upstream shows an empty object for none.
            if let attachment = volume["attachments"]?.array?.first {
                writer.field("id", id)
                writer.field("volumeId", id)
                writer.field("serverId", attachment[shown: "server_id"])
                if let device = attachment["device"]?.string, !device.isEmpty { writer.field("device", device) }
            }
            writer.endObject()
        }
        writer.field("displayName", volume[shown: "name"])
        writer.field("displayDescription", volume[shown: "description"])
        writer.field("volumeType", volume[shown: "volume_type"])
        writer.field("snapshotId", volume[shown: "snapshot_id"])
        writer.field("metadata", volume["metadata"] ?? .object([:]))
        writer.endObject()
    }

    private func listVolumes(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let volumes = try await list("volumes", request, context)
        return .object { writer in
            writer.array("volumes") { writer in
                for volume in volumes { Self.write(&writer, volume: volume) }
            }
        }
    }

    private func showVolume(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let volume = try await find("volume", request.parameter("volume_id"), request, context)
        return Self.answer(volume: volume)
    }

    private static func answer(volume: JSON) -> HTTPResponse {
        .object { writer in
            writer.key("volume")
            write(&writer, volume: volume)
        }
    }

    private func createVolume(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("volume", in: try await request.json())
        guard let size = try reader.looseInt("size", 1...Int64(Int32.max)) else { throw reader.missing("size") }
        var draft: [String: JSON] = ["size": .int(size)]
        for (key, field) in [
            ("volume_type", "volume_type"), ("snapshot_id", "snapshot_id"), ("display_name", "name"),
            ("availability_zone", "availability_zone"), ("display_description", "description"),
        ] {
            if let text = try reader.string(key, 0...65_535) { draft[field] = .string(text) }
        }
        if let metadata = reader.value("metadata") {
            guard case .object = metadata else {
                throw reader.invalid("metadata", metadata, "is not of type 'object'")
            }
            draft["metadata"] = metadata
        }
        try reader.finish()
        let made = try await neighbours.call(
            .post, try Self.path(context, "volumes"), ["volume": .object(draft)], for: request)
        let volume = made["volume"] ?? .null
        var response = Self.answer(volume: volume)
        response.headers.set(
            "Location", "\(request.versionURL)/os-volumes/\(volume["id"]?.string ?? "")")
        return response
    }

    private func deleteVolume(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await delete("volume", request.parameter("volume_id"), request, context)
    }

    // MARK: Snapshots

    private static func write(_ writer: inout JSONWriter, snapshot: JSON) {
        writer.beginObject()
        writer.field("id", snapshot[shown: "id"])
        writer.field("volumeId", snapshot[shown: "volume_id"])
        writer.field("status", snapshot[shown: "status"])
        writer.field("size", snapshot[shown: "size"])
        writer.field("createdAt", snapshot[shown: "created_at"])
        writer.field("displayName", snapshot[shown: "name"])
        writer.field("displayDescription", snapshot[shown: "description"])
        writer.endObject()
    }

    private func listSnapshots(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let snapshots = try await list("snapshots", request, context)
        return .object { writer in
            writer.array("snapshots") { writer in
                for snapshot in snapshots { Self.write(&writer, snapshot: snapshot) }
            }
        }
    }

    private func showSnapshot(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let snapshot = try await find("snapshot", request.parameter("snapshot_id"), request, context)
        return .object { writer in
            writer.key("snapshot")
            Self.write(&writer, snapshot: snapshot)
        }
    }

    private func createSnapshot(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("snapshot", in: try await request.json())
        var draft: [String: JSON] = ["volume_id": .string(try reader.requiredString("volume_id", 1...255))]
        if let name = try reader.nullableString("display_name").flatMap({ $0 }) { draft["name"] = .string(name) }
        if let text = try reader.nullableString("display_description", 0...65_535).flatMap({ $0 }) {
            draft["description"] = .string(text)
        }
        if let isForced = try reader.looseBool("force") { draft["force"] = .bool(isForced) }
        try reader.finish()
        let made = try await neighbours.call(
            .post, try Self.path(context, "snapshots"), ["snapshot": .object(draft)], for: request)
        return .object { writer in
            writer.key("snapshot")
            Self.write(&writer, snapshot: made["snapshot"] ?? .null)
        }
    }

    private func deleteSnapshot(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await delete("snapshot", request.parameter("snapshot_id"), request, context)
    }
}
