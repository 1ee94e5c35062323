// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityCore
import PolicyKit

/// /v3/auth
struct AuthRoutes: Sendable {
    let tokens: TokenEngine
    let reach: ReachEngine
    let catalog: CatalogEngine
    let federation: FederationEngine
    private let catalogWire = CatalogWire()

    init(tokens: TokenEngine, reach: ReachEngine, catalog: CatalogEngine, federation: FederationEngine) {
        self.tokens = tokens
        self.reach = reach
        self.catalog = catalog
        self.federation = federation
    }

    func register(on routes: inout RouteTable) {
        routes.open(.post, "/v3/auth/tokens", issue)
        routes.add(.get, "/v3/auth/tokens", object: "identity:validate_token", show)
        routes.add(.head, "/v3/auth/tokens", object: "identity:check_token", check)
        routes.add(.delete, "/v3/auth/tokens", object: "identity:revoke_token", revoke)
        routes.add(.get, "/v3/auth/catalog", policy: "identity:get_auth_catalog", showCatalog)
        // The second path of each is its older name.
        for path in ["/v3/auth/projects", "/v3/OS-FEDERATION/projects"] {
            routes.add(.get, path, policy: "identity:get_auth_projects", listProjects)
        }
        for path in ["/v3/auth/domains", "/v3/OS-FEDERATION/domains"] {
            routes.add(.get, path, policy: "identity:get_auth_domains", listDomains)
        }
        routes.add(.get, "/v3/auth/system", policy: "identity:get_auth_system", listSystem)
    }

    // MARK: Tokens

    private func issue(_ request: APIRequest) async throws -> HTTPResponse {
        do {
            return try await response(201, tokens.issue(try await AuthWire.read(request)), request)
        } catch let needed as MoreMethodsNeeded {
            return AuthReceiptWire.response(try await tokens.receipt(for: needed))
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let isGraceful = try request.queryBool("allow_expired") ?? false
        return try await response(
            200, tokens.validate(try subject(request, context), graceful: isGraceful, for: context), request)
    }

    private func check(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let known = try await tokens.validate(try subject(request, context), for: context)
        return HTTPResponse(
            status: 200,
            headers: ["Content-Type": "application/json", "Vary": "X-Auth-Token", "X-Subject-Token": known.token])
    }

    private func revoke(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await tokens.revoke(try subject(request, context), for: context)
        return IdentityReply.noContent()
    }

    private func subject(_ request: APIRequest, _ context: CallContext) throws -> String {
        guard let token = request.http.headers["X-Subject-Token"], !token.isEmpty else {
            context.authorizeListing()
            throw CloudError.notFound("Could not find token.")
        }
        return token
    }

    private func response(_ status: Int, _ known: KnownToken, _ request: APIRequest) async throws -> HTTPResponse {
        let principal = known.subject.principal
        let hasCatalog = principal.scope != .unscoped && request.query("nocatalog") == nil
        let catalog = hasCatalog ? try await catalogWire.bytes(catalog, origin: request.originURL, for: principal) : nil
        return .json(
            status, headers: ["X-Subject-Token": known.token, "Vary": "X-Auth-Token"],
            TokenWire.body(
                known, catalog: catalog, serviceProviders: try await federation.enabledServiceProviders()))
    }

    // MARK: What a token could be for

    private func showCatalog(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        guard context.projectID != nil else {
            throw CloudError.forbidden("A project-scoped token is required to produce a service catalog.")
        }
        let bytes = try await catalogWire.bytes(catalog, origin: request.originURL, for: context.principal)
        return IdentityReply.json(
            JSONWriter.object(capacity: bytes.count + 256) { writer in
                writer.key("catalog")
                writer.raw(String(decoding: bytes, as: UTF8.self))
                writer.selfLink(request.v3URL + "/auth/catalog")
            })
    }

    private func listProjects(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let projects = try await reach.projects(of: context.principal.userID)
        return try ListPage(request, projects, id: \.id.rawValue, name: \.name).response("projects") {
            ProjectWire.write($0, &$1, request.v3URL)
        }
    }

    private func listDomains(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let domains = try await reach.domains(of: context.principal.userID)
        return try ListPage(request, domains, id: \.id.rawValue, name: \.name).response("domains") {
            DomainWire.write($0, &$1, request.v3URL)
        }
    }

    private func listSystem(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let hasSystem = try await reach.hasSystem(context.principal.userID)
        return IdentityReply.json(
            JSONWriter.object { writer in
                writer.array("system") { writer in
                    guard hasSystem else { return }
                    writer.beginObject()
                    writer.field("all", true)
                    writer.endObject()
                }
                writer.selfLink(request.v3URL + "/auth/system")
            })
    }
}
