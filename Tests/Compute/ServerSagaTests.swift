// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import PolicyKit
import TaskKit
import TestKit
import Testing

/// Goal: a server is built, changed and removed whole, or not at all, wherever the process dies or a step fails.
/// Method: the standard walks through each saga; then the hypervisor, placement and the network are looked at.
@Suite("Server sagas")
struct ServerSagaTests {
    private let enforcer: PolicyEnforcer

    init() throws {
        enforcer = try PolicyEnforcer([
            PolicyRule("any", "@"), PolicyRule("os_compute_api:servers:create:attach_network", "@"),
            PolicyRule("os_compute_api:servers:stop", "@"),
        ])
    }

    private func context() -> CallContext {
        CallContext(
            principal: TestCallers.demo, requestID: "req-1", policy: "any",
            enforcer: enforcer)
    }

    private func draft() -> ServerDraft {
        var draft = ServerDraft(name: "one", flavorID: "1", imageID: ComputeWorld.image)
        draft.networks = .requested([.init(network: ComputeWorld.network)])
        draft.hasConfigDrive = true
        return draft
    }

    /// The run that holds the row: engines choose its id.
    private func run(of id: ServerID, _ world: ComputeWorld) async throws -> SagaRunID {
        let server = try await load(id, world)
        return try #require(server.sagaRun)
    }

    private func load(_ id: ServerID, _ world: ComputeWorld) async throws -> Server {
        try #require(try await world.database.read { try world.parts.stores.servers.server(id, $0) })
    }

    @Test(
        "a creation ends ACTIVE, or in ERROR with its fault and nothing left",
        arguments: SagaWalk.all(CreateServerSaga.self))
    func create(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let record = try await walk.run(on: world.database, world.registry) { runner in
                let engine = ServerEngine(world.parts, sagas: runner)
                let created = try await engine.create(draft(), for: context())
                return try await run(of: created.servers[0], world)
            }
            #expect(record.state == walk.expectedState)
            let id = try #require(
                try await world.database.read { transaction in
                    try transaction.first("SELECT id FROM servers") { ServerID($0.text(0)) }
                })
            let server = try await load(id, world)
            if walk.expectedState == .finished {
                #expect(server.state == ServerState(.active))
                #expect(server.power == .running)
                #expect(world.hypervisor.inventory[id]?.powerState == .running)
                #expect(world.placement.consumers == [id.rawValue])
                #expect(world.networks.ports.count == 1)
            } else {
                #expect(server.state == ServerState(.error))
                #expect(server.fault?.message == SagaWalk.fault.message)
                #expect(server.host == nil)
                #expect(world.isClean)
            }
            #expect(server.sagaRun == nil)
        }
    }

    @Test("a deletion ends, and nothing is left", arguments: SagaWalk.all(DeleteServerSaga.self))
    func delete(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await active(world)
            _ = try await walk.run(on: world.database, world.registry) { runner in
                try await ServerEngine(world.parts, sagas: runner).delete(id, for: context())
                return try await run(of: id, world)
            }
            let server = try await load(id, world)
            // The last step had done everything when it failed.
            if walk.expectedState == .finished || walk.kind == .failsAfterStep(DeleteServerSaga.steps.count - 1) {
                #expect(server.isDeleted)
                #expect(world.isClean)
            } else {
                // It says why, and can be deleted again.
                #expect(!server.isDeleted)
                #expect(server.state == ServerState(.error))
                #expect(server.fault != nil)
            }
        }
    }

    @Test(
        "a power action ends as asked, or leaves what was and says why", arguments: SagaWalk.all(PowerActionSaga.self))
    func power(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await active(world)
            _ = try await walk.run(on: world.database, world.registry) { runner in
                try await ServerEngine(world.parts, sagas: runner).power(id, .stop, for: context())
                return try await run(of: id, world)
            }
            let server = try await load(id, world)
            // A step that failed after its effect has stopped it all the same.
            let isUntouched = walk.kind == .failsBeforeStep(0)
            #expect(server.state == ServerState(isUntouched ? .active : .stopped))
            #expect(server.fault?.message == (isUntouched ? SagaWalk.fault.message : nil))
        }
    }

    private func active(_ world: ComputeWorld) async throws -> ServerID {
        let runner = SagaRunner(database: world.database, registry: world.registry, holder: "setup", limits: .test)
        return try await withServices([runner]) {
            let engine = ServerEngine(world.parts, sagas: runner)
            let id = try await engine.create(draft(), for: context()).servers[0]
            try await runner.runToEnd(try await run(of: id, world))
            return id
        }
    }

    @Test("a deletion overtakes a creation at work, and nothing is left")
    func overtakes() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let answer = try await world.call(.post, "/servers", ComputeWorld.server(), expecting: 202)
            let id = try #require(answer["server", "id"]?.string)
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { try await world.call(.get, "/servers/\(id)").status == 404 }
            await world.sagas.idle()
            #expect(world.isClean)
        }
    }

    @Test("ports that stay down end a creation with a fault that says so")
    func portsDown() async throws {
        let world = try await ComputeWorld()
        world.networks.setComesUp(false)
        try await world.run {
            let id = try await world.boot()
            let server = try await world.call(.get, "/servers/\(id)")
            #expect(server["server", "status"] == "ERROR")
            #expect(server["server", "fault", "message"]?.string?.contains("did not come up") == true)
            #expect(server["server", "fault", "details"] == nil)
            await world.sagas.idle()
            #expect(world.isClean)
        }
    }

    @Test("without a host the fault says why, and names hosts to administrators alone")
    func noHost() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            try await world.call(
                .post, "/flavors",
                [
                    "flavor": ["id": "huge", "name": "huge", "ram": 900_000, "vcpus": 1, "disk": 1]
                ], as: "admin", expecting: 200)
            let id = try await world.boot("big", ["flavorRef": "huge"])
            let fault = try await world.call(.get, "/servers/\(id)")["server", "fault"]
            #expect(fault?["message"]?.string?.contains("not enough MEMORY_MB") == true)
            #expect(fault?.text().contains("node-1") == false)
            let admins = try await world.call(.get, "/servers/\(id)", as: "admin")["server", "fault", "details"]
            #expect(admins?.string?.contains("node-1: MEMORY_MB") == true)
        }
    }

    @Test("fifty servers of one request are all ACTIVE")
    func fifty() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            try await world.call(.post, "/servers", ComputeWorld.server("many", ["min_count": 50]), expecting: 202)
            try await eventually(within: .seconds(120)) { world.hypervisor.inventory.count == 50 }
            await world.sagas.idle()
            let list = try await world.call(.get, "/servers?status=ACTIVE")
            #expect(list["servers"]?.array?.count == 50)
            let names = (list["servers"]?.array ?? []).compactMap { $0["name"]?.string }
            #expect(names.contains("many-50"))
        }
    }
}
