// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import Testing

/// What every hypervisor driver promises, as checks that run on the fake and on the real ones alike.
struct HypervisorDriverConformance {
    let driver: any HypervisorDriver
    /// A guest that can be built here; each call gives another one.
    let makeGuest: @Sendable () -> GuestSpecification

    private static let grace = Duration.milliseconds(300)

    /// A guest appears with its files, is replaced by a second build, and leaves nothing.
    func birthAndDeath() async throws {
        let guest = makeGuest()
        let server = guest.serverID
        let before = try await inventory()
        #expect(try await driver.powerState(server) == nil)

        for _ in 1...2 {
            try await driver.spawn(guest)
            #expect(try await driver.powerState(server) == .running)
            #expect(try await driver.guests()[server] == .running)
            #expect(try await driver.diskOwners().filter { $0 == server } == [server])
        }
        for _ in 1...2 {
            try await driver.destroy(server)
            #expect(try await driver.powerState(server) == nil)
            #expect(try await inventory() == before)
        }
    }

    /// Every power call reaches its state, from every state that it is allowed in, and may be repeated.
    func powerWalk() async throws {
        let guest = makeGuest()
        let server = guest.serverID
        try await driver.spawn(guest)
        let walk: [(String, PowerState, @Sendable () async throws -> Void)] = [
            ("stop", .shutdown, { try await driver.stop(server, grace: Self.grace) }),
            ("start", .running, { try await driver.start(server) }),
            ("pause", .paused, { try await driver.pause(server) }),
            ("unpause", .running, { try await driver.unpause(server) }),
            ("suspend", .suspended, { try await driver.suspend(server) }),
            ("resume", .running, { try await driver.resume(server) }),
            ("hard reboot", .running, { try await driver.reboot(server) }),
            ("pause", .paused, { try await driver.pause(server) }),
            ("start from paused", .running, { try await driver.start(server) }),
            ("pause", .paused, { try await driver.pause(server) }),
            ("suspend from paused", .suspended, { try await driver.suspend(server) }),
            ("stop from suspended", .shutdown, { try await driver.stop(server, grace: .zero) }),
            ("reboot from off", .running, { try await driver.reboot(server) }),
            ("pause", .paused, { try await driver.pause(server) }),
            ("stop from paused", .shutdown, { try await driver.stop(server, grace: Self.grace) }),
        ]
        for (name, expected, step) in walk {
            for attempt in 1...2 {
                try await step()
                #expect(try await driver.powerState(server) == expected, "\(name), attempt \(attempt)")
                #expect(try await driver.guests()[server] == expected, "\(name), attempt \(attempt)")
            }
        }
        try await driver.destroy(server)
    }

    /// What needs a running guest refuses one that is off, and says so.
    func refusals() async throws {
        let guest = makeGuest()
        let server = guest.serverID
        try await driver.spawn(guest)
        try await driver.stop(server, grace: .zero)
        await expectCode(.conflict) { try await driver.pause(server) }
        await expectCode(.conflict) { try await driver.unpause(server) }
        await expectCode(.conflict) { try await driver.suspend(server) }
        #expect(try await driver.powerState(server) == .shutdown)
        try await driver.destroy(server)
    }

    /// Calls for a guest that is not there say so; `destroy` does not mind.
    func unknownGuest() async throws {
        let server = makeGuest().serverID
        #expect(try await driver.powerState(server) == nil)
        try await driver.destroy(server)
        await expectCode(.notFound) { try await driver.start(server) }
        await expectCode(.notFound) { try await driver.stop(server, grace: .zero) }
        await expectCode(.notFound) { try await driver.reboot(server) }
        await expectCode(.notFound) { try await driver.pause(server) }
        await expectCode(.notFound) { try await driver.suspend(server) }
        await expectCode(.notFound) { try await driver.resume(server) }
        await expectCode(.notFound) { _ = try await driver.consoleOutput(server, lines: nil) }
        await expectCode(.notFound) { _ = try await driver.console(server, .vnc) }
    }

    /// A running guest has both consoles, and its log can be read from the end.
    func consoles(loggedLine: String) async throws {
        let guest = makeGuest()
        let server = guest.serverID
        try await driver.spawn(guest)
        _ = try await driver.console(server, .vnc)
        _ = try await driver.console(server, .serial)
        try await poll {
            String(decoding: try await driver.consoleOutput(server, lines: nil), as: UTF8.self).contains(loggedLine)
        }
        let last = try await driver.consoleOutput(server, lines: 1)
        #expect(last.dropLast().contains(UInt8(ascii: "\n")) == false)
        #expect(try await driver.consoleOutput(server, lines: 0) == [])
        try await driver.destroy(server)
    }

