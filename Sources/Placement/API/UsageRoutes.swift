// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PlacementCore
import PolicyKit

/// /usages and /resource_providers/{uuid}/usages
struct UsageRoutes: Sendable {
    let engine: PlacementEngine
    let clock: WallClock

    func register(on routing: inout PlacementRouting) {
        routing.add(.get, "/resource_providers/{uuid}/usages", "placement:resource_providers:usages", ofProvider)
        routing.add(.get, "/usages", "placement:usages", since: 9, isOnObject: true, ofProject)
    }

    private func ofProvider(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await engine.inventories(of: request.id("uuid"))
        let bytes = JSONWriter.object { writer in
            writer.field("resource_provider_generation", found.provider.generation)
            writer.object("usages") { usages in
                for record in found.records {
                    usages.key(dynamic: record.resourceClass)
                    usages.value(record.used)
                }
            }
        }
        return PlacementRouting.json(200, bytes, modified: clock.now(), context)
    }

    private func ofProject(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let minor = context.microversion.minor
        var target = PolicyTarget()
        target["project_id"] = request.queryAll("project_id").last
        try context.authorize(target)
        try PlacementQuery.checkNames(
            request, minor >= 38 ? ["project_id", "user_id", "consumer_type"] : ["project_id", "user_id"])
        guard let project = request.queryAll("project_id").last else {
            throw PlacementQuery.invalid("'project_id' is a required property")
        }
        let user = request.queryAll("user_id").last
        for value in [project, user].compactMap({ $0 }) {
            try checkLength(value)
        }
        guard minor >= 38 else {
            let usage = try await engine.projectUsage(project, user: user)
            return answer(context) { usages in
                for (name, used) in usage {
                    usages.key(dynamic: name)
                    usages.value(used)
                }
            }
        }
        let type = request.queryAll("consumer_type").last
        if let type, !PlacementNames.isWord(type), type != "unknown", !type.hasPrefix("all") {
            throw PlacementQuery.invalid(
                "'\(type)' does not match '^[A-Z0-9_]+$|^all|^unknown$'\n\nFailed validating 'pattern' in schema")
        }
        let usage = try await engine.projectUsageByType(project, user: user, type: type)
        return answer(context) { usages in
            for entry in usage {
                usages.key(dynamic: entry.type)
                usages.beginObject()
                for (name, used) in entry.resources {
                    usages.key(dynamic: name)
                    usages.value(used)
                }
                usages.field("consumer_count", entry.consumers)
                usages.endObject()
            }
        }
    }

    private func checkLength(_ value: String) throws {
        if value.isEmpty { throw PlacementQuery.invalid("'' is too short\n\nFailed validating 'minLength' in schema") }
        if value.unicodeScalars.count > 255 {
            throw PlacementQuery.invalid("'\(value)' is too long\n\nFailed validating 'maxLength' in schema")
        }
    }

    private func answer(_ context: CallContext, _ body: (inout JSONWriter) -> Void) -> HTTPResponse {
        let bytes = JSONWriter.object { writer in writer.object("usages", body) }
        return PlacementRouting.json(200, bytes, modified: clock.now(), context)
    }
}
