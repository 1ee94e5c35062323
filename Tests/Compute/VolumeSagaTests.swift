// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ComputeCore
import DatabaseKit
import PolicyKit
import TaskKit
import TestKit
import Testing

/// Goal: whatever fails or dies at any place, a volume is at its server or free, and nothing in between; and it is never
/// free while a guest has it.
/// Method: the standard walks through each saga; then the hypervisor, the leases and the rows are compared.
@Suite("Volume sagas")
struct VolumeSagaTests {
    private let enforcer: PolicyEnforcer

    init() throws {
        enforcer = try PolicyEnforcer([
            PolicyRule("any", "@"), PolicyRule("os_compute_api:servers:create:attach_network", "@"),
            PolicyRule("os_compute_api:servers:create:attach_volume", "@"),
        ])
    }

    private func context(_ request: String = "req-1") -> CallContext {
        CallContext(
            principal: TestCallers.demo, requestID: request, policy: "any",
            enforcer: enforcer)
    }

    private func load(_ id: ServerID, _ world: ComputeWorld) async throws -> Server {
        try #require(try await world.database.read { try world.parts.stores.servers.server(id, $0) })
    }

    private func devices(_ id: ServerID, _ world: ComputeWorld) async throws -> [ServerBlockDevice] {
        try await world.database.read { try world.parts.stores.blockDevices.of(id, $0) }.filter(\.isVolume)
    }

    /// A server that boots from a volume made of an image, and has a volume of the user's.
    private func draft(_ world: ComputeWorld, with volume: VolumeID) -> ServerDraft {
        var draft = ServerDraft(name: "one", flavorID: "1", imageID: nil)
        draft.networks = .requested([.init(network: ComputeWorld.network)])
        var root = BlockDeviceDraft(source: .image, destination: .volume, sourceID: ComputeWorld.image, bootIndex: 0)
        root.size = 2
        draft.blockDevices = [
            root, BlockDeviceDraft(source: .volume, destination: .volume, sourceID: volume.rawValue),
        ]
        return draft
    }