    /// A volume is given to a guest that runs and to one that is off, stays over starts, moves, grows, and goes. `open`
    /// says which files the guest has; `head` makes a new head of a volume.
    func volumes(
        make: @Sendable (String) async throws -> GuestVolume, head: @Sendable (GuestVolume) async throws -> String,
        open: @Sendable (ServerID) async throws -> [VolumeID: String]
    ) async throws {
        let guest = makeGuest()
        let server = guest.serverID
        let (first, second) = (try await make("sdb"), try await make("sdc"))
        try await driver.spawn(guest)
        for _ in 1...2 {
            try await driver.attachVolume(first, to: server)
            #expect(try await Set(open(server).keys) == [first.id])
        }
        let path = try await head(first)
        for _ in 1...2 {
            try await driver.moveVolume(first.id, of: server, toFile: path, format: .qcow2)
            #expect(try await open(server) == [first.id: path])
            try await driver.resizeVolume(first.id, of: server, toBytes: 8 << 20)
        }
        try await driver.stop(server, grace: .zero)
        try await driver.attachVolume(second, to: server)
        #expect(try await open(server)[first.id] == path)
        var moved = first
        moved.connection.source = .file(path: path, format: .qcow2)
        try await driver.prepareVolumes([moved, second], of: server)
        try await driver.start(server)
        #expect(try await Set(open(server).keys) == [first.id, second.id])
        try await driver.suspend(server)
        try await driver.prepareVolumes([moved, second], of: server)
        try await driver.resume(server)
        #expect(try await driver.powerState(server) == .running)
        #expect(try await Set(open(server).keys) == [first.id, second.id])
        for _ in 1...2 {
            try await driver.detachVolume(first.id, from: server)
            #expect(try await Set(open(server).keys) == [second.id])
        }
        // What is no longer the guest's is not opened by its next start.
        try await driver.prepareVolumes([], of: server)
        try await driver.reboot(server)
        #expect(try await open(server) == [:])
        try await driver.destroy(server)
        try await driver.detachVolume(first.id, from: server)
        try await driver.moveVolume(first.id, of: server, toFile: path, format: .qcow2)
        try await driver.resizeVolume(first.id, of: server, toBytes: 8 << 20)
        await expectCode(.notFound) { try await driver.attachVolume(first, to: server) }
        await expectCode(.notFound) { try await driver.prepareVolumes([first], of: server) }
    }

