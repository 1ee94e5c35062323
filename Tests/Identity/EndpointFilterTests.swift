// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import Testing

/// Goal: a project that was given endpoints sees those in its catalog, and nothing else changes for others.
/// Method: give and take endpoints and groups, and look at the catalog of tokens; tie policies and ask for the closest.
@Suite("Endpoint filters and policies")
struct EndpointFilterTests {
    private func types(_ world: IdentityWorld, _ token: String) async throws -> [String] {
        try await world.call(.get, "/v3/auth/catalog", token, expecting: 200)["catalog"]?.strings("type") ?? []
    }

    private func endpoints(_ world: IdentityWorld, service type: String) async throws -> (service: String, [String]) {
        let service = try #require(
            try await world.call(.get, "/v3/services?type=\(type)", world.admin)["services", "0", "id"]?.string)
        let found = try await world.call(.get, "/v3/endpoints?service_id=\(service)", world.admin)
        return (service, found["endpoints"]?.strings("id") ?? [])
    }

    @Test("a project sees what it was given, one by one and by groups")
    func catalog() async throws {
        let world = try await IdentityWorld()
        let project = try await world.makeProject("work")
        let token = try await world.persona("ann", role: "member", on: "projects/\(project)")
        let all = try await types(world, token)
        let (_, image) = try await endpoints(world, service: "image")
        let (compute, _) = try await endpoints(world, service: "compute")
        let base = "/v3/OS-EP-FILTER"
        let given = "\(base)/projects/\(project)/endpoints/\(image[0])"
        try await world.call(.get, given, world.admin, expecting: 404)
        try await world.call(.put, given, world.admin, expecting: 204)
        try await world.call(.put, given, world.admin, expecting: 409)
        try await world.call(.head, given, world.admin, expecting: 204)
        #expect(try await types(world, token) == ["image"])
        #expect(try await types(world, world.admin) == all, "others see all")
        let projects = try await world.call(.get, "\(base)/endpoints/\(image[0])/projects", world.admin, expecting: 200)
        #expect(projects["projects"]?.strings("id") == [project])

        let group = try await world.make(
            "OS-EP-FILTER/endpoint_groups", "endpoint_group",
            ["name": "compute", "filters": ["service_id": .string(compute), "interface": "public"]])
        let members = try await world.call(
            .get, "\(base)/endpoint_groups/\(group)/endpoints", world.admin, expecting: 200)
        #expect(members["endpoints"]?.array?.count == 1)
        let holder = "\(base)/endpoint_groups/\(group)/projects/\(project)"
        try await world.call(.get, holder, world.admin, expecting: 404)
        try await world.call(.put, holder, world.admin, expecting: 204)
        #expect(try await world.call(.get, holder, world.admin, expecting: 200)["project_endpoint_group"] != nil)
        #expect(try await types(world, token) == ["compute", "image"])
        let listed = try await world.call(.get, "\(base)/projects/\(project)/endpoints", world.admin, expecting: 200)
        #expect(listed["endpoints"]?.array?.count == 2)
        try await world.call(.delete, given, world.admin, expecting: 204)
        #expect(try await types(world, token) == ["compute"])
        try await world.call(.delete, "\(base)/endpoint_groups/\(group)", world.admin, expecting: 204)
        #expect(try await types(world, token) == all)
    }

    @Test("a group's filters are three, and one at least")
    func filters() async throws {
        let world = try await IdentityWorld()
        for filters in [[:], ["color": "red"], ["interface": "sideways"]] as [JSON] {
            try await world.call(
                .post, "/v3/OS-EP-FILTER/endpoint_groups", world.admin,
                ["endpoint_group": ["name": "x", "filters": filters]], expecting: 400)
        }
        let id = try await world.make(
            "OS-EP-FILTER/endpoint_groups", "endpoint_group", ["name": "x", "filters": ["region_id": "RegionOne"]])
        let changed = try await world.call(
            .patch, "/v3/OS-EP-FILTER/endpoint_groups/\(id)", world.admin,
            ["endpoint_group": ["name": "y", "filters": ["interface": "admin"]]], expecting: 200)
        #expect(changed["endpoint_group", "filters"] == ["interface": "admin"])
        #expect(changed["endpoint_group", "name"] == "y")
    }

    @Test("an endpoint's policy is the closest one")
    func policies() async throws {
        let world = try await IdentityWorld()
        let (service, all) = try await endpoints(world, service: "image")
        var ids: [String] = []
        for name in ["a", "b", "c"] {
            ids.append(try await world.make("policies", "policy", ["type": "text", "blob": .string(name)]))
        }
        let path = "/v3/endpoints/\(all[0])/OS-ENDPOINT-POLICY/policy"
        try await world.call(.get, path, world.admin, expecting: 404)
        let ties = [
            "services/\(service)", "services/\(service)/regions/RegionOne", "endpoints/\(all[0])",
        ]
        for (id, tie) in zip(ids, ties) {
            let one = "/v3/policies/\(id)/OS-ENDPOINT-POLICY/\(tie)"
            try await world.call(.get, one, world.admin, expecting: 404)
            try await world.call(.put, one, world.admin, expecting: 204)
            try await world.call(.get, one, world.admin, expecting: 204)
            #expect(try await world.call(.get, path, world.admin, expecting: 200)["policy", "id"]?.string == id)
        }
        let found = try await world.call(
            .get, "/v3/policies/\(ids[0])/OS-ENDPOINT-POLICY/endpoints", world.admin, expecting: 200)
        #expect(found["endpoints"]?.strings("id") == all)
        try await world.call(
            .delete, "/v3/policies/\(ids[2])/OS-ENDPOINT-POLICY/\(ties[2])", world.admin, expecting: 204)
        #expect(try await world.call(.get, path, world.admin)["policy", "id"]?.string == ids[1])
        try await world.call(.delete, "/v3/policies/\(ids[1])", world.admin, expecting: 204)
        #expect(try await world.call(.get, path, world.admin)["policy", "blob"] == "a")
    }
}