    @Test(
        "a creation with volumes ends ACTIVE with them, or leaves neither lease nor volume of its own",
        arguments: SagaWalk.all(CreateServerSaga.self))
    func create(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run(runsSagas: false) {
            _ = try await walk.run(on: world.database, world.registry) { runner in
                let created = try await ServerEngine(world.parts, sagas: runner).create(
                    draft(world, with: volume), for: context())
                return try #require(try await load(created.servers[0], world).sagaRun)
            }
            let id = try #require(
                try await world.database.read { transaction in
                    try transaction.first("SELECT id FROM servers") { ServerID($0.text(0)) }
                })
            let devices = try await devices(id, world)
            if walk.expectedState == .finished {
                #expect(try await load(id, world).state == ServerState(.active))
                #expect(devices.map(\.state) == [.attached, .attached])
                #expect(world.volumes.leases.count { $0.isComplete && $0.host == "node-1" } == 2)
                #expect(world.hypervisor.inventory[id]?.volumes.map(\.device) == ["vda", "vdb"])
                #expect(world.hypervisor.inventory[id]?.specification.rootImage == nil)
                #expect(world.placement.resources(of: id.rawValue)["DISK_GB"] == nil)
            } else {
                #expect(try await load(id, world).state == ServerState(.error))
                #expect(devices == [])
                #expect(world.volumes.leases == [])
                #expect(world.volumes.volumes.keys.sorted() == [volume])
                #expect(world.isClean)
            }
        }
    }

    @Test(
        "a deletion ends every lease after the guest, and the volumes that go with the server",
        arguments: SagaWalk.all(DeleteServerSaga.self))
    func delete(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run(runsSagas: false) {
            let id = try await active(world, with: volume, deletesRoot: true)
            _ = try await walk.run(on: world.database, world.registry) { runner in
                try await ServerEngine(world.parts, sagas: runner).delete(id, for: context())
                return try #require(try await load(id, world).sagaRun)
            }
            let server = try await load(id, world)
            guard walk.expectedState == .finished || server.isDeleted else {
                // It can be deleted again, and what its guest has open is nobody else's.
                #expect(server.state == ServerState(.error) && server.sagaRun == nil)
                if world.hypervisor.inventory[id] != nil { #expect(world.volumes.leases.count == 2) }
                return
            }
            #expect(server.isDeleted)
            #expect(world.isClean)
            #expect(world.volumes.leases == [])
            #expect(try await devices(id, world) == [])
            #expect(world.volumes.volumes.keys.sorted() == [volume])
        }
    }

    @Test("an attachment ends attached, or leaves a free volume", arguments: SagaWalk.all(AttachVolumeSaga.self))
    func attach(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        let (first, second) = (world.volumes.add(), world.volumes.add())
        try await world.run(runsSagas: false) {
            let id = try await active(world, with: first)
            _ = try await walk.run(on: world.database, world.registry) { runner in
                let engine = ServerVolumeEngine(ServerEngine(world.parts, sagas: runner))
                let device = try await engine.attach(id, .init(volume: second), for: context("req-2"))
                return try #require(device.sagaRun)
            }
            let devices = try await devices(id, world)
            let open = world.hypervisor.inventory[id]?.volumes.map(\.id).contains(second)
            if walk.expectedState == .finished {
                #expect(devices.first { $0.volume == second }?.state == .attached)
                #expect(world.volumes.leases.contains { $0.volume == second && $0.device == "/dev/vdc" })
                #expect(open == true)
            } else {
                #expect(!devices.contains { $0.volume == second })
                #expect(!world.volumes.leases.contains { $0.volume == second })
                #expect(open == false)
            }
        }
    }

    @Test(
        "a detachment ends with a free volume that the guest has closed, or with one that is still attached",
        arguments: SagaWalk.all(DetachVolumeSaga.self))
    func detach(_ walk: SagaWalk) async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run(runsSagas: false) {
            let id = try await active(world, with: volume)
            _ = try await walk.run(on: world.database, world.registry) { runner in
                let engine = ServerVolumeEngine(ServerEngine(world.parts, sagas: runner))
                try await engine.detach(id, volume, for: context("req-2"))
                return try #require(try await devices(id, world).first { $0.volume == volume }?.sagaRun)
            }
            // What a run may leave, the reconciler ends.
            _ = try await ComputeReconciler(world.parts, sagas: world.sagas).reconcile()
            let lease = world.volumes.leases.first { $0.volume == volume }
            let isOpen = world.hypervisor.inventory[id]?.volumes.map(\.id).contains(volume) == true
            let device = try await devices(id, world).first { $0.volume == volume }
            #expect((lease == nil) == (device == nil))
            #expect(isOpen == (lease != nil))
            if let device { #expect(device.state == .attached && lease?.isDetaching == false) }
            if walk.expectedState == .finished { #expect(lease == nil) }
        }
    }

    @Test("a guest that does not let go keeps its volume, and the volume is not given to another")
    func stubbornGuest() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = try await world.boot("one", world.attached(volume))
            world.hypervisor.setKeepsVolumes(true)
            try await world.call(.delete, "/servers/\(id)/os-volume_attachments/\(volume)", expecting: 202)
            await world.sagas.idle()
            #expect(world.volumes.leases.map(\.isDetaching) == [false])
            #expect(world.hypervisor.inventory[ServerID(id)]?.volumes.map(\.id) == [volume])
            world.hypervisor.setKeepsVolumes(false)
            try await world.call(.delete, "/servers/\(id)/os-volume_attachments/\(volume)", expecting: 202)
            await world.sagas.idle()
            #expect(world.volumes.leases == [])
        }
    }

    @Test(
        "volumes of a server whose host is silent stay leased until it answers, or is fenced", arguments: [true, false])
    func silentHost(isFenced: Bool) async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = try await world.boot("one", world.attached(volume))
            try await world.setSilent("node-1")
            try await world.call(
                .delete, "/servers/\(id)/os-volume_attachments/\(volume)", expecting: 409)
            try await world.call(.delete, "/servers/\(id)", expecting: 204)
            try await eventually { try await world.call(.get, "/servers/\(id)").status == 404 }
            await world.sagas.idle()
            let reconciler = ComputeReconciler(world.parts, sagas: world.sagas)
            _ = try await reconciler.reconcile()
            #expect(world.volumes.leases.map(\.volume) == [volume])
            #expect(world.hypervisor.inventory.count == 1)
            if isFenced {
                let host = try #require(try await world.hosts.hosts().first)
                _ = try await world.hosts.setService(host, isDisabled: nil, reason: nil, isForcedDown: true)
            } else {
                try await world.setSilent("node-1", false)
            }
            _ = try await reconciler.reconcile()
            #expect(world.volumes.leases == [])
            #expect(world.hypervisor.inventory.isEmpty == !isFenced)
        }
    }

    @Test("a start asks where the volumes are, and a reboot of the host, too")
    func restarts() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = try await world.boot("one", world.attached(volume))
            let before = world.volumes.connectionCount
            try await world.call(.post, "/servers/\(id)/action", ["os-stop": nil], expecting: 202)
            try await world.settled(id)
            #expect(world.volumes.connectionCount == before)
            try await world.call(.post, "/servers/\(id)/action", ["os-start": nil], expecting: 202)
            try await world.settled(id)
            #expect(world.volumes.connectionCount == before + 1)
            #expect(world.hypervisor.inventory[ServerID(id)]?.volumes.map(\.id) == [volume])
        }
    }

    @Test("a server gives back a volume that nobody leases to it")
    func revoked() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = ServerID(try await world.boot("one", world.attached(volume)))
            let lease = try #require(try await devices(id, world).first?.attachment)
            try await world.volumes.release(lease)
            let reconciler = ComputeReconciler(world.parts, sagas: world.sagas)
            #expect(try await reconciler.reconcile() == 0)
            let long = world.parts.clock.now() - .seconds(600)
            try await world.database.write { try $0.execute("UPDATE server_block_devices SET updated_at = \(long)") }
            #expect(try await reconciler.reconcile() == 2)
            #expect(try await devices(id, world).isEmpty)
            #expect(world.hypervisor.inventory[id]?.volumes.isEmpty == true)
        }
    }

    @Test("other services move and grow a volume under its guest; without a guest that is no error")
    func moveAndResize() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = ServerID(try await world.boot("one", world.attached(volume)))
            let compute = InProcessCompute(world.parts)
            try await compute.moveVolume(volume.rawValue, of: id, toFile: "/volumes/head", format: "qcow2")
            try await compute.resizeVolume(volume.rawValue, of: id, toBytes: 5 << 30, request: "req-5")
            let open = try #require(world.hypervisor.inventory[id]?.volumes.first?.connection)
            #expect(open.source == .file(path: "/volumes/head", format: .qcow2))
            #expect(open.sizeBytes == 5 << 30)
            let action = try await world.database.read {
                try world.parts.stores.actions.action(id, "req-5", $0)
            }
            #expect(action?.action == "extend_volume")
            #expect(action?.events.map(\.name) == ["compute_extend_volume"])
            #expect(action?.events.first?.result == "Success")
            let lease = try #require(try await devices(id, world).first?.attachment)
            #expect(try await compute.leasesHeld(among: [lease.rawValue, "another"]) == [lease.rawValue])
            try await compute.resizeVolume(volume.rawValue, of: IDSource.random.next(), toBytes: 1, request: "req-6")
        }
    }

    @Test("a volume goes elsewhere below a guest of a server that runs, and the server's timeline tells")
    func relocate() async throws {
        let world = try await ComputeWorld()
        let volume = world.volumes.add()
        try await world.run {
            let id = ServerID(try await world.boot("one", world.attached(volume)))
            let compute = InProcessCompute(world.parts)
            let there = VolumeConnection(
                volume: volume, source: .file(path: "/elsewhere", format: .qcow2), sizeBytes: 1 << 30)
            func relocate(_ step: VolumeRelocation.Step, of server: ServerID) async throws -> VolumeRelocation.State {
                try await compute.relocateVolume(of: server, to: there, step, request: "req-7")
            }
            #expect(try await relocate(.copy, of: id) == .copying(doneBytes: 0))
            #expect(try await relocate(.copy, of: id) == .ready)
            #expect(try await relocate(.cancel, of: id) == .resting)
            try await world.call(.post, "/servers/\(id)/action", ["os-stop": nil], expecting: 202)
            try await world.settled(id.rawValue)
            await #expect(throws: CloudError.self) { try await relocate(.copy, of: id) }
            #expect(try await relocate(.cancel, of: id) == .closed)
            try await world.call(.post, "/servers/\(id)/action", ["os-start": nil], expecting: 202)
            try await world.settled(id.rawValue)
            for _ in 1...2 { _ = try await relocate(.copy, of: id) }
            #expect(try await relocate(.finish, of: id) == .moved)
            #expect(world.hypervisor.inventory[id]?.volumes.first?.connection.source == there.source)
            let action = try await world.database.read {
                try world.parts.stores.actions.action(id, "req-7", $0)
            }
            #expect(action?.action == "swap_volume")
            #expect(action?.events.map(\.name) == ["compute_swap_volume"])
            #expect(action?.events.first?.result == "Success")
            #expect(try await relocate(.cancel, of: IDSource.random.next()) == .gone)
        }
    }

    // MARK: Private

    private func active(
        _ world: ComputeWorld, with volume: VolumeID, deletesRoot: Bool = false
    ) async throws -> ServerID {
        let runner = SagaRunner(database: world.database, registry: world.registry, holder: "setup", limits: .test)
        return try await withServices([runner]) {
            var draft = draft(world, with: volume)
            draft.blockDevices[0].deletesOnTermination = deletesRoot
            let id = try await ServerEngine(world.parts, sagas: runner).create(draft, for: context("req-0")).servers[0]
            try await runner.runToEnd(try #require(try await load(id, world).sagaRun))
            return id
        }
    }
}
