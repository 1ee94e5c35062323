// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeAgent
import ComputeContract
import ComputeCore
import DatabaseKit
import PolicyKit
import TaskKit
import TestKit
import Testing

/// Goal: a server that moves is what was asked, or what it was, wherever the process dies or a step fails.
/// Method: the standard walks through each saga; then the rows, the hypervisor and placement are looked at.
@Suite("Sagas of moves")
struct ResizeSagaTests {
    private static let rules = [
        "any", "os_compute_api:servers:create:attach_network", "os_compute_api:servers:resize",
        "os_compute_api:servers:confirm_resize", "os_compute_api:servers:revert_resize",
        "os_compute_api:os-migrate-server:migrate", "os_compute_api:os-migrate-server:migrate_live",
        "os_compute_api:os-evacuate", "os_compute_api:servers:stop",
    ]
    private let enforcer: PolicyEnforcer

    init() throws {
        enforcer = try PolicyEnforcer(Self.rules.map { PolicyRule(PolicyName(stringLiteral: $0), "@") })
    }

    private func context(_ request: String = "req-1") -> CallContext {
        CallContext(principal: TestCallers.demo, requestID: request, policy: "any", enforcer: enforcer)
    }

    // MARK: Parts

    private func load(_ id: ServerID, _ world: ComputeWorld) async throws -> Server {
        try #require(try await world.database.read { try world.parts.stores.servers.server(id, $0) })
    }

    private func run(of id: ServerID, _ world: ComputeWorld) async throws -> SagaRunID {
        let server = try await load(id, world)
        return try #require(server.sagaRun)
    }

    private func migration(of id: ServerID, _ world: ComputeWorld) async throws -> ServerMigration {
        var query = ServerMigrationQuery(limit: 10)
        query.server = id
        let final = query
        let found = try await world.database.read { try world.parts.stores.migrations.list(final, $0) }
        return try #require(found.first)
    }

    /// Runs what `begin` accepts to its end.
    private func perform(
        _ id: ServerID, _ world: ComputeWorld, _ begin: @escaping @Sendable (ServerEngine) async throws -> Void
    ) async throws {
        let runner = SagaRunner(database: world.database, registry: world.registry, holder: "setup", limits: .test)
        try await withServices([runner]) {
            try await begin(ServerEngine(world.parts, sagas: runner))
            try await runner.runToEnd(try await run(of: id, world))
        }
    }

    private func active(_ world: ComputeWorld) async throws -> ServerID {
        let runner = SagaRunner(database: world.database, registry: world.registry, holder: "setup", limits: .test)
        return try await withServices([runner]) {
            let engine = ServerEngine(world.parts, sagas: runner)
            var draft = ServerDraft(name: "one", flavorID: "1", imageID: ComputeWorld.image)
            draft.networks = .requested([.init(network: ComputeWorld.network)])
            let id = try await engine.create(draft, for: context("req-0")).servers[0]
            try await runner.runToEnd(try await run(of: id, world))
            return id
        }
    }

    private func resized(_ world: ComputeWorld) async throws -> ServerID {
        let id = try await active(world)
        try await perform(id, world) { try await $0.resize(id, to: "2", diskConfig: nil, for: context("req-r")) }
        return id
    }

    private static let small: [String: Int64] = ["VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1]
    private static let large: [String: Int64] = ["VCPU": 1, "MEMORY_MB": 2048, "DISK_GB": 20]

    // MARK: Walks

    @Test(
        "a resize waits for its owner, or the server is what it was", arguments: SagaWalk.all(ResizeServerSaga.self))
    func resize(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await active(world)
            let record = try await walk.run(on: world.database, world.registry) { runner in
                try await ServerEngine(world.parts, sagas: runner)
                    .resize(id, to: "2", diskConfig: nil, for: context())
                return try await run(of: id, world)
            }
            #expect(record.state == walk.expectedState)
            let (server, migration) = (try await load(id, world), try await migration(of: id, world))
            let guest = try #require(world.hypervisor.inventory[id])
            #expect(server.sagaRun == nil && server.host == "node-1")
            #expect(guest.powerState == .running)
            if walk.expectedState == .finished {
                #expect(server.state == ServerState(.resized))
                #expect(server.flavor.id == "2" && server.flavor.memoryMiB == 2048)
                #expect(migration.status == .finished && migration.destinationHost == "node-1")
                #expect(guest.specification.memoryMiB == 2048 && guest.specification.rootDiskGiB == 20)
                #expect(world.hypervisor.asides[id]?.guest.specification.memoryMiB == 512)
                #expect(world.placement.resources(of: id.rawValue) == Self.large)
                #expect(world.placement.resources(of: migration.id.rawValue) == Self.small)
            } else {
                #expect(server.state == ServerState(.active))
                #expect(server.flavor.id == "1")
                #expect(server.fault?.message == SagaWalk.fault.message)
                #expect(migration.status == .error)
                #expect(guest.specification.memoryMiB == 512)
                #expect(world.hypervisor.asides.isEmpty)
                #expect(world.placement.resources(of: id.rawValue) == Self.small)
                #expect(world.placement.consumers == [id.rawValue])
            }
        }
    }

