// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/flavors/{id}/os-extra_specs and /os-flavor-access
struct FlavorExtraSpecRoutes: Sendable {
    let flavors: FlavorEngine
    let projects: ProjectCheck

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/flavors/{flavor_id}"
        routes.add(.get, path + "/os-extra_specs", policy: "os_compute_api:os-flavor-extra-specs:index", index)
        routes.add(.post, path + "/os-extra_specs", policy: "os_compute_api:os-flavor-extra-specs:create", create)
        routes.add(.get, path + "/os-extra_specs/{key}", policy: "os_compute_api:os-flavor-extra-specs:show", show)
        routes.add(.put, path + "/os-extra_specs/{key}", policy: "os_compute_api:os-flavor-extra-specs:update", update)
        routes.add(
            .delete, path + "/os-extra_specs/{key}", policy: "os_compute_api:os-flavor-extra-specs:delete", delete)
        routes.add(.get, path + "/os-flavor-access", policy: "os_compute_api:os-flavor-access", access)
        routes.add(.post, path + "/action", object: "os_compute_api:os-flavor-access:add_tenant_access", act)
    }

    // MARK: Extra specs

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let flavor = try await flavors.flavor(request.parameter("flavor_id"), for: context)
        return .object { $0.field("extra_specs", flavor.extraSpecs) }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let value = reader.value("extra_specs") else { throw reader.missing("extra_specs") }
        try reader.finish()
        let sent = try Self.specs(value)
        if context.has(86) { try Self.check(sent) }
        _ = try await flavors.editExtraSpecs(request.parameter("flavor_id")) { $0.merge(sent) { _, new in new } }
        return .object { $0.field("extra_specs", sent) }
    }

    /// Values may be numbers, which become text (nova: schemas/flavors_extraspecs.py).
    private static func specs(_ json: JSON) throws -> [String: String] {
        guard case .object(let fields) = json else {
            throw CloudError.badRequest("Invalid input for field/attribute extra_specs. It is not of type 'object'")
        }
        var specs: [String: String] = [:]
        for (key, value) in fields {
            let isValid =
                (1...255).contains(key.utf8.count)
                && key.utf8.allSatisfy { byte in
                    (0x30...0x3A).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                        || byte == 0x20 || byte == 0x2D || byte == 0x2E || byte == 0x5F
                }
            guard isValid else {
                throw CloudError.badRequest(
                    "Invalid input for field/attribute extra_specs. '\(key.prefix(64))' is no valid key.")
            }
            switch value {
            case .string(let text) where text.unicodeScalars.count <= 255: specs[key] = text
            case .int(let number): specs[key] = String(number)
            case .double(let number): specs[key] = "\(number)"
            default:
                throw CloudError.badRequest(
                    "Invalid input for field/attribute \(key). Value: \(value.text().prefix(64)). "
                        + "It is not of type 'string', 'number'"
                )
            }
        }
        return specs
    }

    private static func check(_ specs: [String: String]) throws {
        for (name, value) in specs.sorted(by: { $0.key < $1.key }) {
            if let reason = ExtraSpecRules.refusal(name, value) { throw CloudError.badRequest(reason) }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let flavor = try await flavors.flavor(request.parameter("flavor_id"), for: context)
        let key = request.parameter("key")
        guard let value = flavor.extraSpecs[key] else { throw Self.missing(flavor.id, key) }
        return .object { writer in
            writer.key(dynamic: key)
            writer.value(value)
        }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let key = request.parameter("key")
        let sent = try Self.specs(try await request.json())
        guard sent.count == 1, let value = sent[key] else {
            throw CloudError.badRequest("Request body and URI mismatch")
        }
        if context.has(86) { try Self.check(sent) }
        _ = try await flavors.editExtraSpecs(request.parameter("flavor_id")) { $0[key] = value }
        return .object { writer in
            writer.key(dynamic: key)
            writer.value(value)
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (id, key) = (request.parameter("flavor_id"), request.parameter("key"))
        _ = try await flavors.editExtraSpecs(id) { specs in
            guard specs.removeValue(forKey: key) != nil else { throw Self.missing(id, key) }
        }
        return HTTPResponse(status: 200)
    }

    private static func missing(_ id: String, _ key: String) -> CloudError {
        .notFound("Flavor \(id) has no extra specs with key \(key.prefix(255)).", kind: "FlavorExtraSpecsNotFound")
    }

    // MARK: Access

    private func access(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id = request.parameter("flavor_id")
        return Self.access(id, try await flavors.access(id))
    }

    private static func access(_ id: String, _ projects: [ProjectID]) -> HTTPResponse {
        .object { writer in
            writer.array("flavor_access") { writer in
                for project in projects {
                    writer.beginObject()
                    writer.field("flavor_id", id)
                    writer.field("tenant_id", project.rawValue)
                    writer.endObject()
                }
            }
        }
    }

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id = request.parameter("flavor_id")
        let (name, value) = try await request.action()
        let isAllowed: Bool
        switch name {
        case "addTenantAccess":
            try context.authorize([:], as: "os_compute_api:os-flavor-access:add_tenant_access")
            isAllowed = true
        case "removeTenantAccess":
            try context.authorize([:], as: "os_compute_api:os-flavor-access:remove_tenant_access")
            isAllowed = false
        default:
            try context.authorize([:])
            throw APIRequest.noSuchAction(name)
        }
        var reader = try ObjectReader(value, path: name)
        let project = try reader.requiredString("tenant", 1...255)
        try reader.finish()
        if isAllowed { try await projects.require(ProjectID(project)) }
        let list = try await flavors.setAccess(
            id, ProjectID(project), isAllowed: isAllowed, refusesPublic: context.has(7))
        return Self.access(id, list)
    }
}
