// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit
import TestKit
import Testing

@testable import ComputeDriverLibvirt

/// Goal: the libvirt driver keeps the promises of `HypervisorDriver` with a real libvirtd and real QEMU processes.
/// Method: a libvirtd in namespaces of its own, guests that are a boot sector.
@Suite("libvirt driver", .serialized, .enabled(if: LibvirtTestHost.isPossible))
struct LibvirtDriverHostTests {
    @Test("passes the conformance checks of hypervisor drivers")
    func conformance() async throws {
        try await withDriver { driver, _ in
            let conformance = HypervisorDriverConformance(driver: driver) { SampleGuest.make() }
            try await conformance.host()
            try await conformance.birthAndDeath()
            try await conformance.powerWalk()
            try await conformance.refusals()
            try await conformance.unknownGuest()
            try await conformance.consoles(loggedLine: "third line")
        }
    }

    @Test("a guest with all its disks leaves no file, no socket and no domain")
    func cleanUp() async throws {
        try await withDriver { driver, host in
            var guest = SampleGuest.make(configDrive: [
                .init(path: "openstack/latest/meta_data.json", content: [0x7B, 0x7D])
            ])
            guest.ephemeralDiskGiB = 1
            guest.swapMiB = 16
            guest.displayName = "<b>'&\u{1}"
            try await driver.spawn(guest)
            try await driver.stop(guest.serverID, grace: .zero)
            try await driver.start(guest.serverID)
            try await driver.destroy(guest.serverID)
            #expect(try FileSystem.list("\(host.directory)/state/instances") == ["_base"])
            #expect(try FileSystem.list("\(host.directory)/run").filter { $0.contains(guest.serverID.rawValue) } == [])
            #expect(try await driver.guests() == [:])
        }
    }

    @Test("a guest that powers itself off is told once, as its own doing")
    func ownDoing() async throws {
        try await withDriver(image: BootSector.make(powersOff: true)) { driver, _ in
            let guest = SampleGuest.make()
            var events = driver.events().makeAsyncIterator()
            try await driver.spawn(guest)
            let event = await events.next()
            #expect(event?.0 == guest.serverID)
            #expect(event?.1 == .shutdown)
            try await driver.destroy(guest.serverID)
        }
    }

    @Test("a guest that libvirt has forgotten starts from its own folder")
    func forgotten() async throws {
        try await withDriver { driver, _ in
            let guest = SampleGuest.make()
            try await driver.spawn(guest)
            try await driver.connection.run("forget") { host in
                guard let domain = try host.domain(guest.serverID) else { return }
                try domain.powerOff()
                try domain.undefine()
            }
            try await driver.start(guest.serverID)
            #expect(try await driver.powerState(guest.serverID) == .running)
            try await driver.destroy(guest.serverID)
        }
    }

    @Test("an image is fetched once, and guests keep it when the cache drops it")
    func baseImages() async throws {
        try await withDriver { driver, host in
            let guests = [SampleGuest.make(), SampleGuest.make()]
            for guest in guests { try await driver.spawn(guest) }
            let base = "\(host.directory)/state/instances/_base/\(guests[0].rootImage.imageID).raw"
            #expect(try FileSystem.status(base)?.linkCount == 3)
            try FileSystem.removeTree(base)
            try await driver.reboot(guests[0].serverID, .hard)
            #expect(try await driver.powerState(guests[0].serverID) == .running)
            for guest in guests { try await driver.destroy(guest.serverID) }
        }
    }

    @Test("the probe's guest does its work in the emulator")
    func probe() async throws {
        let folder = "/tmp/haneul-probe-\(UInt32.random(in: 0...UInt32.max))"
        try FileSystem.makeDirectories(folder)
        let probe = VirtualizationProbe(emulator: "/usr/bin/qemu-system-x86_64", stateDirectory: folder)
        #expect(try await probe.failure(accelerator: "tcg") == nil)
        try FileSystem.removeTree(folder)
    }

    private func withDriver(
        image: [UInt8] = BootSector.make(powersOff: false),
        _ body: @escaping @Sendable (LibvirtDriver, LibvirtTestHost) async throws -> Void
    ) async throws {
        let host = try await LibvirtTestHost.start()
        let driver = host.driver(image: image)
        let result: Result<Void, any Error>
        do {
            try await withServices([driver], limit: .seconds(120)) { try await body(driver, host) }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await host.stop()
        try result.get()
    }
}
