// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /messages: why something that was accepted failed.
struct MessageRoutes: Sendable {
    let messages: VolumeMessageEngine
    let maximumPage: Int

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.get, "/messages", policy: "message:get_all", versions: versions(3), list)
        routes.add(.get, "/messages/{message_id}", object: "message:get", versions: versions(3), show)
        routes.add(.delete, "/messages/{message_id}", object: "message:delete", versions: versions(3), delete)
    }

    private static func write(_ writer: inout JSONWriter, _ message: VolumeMessage, _ request: APIRequest) {
        writer.beginObject()
        writer.field("id", message.id)
        writer.field("event_id", message.eventID)
        writer.field("user_message", message.text)
        writer.field("message_level", message.level)
        writer.field("created_at", BlockStorageWords.time(message.createdAt))
        writer.field("guaranteed_until", BlockStorageWords.time(message.expiresAt))
        writer.field("request_id", message.requestID)
        request.links.write(&writer, "messages/\(message.id)")
        writer.field("resource_type", message.resource.rawValue)
        if let id = message.resourceID { writer.field("resource_uuid", id) }
        writer.endObject()
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let reader = ResourceListReader("message", maximum: maximumPage, request, context)
        let page = context.has(5) ? try reader.page() : reader.wholePage()
        let offered = Set(ResourceFilterRoutes.filters["message"] ?? [])
        var filter = context.has(5) ? try reader.filter(oldFilters: offered) : ResourceFilter(project: nil)
        // cinder: db.message_get_all, `project_only`.
        filter.project = context.allowsAllProjects ? nil : context.projectID ?? ProjectID("")
        let found = try await messages.list(filter, page)
        return .object(capacity: found.count * 600 + 128) { writer in
            writer.array("messages") { writer in
                for message in found { Self.write(&writer, message, request) }
            }
            if context.has(5) {
                request.links.next(&writer, "messages_links", "messages", after: found, limit: page.limit, \.id)
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let message = try await messages.message(request.id("message_id"), for: context)
        return .object { writer in
            writer.key("message")
            Self.write(&writer, message, request)
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await messages.delete(request.id("message_id"), for: context)
        return .noContent()
    }
}
