// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /clusters and /workers, as a cloud without clusters of backends answers: an interrupted operation is resumed by the
/// program itself, so there is never anything to clean up.
struct StorageClusterRoutes: Sendable {
    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.get, "/clusters", policy: "clusters:get_all", versions: versions(7), list)
        routes.add(.get, "/clusters/detail", policy: "clusters:get_all", versions: versions(7), list)
        routes.add(.get, "/clusters/{cluster}", policy: "clusters:get", versions: versions(7)) { request, _ in
            throw Self.notFound(request.parameter("cluster"))
        }
        for action in ["enable", "disable"] {
            routes.add(.put, "/clusters/" + action, policy: "clusters:update", versions: versions(7), update)
        }
        routes.add(.post, "/workers/cleanup", policy: "workers:cleanup", versions: versions(24), cleanUp)
    }

    private static func notFound(_ name: String) -> CloudError {
        .notFound("Cluster \(name.prefix(255)) could not be found.", kind: "ClusterNotFound")
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var known: Set<String> = ["name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts"]
        if context.has(26) { known.formUnion(["replication_status", "frozen", "active_backend_id"]) }
        let refused = request.http.query.map(\.name).filter { !known.contains($0) }
        guard refused.isEmpty else {
            throw VolumeErrors.invalidInput(
                "Invalid filter keys: \(refused.map { String($0.prefix(64)) }.joined(separator: ", "))")
        }
        return .object { $0.array("clusters") { _ in } }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        let name = try reader.requiredString("name", 1...255)
        _ = try reader.string("binary")
        _ = try reader.nullableString("disabled_reason")
        try reader.finish()
        throw Self.notFound(name)
    }

    private func cleanUp(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        for name in ["cluster_name", "host", "binary"] { _ = try reader.nullableString(name, 0...255) }
        for name in ["is_up", "disabled"] { _ = try reader.looseBool(name) }
        if let id = try reader.nullableString("resource_id").flatMap({ $0 }), !UUIDText.isUUID(id) {
            throw reader.invalid("resource_id", .string(id), "is not a 'uuid'")
        }
        if !reader.isNull("service_id") { _ = try reader.looseInt("service_id", 0...Int64.max) } else { _ = reader.value("service_id") }
        let resource = try reader.nullableString("resource_type", 1...255).flatMap { $0 }
        try reader.finish()
        if let type = resource, !["volume", "snapshot"].contains(type.lowercased()) {
            throw VolumeErrors.invalidInput("Resource type \(type.prefix(64)) not valid, must be Snapshot or Volume")
        }
        return .object(202) { writer in
            writer.array("cleaning") { _ in }
            writer.array("unavailable") { _ in }
        }
    }
}
