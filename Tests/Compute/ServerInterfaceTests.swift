// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import NetworkContract
import PolicyKit
import TaskKit
import TestKit
import Testing

/// Goal: `os-interface` gives a server a port and its guest the card for it, or neither; and takes both.
/// Method: the calls as nova documents them; then the standard walks through both sagas.
@Suite("Network cards of servers")
struct ServerInterfaceTests {
    private static let port = "33333333-3333-4333-8333-333333333333"

    private func cards(_ id: String, _ world: ComputeWorld) -> Set<String> {
        Set(world.hypervisor.inventory[ServerID(id)]?.specification.nics.map(\.portID) ?? [])
    }

    /// A port of the user's own.
    private func makePort(_ world: ComputeWorld) async throws {
        _ = try await world.networks.ensureServerPort(
            ID(Self.port), ServerPortRequest(network: ID(ComputeWorld.network)), server: "", zone: "",
            for: TestCallers.demo)
    }

    @Test("a card is attached on a network or a port, shown, and detached")
    func life() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let path = "/servers/\(id)/os-interface"
            let made = try await world.call(
                .post, path,
                [
                    "interfaceAttachment": [
                        "net_id": .string(ComputeWorld.network), "fixed_ips": [["ip_address": "10.0.0.77"]],
                        "tag": "data",
                    ]
                ], version: "2.70", expecting: 200)
            let port = try #require(made["interfaceAttachment", "port_id"]?.string)
            #expect(made["interfaceAttachment", "fixed_ips", "0", "ip_address"] == "10.0.0.77")
            #expect(made["interfaceAttachment", "net_id"]?.string == ComputeWorld.network)
            #expect(made["interfaceAttachment", "tag"] == "data")
            #expect(cards(id, world).contains(port) && cards(id, world).count == 2)
            #expect(world.networks.hosts[PortID(port)] == "node-1")
            let shown = try await world.call(.get, "\(path)/\(port)", version: "2.70", expecting: 200)
            #expect(shown["interfaceAttachment"] == made["interfaceAttachment"])
            // Nothing is said: the caller has one network.
            let plain = try await world.call(.post, path, ["interfaceAttachment": [:]], expecting: 200)
            #expect(plain["interfaceAttachment", "tag"] == nil)
            try await world.call(.delete, "\(path)/\(port)", expecting: 202)
            await world.sagas.idle()
            #expect(!cards(id, world).contains(port) && world.networks.ports[PortID(port)] == nil)
            try await world.call(.get, "\(path)/\(port)", expecting: 404)
            try await world.call(.delete, "\(path)/\(port)", expecting: 404)
            let timeline = try await world.call(.get, "/servers/\(id)/os-instance-actions", expecting: 200)
            #expect(
                timeline["instanceActions"]?.array?.compactMap { $0["action"]?.string }
                    == ["detach_interface", "attach_interface", "attach_interface", "create"])
            try await makePort(world)
            let own = try await world.call(
                .post, path, ["interfaceAttachment": ["port_id": .string(Self.port)]], expecting: 200)
            #expect(own["interfaceAttachment", "port_id"]?.string == Self.port)
            #expect(cards(id, world).contains(Self.port))
        }
    }

    @Test("refusals")
    func refusals() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let path = "/servers/\(id)/os-interface"
            func attach(_ fields: JSON, _ status: Int, _ version: String = "2.1") async throws {
                try await world.call(
                    .post, path, ["interfaceAttachment": fields], version: version, expecting: status)
            }
            let network = JSON.string(ComputeWorld.network)
            try await attach(["net_id": network, "port_id": .string(Self.port)], 400)
            try await attach(["fixed_ips": [["ip_address": "10.0.0.9"]]], 400)
            try await attach(["net_id": network, "fixed_ips": []], 400)
            try await attach(["net_id": network, "fixed_ips": [["ip_address": "x"]]], 400)
            try await attach(["net_id": "x"], 400)
            try await attach(["net_id": network, "unknown": 1], 400)
            // A tag is of 2.49 and later.
            try await attach(["net_id": network, "tag": "t"], 400, "2.48")
            try await attach(["net_id": network, "tag": "a/b"], 400, "2.49")
            try await attach(["net_id": .string(Self.port)], 404)
            try await attach(["port_id": .string(Self.port)], 404)
            try await world.call(.post, path, ["interfaceAttachment": ["net_id": network]], as: "other", expecting: 404)
            try await world.call(
                .post, path, ["interfaceAttachment": ["net_id": network]], as: "reader", expecting: 403)
            try await world.call(.post, "/servers/\(id)/action", ["lock": nil], as: "admin", expecting: 202)
            try await attach(["net_id": network], 409)
            let present = try #require(cards(id, world).first)
            try await world.call(.delete, "\(path)/\(present)", expecting: 409)
            try await world.call(.post, "/servers/\(id)/action", ["unlock": nil], as: "admin", expecting: 202)
            try await world.call(.post, "/servers/\(id)/action", ["suspend": nil], expecting: 202)
            try await world.settled(id)
            try await attach(["net_id": network], 409)
            try await world.call(.delete, "\(path)/\(present)", expecting: 409)
            #expect(world.networks.ports.count == 1)
        }
    }

    // MARK: Walks

    private func engine(_ world: ComputeWorld, _ runner: SagaRunner) -> ServerInterfaceEngine {
        ServerInterfaceEngine(ServerEngine(world.parts, sagas: runner))
    }

    private func context(_ request: String) throws -> CallContext {
        CallContext(
            principal: TestCallers.demo, requestID: request, policy: "any",
            enforcer: try PolicyEnforcer([
                PolicyRule("any", "@"), PolicyRule("os_compute_api:servers:create:attach_network", "@"),
            ]))
    }

    /// A server with one card, without a runner that goes on.
    private func active(_ world: ComputeWorld) async throws -> ServerID {
        let runner = SagaRunner(database: world.database, registry: world.registry, holder: "setup", limits: .test)
        return try await withServices([runner]) {
            var draft = ServerDraft(name: "one", flavorID: "1", imageID: ComputeWorld.image)
            draft.networks = .requested([.init(network: ComputeWorld.network)])
            let id = try await ServerEngine(world.parts, sagas: runner).create(draft, for: try context("req-1"))
                .servers[0]
            await runner.idle()
            return id
        }
    }

    private func tags(_ id: ServerID, _ world: ComputeWorld) async throws -> String? {
        try await world.database.read { try world.parts.stores.servers.extras(id, $0)?.networkTags }
    }

    @Test("an attachment ends with port and card, or with neither", arguments: SagaWalk.all(AttachInterfaceSaga.self))
    func attach(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await active(world)
            let record = try await walk.run(on: world.database, world.registry) { runner in
                var request = ServerInterfaceEngine.AttachRequest()
                request.network = ID(ComputeWorld.network)
                request.tag = "t"
                return try await engine(world, runner).beginAttaching(id, request, for: try context("req-2")).run
            }
            #expect(record.state == walk.expectedState)
            let count = walk.expectedState == .finished ? 2 : 1
            #expect(world.networks.ports.count == count && world.networks.hosts.count == count)
            #expect(cards(id.rawValue, world) == Set(world.networks.ports.keys.map(\.rawValue)))
            #expect(try await (tags(id, world) == "{}") == (walk.expectedState != .finished))
        }
    }

    @Test("a detachment takes card and port, or leaves both", arguments: SagaWalk.all(DetachInterfaceSaga.self))
    func detach(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await active(world)
            let port = try #require(world.networks.ports.keys.first)
            _ = try await walk.run(on: world.database, world.registry) { runner in
                try await engine(world, runner).detach(id, port, for: try context("req-2")).run
            }
            #expect(cards(id.rawValue, world) == Set(world.networks.ports.keys.map(\.rawValue)))
            if walk.expectedState == .finished { #expect(world.networks.ports.isEmpty) }
        }
    }
}
