// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageContract
import ImageCore
import PolicyKit

/// /v2/tasks and /v2/images/{id}/tasks
struct ImageTaskRoutes: Sendable {
    let engine: ImageEngine
    let imports: ImageImportEngine

    func register(on routes: inout RouteTable) {
        routes.add(.post, "/v2/tasks", policy: .tasksAPIAccess, create)
        routes.add(.get, "/v2/tasks", policy: .tasksAPIAccess, list)
        routes.add(.get, "/v2/tasks/{task_id}", policy: .tasksAPIAccess, show)
        routes.add(.delete, "/v2/tasks/{task_id}", policy: .tasksAPIAccess, delete)
        routes.add(.get, "/v2/images/{id}/tasks", object: .getImage, listOfImage)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.json()
        guard case .object(let fields) = body else {
            throw CloudError.badRequest("Provided object does not match schema 'task': it is not of type 'object'")
        }
        for name in ["type", "input"] where fields[name] == nil {
            throw CloudError.badRequest("Task '\(name)' is required")
        }
        if let other = fields.keys.sorted().first(where: { $0 != "type" && $0 != "input" }) {
            throw CloudError.badRequest(
                "Provided object does not match schema 'task': '\(other.prefix(64))' was unexpected")
        }
        guard fields["type"] == "import" else {
            throw CloudError.badRequest(
                "Provided type of task is unsupported: \(fields["type"]?.text().prefix(64) ?? "")")
        }
        let input = fields["input"] ?? .null
        guard let url = input["import_from"]?.string else {
            throw CloudError.badRequest("Input does not contain 'import_from' field")
        }
        guard let format = input["import_from_format"]?.string, (1...64).contains(format.utf8.count) else {
            throw CloudError.badRequest("Input does not contain 'import_from_format' field")
        }
        guard let properties = input["image_properties"] else {
            throw CloudError.badRequest("Input does not contain 'image_properties' field")
        }
        let draft = try ImageDraftReader.read(properties)
        let task = try await imports.createTask(importing: draft, from: url, input: input, for: context)
        return .json(201, headers: ["Location": "/v2/tasks/\(task.id)"], JSONWriter.object { Self.write(task, &$0) })
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try query(request.http.query)
        let tasks = try await engine.tasks(query, for: context)
        let pairs = request.http.query.filter { $0.name != "marker" }
        let limit = min(query.limit, engine.config.maximumPageSize)
        return .json(
            200,
            JSONWriter.object { writer in
                writer.array("tasks") { array in
                    for task in tasks {
                        array.beginObject()
                        Self.writeStub(task, &array)
                        array.endObject()
                    }
                }
                writer.field("first", ImageRoutes.link("/v2/tasks", pairs))
                if let last = tasks.last, tasks.count == limit {
                    writer.field("next", ImageRoutes.link("/v2/tasks", pairs + [("marker", last.id.rawValue)]))
                }
                writer.field("schema", "/v2/schemas/tasks")
            })
    }

    private func query(_ pairs: [(name: String, value: String)]) throws -> ImageTaskQuery {
        var query = ImageTaskQuery()
        query.limit = engine.config.defaultPageSize
        for (name, value) in pairs {
            switch name {
            case "limit": query.limit = try ImageListReader.limit(value)
            case "marker":
                guard UUIDText.isUUID(value) else { throw CloudError.badRequest("Invalid marker format") }
                query.marker = ImageTaskID(value)
            case "sort_dir": query.isAscending = try ImageListReader.isAscending(value)
            case "sort_key":
                guard let key = ImageTaskQuery.SortKey(rawValue: value) else {
                    throw CloudError.badRequest("Sort key supplied was not valid.")
                }
                query.sortKey = key
            case "status":
                guard let status = ImageTask.Status(rawValue: value) else {
                    throw CloudError.badRequest("Invalid status value: \(value)")
                }
                query.status = status
            case "type":
                guard value == ImageTask.Kind.imported.rawValue else {
                    throw CloudError.badRequest("Invalid type value: \(value)")
                }
                query.kind = .imported
            default: break
            }
        }
        return query
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let task = try await engine.task(request.id("task_id"), for: context)
        return .json(200, JSONWriter.object { Self.write(task, &$0) })
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        ImageFaults.page(
            405,
            """
            This operation is currently not permitted on Glance Tasks. They are auto deleted after reaching the time \
            based on their expires_at property.
            """, headers: ["Allow": "GET"])
    }

    private func listOfImage(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let tasks = try await engine.tasks(of: request.id("id"), for: context)
        return .json(
            200,
            JSONWriter.object { writer in
                writer.array("tasks") { array in
                    for task in tasks {
                        array.beginObject()
                        Self.writeRow(task, &array)
                        array.endObject()
                    }
                }
            })
    }

    // MARK: Wire

    private static func writeStub(_ task: ImageTask, _ writer: inout JSONWriter) {
        writer.field("id", task.id)
        writer.field("type", task.kind.rawValue)
        writer.field("status", task.status.rawValue)
        writer.field("owner", task.owner)
        writer.field("created_at", task.createdAt.iso8601())
        writer.field("updated_at", task.updatedAt.iso8601())
        if let time = task.expiresAt { writer.field("expires_at", time.iso8601()) }
        writer.field("self", "/v2/tasks/\(task.id)")
        writer.field("schema", "/v2/schemas/task")
    }

    private static func write(_ task: ImageTask, _ writer: inout JSONWriter) {
        writeStub(task, &writer)
        writer.field("input", task.input)
        writer.field("result", task.result ?? .null)
        writer.field("message", task.message)
        if let id = task.imageID { writer.field("image_id", id) }
        if let id = task.requestID { writer.field("request_id", id) }
        if let id = task.userID { writer.field("user_id", id) }
    }

    /// An image's tasks show their rows as they are (glance: `get_task_info`).
    private static func writeRow(_ task: ImageTask, _ writer: inout JSONWriter) {
        writer.field("id", task.id)
        writer.field("type", task.kind.rawValue)
        writer.field("status", task.status.rawValue)
        writer.field("owner", task.owner)
        writer.field("expires_at", task.expiresAt?.iso8601(fraction: true, zone: false))
        writer.field("created_at", task.createdAt.iso8601(fraction: true, zone: false))
        writer.field("updated_at", task.updatedAt.iso8601(fraction: true, zone: false))
        writer.nullField("deleted_at")
        writer.field("deleted", false)
        writer.field("image_id", task.imageID)
        writer.field("request_id", task.requestID)
        writer.field("user_id", task.userID)
        writer.field("input", task.input)
        writer.field("result", task.result ?? .null)
        writer.field("message", task.message)
    }
}
