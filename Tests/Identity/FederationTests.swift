// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import Testing

/// Goal: mappings make of an assertion what upstream's rules make of it, and what federation needs is kept.
/// Method: rules in upstream's documentation's words; then the resources over the API.
@Suite("Federation")
struct FederationTests {
    private func mapped(_ rules: JSON, _ assertion: [String: String], version: FederationMapping.Version = .first)
        throws -> MappedIdentity
    {
        try FederationMapping(id: FederationMappingID("m"), rules: rules, version: version).process(assertion)
    }

    @Test("attributes fill the local part by their place")
    func direct() throws {
        let rules: JSON = [
            [
                "local": [["user": ["name": "{0} {1}", "email": "{2}"]], ["group": ["id": "g1"]]],
                "remote": [
                    ["type": "First"], ["type": "Last"], ["type": "Mail"],
                    ["type": "kind", "any_one_of": ["Customer", "Tester"]],
                ],
            ]
        ]
        let identity = try mapped(
            rules, ["First": "Bob", "Last": "Thompson", "Mail": "bob@test", "kind": "Tester"])
        #expect(identity.userName == "Bob Thompson")
        #expect(identity.email == "bob@test")
        #expect(identity.groupIDs == ["g1"])
        #expect(throws: CloudError.self) {
            try mapped(rules, ["First": "Bob", "Last": "Thompson", "Mail": "x", "kind": "Guest"])
        }
        #expect(throws: CloudError.self) { try mapped(rules, ["First": "Bob"]) }
    }

    @Test("conditions narrow what is passed on")
    func conditions() throws {
        func groups(_ condition: [String: JSON]) throws -> [String] {
            var remote = condition
            remote["type"] = "Groups"
            let rules: JSON = [
                [
                    "local": [["user": ["name": "{0}"]], ["groups": "{1}", "domain": ["name": "Default"]]],
                    "remote": [["type": "Name"], .object(remote)],
                ]
            ]
            return try mapped(rules, ["Name": "ann", "Groups": "dev;ops;it's"]).groupNames.map(\.name)
        }
        #expect(try groups([:]) == ["dev", "ops", "it's"])
        #expect(try groups(["whitelist": ["ops", "sales"]]) == ["ops"])
        #expect(try groups(["blacklist": ["ops"]]) == ["dev", "it's"])
        #expect(try groups(["blacklist": ["^d"], "regex": true]) == ["ops", "it's"])
        #expect(try groups(["whitelist": ["^D"], "regex": true]) == [])
    }

    @Test("rules add up, the first user counts, and domains fill in by the second version")
    func several() throws {
        let rules: JSON = [
            ["local": [["user": ["name": "{0}", "type": "local"]]], "remote": [["type": "Name"]]],
            [
                "local": [["user": ["name": "other"], "group_ids": "{0}"]],
                "remote": [["type": "IDs"], ["type": "Name", "not_any_of": ["root"]]],
            ],
            [
                "local": [["projects": [["name": "lab", "roles": [["name": "member"]]]], "domain": ["id": "d1"]]],
                "remote": [["type": "Name"]],
            ],
        ]
        let identity = try mapped(rules, ["Name": "ann", "IDs": "a;b;a"], version: .second)
        #expect(identity.userName == "ann")
        #expect(identity.isLocal)
        #expect(identity.groupIDs == ["a", "b"])
        #expect(identity.userDomain?.id == "d1")
        #expect(identity.projects.first?["domain"]?["id"] == "d1")
        #expect(try mapped(rules, ["Name": "root", "IDs": "a"]).groupIDs == [])
    }

    @Test(
        "what is no mapping is refused",
        arguments: [
            [], [["local": []]], [["local": [], "remote": []]],
            [["local": [["color": "red"]], "remote": [["type": "x"]]]],
            [["local": [], "remote": [["any_one_of": ["x"]]]]],
            [["local": [], "remote": [["type": "x", "any_one_of": ["a"], "whitelist": ["b"]]]]],
            [["local": [], "remote": [["type": "x", "whitelist": ["("], "regex": true]]]],
            [["local": [["user": ["name": "x", "type": "robot"]]], "remote": [["type": "x"]]]],
            [["local": [["group": ["name": "x"]]], "remote": [["type": "x"]]]],
        ] as [JSON])
    func malformed(rules: JSON) {
        #expect(throws: CloudError.self) {
            try FederationMapping(id: FederationMappingID("m"), rules: rules, version: .first)
        }
    }

    @Test("a place that is not there is refused", arguments: ["{1}", "{x}", "{", "}", "{0.name}"])
    func places(text: String) {
        let rules: JSON = [["local": [["user": ["name": .string(text)]]], "remote": [["type": "Name"]]]]
        #expect(throws: CloudError.self) { try mapped(rules, ["Name": "ann"]) }
    }

    @Test("providers, protocols and mappings are kept")
    func resources() async throws {
        let world = try await IdentityWorld()
        let base = "/v3/OS-FEDERATION"
        let rules: JSON = [["local": [["user": ["name": "{0}"]]], "remote": [["type": "Name"]]]]
        let mapping = try await world.call(
            .put, base + "/mappings/plain", world.admin, ["mapping": ["rules": rules]], expecting: 201)
        #expect(mapping["mapping", "rules"] == rules)
        #expect(mapping["mapping", "schema_version"] == "1.0")
        try await world.call(
            .put, base + "/mappings/plain", world.admin, ["mapping": ["rules": rules]], expecting: 409)
        try await world.call(.put, base + "/mappings/bad", world.admin, ["mapping": ["rules": []]], expecting: 400)

        let provider = try await world.call(
            .put, base + "/identity_providers/acme", world.admin,
            ["identity_provider": ["remote_ids": ["https://acme.test"], "enabled": true]], expecting: 201)
        let domain = try #require(provider["identity_provider", "domain_id"]?.string)
        try await world.call(.get, "/v3/domains/\(domain)", world.admin, expecting: 200)
        try await world.call(
            .put, base + "/identity_providers/other", world.admin,
            ["identity_provider": ["remote_ids": ["https://acme.test"]]], expecting: 409)
        try await world.call(
            .put, base + "/identity_providers/acme", world.admin, ["identity_provider": [:]], expecting: 409)
        let listed = try await world.call(.get, base + "/identity_providers?enabled=true", world.admin, expecting: 200)
        #expect(listed["identity_providers"]?.strings("id") == ["acme"])

        let path = base + "/identity_providers/acme/protocols"
        try await world.call(
            .put, path + "/openid", world.admin, ["protocol": ["mapping_id": "nothing"]], expecting: 400)
        try await world.call(
            .put, path + "/openid", world.admin, ["protocol": ["mapping_id": "plain"]], expecting: 201)
        #expect(try await world.call(.get, path, world.admin)["protocols"]?.strings("id") == ["openid"])
        try await world.call(.delete, base + "/identity_providers/acme", world.admin, expecting: 204)
        try await world.call(.get, path + "/openid", world.admin, expecting: 404)
        try await world.call(.delete, base + "/mappings/plain", world.admin, expecting: 204)
        try await world.call(.get, base + "/mappings/plain", world.admin, expecting: 404)
    }

    @Test("an enabled service provider is shown with every token")
    func serviceProviders() async throws {
        let world = try await IdentityWorld()
        let path = "/v3/OS-FEDERATION/service_providers/far"
        let provider: JSON = [
            "auth_url": "https://far.test/v3/auth", "sp_url": "https://far.test/saml", "enabled": true,
        ]
        try await world.call(
            .put, path, world.admin, ["service_provider": ["auth_url": "https://far.test"]], expecting: 400)
        try await world.call(.put, path, world.admin, ["service_provider": provider], expecting: 201)
        let scope: JSON = ["project": ["name": "admin", "domain": ["id": "default"]]]
        let shown = try await world.login("admin", IdentityWorld.adminPassword, scope: scope)
        #expect(shown["token", "service_providers", "0", "sp_url"] == "https://far.test/saml")
        try await world.call(.patch, path, world.admin, ["service_provider": ["enabled": false]], expecting: 200)
        let hidden = try await world.login("admin", IdentityWorld.adminPassword, scope: scope)
        #expect(hidden["token", "service_providers"] == nil)
        try await world.call(.get, "/v3/OS-SIMPLE-CERT/ca", expecting: 410)
        #expect(try await world.call(.get, "/v3/OS-REVOKE/events", world.admin, expecting: 200)["events"] == [])
    }
}
