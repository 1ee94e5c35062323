// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: a security group whose maker does not say is what its project, or the cloud, says.
@Suite("Default statefulness")
struct StatefulnessTests {
    private static let path = "security-groups-default-statefulness"
    private static let name = "security_groups_default_statefulness"

    private func set(_ project: String?, _ isStateful: Bool, _ world: NetworkWorld, as user: NetworkWorld.User = .admin)
        async throws -> NetworkWorld.Answer
    {
        var setting: [String: JSON] = ["stateful": .bool(isStateful)]
        if let project { setting["project_id"] = .string(project) }
        return try await world.call(.post, Self.path, .object([Self.name: .object(setting)]), as: user)
    }

    private func isStateful(_ world: NetworkWorld, as user: NetworkWorld.User = .demo) async throws -> JSON? {
        try await world.make("security_group", ["name": "g"], as: user)["stateful"]
    }

    @Test("the project's word counts before everybody's, and the maker's before both")
    func order() async throws {
        let world = try await NetworkWorld()
        #expect(try await isStateful(world) == true)
        let everybody = try await set(nil, false, world)
        #expect(everybody.status == 201 && everybody[Self.name, "project_id"] == .null)
        #expect(try await isStateful(world) == false)
        #expect(try await set("p-demo", true, world).status == 201)
        #expect(try await isStateful(world) == true)
        #expect(try await isStateful(world, as: .other) == false)
        #expect(try await world.make("security_group", ["stateful": false])["stateful"] == false)
        #expect(
            try await set("p-demo", false, world).fault == "SecurityGroupDefaultStatefulnessAlreadyExists")
        let id = try everybody.string(Self.name, "id")
        let change: JSON = .object([Self.name: ["stateful": true]])
        #expect(try await world.call(.put, "\(Self.path)/\(id)", change, as: .admin).status == 200)
        #expect(try await isStateful(world, as: .other) == true)
        #expect(try await world.call(.delete, "\(Self.path)/\(id)", as: .admin).status == 204)
    }

    @Test("members set nothing, and see their own project's")
    func access() async throws {
        let world = try await NetworkWorld()
        #expect(try await set("p-demo", false, world, as: .demo).status == 403)
        #expect(try await set(nil, false, world, as: .demo).status == 403)
        #expect(try await set(nil, false, world, as: .manager).status == 403)
        let own = try await set("p-demo", false, world, as: .manager).string(Self.name, "id")
        let all = try await set(nil, false, world).string(Self.name, "id")
        #expect(try await world.get("\(Self.path)/\(own)").status == 200)
        #expect(try await world.get("\(Self.path)/\(all)").status == 404)
        #expect(try await world.get("\(Self.path)/\(own)", as: .other).status == 404)
        #expect(try await world.get(Self.path)[Self.name]?.array?.count == 1)
        #expect(try await world.call(.delete, "\(Self.path)/\(own)").status == 403)
    }
}
