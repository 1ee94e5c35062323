// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import Testing

/// Goal: the default rules let each persona do what upstream's do, and no more.
/// Method: one table of calls; each persona makes each call on a fresh object's path.
@Suite("Personas")
struct PersonaTests {
    enum Persona: String, CaseIterable {
        case admin, systemReader, domainManager, domainReader, otherDomainManager, projectMember, unscoped
    }

    struct Call {
        let method: HTTPMethod
        let path: String
        var body: JSON?
        /// Who succeeds; everybody else is forbidden.
        let allowed: Set<Persona>
    }

    @Test("the table")
    func table() async throws {
        let world = try await IdentityWorld()
        let domain = try await world.make("domains", "domain", ["name": "acme"])
        let other = try await world.make("domains", "domain", ["name": "other"])
        let project = try await world.makeProject("work", domain: domain)
        let user = try await world.makeUser("target", domain: domain)
        let group = try await world.make("groups", "group", ["name": "team", "domain_id": .string(domain)])
        let (member, adminRole) = (try await world.roleID("member"), try await world.roleID("admin"))
        _ = try await world.makeUser("plain", domain: domain)
        let tokens: [Persona: String] = [
            .admin: world.admin,
            .systemReader: try await world.persona("sr", role: "reader", on: "system"),
            .domainManager: try await world.persona("dm", role: "manager", on: "domains/\(domain)", domain: domain),
            .domainReader: try await world.persona("dr", role: "reader", on: "domains/\(domain)", domain: domain),
            .otherDomainManager: try await world.persona("om", role: "manager", on: "domains/\(other)", domain: other),
            .projectMember: try await world.persona("pm", role: "member", on: "projects/\(project)", domain: domain),
            .unscoped: try await world.token("plain", "pw-plain", domain: domain),
        ]
        let grant = "/v3/projects/\(project)/users/\(user)/roles"
        let readers: Set<Persona> = [.admin, .systemReader, .domainManager, .domainReader]
        let calls = [
            Call(method: .get, path: "/v3/users/\(user)", allowed: readers),
            Call(method: .get, path: "/v3/users", allowed: readers.union([.otherDomainManager])),
            Call(
                method: .patch, path: "/v3/users/\(user)", body: ["user": ["email": "x"]],
                allowed: [.admin, .domainManager]),
            Call(method: .get, path: "/v3/projects/\(project)", allowed: readers.union([.projectMember])),
            Call(
                method: .patch, path: "/v3/projects/\(project)", body: ["project": ["description": "x"]],
                allowed: [.admin, .domainManager]),
            Call(
                method: .patch, path: "/v3/domains/\(domain)", body: ["domain": ["description": "x"]], allowed: [.admin]
            ),
            Call(method: .get, path: "/v3/groups/\(group)", allowed: readers),
            Call(method: .put, path: "/v3/groups/\(group)/users/\(user)", allowed: [.admin, .domainManager]),
            Call(method: .put, path: "\(grant)/\(member)", allowed: [.admin, .domainManager]),
            Call(method: .put, path: "\(grant)/\(adminRole)", allowed: [.admin]),
            Call(method: .get, path: grant, allowed: readers),
            Call(method: .put, path: "/v3/system/users/\(user)/roles/\(member)", allowed: [.admin]),
            Call(method: .get, path: "/v3/services", allowed: [.admin, .systemReader]),
            Call(method: .post, path: "/v3/services", body: ["service": ["type": "x"]], allowed: [.admin]),
            Call(method: .get, path: "/v3/regions", allowed: Set(Persona.allCases)),
            Call(
                method: .get, path: "/v3/roles",
                allowed: [.admin, .systemReader, .domainManager, .otherDomainManager]),
            Call(
                method: .get, path: "/v3/role_assignments",
                allowed: readers.union([.otherDomainManager])),
            Call(
                method: .get, path: "/v3/domains", allowed: readers.union([.otherDomainManager])),
            Call(method: .get, path: "/v3/users/\(user)/application_credentials", allowed: [.admin, .systemReader]),
            Call(method: .get, path: "/v3/users/nobody", allowed: []),
        ]
        for call in calls {
            for persona in Persona.allCases {
                let answer = try await world.call(call.method, call.path, tokens[persona], call.body)
                let isExpected =
                    call.allowed.contains(persona)
                    ? (200..<300).contains(answer.status)
                    : answer.status == 403 || answer.status == 404 && (persona == .admin || persona == .systemReader)
                #expect(isExpected, "\(persona) \(call.method) \(call.path): \(answer.status) \(answer.body.text())")
            }
        }
        #expect(try await world.call(.get, "/v3/users/nobody", tokens[.domainManager])["error", "code"] == 403)
    }

    @Test("a list shows a domain's token that domain alone")
    func lists() async throws {
        let world = try await IdentityWorld()
        let domain = try await world.make("domains", "domain", ["name": "acme"])
        _ = try await world.makeProject("work", domain: domain)
        let reader = try await world.persona("dr", role: "reader", on: "domains/\(domain)", domain: domain)
        #expect(try await world.call(.get, "/v3/users", reader)["users"]?.strings("name") == ["dr"])
        #expect(try await world.call(.get, "/v3/projects", reader)["projects"]?.strings("name") == ["work"])
        #expect(try await world.call(.get, "/v3/domains", reader)["domains"]?.strings("name") == ["acme"])
        #expect(try await world.call(.get, "/v3/users?domain_id=default", reader)["users"] == [])
        let assignments = try await world.call(.get, "/v3/role_assignments", reader)["role_assignments"]
        #expect(assignments?.array?.count == 1)
    }
}
