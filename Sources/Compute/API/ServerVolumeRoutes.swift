// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/servers/{id}/os-volume_attachments (nova: volume_attachments.py).
struct ServerVolumeRoutes: Sendable {
    let volumes: ServerVolumeEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/servers/{server_id}/os-volume_attachments"
        routes.add(.get, path, object: "os_compute_api:os-volumes-attachments:index", index)
        routes.add(.post, path, object: "os_compute_api:os-volumes-attachments:create", create)
        routes.add(.get, path + "/{volume_id}", object: "os_compute_api:os-volumes-attachments:show", show)
        routes.add(.put, path + "/{volume_id}", object: "os_compute_api:os-volumes-attachments:update", update)
        routes.add(.delete, path + "/{volume_id}", object: "os_compute_api:os-volumes-attachments:delete", delete)
    }

    // MARK: Read

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, ["limit", "offset"])
        let limit = try ComputeWire.limit(request, maximum: 1000)
        let offset = try request.queryInt("offset", 0...Int(Int32.max)) ?? 0
        let all = try await volumes.list(request.id("server_id"), for: context)
        return .object { writer in
            writer.array("volumeAttachments") { writer in
                for device in all.dropFirst(offset).prefix(limit) { Self.write(device, &writer, context) }
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, from: 102, [])
        let device = try await volumes.show(request.id("server_id"), request.id("volume_id"), for: context)
        return .object { writer in
            writer.key("volumeAttachment")
            Self.write(device, &writer, context)
        }
    }

    private static func write(_ device: ServerBlockDevice, _ writer: inout JSONWriter, _ context: CallContext) {
        writer.beginObject()
        if !context.has(89) { writer.field("id", device.volume) }
        writer.field("volumeId", device.volume)
        writer.field("serverId", device.server)
        if let path = device.device { writer.field("device", path) }
        if context.has(70) { writer.field("tag", device.tag) }
        if context.has(79) { writer.field("delete_on_termination", device.deletesOnTermination) }
        if context.has(89) {
            writer.field("attachment_id", device.attachment)
            writer.field("bdm_uuid", device.id)
        }
        writer.endObject()
    }

    // MARK: Change

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("volumeAttachment", in: try await request.json())
        var wanted = ServerVolumeEngine.AttachRequest(volume: try Self.volume(&reader))
        wanted.device = try Self.device(&reader).flatMap { $0 }
        if context.has(49) { wanted.tag = try Self.tag(&reader) }
        if context.has(79) { wanted.deletesOnTermination = try reader.looseBool("delete_on_termination") ?? false }
        try reader.finish()
        let device = try await volumes.attach(request.id("server_id"), wanted, for: context)
        // 2.101: the answer says no more than that it was accepted.
        guard !context.has(101) else { return HTTPResponse(status: 202) }
        return .object { writer in
            writer.object("volumeAttachment") { writer in
                writer.field("id", device.volume)
                writer.field("serverId", device.server)
                writer.field("volumeId", device.volume)
                writer.field("device", device.device)
                if context.has(70) { writer.field("tag", device.tag) }
                if context.has(79) { writer.field("delete_on_termination", device.deletesOnTermination) }
            }
        }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("volumeAttachment", in: try await request.json())
        var update = ServerVolumeEngine.Update(newVolume: try Self.volume(&reader))
        if context.has(85) {
            update.device = try Self.device(&reader)
            update.tag = try Self.tag(&reader)
            update.deletesOnTermination = try reader.looseBool("delete_on_termination")
            update.server = try reader.string("serverId").map { try ComputeWire.uuid($0, "serverId") }
            update.id = try reader.string("id").map { try ComputeWire.uuid($0, "id") }
        }
        try reader.finish()
        try await volumes.update(
            request.id("server_id"), request.id("volume_id"), update, onlySwaps: !context.has(85), for: context)
        return HTTPResponse(status: 202)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await volumes.detach(request.id("server_id"), request.id("volume_id"), for: context)
        return HTTPResponse(status: 202)
    }

    // MARK: Fields

    private static func volume(_ reader: inout ObjectReader) throws -> VolumeID {
        ID(try ComputeWire.uuid(try reader.requiredString("volumeId"), "volumeId"))
    }

    /// `.none` when absent, `.some(nil)` when null.
    private static func device(_ reader: inout ObjectReader) throws -> String?? {
        guard let path = try reader.nullableString("device") else { return .none }
        guard let path else { return .some(nil) }
        guard BlockDeviceNames.isPath(path) else {
            throw reader.invalid(
                "device", .string(path), "does not match '(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$'")
        }
        return .some(path)
    }

    static func tag(_ reader: inout ObjectReader) throws -> String? {
        guard let tag = try reader.string("tag", 1...60) else { return nil }
        guard !tag.contains("/"), !tag.contains(",") else {
            throw reader.invalid("tag", .string(tag), "does not match '^[^,/]*$'")
        }
        return tag
    }
}
