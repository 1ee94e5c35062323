// SPDX-License-Identifier: Apache-2.0
import BaseKit
import TestKit
import Testing

/// Placement's API: versions, generations, codes, trees, and who may call.
@Suite struct PlacementRoutesTests {
    private static let a = "aaaaaaaa-0000-4000-8000-000000000001"
    private static let b = "aaaaaaaa-0000-4000-8000-000000000002"
    private static let c = "aaaaaaaa-0000-4000-8000-000000000003"

    private func provider(_ world: PlacementWorld, _ id: String, parent: String? = nil) async throws {
        var body: [String: JSON] = ["name": .string("n-" + id), "uuid": .string(id)]
        if let parent { body["parent_provider_uuid"] = .string(parent) }
        #expect(try await world.call(.post, "/resource_providers", .object(body)).status == 200)
    }

    private func inventory(_ world: PlacementWorld, _ id: String, _ name: String, _ total: Int64) async throws {
        let answer = try await world.call(
            .post, "/resource_providers/\(id)/inventories",
            ["resource_class": .string(name), "total": .int(total), "max_unit": .int(total)])
        #expect(answer.status == 201, "\(answer.detail)")
    }

    @Test func providersFormTrees() async throws {
        let world = try await PlacementWorld()
        try await provider(world, Self.a)
        try await provider(world, Self.b, parent: Self.a)
        try await provider(world, Self.c, parent: Self.b)
        let shown = try await world.call(.get, "/resource_providers/\(Self.c)")
        #expect(shown.json["root_provider_uuid"]?.string == Self.a && shown.json["generation"] == 0)
        #expect(shown.headers["Cache-Control"] == "no-cache")
        #expect(shown.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT")
        let tree = try await world.call(.get, "/resource_providers?in_tree=\(Self.b)")
        #expect(tree.json["resource_providers"]?.array?.count == 3)
        let refused = try await world.call(.delete, "/resource_providers/\(Self.a)")
        #expect(refused.status == 409 && refused.code == "placement.resource_provider.cannot_delete_parent")
        let loop = try await world.call(
            .put, "/resource_providers/\(Self.a)", ["name": "n", "parent_provider_uuid": .string(Self.c)])
        #expect(loop.status == 400 && loop.detail.contains("creating loop"))
        let old = try await world.call(
            .put, "/resource_providers/\(Self.c)", version: "1.36",
            ["name": "n", "parent_provider_uuid": .string(Self.a)])
        #expect(old.status == 400)
        let moved = try await world.call(
            .put, "/resource_providers/\(Self.b)", ["name": "n", "parent_provider_uuid": .null])
        #expect(moved.status == 200)
        #expect(
            try await world.call(.get, "/resource_providers/\(Self.c)").json["root_provider_uuid"]?.string == Self.b)
    }

    @Test func generationsDecideWhoWins() async throws {
        let world = try await PlacementWorld()
        try await provider(world, Self.a)
        let path = "/resource_providers/\(Self.a)/inventories"
        let body: JSON = ["resource_provider_generation": 0, "inventories": ["VCPU": ["total": 4]]]
        #expect(try await world.call(.put, path, body).json["resource_provider_generation"] == 1)
        let late = try await world.call(.put, path, body)
        #expect(late.status == 409 && late.code == "placement.concurrent_update")
        #expect(try await world.call(.put, path, version: "1.22", body).code == nil)
        let bad = try await world.call(
            .put, path, ["resource_provider_generation": 1, "inventories": ["VCPU": ["total": 0]]])
        #expect(bad.status == 400 && bad.detail.contains("0 is less than the minimum of 1"))
        let unknown = try await world.call(
            .put, path, ["resource_provider_generation": 1, "inventories": ["CUSTOM_NO": ["total": 1]]])
        #expect(unknown.status == 400 && unknown.detail.contains("No such resource class CUSTOM_NO"))
    }

    @Test func consumersHaveGenerations() async throws {
        let world = try await PlacementWorld()
        try await provider(world, Self.a)
        try await inventory(world, Self.a, "VCPU", 4)
        let path = "/allocations/\(Self.c)"
        func body(_ amount: Int64, _ generation: JSON) -> JSON {
            [
                "allocations": .object([Self.a: ["resources": ["VCPU": .int(amount)]]]), "project_id": "p",
                "user_id": "u",
                "consumer_generation": generation, "consumer_type": "INSTANCE",
            ]
        }
        #expect(try await world.call(.put, path, body(1, .null)).status == 204)
        let stale = try await world.call(.put, path, body(2, .null))
        #expect(stale.status == 409 && stale.code == "placement.concurrent_update")
        #expect(try await world.call(.put, path, body(5, 1)).status == 409)
        #expect(try await world.call(.put, path, body(4, 1)).status == 204)
        let shown = try await world.call(.get, path)
        #expect(shown.json["consumer_generation"] == 2 && shown.json["consumer_type"] == "INSTANCE")
        #expect(shown.json["allocations"]?[Self.a]?["resources"] == ["VCPU": 4])
        let usages = try await world.call(.get, "/usages?project_id=p")
        #expect(usages.json["usages"] == ["INSTANCE": ["VCPU": 4, "consumer_count": 1]])
        let inUse = try await world.call(.delete, "/resource_providers/\(Self.a)/inventories")
        #expect(inUse.status == 409 && inUse.code == "placement.inventory.inuse")
        #expect(
            try await world.call(.delete, "/resource_providers/\(Self.a)").code == "placement.resource_provider.inuse")
        #expect(try await world.call(.delete, path).status == 204)
        #expect(try await world.call(.delete, path).status == 404)
        #expect(try await world.call(.get, path).json["allocations"] == [:])
    }

    @Test func candidatesMayComeFromATreeAndFromWhatIsShared() async throws {
        let world = try await PlacementWorld()
        try await provider(world, Self.a)
        try await provider(world, Self.b, parent: Self.a)
        try await provider(world, Self.c)
        try await inventory(world, Self.a, "VCPU", 4)
        try await inventory(world, Self.b, "SRIOV_NET_VF", 2)
        try await inventory(world, Self.c, "DISK_GB", 100)
        for (id, generation) in [(Self.a, 1), (Self.c, 1)] as [(String, Int64)] {
            let body: JSON = ["aggregates": [.string(Self.a)], "resource_provider_generation": .int(generation)]
            #expect(try await world.call(.put, "/resource_providers/\(id)/aggregates", body).status == 200)
        }
        let shares: JSON = ["traits": ["MISC_SHARES_VIA_AGGREGATE"], "resource_provider_generation": 2]
        #expect(try await world.call(.put, "/resource_providers/\(Self.c)/traits", shares).status == 200)
        let found = try await world.call(
            .get, "/allocation_candidates?resources=VCPU:1,DISK_GB:10&resources_nic=SRIOV_NET_VF:1&group_policy=none")
        #expect(found.status == 200, "\(found.detail)")
        #expect(
            found.json["allocation_requests"] == [
                [
                    "allocations": .object([
                        Self.a: ["resources": ["VCPU": 1]], Self.b: ["resources": ["SRIOV_NET_VF": 1]],
                        Self.c: ["resources": ["DISK_GB": 10]],
                    ]),
                    "mappings": .object([
                        "": [.string(Self.a), .string(Self.c)], "_nic": [.string(Self.b)],
                    ]),
                ]
            ])
        #expect(found.json["provider_summaries"]?.object?.count == 3)
        #expect(try await world.call(.get, "/allocation_candidates?resources=VCPU:5").json["allocation_requests"] == [])
    }

    @Test(arguments: [
        "resources=VCPU", "resources=VCPU:0", "resources=", "resources=NOPE:1", "required=HW_CPU_X86_VMX",
        "resources=VCPU:1&required=!", "resources=VCPU:1&member_of=x", "resources=VCPU:1&in_tree=x",
        "resources=VCPU:1&limit=0",
        "resources=VCPU:1&colour=red", "resources1=VCPU:1&resources2=VCPU:1", "resources=VCPU:1&group_policy=any",
        "resources=VCPU:1&required=CUSTOM_NOT_THERE", "resources=VCPU:1&required=A,!A",
        "resources=VCPU:1&same_subtree=_x",
    ])
    func badQueriesAreRefused(query: String) async throws {
        let world = try await PlacementWorld()
        #expect(try await world.call(.get, "/allocation_candidates?\(query)").status == 400)
    }

    @Test func reshapeMovesInventoryWithItsConsumers() async throws {
        let world = try await PlacementWorld()
        try await provider(world, Self.a)
        try await provider(world, Self.b, parent: Self.a)
        try await inventory(world, Self.a, "VGPU", 2)
        let allocation: JSON = [
            "allocations": .object([Self.a: ["resources": ["VGPU": 2]]]), "project_id": "p", "user_id": "u",
            "consumer_generation": .null, "consumer_type": "INSTANCE",
        ]
        #expect(try await world.call(.put, "/allocations/\(Self.c)", allocation).status == 204)
        let moved = try await world.call(
            .post, "/reshaper", as: "service",
            [
                "inventories": .object([
                    Self.a: ["resource_provider_generation": 2, "inventories": [:]],
                    Self.b: ["resource_provider_generation": 0, "inventories": ["VGPU": ["total": 2]]],
                ]),
                "allocations": .object([
                    Self.c: [
                        "allocations": .object([Self.b: ["resources": ["VGPU": 2]]]), "project_id": "p", "user_id": "u",
                        "consumer_generation": 1, "consumer_type": "INSTANCE",
                    ]
                ]),
            ])
        #expect(moved.status == 204, "\(moved.detail)")
        #expect(try await world.call(.get, "/resource_providers/\(Self.a)/inventories").json["inventories"] == [:])
        #expect(try await world.call(.get, "/resource_providers/\(Self.b)/usages").json["usages"] == ["VGPU": 2])
    }

    @Test func onlyAdministratorsAndServicesMayCall() async throws {
        let world = try await PlacementWorld()
        #expect(try await world.call(.get, "/resource_providers", as: "service").status == 200)
        #expect(try await world.call(.get, "/resource_providers", as: "reader").status == 403)
        #expect(try await world.call(.get, "/resource_providers", as: "nobody").status == 401)
        #expect(try await world.call(.get, "/usages?project_id=one", as: "reader").status == 200)
        #expect(try await world.call(.get, "/usages?project_id=two", as: "reader").status == 403)
        #expect(try await world.call(.get, "/traits", version: "1.5").status == 404)
        #expect(try await world.call(.get, "/resource_providers", version: "1.40").status == 406)
        #expect(try await world.call(.get, "/nothing").code == "placement.undefined_code")
        #expect(try await world.call(.get, "/", as: "nobody").status == 200)
    }

    @Test func standardNamesAreThereAndStay() async throws {
        let world = try await PlacementWorld()
        #expect(try await world.call(.get, "/traits").json["traits"]?.array?.count ?? 0 > 300)
        #expect(try await world.call(.delete, "/traits/HW_CPU_X86_VMX").status == 400)
        #expect(try await world.call(.put, "/traits/CUSTOM_A").status == 201)
        #expect(try await world.call(.put, "/traits/CUSTOM_A").status == 204)
        #expect(try await world.call(.put, "/traits/lower").status == 400)
        #expect(try await world.call(.get, "/traits?name=startswith:CUSTOM_").json["traits"] == ["CUSTOM_A"])
        #expect(try await world.call(.delete, "/traits/CUSTOM_A").status == 204)
        #expect(try await world.call(.put, "/resource_classes/CUSTOM_A").status == 201)
        #expect(try await world.call(.delete, "/resource_classes/VCPU").status == 400)
        #expect(try await world.call(.delete, "/resource_classes/CUSTOM_A").status == 204)
    }
}
