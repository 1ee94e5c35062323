// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /v3/{project_id}/attachments (3.27)
struct VolumeAttachmentRoutes: Sendable {
    let attachments: VolumeAttachmentEngine

    func register(on routes: inout BlockStorageRouteTable) {
        let known = versions(27)
        routes.add(.get, "/attachments", policy: "volume:get_all", versions: known, index)
        routes.add(.get, "/attachments/detail", policy: "volume:get_all", versions: known, detail)
        routes.add(.post, "/attachments", object: "volume:attachment_create", versions: known, create)
        routes.add(.get, "/attachments/{attachment_id}", object: "volume:get", versions: known, show)
        routes.add(
            .put, "/attachments/{attachment_id}", object: "volume:attachment_update", versions: known, update)
        routes.add(
            .delete, "/attachments/{attachment_id}", object: "volume:attachment_delete", versions: known, delete)
        routes.add(
            .post, "/attachments/{attachment_id}/action", object: "volume:attachment_complete",
            versions: versions(44), act)
    }

    // MARK: List

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: false)
    }

    private func detail(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await list(request, context, isDetailed: true)
    }

    private func list(_ request: APIRequest, _ context: CallContext, isDetailed: Bool) async throws -> HTTPResponse {
        let paging = try VolumeWire.paging(request, maximum: attachments.parts.config.maximumPage)
        var query = VolumeAttachmentStore.Query(limit: paging.limit)
        query.offset = paging.offset
        query.marker = paging.marker.map { VolumeAttachmentID($0) }
        query.project = try VolumeWire.project(request, context)
        query.volume = request.query("volume_id").map { VolumeID($0) }
        query.server = request.query("instance_id") ?? request.query("instance_uuid")
        query.host = context.allowsAllProjects ? request.query("attached_host") : nil
        if let word = request.query("status") ?? request.query("attach_status") {
            guard let status = VolumeAttachStatus(rawValue: word) else {
                context.authorizeListing()
                return .object { writer in writer.array("attachments") { _ in } }
            }
            query.status = status
        }
        let found = try await attachments.list(query, for: context)
        let opened = isDetailed ? found.filter { Self.mayOpen($0, context) } : []
        let connections = try await attachments.connections(of: opened)
        return .object(capacity: found.count * 300 + 64) { writer in
            writer.array("attachments") { writer in
                for attachment in found {
                    Self.view(&writer, attachment, isDetailed: isDetailed, connections[attachment.id], context)
                }
            }
        }
    }

    /// Keys of storage are for who attaches: Compute, an administrator, or the owner of what is no server's.
    private static func mayOpen(_ attachment: VolumeAttachment, _ context: CallContext) -> Bool {
        !attachment.isComputes || context.isAdminOrService
    }

    private static func view(
        _ writer: inout JSONWriter, _ attachment: VolumeAttachment, isDetailed: Bool, _ connection: VolumeConnection?,
        _ context: CallContext
    ) {
        writer.beginObject()
        writer.field("id", attachment.id)
        writer.field("status", attachment.status.rawValue)
        writer.field("instance", attachment.server)
        writer.field("volume_id", attachment.volumeID)
        if isDetailed {
            writer.field("attached_at", BlockStorageWords.time(attachment.attachedAt) ?? "")
            writer.field("detached_at", "")
            writer.field("attach_mode", attachment.mode)
            writer.object("connection_info") { writer in
                if let connection { ConnectionView.flat(&writer, connection, attachment.id, for: context) }
            }
        }
        writer.endObject()
    }

    // MARK: One

    private func answer(_ attachment: VolumeAttachment, _ context: CallContext) async throws -> HTTPResponse {
        let opened = Self.mayOpen(attachment, context) ? [attachment] : []
        let connection = try await attachments.connections(of: opened)[attachment.id]
        return .object { writer in
            writer.key("attachment")
            Self.view(&writer, attachment, isDetailed: true, connection, context)
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await answer(try await attachments.attachment(request.id("attachment_id"), for: context), context)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("attachment", in: try await request.json())
        guard let volume = try VolumeWire.uuid(&reader, "volume_uuid") else { throw reader.missing("volume_uuid") }
        let server = try VolumeWire.uuid(&reader, "instance_uuid")
        let connector = reader.value("connector").flatMap { $0.isNull ? nil : $0 }
        var mode: String?
        if context.has(54), let word = try reader.string("mode") {
            guard word == "rw" || word == "ro" else {
                throw reader.invalid("mode", .string(word), "is not one of ['rw', 'ro']")
            }
            mode = word
        }
        try reader.finish()
        let attachment = try await attachments.create(
            volume: VolumeID(volume), server: server,
            connector: try connector.map { try ConnectorReader.read($0, isFull: true) }, mode: mode, for: context)
        return try await answer(attachment, context)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("attachment", in: try await request.json())
        guard let connector = reader.value("connector") else { throw reader.missing("connector") }
        try reader.finish()
        let attachment = try await attachments.update(
            request.id("attachment_id"), try ConnectorReader.read(connector, isFull: true), for: context)
        return try await answer(attachment, context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let rest = try await attachments.delete(request.id("attachment_id"), for: context)
        return .object { writer in
            writer.array("attachments") { writer in
                for attachment in rest { Self.view(&writer, attachment, isDetailed: false, nil, context) }
            }
        }
    }

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        guard case .object(let fields) = try await request.json(), fields.count == 1, fields["os-complete"] != nil
        else {
            _ = try await attachments.attachment(request.id("attachment_id"), for: context)
            throw CloudError.badRequest("There is no such action.")
        }
        try await attachments.complete(request.id("attachment_id"), for: context)
        return .noContent()
    }
}