    /// A volume moves below a running guest, is there from then on, and stays where it was when the move is called off.
    /// `target` makes an empty place for a volume that is as large.
    func relocation(
        make: @Sendable (String) async throws -> GuestVolume,
        target: @Sendable (GuestVolume) async throws -> GuestVolume,
        open: @Sendable (ServerID) async throws -> [VolumeID: String]
    ) async throws {
        let guest = makeGuest()
        let server = guest.serverID
        let volume = try await make("sdb")
        try await driver.spawn(guest)
        try await driver.attachVolume(volume, to: server)
        let origin = try await open(server)
        let there = try await target(volume)
        #expect(try await driver.relocateVolume(there, of: server, .finish) == .resting)
        for _ in 1...2 {
            try await poll { try await driver.relocateVolume(there, of: server, .copy) == .ready }
            #expect(try await driver.relocateVolume(there, of: server, .copy) == .ready)
            #expect(try await open(server) == origin)
            for _ in 1...2 { #expect(try await driver.relocateVolume(there, of: server, .cancel) == .resting) }
            #expect(try await open(server) == origin)
        }
        try await driver.pause(server)
        try await poll { try await driver.relocateVolume(there, of: server, .copy) == .ready }
        for step: VolumeRelocation.Step in [.finish, .finish, .copy, .cancel] {
            #expect(try await driver.relocateVolume(there, of: server, step) == .moved, "\(step)")
        }
        try await driver.unpause(server)
        let place = try await open(server)
        #expect(place.keys == origin.keys && place != origin)
        // The next start knows it, without being told.
        try await driver.reboot(server)
        #expect(try await open(server) == place)
        // And so does all that is done to it later; a guest that is off has nobody who copies.
        #expect(try await driver.relocateVolume(volume, of: server, .copy) != .moved)
        #expect(try await driver.relocateVolume(volume, of: server, .cancel) == .resting)
        try await driver.resizeVolume(volume.id, of: server, toBytes: 8 << 20)
        try await driver.stop(server, grace: .zero)
        #expect(try await driver.relocateVolume(volume, of: server, .copy) == .closed)
        #expect(try await driver.relocateVolume(there, of: server, .finish) == .moved)
        try await driver.detachVolume(volume.id, from: server)
        #expect(try await driver.relocateVolume(there, of: server, .cancel) == .closed)
        try await driver.destroy(server)
        #expect(try await driver.relocateVolume(there, of: server, .cancel) == .gone)
    }

    /// A guest whose root disk is a volume runs, and the volume outlives it.
    func bootFromVolume(
        make: @Sendable (String) async throws -> GuestVolume,
        open: @Sendable (ServerID) async throws -> [VolumeID: String]
    ) async throws {
        var guest = makeGuest()
        var root = try await make("sda")
        root.bootIndex = 0
        guest.rootImage = nil
        guest.volumes = [root]
        for _ in 1...2 {
            try await driver.spawn(guest)
            #expect(try await driver.powerState(guest.serverID) == .running)
            #expect(try await Set(open(guest.serverID).keys) == [root.id])
            try await driver.destroy(guest.serverID)
        }
    }

    /// A guest boots from another disk and from its own again, is built without a start, and can be interrupted.
    func care() async throws {
        var guest = makeGuest()
        let server = guest.serverID
        let image = try #require(guest.rootImage)
        try await driver.spawn(guest)
        try await driver.unrescue(server)
        #expect(try await driver.powerState(server) == .running)
        for isStable in [false, true] {
            guest.rescue = .init(image: image, isStable: isStable)
            for _ in 1...2 {
                try await driver.rescue(guest, grace: .zero)
                #expect(try await driver.powerState(server) == .running)
            }
            try await driver.triggerCrashDump(server)
            for _ in 1...2 {
                try await driver.unrescue(server)
                #expect(try await driver.powerState(server) == .shutdown)
            }
            try await driver.start(server)
            #expect(try await driver.powerState(server) == .running)
        }
        // One that nobody could take back goes with the next start.
        try await driver.rescue(guest, grace: .zero)
        try await driver.reboot(server)
        #expect(try await driver.powerState(server) == .running)
        try await driver.unrescue(server)
        #expect(try await driver.powerState(server) == .running)
        try await driver.stop(server, grace: .zero)
        await expectCode(.conflict) { try await driver.triggerCrashDump(server) }
        await expectCode(.conflict) { try await driver.setPassword("secret", of: "root", in: server) }
        guest.rescue = nil
        guest.staysOff = true
        for _ in 1...2 {
            try await driver.spawn(guest)
            #expect(try await driver.powerState(server) == .shutdown)
        }
        try await driver.start(server)
        #expect(try await driver.powerState(server) == .running)
        try await driver.destroy(server)
        guest.rescue = .init(image: image, isStable: false)
        let gone = guest
        await expectCode(.notFound) { try await driver.rescue(gone, grace: .zero) }
        await expectCode(.notFound) { try await driver.unrescue(server) }
        await expectCode(.notFound) { try await driver.triggerCrashDump(server) }
    }

    /// A guest is set aside, made anew with more, put back, and made anew for good; nothing of the old one is left then.
    func moves() async throws {
        let guest = makeGuest()
        let (server, first, second) = (guest.serverID, IDSource.random.uuid(), IDSource.random.uuid())
        let before = try await inventory()
        var larger = guest
        larger.vcpus += 1
        larger.rootDiskGiB += 1
        try await driver.spawn(guest)
        #expect(try await !driver.restore(server, from: first))
        #expect(try await driver.powerState(server) == .running)
        await expectCode(.notFound) { try await driver.resize(larger, from: first, starts: true) }
        for _ in 1...2 {
            try await driver.setAside(server, named: first, grace: .zero)
            #expect(try await driver.powerState(server) != .running)
            #expect(try await driver.diskOwners().filter { $0 == server } == [server])
        }
        for _ in 1...2 {
            try await driver.resize(larger, from: first, starts: true)
            #expect(try await driver.powerState(server) == .running)
        }
        for _ in 1...2 {
            #expect(try await driver.restore(server, from: first))
            #expect(try await driver.powerState(server) == .shutdown)
        }
        try await driver.start(server)
        #expect(try await driver.restore(server, from: first))
        #expect(try await driver.powerState(server) == .running)
        // A guest that is all set aside, and nothing besides, is put back by its start.
        try await driver.stop(server, grace: .zero)
        try await driver.setAside(server, named: first, grace: .zero)
        try await driver.start(server)
        #expect(try await driver.powerState(server) == .running)
        #expect(try await driver.restore(server, from: first))
        // The second time from off, and for good.
        try await driver.stop(server, grace: .zero)
        try await driver.setAside(server, named: second, grace: .zero)
        try await driver.resize(larger, from: second, starts: false)
        #expect(try await driver.powerState(server) == .shutdown)
        for _ in 1...2 { try await driver.discardAside(server, named: second) }
        for name in [first, second] { #expect(try await !driver.restore(server, from: name)) }
        try await driver.start(server)
        #expect(try await driver.powerState(server) == .running)
        // What is set aside goes with the guest.
        try await driver.setAside(server, named: first, grace: .zero)
        try await driver.destroy(server)
        #expect(try await inventory() == before)
        #expect(try await !driver.restore(server, from: first))
    }

    /// The root disk of a guest that runs, and of one that is off, is copied whole, and no trace is left.
    func copies(check: @Sendable (String) async throws -> Void) async throws {
        let guest = makeGuest()
        let (server, name) = (guest.serverID, IDSource.random.uuid())
        try await driver.spawn(guest)
        for _ in 1...2 {
            for _ in 1...2 { try await check(try await driver.copyRootDisk(server, named: name)) }
            #expect(try await driver.powerState(server) == .running)
            try await driver.removeRootDiskCopy(server, named: name)
            try await driver.removeRootDiskCopy(server, named: name)
        }
        try await driver.stop(server, grace: .zero)
        try await check(try await driver.copyRootDisk(server, named: name))
        try await driver.removeRootDiskCopy(server, named: name)
        try await driver.destroy(server)
        try await driver.removeRootDiskCopy(server, named: name)
        await expectCode(.notFound) { _ = try await driver.copyRootDisk(server, named: name) }
    }

    /// Cards come and go, also twice, and stay over starts. `isRunning` false: the host has no switch to plug into.
    /// `cards` tells the ports of a guest's next start.
    func interfaces(isRunning: Bool, cards: @Sendable (ServerID) async throws -> [String]) async throws {
        let guest = makeGuest()
        let server = guest.serverID
        let nic = GuestSpecification.NIC(
            portID: "7a3b1c55-0000-4000-8000-00000000000a", tapName: "tap7a3b1c55-00", macAddress: "fa:16:3e:00:00:0a",
            mtu: 1442)
        await expectCode(.notFound) { try await driver.attachInterface(nic, to: server) }
        try await driver.detachInterface(nic, from: server)
        try await driver.spawn(guest)
        if !isRunning { try await driver.stop(server, grace: .zero) }
        for _ in 1...2 {
            try await driver.attachInterface(nic, to: server)
            #expect(try await cards(server) == [nic.portID])
        }
        if isRunning {
            try await driver.reboot(server)
            #expect(try await cards(server) == [nic.portID])
        }
        for _ in 1...2 {
            try await driver.detachInterface(nic, from: server)
            #expect(try await cards(server) == [])
        }
        try await driver.destroy(server)
        try await driver.detachInterface(nic, from: server)
    }

    /// A running guest has counters of all its parts; an image may be fetched ahead, again and again.
    func diagnostics() async throws {
        let guest = makeGuest()
        await expectCode(.notFound) { _ = try await driver.diagnostics(guest.serverID) }
        if let image = guest.rootImage {
            for _ in 1...2 { try await driver.cacheImage(image) }
        }
        try await driver.spawn(guest)
        let facts = try await driver.diagnostics(guest.serverID)
        #expect(facts.powerState == .running && facts.driver == "libvirt" && !facts.hypervisor.isEmpty)
        #expect(facts.cpus.count == guest.vcpus)
        #expect(facts.nics.map(\.macAddress) == guest.nics.map(\.macAddress))
        #expect(facts.disks.contains { $0.device == "vda" })
        #expect(facts.maximumMemoryKiB == Int64(guest.memoryMiB) * 1024)
        try await driver.destroy(guest.serverID)
    }

    /// The host says enough for placement.
    func host() async throws {
        let info = try await driver.info()
        #expect(!info.hostname.isEmpty && info.vcpus > 0 && info.memoryMiB > 0 && info.diskGiB > 0)
        #expect(try JSONReader.read(info.cpuInfo)["topology"] != nil)
        let traits = try #require(info.traits)
        #expect(HostTraits.own.subtracting(HostTraits.node).subtracting([HostTraits.disabled]).isSuperset(of: traits))
        #expect(traits.contains("COMPUTE_VOLUME_EXTEND") && traits.contains("COMPUTE_IMAGE_TYPE_QCOW2"))
        #expect(try await driver.info().traits == traits)
    }

    // MARK: Private

    private func inventory() async throws -> [String] {
        try await driver.guests().keys.map(\.rawValue).sorted() + driver.diskOwners().map(\.rawValue).sorted()
    }

    private func expectCode(
        _ code: CloudError.Code, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async {
        do {
            try await body()
            Issue.record("no error, expected \(code)", sourceLocation: sourceLocation)
        } catch {
            #expect((error as? CloudError)?.code == code, "\(error)", sourceLocation: sourceLocation)
        }
    }

    private func poll(_ condition: @Sendable () async throws -> Bool) async throws {
        for _ in 0..<600 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("the condition did not come true")
    }
}
