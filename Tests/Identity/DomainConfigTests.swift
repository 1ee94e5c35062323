// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import Testing

/// Goal: a domain's options are kept, changed in parts, and their secrets never shown; limits keep to their tree.
/// Method: the calls of upstream's conformance test, and what it leaves out.
@Suite("Configuration of domains")
struct DomainConfigTests {
    private static let config: JSON = [
        "identity": ["driver": "ldap"],
        "ldap": ["url": "ldap://ldap.test:389/", "user_tree_dn": "ou=Users,dc=test", "password": "hidden"],
    ]
    private static let shown: JSON = [
        "identity": ["driver": "ldap"], "ldap": ["url": "ldap://ldap.test:389/", "user_tree_dn": "ou=Users,dc=test"],
    ]

    @Test("the defaults are there")
    func defaults() async throws {
        let world = try await IdentityWorld()
        let all = try await world.call(.get, "/v3/domains/config/default", world.admin, expecting: 200)
        #expect(all["config", "identity", "driver"] == "sql")
        let options = try #require(all["config", "ldap"]?.object)
        #expect(options["password"] == nil)
        for name in options.keys {
            let one = try await world.call(.get, "/v3/domains/config/ldap/\(name)/default", world.admin, expecting: 200)
            #expect(one["config"]?[name] != nil)
        }
        try await world.call(.get, "/v3/domains/config/ldap/password/default", world.admin, expecting: 403)
        try await world.call(.get, "/v3/domains/config/colors/default", world.admin, expecting: 403)
    }

    @Test("options are replaced, changed and deleted in parts, and secrets are not shown")
    func parts() async throws {
        let world = try await IdentityWorld()
        let domain = try await world.make("domains", "domain", ["name": "acme"])
        let path = "/v3/domains/\(domain)/config"
        try await world.call(.get, path, world.admin, expecting: 404)
        let made = try await world.call(.put, path, world.admin, ["config": Self.config], expecting: 201)
        #expect(made["config"] == Self.shown)
        try await world.call(.put, path, world.admin, ["config": Self.config], expecting: 200)
        try await world.call(.get, path + "/ldap/password", world.admin, expecting: 404)
        #expect(try await world.call(.get, path + "/ldap", world.admin)["config", "ldap", "password"] == nil)
        let one = try await world.call(.get, path + "/identity/driver", world.admin, expecting: 200)
        #expect(one["config"] == ["driver": "ldap"])

        let changed = try await world.call(
            .patch, path + "/identity", world.admin,
            ["config": ["identity": ["driver": "sql", "list_limit": 7]]], expecting: 200)
        #expect(changed["config", "identity"] == ["driver": "sql", "list_limit": 7])
        let option = try await world.call(
            .patch, path + "/identity/driver", world.admin, ["config": ["driver": "ldap"]], expecting: 200)
        #expect(option["config", "identity", "driver"] == "ldap")
        for body in [["ldap": ["url": "x"]], [:], ["identity": ["color": "red"]]] as [JSON] {
            try await world.call(.patch, path + "/identity", world.admin, ["config": body], expecting: 403)
        }
        for value in [true, "True"] as [JSON] {
            let shutsOut: JSON = ["config": ["ldap": ["user_enabled_emulation": value]]]
            try await world.call(.patch, path, world.admin, shutsOut, expecting: 403)
        }
        try await world.call(.delete, path + "/identity/driver", world.admin, expecting: 204)
        try await world.call(.get, path + "/identity/driver", world.admin, expecting: 404)
        try await world.call(.delete, path + "/identity", world.admin, expecting: 204)
        try await world.call(.get, path + "/identity", world.admin, expecting: 404)
        try await world.call(.delete, path, world.admin, expecting: 204)
        try await world.call(.get, path, world.admin, expecting: 404)
        let member = try await world.persona("ann", role: "member", on: "domains/\(domain)", domain: domain)
        try await world.call(.get, path, member, expecting: 403)
        try await world.call(.get, "/v3/domains/default/config/security_compliance", member, expecting: 200)
    }

    @Test("in the strict model a project's limit keeps within its domain's, and trees are low")
    func strictLimits() async throws {
        let world = try await IdentityWorld { $0.limitsAreHierarchical = true }
        let model = try await world.call(.get, "/v3/limits/model", world.admin, expecting: 200)
        #expect(model["model", "name"] == "strict_two_level")
        let domain = try await world.make("domains", "domain", ["name": "acme"])
        let project = try await world.makeProject("work", domain: domain)
        try await world.call(
            .post, "/v3/projects", world.admin,
            ["project": ["name": "deep", "domain_id": .string(domain), "parent_id": .string(project)]],
            expecting: 403)
        let service = try #require(
            try await world.call(.get, "/v3/services?type=compute", world.admin)["services", "0", "id"])
        let registered: JSON = ["service_id": service, "resource_name": "cores", "default_limit": 10]
        try await world.call(
            .post, "/v3/registered_limits", world.admin, ["registered_limits": [registered]], expecting: 201)
        func limit(_ owner: String, _ id: String, _ value: Int64) -> JSON {
            .object([
                owner: .string(id), "service_id": service, "resource_name": "cores", "resource_limit": .int(value),
            ])
        }
        let path = "/v3/limits"
        try await world.call(
            .post, path, world.admin, ["limits": [limit("project_id", project, 11)]], expecting: 403)
        let made = try await world.call(
            .post, path, world.admin, ["limits": [limit("project_id", project, 20), limit("domain_id", domain, 20)]],
            expecting: 201)
        let ids = try #require(made["limits"]?.array).compactMap { $0["id"]?.string }
        try await world.call(
            .patch, "\(path)/\(ids[1])", world.admin, ["limit": ["resource_limit": 19]], expecting: 403)
        try await world.call(
            .patch, "\(path)/\(ids[0])", world.admin, ["limit": ["resource_limit": -1]], expecting: 403)
        try await world.call(
            .patch, "\(path)/\(ids[1])", world.admin, ["limit": ["resource_limit": -1]], expecting: 200)
    }
}