    @Test(
        "a confirmation leaves nothing of the old server, or can be asked for again",
        arguments: SagaWalk.all(ConfirmResizeSaga.self))
    func confirm(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await resized(world)
            let record = try await walk.run(on: world.database, world.registry) { runner in
                try await ServerEngine(world.parts, sagas: runner).confirmResize(id, for: context())
                return try await run(of: id, world)
            }
            #expect(record.state == walk.expectedState)
            if try await load(id, world).state == ServerState(.resized) {
                #expect(walk.expectedState == .failed)
                #expect(try await migration(of: id, world).status == .finished)
                try await perform(id, world) { try await $0.confirmResize(id, for: context("req-2")) }
            }
            let server = try await load(id, world)
            #expect(server.state == ServerState(.active) && server.flavor.id == "2" && server.sagaRun == nil)
            #expect(try await migration(of: id, world).status == .confirmed)
            #expect(world.hypervisor.asides.isEmpty)
            #expect(world.hypervisor.inventory[id]?.specification.memoryMiB == 2048)
            #expect(world.placement.consumers == [id.rawValue])
            #expect(world.placement.resources(of: id.rawValue) == Self.large)
        }
    }

    @Test(
        "a reverted server is what it was, can be reverted again, or says in ERROR what went wrong",
        arguments: SagaWalk.all(RevertResizeSaga.self))
    func revert(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await resized(world)
            let record = try await walk.run(on: world.database, world.registry) { runner in
                try await ServerEngine(world.parts, sagas: runner).revertResize(id, for: context())
                return try await run(of: id, world)
            }
            #expect(record.state == walk.expectedState)
            var server = try await load(id, world)
            if server.state == ServerState(.resized) {
                #expect(walk.expectedState == .failed && server.flavor.id == "2")
                try await perform(id, world) { try await $0.revertResize(id, for: context("req-2")) }
                server = try await load(id, world)
            }
            if server.state == ServerState(.error) {
                #expect(walk.expectedState == .failed)
                #expect(server.fault?.message == SagaWalk.fault.message)
                #expect(try await migration(of: id, world).status == .error)
            } else {
                #expect(server.state == ServerState(.active))
                #expect(try await migration(of: id, world).status == .reverted)
                #expect(world.hypervisor.inventory[id]?.powerState == .running)
            }
            #expect(server.flavor.id == "1" && server.sagaRun == nil)
            #expect(world.hypervisor.asides.isEmpty)
            #expect(world.hypervisor.inventory[id]?.specification.memoryMiB == 512)
            #expect(world.placement.consumers == [id.rawValue])
            #expect(world.placement.resources(of: id.rawValue) == Self.small)
        }
    }

    @Test(
        "an evacuated server runs on the other host, or is in ERROR on its own",
        arguments: SagaWalk.all(EvacuateServerSaga.self))
    func evacuate(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        let second = SecondHost(world)
        try await world.run(runsSagas: false) {
            let id = try await active(world)
            try await second.run {
                try await world.setSilent("node-1")
                let record = try await walk.run(on: world.database, world.registry) { runner in
                    try await ServerEngine(world.parts, sagas: runner)
                        .evacuate(id, to: nil, stops: false, for: context())
                    return try await run(of: id, world)
                }
                #expect(record.state == walk.expectedState)
                let (server, migration) = (try await load(id, world), try await migration(of: id, world))
                #expect(server.sagaRun == nil)
                if walk.expectedState == .finished {
                    #expect(server.state == ServerState(.active) && server.host == "node-2")
                    #expect(second.hypervisor.inventory[id]?.powerState == .running)
                    #expect(migration.status == .done)
                    #expect(world.placement.resources(of: migration.id.rawValue) == Self.small)
                } else {
                    #expect(server.state == ServerState(.error) && server.host == "node-1")
                    #expect(second.hypervisor.inventory.isEmpty)
                    #expect(migration.status == .error)
                    #expect(world.placement.consumers == [id.rawValue])
                }
            }
        }
    }

    // MARK: Two processes

    @Test("a move whose end nobody heard of takes nothing from who went on with the server", arguments: [false, true])
    func movedAndUsed(fails: Bool) async throws {
        let world = try await ComputeWorld()
        let second = SecondHost(world)
        try await world.run(runsSagas: false) {
            let id = try await active(world)
            try await second.run {
                try await world.setSilent("node-1")
                let last = EvacuateServerSaga.steps.count - 1
                let record = try await world.interrupted(
                    at: .afterStep(last), failingAt: fails ? .beforeStep(last) : nil,
                    { engine in
                        try await engine.evacuate(id, to: nil, stops: false, for: context())
                        return try await run(of: id, world)
                    },
                    meanwhile: { try await $0.power(id, .stop, for: context("req-stop")) })
                #expect(record.state == (fails ? .failed : .finished))
                let (server, migration) = (try await load(id, world), try await migration(of: id, world))
                #expect(server.state == ServerState(.stopped) && server.host == "node-2" && server.sagaRun == nil)
                #expect(second.hypervisor.inventory[id]?.powerState == .shutdown)
                #expect(migration.status == .done)
                #expect(world.placement.resources(of: id.rawValue) == Self.small)
                #expect(world.placement.resources(of: migration.id.rawValue) == Self.small)
            }
        }
    }

    @Test("a move that an administrator's reset let go of is taken back whole")
    func resetAndFailed() async throws {
        let world = try await ComputeWorld()
        let second = SecondHost(world)
        try await world.run(runsSagas: false) {
            let id = try await active(world)
            try await second.run {
                try await world.setSilent("node-1")
                let record = try await world.interrupted(
                    at: .savedStep(1), failingAt: .beforeStep(2),
                    { engine in
                        try await engine.evacuate(id, to: nil, stops: false, for: context())
                        return try await run(of: id, world)
                    },
                    meanwhile: { _ in
                        _ = try await world.database.write {
                            try $0.execute("UPDATE servers SET task_state = NULL, saga_run = NULL WHERE id = \(id)")
                        }
                    })
                #expect(record.state == .failed)
                #expect(try await load(id, world).host == "node-1")
                #expect(second.hypervisor.inventory.isEmpty)
                #expect(world.placement.consumers == [id.rawValue])
            }
        }
    }

    @Test("a server whose other host is silent is not started twice: its guest stays aside, and the server in ERROR")
    func silentDestination() async throws {
        let world = try await ComputeWorld()
        let second = SecondHost(world)
        let root: JSON = [
            "boot_index": 0, "source_type": "image", "destination_type": "volume", "volume_size": 2,
            "uuid": .string(ComputeWorld.image), "delete_on_termination": true,
        ]
        try await world.run(runsSagas: false) {
            let id = try await withServices([world.sagas]) {
                let id = try await world.boot("one", ["block_device_mapping_v2": [root], "imageRef": ""])
                await world.sagas.idle()
                return ServerID(id)
            }
            try await second.run {
                let built = try #require(ResizeServerSaga.steps.firstIndex { $0.name.description == "build" })
                let record = try await world.interrupted(
                    at: .savedStep(built), failingAt: .beforeStep(built + 1),
                    { engine in
                        try await engine.migrate(id, to: nil, for: context("req-m"))
                        return try await run(of: id, world)
                    },
                    meanwhile: { _ in try await world.setSilent("node-2") })
                #expect(record.state == .stuckUndo)
                let server = try await load(id, world)
                #expect(server.state == ServerState(.error) && server.host == "node-1" && server.sagaRun == nil)
                #expect(world.hypervisor.inventory[id] == nil && world.hypervisor.asides[id] != nil)
            }
        }
    }

    // MARK: More

    @Test("a deletion overtakes a resize at work, and nothing is left")
    func overtakes() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            try await world.call(.post, "/servers/\(id)/action", ["resize": ["flavorRef": "2"]], expecting: 202)
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { try await world.call(.get, "/servers/\(id)").status == 404 }
            await world.sagas.idle()
            #expect(world.isClean && world.hypervisor.asides.isEmpty)
        }
    }

    @Test("a server that waits for its owner is deleted whole")
    func deleteResized() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            try await world.call(.post, "/servers/\(id)/action", ["resize": ["flavorRef": "2"]], expecting: 202)
            try await world.settled(id)
            #expect(try await world.status(id) == "VERIFY_RESIZE")
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { try await world.call(.get, "/servers/\(id)").status == 404 }
            await world.sagas.idle()
            #expect(world.isClean && world.hypervisor.asides.isEmpty)
            #expect(try await migration(of: ServerID(id), world).status == .confirmed)
        }
    }

    @Test("a resize is confirmed by itself after the window, and not before")
    func window() async throws {
        let world = try await ComputeWorld { $0.resizeConfirmWindow = .seconds(60) }
        try await world.run {
            let id = try await world.boot()
            try await world.call(.post, "/servers/\(id)/action", ["resize": ["flavorRef": "2"]], expecting: 202)
            try await world.settled(id)
            let reconciler = ComputeReconciler(world.parts, sagas: world.sagas)
            _ = try await reconciler.reconcile()
            #expect(try await world.status(id) == "VERIFY_RESIZE")
            let past = world.parts.clock.now() - .seconds(61)
            try await world.database.write { try $0.execute("UPDATE server_migrations SET updated_at = \(past)") }
            _ = try await reconciler.reconcile()
            try await world.settled(id)
            #expect(try await world.status(id) == "ACTIVE")
            #expect(world.placement.consumers == [id])
        }
    }

    @Test("a server on a volume goes to another host and back, and its lease with it")
    func otherHost() async throws {
        let world = try await ComputeWorld()
        let second = SecondHost(world)
        try await world.run {
            let root: JSON = [
                "boot_index": 0, "source_type": "image", "destination_type": "volume", "volume_size": 2,
                "uuid": .string(ComputeWorld.image), "delete_on_termination": true,
            ]
            let id = try await world.boot("one", ["block_device_mapping_v2": [root], "imageRef": ""])
            try await second.run {
                for ends in ["revertResize", "confirmResize"] {
                    try await world.call(
                        .post, "/servers/\(id)/action", ["migrate": nil], as: "admin", expecting: 202)
                    try await world.settled(id)
                    #expect(try await world.status(id) == "VERIFY_RESIZE")
                    #expect(second.hypervisor.inventory[ServerID(id)]?.powerState == .running)
                    #expect(world.hypervisor.asides[ServerID(id)] != nil)
                    #expect(world.volumes.leases.map(\.host) == ["node-2"])
                    try await world.call(.post, "/servers/\(id)/action", .object([ends: nil]))
                    try await world.settled(id)
                    #expect(try await world.status(id) == "ACTIVE")
                    #expect(world.hypervisor.asides.isEmpty)
                    let isBack = ends == "revertResize"
                    #expect(world.volumes.leases.map(\.host) == [isBack ? "node-1" : "node-2"])
                    #expect((world.hypervisor.inventory[ServerID(id)] != nil) == isBack)
                    #expect((second.hypervisor.inventory[ServerID(id)] == nil) == isBack)
                    #expect(world.placement.consumers == [id])
                }
            }
        }
    }
}

/// Another host of the same cloud.
struct SecondHost: Sendable {
    let hypervisor = FakeHypervisor(hostname: "node-2")
    private let world: ComputeWorld
    private let agent: ComputeAgent

    init(_ world: ComputeWorld) {
        self.world = world
        agent = ComputeAgent(host: "node-2", bus: world.bus, driver: hypervisor, reportInterval: .seconds(3600))
    }

    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withServices([agent]) {
            try await eventually { try await world.hosts.hosts().count == 2 }
            try await body()
        }
    }
}
