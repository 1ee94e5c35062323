// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import PolicyKit

extension PolicyName {
    package static let tasksAPIAccess: PolicyName = "tasks_api_access"
}

/// Tasks as their owners follow them.
extension ImageEngine {
    /// More than these an image's tasks are not shown.
    private static let tasksOfImage = 1000

    package func tasks(_ query: ImageTaskQuery, for context: CallContext) async throws -> [ImageTask] {
        context.authorizeListing()
        var query = query
        query.limit = min(query.limit, config.maximumPageSize)
        let (page, tasks, now) = (query, tasks, clock.now())
        let owner = context.allows(.contextIsAdmin, [:]) ? nil : try context.requireProject()
        return try await database.read { tx in try tasks.list(page, owner: owner, at: now, tx) }
    }

    package func task(_ id: ImageTaskID, for context: CallContext) async throws -> ImageTask {
        let (tasks, now) = (tasks, clock.now())
        let task = try await database.read { tx in try tasks.task(id, at: now, tx) }
        guard let task, isSeen(task, context) else { throw CloudError.notFound("Task not found: \(id)") }
        return task
    }

    /// Those of the tasks on an image that the caller's project began; an administrator sees all.
    package func tasks(of id: ImageID, for context: CallContext) async throws -> [ImageTask] {
        let (tasks, now) = (tasks, clock.now())
        return try await database.read { tx in
            _ = try access.load(id, context, tx)
            return try tasks.tasks(of: id, at: now, limit: Self.tasksOfImage, tx).filter { isSeen($0, context) }
        }
    }

    private func isSeen(_ task: ImageTask, _ context: CallContext) -> Bool {
        context.allows(.contextIsAdmin, [:]) || context.projectID != nil && task.owner == context.projectID
    }
}
