// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/domains/{domain_id}/config and /v3/domains/config/…/default
struct DomainConfigRoutes: Sendable {
    let configs: DomainConfigEngine

    func register(on routes: inout RouteTable) {
        let all = "/v3/domains/{domain_id}/config"
        routes.add(.put, all, object: "identity:create_domain_config", replace)
        for path in [all, all + "/{group}", all + "/{group}/{option}"] {
            routes.add(.get, path, object: "identity:get_domain_config", show)
            routes.add(.patch, path, object: "identity:update_domain_config", update)
            routes.add(.delete, path, object: "identity:delete_domain_config", delete)
        }
        for path in ["", "/{group}", "/{group}/{option}"] {
            routes.add(
                .get, "/v3/domains/config\(path)/default", object: "identity:get_domain_config_default", showDefaults)
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        Self.response(try await configs.show(Self.part(request), of: request.id("domain_id"), for: context))
    }

    private func showDefaults(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        Self.response(try await configs.showDefaults(Self.part(request), for: context))
    }

    private func replace(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (config, isNew) = try await configs.replace(
            try DomainConfig(try await request.json()["config"] ?? .null), of: request.id("domain_id"), for: context)
        return Self.response(config, status: isNew ? 201 : 200)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let part = Self.part(request)
        var body = try await request.json()["config"] ?? .null
        // For one option the body has the option itself, or its group around it.
        if let group = part.group, part.option != nil, body[group]?.object == nil { body = .object([group: body]) }
        return Self.response(
            try await configs.update(part, of: request.id("domain_id"), try DomainConfig(body), for: context))
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await configs.delete(Self.part(request), of: request.id("domain_id"), for: context)
        return IdentityReply.noContent()
    }

    private static func part(_ request: APIRequest) -> DomainConfigEngine.Part {
        DomainConfigEngine.Part(group: request.parameters["group"], option: request.parameters["option"])
    }

    private static func response(_ config: JSON, status: Int = 200) -> HTTPResponse {
        IdentityReply.json(status: status, JSONWriter.object { $0.field("config", config) })
    }
}
