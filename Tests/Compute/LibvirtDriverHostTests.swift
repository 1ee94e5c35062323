// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
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
            try await conformance.diagnostics()
        }
    }

    @Test("a file is given to a guest, moved, grown and taken away, and the guest keeps its volumes over starts")
    func volumes() async throws {
        try await withDriver { driver, host in
            let conformance = HypervisorDriverConformance(driver: driver) { SampleGuest.make(bus: "scsi") }
            let files = VolumeFiles(directory: "\(host.directory)/volumes")
            try await conformance.volumes(
                make: { try await files.make(device: $0) }, head: { try await files.head(of: $0) },
                open: { try await Self.openFiles(driver, $0) })
            try await conformance.bootFromVolume(
                make: { try await files.make(device: $0, content: BootSector.make(powersOff: false)) },
                open: { try await Self.openFiles(driver, $0) })
        }
    }

    @Test("a guest that is off is given a network card, and loses it")
    func interfaces() async throws {
        try await withDriver { driver, _ in
            try await HypervisorDriverConformance(driver: driver) { SampleGuest.make() }
                .interfaces(isRunning: false) { server in
                    try await driver.connection.run("look at the guest") { host in
                        try host.domain(server)?.definition().interfaces.compactMap {
                            $0.first("virtualport")?.first("parameters")?["interfaceid"]
                        } ?? []
                    }
                }
        }
    }

    @Test("a guest boots from another disk, and from its own again with what that held")
    func care() async throws {
        try await withDriver { driver, _ in
            try await HypervisorDriverConformance(driver: driver) { SampleGuest.make() }.care()
            var guest = SampleGuest.make()
            let server = guest.serverID
            let files = try GuestFiles(server, driver.config)
            try await driver.spawn(guest)
            try await driver.stop(server, grace: .zero)
            let root = try FileSystem.read(files.root, limit: 1 << 20)
            guest.rescue = .init(image: try #require(guest.rootImage), isStable: true)
            try await driver.rescue(guest, grace: .zero)
            #expect(FileSystem.exists(files.ownDefinition) && FileSystem.exists(files.rescueRoot))
            try await driver.unrescue(server)
            #expect(!FileSystem.exists(files.ownDefinition) && !FileSystem.exists(files.rescueRoot))
            #expect(try FileSystem.read(files.root, limit: 1 << 20) == root)
            try await driver.destroy(server)
        }
    }

    @Test("a guest is made anew with a larger disk, and is what it was when it is put back")
    func moves() async throws {
        try await withDriver { driver, host in
            try await HypervisorDriverConformance(driver: driver) { SampleGuest.make() }.moves()
            let guest = SampleGuest.make()
            let (server, aside) = (guest.serverID, IDSource.random.uuid())
            let root = try GuestFiles(server, driver.config).root
            var larger = guest
            larger.rootDiskGiB = 2
            try await driver.spawn(guest)
            try await driver.setAside(server, named: aside, grace: .zero)
            try await driver.resize(larger, from: aside, starts: false)
            #expect(try await DiskImageTool().virtualSize(root, format: "qcow2") == 2 << 30)
            larger.rootDiskGiB = 1
            try await driver.resize(larger, from: aside, starts: true)
            #expect(try await DiskImageTool().virtualSize(root, format: "qcow2") == 1 << 30)
            #expect(try await driver.restore(server, from: aside))
            try await driver.start(server)
            #expect(try await driver.powerState(server) == .running)
            try await driver.destroy(server)
        }
    }

    @Test("a file goes elsewhere below a running guest, and is there from then on")
    func relocation() async throws {
        try await withDriver { driver, host in
            let conformance = HypervisorDriverConformance(driver: driver) { SampleGuest.make(bus: "scsi") }
            let files = VolumeFiles(directory: "\(host.directory)/volumes")
            try await conformance.relocation(
                make: { try await files.make(device: $0) }, target: { try await files.target(for: $0) },
                open: { try await Self.openFiles(driver, $0) })
        }
    }

    @Test(
        "a volume goes from a file to iSCSI and back below a running guest, with its bytes and its secrets",
        .enabled(if: FileSystem.exists("/usr/sbin/tgtd")))
    func relocationToISCSI() async throws {
        try await withDriver(setup: Self.iscsiSetup) { driver, host in
            let guest = SampleGuest.make(bus: "scsi")
            let server = guest.serverID
            let files = VolumeFiles(directory: "\(host.directory)/volumes")
            let content = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 11) }
            let origin = try await files.make(device: "sdb", content: content)
            var there = origin
            there.connection.source = .iscsi(
                .init(
                    portal: "127.0.0.1:3260", iqn: "iqn.2020-01.test:volume", lun: 1, chapUser: "user",
                    chapPassword: "secret123456"))
            func move(to volume: GuestVolume) async throws {
                try await eventually(within: .seconds(20)) {
                    try await driver.relocateVolume(volume, of: server, .copy) == .ready
                }
                var place = volume
                place.connection = volume.connection.withoutSecrets
                #expect(try await driver.relocateVolume(place, of: server, .finish) == .moved)
            }
            let secret = VolumeSecret.id(.chap, origin.id)
            try await driver.spawn(guest)
            try await driver.attachVolume(origin, to: server)
            try await move(to: there)
            #expect(try FileSystem.read("\(host.directory)/lun", limit: 16 << 20) == content)
            #expect(try await host.virsh("secret-list").contains(secret))
            // The old place is nobody's: it can be written by others.
            try await files.grow(origin, toBytes: 8 << 20)
            try await driver.prepareVolumes([there], of: server)
            try await driver.reboot(server)
            let back = try await files.target(for: origin)
            try await move(to: back)
            #expect(try await !host.virsh("secret-list").contains(secret))
            try await eventually {
                try FileSystem.text("\(host.directory)/conns")?.contains("Session:") == false
            }
            try await driver.detachVolume(origin.id, from: server)
            #expect(try await files.content(of: back) == content)
            // Where nobody listens there is nothing to move to, and the guest keeps what it has.
            try await driver.attachVolume(back, to: server)
            var nowhere = there
            nowhere.connection.source = .iscsi(
                .init(
                    portal: "127.0.0.1:3260", iqn: "iqn.2020-01.test:nothing", lun: 1, chapUser: "user",
                    chapPassword: "secret123456"))
            let absent = nowhere
            await #expect(throws: CloudError.self) { try await driver.relocateVolume(absent, of: server, .copy) }
            #expect(try await driver.relocateVolume(absent, of: server, .cancel) == .resting)
            #expect(try await driver.powerState(server) == .running)
            try await driver.destroy(server)
        }
    }

    /// What QEMU has open now, or the definition says of a guest that is off.
    private static func openFiles(_ driver: LibvirtDriver, _ server: ServerID) async throws -> [VolumeID: String] {
        try await driver.connection.run("look") { host -> [VolumeID: String] in
            guard let domain = try host.domain(server) else { return [:] }
            let document = try domain.isActive ? domain.liveDocument() : domain.definition()
            return Dictionary(
                document.disks.compactMap { disk in
                    DomainDocument.volume(disk).map { ($0, DomainDocument.file(disk) ?? "") }
                }, uniquingKeysWith: { first, _ in first })
        }
    }

    @Test("the root disk of a guest is copied while it runs, with all that is below it")
    func copies() async throws {
        try await withDriver { driver, host in
            let conformance = HypervisorDriverConformance(driver: driver) { SampleGuest.make() }
            let raw = "\(host.directory)/copy.raw"
            try await conformance.copies { path in
                let image = "/usr/bin/qemu-img"
                let info = try await Subprocess.runChecked(image, ["info", "-f", "qcow2", "--output=json", path])
                let facts = try JSONReader.read(info.stdout)
                #expect(facts["backing-filename"] == nil)
                #expect(facts["virtual-size"] == .int(1 << 30))
                try await Subprocess.runChecked(
                    image, ["convert", "-f", "qcow2", "-O", "raw", path, raw])
                let sector = try #require(try FileSystem.read(raw, limit: 512))
                #expect(sector == Array(BootSector.make(powersOff: false).prefix(512)))
            }
        }
    }

    @Test("a resized volume has its new size in the guest at once, and a guest that is off finds it grown")
    func resizedVolume() async throws {
        try await withDriver { driver, host in
            let guest = SampleGuest.make(bus: "scsi")
            let files = VolumeFiles(directory: "\(host.directory)/volumes")
            let volume = try await files.make(device: "sdb")
            try await driver.spawn(guest)
            try await driver.attachVolume(volume, to: guest.serverID)
            try await driver.resizeVolume(volume.id, of: guest.serverID, toBytes: 8 << 20)
            #expect(try await files.size(of: volume) == 8 << 20)
            try await driver.stop(guest.serverID, grace: .zero)
            try await driver.resizeVolume(volume.id, of: guest.serverID, toBytes: 16 << 20)
            #expect(try await files.size(of: volume) == 16 << 20)
            try await driver.destroy(guest.serverID)
        }
    }

    /// A target with one unit of eight mebibytes.
    private static let iscsiSetup = """
        mkdir -p /var/run/tgtd
        truncate -s 8M $1/lun
        tgtd --iscsi portal=127.0.0.1:3260
        for i in 1 2 3 4 5 6 7 8 9 10; do
            tgtadm --lld iscsi --op show --mode sys >/dev/null 2>&1 && break
            sleep .2
        done
        tgtadm --lld iscsi --op new --mode target --tid 1 -T iqn.2020-01.test:volume
        tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b $1/lun --bstype rdwr
        tgtadm --lld iscsi --op new --mode account --user user --password secret123456
        tgtadm --lld iscsi --op bind --mode account --tid 1 --user user
        tgtadm --lld iscsi --op bind --mode target --tid 1 -I ALL
        (while sleep .1; do tgtadm --lld iscsi --op show --mode conn --tid 1 > $1/next; mv $1/next $1/conns; done) &

        """

    @Test(
        "an iSCSI volume is opened by QEMU with its CHAP secret, and closed before the detaching ends",
        .enabled(if: FileSystem.exists("/usr/sbin/tgtd")))
    func iscsiVolume() async throws {
        try await withDriver(setup: Self.iscsiSetup) { driver, host in
            let guest = SampleGuest.make(bus: "scsi")
            var volume = SampleGuest.volume(device: "sdb")
            volume.connection.source = .iscsi(
                .init(
                    portal: "127.0.0.1:3260", iqn: "iqn.2020-01.test:volume", lun: 1, chapUser: "user",
                    chapPassword: "secret123456"))
            @Sendable func isConnected() throws -> Bool {
                try FileSystem.text("\(host.directory)/conns")?.contains("Session:") == true
            }
            try await driver.spawn(guest)
            try await driver.attachVolume(volume, to: guest.serverID)
            try await eventually { try isConnected() }
            try await driver.prepareVolumes([volume], of: guest.serverID)
            try await driver.reboot(guest.serverID)
            try await eventually { try isConnected() }
            try await driver.detachVolume(volume.id, from: guest.serverID)
            try await eventually { try !isConnected() }
            volume.connection.source = .iscsi(
                .init(
                    portal: "127.0.0.1:3260", iqn: "iqn.2020-01.test:volume", lun: 1, chapUser: "user",
                    chapPassword: "wrong1234567"))
            let wrong = volume
            await #expect(throws: CloudError.self) { try await driver.attachVolume(wrong, to: guest.serverID) }
            try await driver.destroy(guest.serverID)
        }
    }

    @Test("a LUKS volume is opened by a secret that goes with it, within its limits")
    func encryptedVolume() async throws {
        try await withDriver { driver, host in
            let guest = SampleGuest.make(bus: "scsi")
            let files = VolumeFiles(directory: "\(host.directory)/volumes")
            let volume = try await files.makeEncrypted(device: "sdb", passphrase: "a secret")
            try await driver.spawn(guest)
            try await driver.attachVolume(volume, to: guest.serverID)
            #expect(try await Self.openFiles(driver, guest.serverID).keys.contains(volume.id))
            let secret = VolumeSecret.id(.passphrase, volume.id)
            #expect(try await host.virsh("secret-list").contains(secret))
            try await driver.reboot(guest.serverID)
            try await driver.detachVolume(volume.id, from: guest.serverID)
            #expect(try await !host.virsh("secret-list").contains(secret))
            var wrong = volume
            wrong.connection.passphrase = "another"
            await #expect(throws: CloudError.self) { try await driver.attachVolume(wrong, to: guest.serverID) }
            try await driver.destroy(guest.serverID)
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
            let image = try #require(guests[0].rootImage)
            let base = "\(host.directory)/state/instances/_base/\(image.imageID).raw"
            #expect(try FileSystem.status(base)?.linkCount == 3)
            try FileSystem.removeTree(base)
            try await driver.reboot(guests[0].serverID)
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
        image: [UInt8] = BootSector.make(powersOff: false), setup: String = "",
        _ body: @escaping @Sendable (LibvirtDriver, LibvirtTestHost) async throws -> Void
    ) async throws {
        let host = try await LibvirtTestHost.start(setup: setup)
        let driver = host.driver(image: image)
        let result: Result<Void, any Error>
        do {
            try await withServices([driver], limit: .seconds(300)) { try await body(driver, host) }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await host.stop()
        try result.get()
    }
}
