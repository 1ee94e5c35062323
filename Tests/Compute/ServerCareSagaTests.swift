// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ComputeCore
import ImageContract
import PolicyKit
import TaskKit
import TestKit
import Testing

/// Goal: work on a server ends as asked, or leaves a server that can be used and says why, wherever the process dies or a
/// step fails; and never loses what the server's disk held.
/// Method: the standard walks through each saga; then row, hypervisor, placement, ports, leases and images are looked at.
@Suite("Sagas of care for servers")
struct ServerCareSagaTests {
    private let enforcer: PolicyEnforcer

    init() throws {
        enforcer = try PolicyEnforcer(
            [
                "any", "os_compute_api:servers:rebuild", "os_compute_api:os-rescue", "os_compute_api:os-unrescue",
                "os_compute_api:os-shelve:shelve", "os_compute_api:os-shelve:unshelve",
                "os_compute_api:os-create-backup", "os_compute_api:os-deferred-delete:restore",
            ].map { PolicyRule($0, "@") })
    }

    private func context(_ request: String) -> CallContext {
        CallContext(principal: TestCallers.demo, requestID: request, policy: "any", enforcer: enforcer)
    }

    private func load(_ id: ServerID, _ world: ComputeWorld) async throws -> Server {
        try #require(try await world.database.read { try world.parts.stores.servers.server(id, $0) })
    }

    /// Walks through the run that `start` starts.
    private func walk(
        _ walk: SagaWalk, _ id: ServerID, _ world: ComputeWorld,
        _ start: @escaping @Sendable (ServerEngine) async throws -> Void
    ) async throws -> Server {
        _ = try await walk.run(on: world.database, world.registry) { runner in
            try await start(ServerEngine(world.parts, sagas: runner))
            return try #require(try await load(id, world).sagaRun)
        }
        let server = try await load(id, world)
        #expect(server.sagaRun == nil && server.state.task == nil)
        let (stores, host) = (world.parts.stores, "node-1")
        #expect(server.host == nil || server.host == host)
        let action = try await world.database.read { try stores.actions.action(id, "req-walk", $0) }
        #expect(action?.events.allSatisfy { $0.finishedAt != nil } == true)
        return server
    }

    /// Boots a server in a world that runs, and does to it what comes before the walk.
    private func boot(
        _ world: ComputeWorld, _ extra: [String: JSON] = [:],
        _ before: @escaping @Sendable (String) async throws -> Void = { _ in }
    ) async throws -> ServerID {
        try await withServices([world.sagas]) {
            let id = try await world.boot("one", extra)
            try await before(id)
            try await world.settled(id)
            await world.sagas.idle()
            return ServerID(id)
        }
    }

    // MARK: Rebuild

