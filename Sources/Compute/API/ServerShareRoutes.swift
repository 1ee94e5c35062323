// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/servers/{id}/shares, from 2.97 on. This cloud has no shared file systems: no server has any, and none that a
/// request names is found (nova: server_shares.py).
struct ServerShareRoutes: Sendable {
    let servers: ServerEngine

    func register(on routes: inout RouteTable) {
        let (path, all) = ("/v2.1/servers/{server_id}/shares", versions(97))
        routes.add(.get, path, object: "os_compute_api:os-server-shares:index", versions: all, index)
        routes.add(.post, path, object: "os_compute_api:os-server-shares:create", versions: all, create)
        routes.add(.get, path + "/{share_id}", object: "os_compute_api:os-server-shares:show", versions: all, show)
        routes.add(
            .delete, path + "/{share_id}", object: "os_compute_api:os-server-shares:delete", versions: all, delete)
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, [])
        _ = try await servers.server(request.id("server_id"), for: context)
        return .object { writer in writer.array("shares") { _ in } }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let server = try await servers.server(request.id("server_id"), for: context)
        var reader = try ObjectReader.envelope("share", in: try await request.json())
        let share = try ComputeWire.uuid(try reader.requiredString("share_id"), "share_id")
        _ = try reader.string("tag", 1...255)
        try reader.finish()
        try Self.check(server, [.stopped], "create share")
        throw Self.missing(share)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, [])
        _ = try await servers.server(request.id("server_id"), for: context)
        throw Self.missing(request.parameter("share_id"))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let server = try await servers.server(request.id("server_id"), for: context)
        try Self.check(server, [.stopped, .error], "delete share")
        throw Self.missing(request.parameter("share_id"))
    }

    private static func check(_ server: Server, _ states: Set<VMState>, _ action: String) throws {
        guard !states.contains(server.state.vm) else { return }
        throw CloudError.conflict(
            "Cannot '\(action)' instance \(server.id) while it is in vm_state \(server.state.vm.rawValue)",
            kind: "InstanceInvalidState")
    }

    private static func missing(_ share: String) -> CloudError {
        .notFound("Share \(share.prefix(64)) could not be found.", kind: "ShareNotFound")
    }
}
