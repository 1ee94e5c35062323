// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: flavors are made of profiles, routers are made of flavors, and what is in use stays.
@Suite("Network flavors")
struct NetworkFlavorTests {
    private static let driver: JSON = .string(ServiceProvider.driver)

    private func flavor(_ world: NetworkWorld, driver: JSON = driver) async throws -> (flavor: String, profile: String)
    {
        let flavor = try await world.make(
            "flavor", ["name": "gold", "description": "d", "service_type": "L3_ROUTER_NAT"], as: .admin
        ).id
        let body: JSON = ["service_profile": ["driver": driver, "metainfo": "{}"]]
        let profile = try await world.call(.post, "service_profiles", body, as: .admin).string("service_profile", "id")
        let bound = try await world.call(
            .post, "flavors/\(flavor)/service_profiles", ["service_profile": ["id": .string(profile)]], as: .admin)
        #expect(bound.status == 201)
        return (flavor, profile)
    }

    @Test("a router has a flavor, which stays while it does")
    func routers() async throws {
        let world = try await NetworkWorld()
        let (flavor, profile) = try await flavor(world)
        #expect(try await world.get("flavors/\(flavor)")["flavor", "service_profiles"] == [.string(profile)])
        let next = try await world.get("flavors/\(flavor)/next_providers")["next_providers"]?.array?.first
        #expect(next?["provider"] == "ovn" && next?["driver"] == Self.driver)
        let router = try await world.make("router", ["flavor_id": .string(flavor)])
        #expect(router["flavor_id"]?.string == flavor)
        #expect(try await world.make("router", [:])["flavor_id"] == .null)
        #expect(try await world.call(.delete, "flavors/\(flavor)", as: .admin).fault == "FlavorInUse")
        #expect(
            try await world.call(.delete, "service_profiles/\(profile)", as: .admin).fault == "ServiceProfileInUse")
        #expect(try await world.call(.delete, "routers/\(router.id)").status == 204)
        #expect(
            try await world.call(.delete, "flavors/\(flavor)/service_profiles/\(profile)", as: .admin).status == 204)
        #expect(try await world.call(.delete, "service_profiles/\(profile)", as: .admin).status == 204)
        #expect(try await world.call(.delete, "flavors/\(flavor)", as: .admin).status == 204)
    }

    @Test("a router takes no flavor that is disabled, of another service, or nobody's")
    func refused() async throws {
        let world = try await NetworkWorld()
        let (flavor, _) = try await flavor(world)
        func make(_ id: String) async throws -> NetworkWorld.Answer {
            try await world.call(.post, "routers", ["router": ["flavor_id": .string(id)]])
        }
        _ = try await world.call(.put, "flavors/\(flavor)", ["flavor": ["enabled": false]], as: .admin)
        #expect(try await make(flavor).fault == "FlavorDisabled")
        let other = try await world.make("flavor", ["service_type": "FLAVORS"], as: .admin).id
        #expect(try await make(other).fault == "InvalidInput")
        #expect(try await make("6f0f1a52-6d0a-4d6e-9a4e-3c8d1f5b7a11").fault == "FlavorNotFound")
    }

    @Test("profiles: a driver that is there, or words for one")
    func profiles() async throws {
        let world = try await NetworkWorld()
        func make(_ profile: JSON) async throws -> NetworkWorld.Answer {
            try await world.call(.post, "service_profiles", ["service_profile": profile], as: .admin)
        }
        #expect(try await make(["driver": "no.such.Driver"]).fault == "ServiceProfileDriverNotFound")
        #expect(try await make(["driver": ""]).fault == "ServiceProfileEmpty")
        let made = try await make(["metainfo": #"{"data": "value"}"#])
        #expect(made["service_profile", "enabled"] == true)
        #expect(try await world.get("service_profiles?id=33", as: .admin)["service_profiles"]?.array?.isEmpty == true)
    }

    @Test("users look at flavors, administrators at what is behind")
    func access() async throws {
        let world = try await NetworkWorld()
        let (flavor, profile) = try await flavor(world)
        #expect(try await world.get("flavors")["flavors"]?.array?.count == 1)
        #expect(try await world.get("service_profiles")["service_profiles"]?.array?.isEmpty == true)
        #expect(try await world.get("service_profiles/\(profile)").status == 404)
        #expect(try await world.call(.delete, "flavors/\(flavor)").status == 403)
        let body: JSON = ["flavor": ["service_type": "L3_ROUTER_NAT"]]
        #expect(try await world.call(.post, "flavors", body).status == 403)
        let odd: JSON = ["flavor": ["service_type": "COFFEE"]]
        #expect(try await world.call(.post, "flavors", odd, as: .admin).status == 400)
    }
}