    @Test("a rebuild ends ACTIVE, or in ERROR with its fault", arguments: SagaWalk.all(RebuildServerSaga.self))
    func rebuild(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        let root = world.volumes.add(isBootable: true)
        try await world.run(runsSagas: false) {
            let id = try await boot(
                world,
                [
                    "imageRef": "",
                    "block_device_mapping_v2": [
                        [
                            "boot_index": 0, "source_type": "volume", "destination_type": "volume",
                            "uuid": .string(root.rawValue),
                        ]
                    ],
                ])
            let server = try await self.walk(walk, id, world) { engine in
                var draft = RebuildDraft(imageID: ComputeWorld.image, adminPassword: "secret")
                draft.reimagesVolume = true
                try await engine.rebuild(id, draft, for: context("req-walk"))
            }
            #expect(server.state.vm == .active || (server.state.vm == .error && server.fault != nil))
            if walk.expectedState == .finished { #expect(server.state.vm == .active) }
            #expect(world.placement.consumers == [id.rawValue] && world.volumes.leases.count == 1)
            if server.state.vm == .active {
                #expect(world.hypervisor.inventory[id]?.powerState == .running)
                #expect(world.volumes.leases.map(\.isComplete) == [true])
            }
        }
    }

    // MARK: Rescue

    @Test(
        "a rescue ends in RESCUE, or with the server's own disks", arguments: SagaWalk.all(RescueServerSaga.self))
    func rescue(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await boot(world)
            let server = try await self.walk(walk, id, world) { engine in
                try await engine.rescue(
                    id, image: nil, adminPassword: "secret", allowsVolume: false, for: context("req-walk"))
            }
            let guest = try #require(world.hypervisor.inventory[id])
            #expect((server.state.vm == .rescued) == (guest.rescue != nil))
            if walk.expectedState == .finished { #expect(server.state.vm == .rescued) }
            switch server.state.vm {
            case .rescued, .active: #expect(guest.powerState == .running)
            default: #expect(server.state.vm == .error && server.fault != nil && guest.powerState == .shutdown)
            }
        }
    }

    @Test("an end of a rescue ends ACTIVE, or in ERROR", arguments: SagaWalk.all(UnrescueServerSaga.self))
    func unrescue(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await boot(world) { id in
                try await world.call(.post, "/servers/\(id)/action", ["rescue": nil], expecting: 200)
            }
            let server = try await self.walk(walk, id, world) { try await $0.unrescue(id, for: context("req-walk")) }
            #expect(server.state.vm == .active || server.state.vm == .error)
            if server.state.vm == .active { #expect(world.hypervisor.inventory[id]?.rescue == nil) }
        }
    }

    // MARK: Shelf

    @Test(
        "a server is on the shelf with its image, or what it was without one",
        arguments: SagaWalk.all(ShelveServerSaga.self), [true, false])
    func shelve(_ walk: SagaWalk, offloads: Bool) async throws {
        let world = try await ComputeWorld { $0.offloadsShelved = offloads }
        try await world.run(runsSagas: false) {
            let id = try await boot(world)
            let server = try await self.walk(walk, id, world) { try await $0.shelve(id, for: context("req-walk")) }
            let images = world.images.all.filter { $0.name == "one-shelved" }
            let guest = world.hypervisor.inventory[id]
            switch server.state.vm {
            case .active:
                #expect(images.isEmpty && guest?.powerState == .running && guest?.copies == [])
                #expect(server.fault != nil)
            case .shelved:
                #expect(images.map(\.status) == ["active"])
                #expect(guest?.powerState == .shutdown && server.host == "node-1")
            case .shelvedOffloaded:
                #expect(images.map(\.status) == ["active"] && guest == nil && server.host == nil)
                if walk.expectedState == .finished {
                    #expect(world.placement.consumers.isEmpty && world.networks.hosts.isEmpty)
                }
            default: Issue.record("\(server.state)")
            }
            if walk.expectedState == .finished {
                #expect(server.state.vm == (offloads ? .shelvedOffloaded : .shelved))
            }
        }
    }

    @Test(
        "a server that is on the shelf keeps its image, even if the process that put it there died",
        arguments: [true, false])
    func keepsShelvedImage(offloads: Bool) async throws {
        let world = try await ComputeWorld { $0.offloadsShelved = offloads }
        try await world.run(runsSagas: false) {
            let id = try await boot(world)
            let step = try #require(ShelveServerSaga.steps.firstIndex { $0.name.description == "shelve" })
            let record = try await world.interrupted(at: .afterStep(step), failingAt: .beforeStep(step)) { engine in
                try await engine.shelve(id, for: context("req-walk"))
                return try #require(try await load(id, world).sagaRun)
            }
            #expect(record.state == .failed)
            let (server, stores) = (try await load(id, world), world.parts.stores)
            #expect(server.state == ServerState(.shelved) && server.sagaRun == nil)
            let shelf = try await world.database.read { try stores.shelves.shelf(of: id, $0) }
            let images = world.images.all.filter { $0.name == "one-shelved" }
            #expect(images.map(\.status) == ["active"] && images.map { Optional($0.id) } == [shelf?.image])
        }
    }

    @Test(
        "a server comes from the shelf, or stays on it with its image",
        arguments: SagaWalk.all(UnshelveServerSaga.self), [true, false])
    func unshelve(_ walk: SagaWalk, isOffloaded: Bool) async throws {
        let world = try await ComputeWorld { $0.offloadsShelved = isOffloaded }
        let volume = world.volumes.add()
        try await world.run(runsSagas: false) {
            let id = try await boot(world, world.attached(volume)) { id in
                try await world.call(.post, "/servers/\(id)/action", ["shelve": nil], expecting: 202)
            }
            let server = try await self.walk(walk, id, world) {
                try await $0.unshelve(id, .init(), for: context("req-walk"))
            }
            let images = world.images.all.filter { $0.name == "one-shelved" }
            let guest = world.hypervisor.inventory[id]
            let stores = world.parts.stores
            let shelf = try await world.database.read { try stores.shelves.shelf(of: id, $0) }
            switch server.state.vm {
            case .active:
                #expect(guest?.powerState == .running && guest?.volumes.map(\.id) == [volume])
                #expect(world.placement.consumers == [id.rawValue] && shelf == nil)
                #expect(Array(world.networks.hosts.values) == ["node-1"] && server.fault == nil)
            case .shelvedOffloaded:
                #expect(isOffloaded && guest == nil && images.map { Optional($0.id) } == [shelf?.image])
                #expect(world.placement.consumers.isEmpty && world.networks.hosts.isEmpty)
                #expect(world.volumes.leases.map(\.host) == [nil] && server.host == nil && server.fault != nil)
            case .shelved:
                #expect(!isOffloaded && guest?.powerState == .shutdown)
                #expect(images.map { Optional($0.id) } == [shelf?.image])
            default: Issue.record("\(server.state)")
            }
            if walk.expectedState == .finished {
                #expect(server.state.vm == .active && images.isEmpty)
            }
        }
    }

    // MARK: Backups and soft deletions

    @Test("a backup is whole or gone, and the server is what it was", arguments: SagaWalk.all(CreateImageSaga.self))
    func backup(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        try await world.run(runsSagas: false) {
            let id = try await boot(world)
            let server = try await self.walk(walk, id, world) { engine in
                _ = try await engine.createBackup(
                    id, name: "backup", type: "daily", rotation: 1, metadata: [:], for: context("req-walk"))
            }
            #expect(server.state == ServerState(.active))
            // It is whole as soon as the first step has had its effect.
            let backups = world.images.all.filter { $0.name == "backup" }
            #expect(backups.map(\.status) == (walk.kind == .failsBeforeStep(0) ? [] : ["active"]))
            #expect(world.hypervisor.inventory[id]?.copies == [])
        }
    }

    @Test(
        "a server that may be restored is off, or what it was", arguments: SagaWalk.all(SoftDeleteServerSaga.self))
    func softDelete(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld { $0.reclaimInterval = .seconds(3600) }
        try await world.run(runsSagas: false) {
            let id = try await boot(world)
            let server = try await self.walk(walk, id, world) { try await $0.delete(id, for: context("req-walk")) }
            #expect(server.state.vm == .softDeleted || server.state.vm == .active)
            if walk.expectedState == .finished { #expect(server.state.vm == .softDeleted) }
            if server.state.vm == .softDeleted {
                #expect(world.hypervisor.inventory[id]?.powerState == .shutdown)
            }
        }
    }

    @Test("a deletion overtakes whatever is at work, and nothing is left", arguments: ["shelve", "rescue", "rebuild"])
    func overtakes(_ action: String) async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let value: JSON = action == "rebuild" ? ["imageRef": .string(ComputeWorld.image)] : nil
            try await world.call(.post, "/servers/\(id)/action", .object([action: value]))
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { try await world.call(.get, "/servers/\(id)").status == 404 }
            await world.sagas.idle()
            #expect(world.isClean)
            #expect(world.images.all.allSatisfy { $0.name != "one-shelved" })
        }
    }
}
