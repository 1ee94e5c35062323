// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import Testing

@testable import ComputeDriverLibvirt

/// Goal: a guest becomes the right domain, and no text of a tenant becomes markup.
/// Method: pure values in, text out.
@Suite("Domain XML")
struct DomainXMLTests {
    @Test("every special character is escaped, and what XML cannot carry is replaced")
    func escaping() {
        var xml = XMLWriter()
        xml.element("name", ["of": "<'\"&>\n"], text: "a</name>\u{0}\u{1F}\u{FFFE}é")
        #expect(
            xml.text == "<name of='&lt;&apos;&quot;&amp;&gt;&#10;'>a&lt;/name&gt;\u{FFFD}\u{FFFD}\u{FFFD}é</name>\n")
    }

    @Test("elements nest")
    func nesting() {
        var xml = XMLWriter()
        xml.element("a") { xml in xml.element("b", ["c": "d"]) }
        #expect(xml.text == "<a>\n  <b c='d'/>\n</a>\n")
    }

    @Test("an ephemeral disk is found by its name, whatever its number: a flavor may bring fewer disks before it")
    func ephemeralFiles() throws {
        var guest = SampleGuest.make()
        guest.localDisks = [
            .init(kind: .swap, sizeMiB: 64, device: "vdb"), .init(kind: .ephemeral, sizeMiB: 1024, device: "vdc"),
        ]
        let document = DomainDocument(try XMLReader.read(try text(guest)))
        #expect(document.ephemeralFiles == ["vdc": "ephemeral1.raw"])
    }

    @Test("a display name cannot leave its element")
    func injection() throws {
        var guest = SampleGuest.make()
        guest.displayName = "</haneul:name></haneul:instance></metadata><devices>"
        let xml = try text(guest)
        #expect(
            xml.contains("<haneul:name>&lt;/haneul:name&gt;&lt;/haneul:instance&gt;&lt;/metadata&gt;&lt;devices&gt;<"))
        #expect(xml.split(separator: "<devices>").count == 2)
    }

    @Test("guests compute their checksums on the userspace datapath alone", arguments: [true, false])
    func checksums(usesUserspaceDatapath: Bool) throws {
        let xml = try text(withNIC(), usesUserspaceDatapath: usesUserspaceDatapath)
        #expect(xml.contains("<host csum='off'/>") == usesUserspaceDatapath)
        #expect(xml.contains("<parameters interfaceid='port-1'/>"))
        #expect(xml.contains("<target dev='tap1'/>"))
        #expect(xml.contains("<mtu size='1442'/>"))
    }

    @Test("a card that comes later is like those that came first, and the port finds it again")
    func laterCards() throws {
        var document = DomainDocument(try XMLReader.read(try text(withNIC())))
        #expect(document.interfaces.count == 1 && document.interface("port-1") != nil)
        let nic = GuestSpecification.NIC(portID: "port-2", tapName: "tap2", macAddress: "fa:16:3e:00:00:02", mtu: 1442)
        let config = LibvirtConfig(
            stateDirectory: "/s", hostname: "h", hostAddress: "", usesUserspaceDatapath: false)
        var xml = XMLWriter()
        InterfaceDescription(nic: nic, model: "e1000", config: config).write(to: &xml)
        document.add(interface: try XMLReader.read(xml.text))
        #expect(document.interfaces.count == 2)
        let added = try #require(document.interface("port-2"))
        #expect(added.first("model")?["type"] == "e1000" && added.first("target")?["dev"] == "tap2")
        document.remove(interface: "port-1")
        #expect(document.interface("port-1") == nil && document.interfaces.count == 1)
    }

    @Test("a translator is bounded, KVM shows the host's processor")
    func processors() throws {
        let emulated = try text(SampleGuest.make(), virtualization: .qemu)
        #expect(emulated.contains("<domain type='qemu'>") && emulated.contains("<tb-cache unit='MiB'>64</tb-cache>"))
        #expect(emulated.contains("<model fallback='allow'>Nehalem</model>"))
        let accelerated = try text(SampleGuest.make(), virtualization: .kvm)
        #expect(accelerated.contains("<domain type='kvm'>") && accelerated.contains("mode='host-passthrough'"))
        #expect(!accelerated.contains("tb-cache"))
    }

    @Test("disks come in order, on the bus that the image wants")
    func disks() throws {
        var guest = SampleGuest.make(configDrive: [.init(path: "a", content: [])])
        guest.ephemeralDiskGiB = 1
        guest.swapMiB = 1
        #expect(try targets(guest) == ["vda", "vdb", "vdc", "hda"])
        guest.rootImage?.properties = ["hw_disk_bus": "ide"]
        #expect(try targets(guest) == ["hda", "hdb", "hdc", "hdd"])
        guest.rootImage?.properties = ["hw_machine_type": "q35", "hw_disk_bus": "scsi"]
        #expect(try targets(guest) == ["sda", "sdb", "sdc", "vda"])
    }

    @Test("an ISO image is a cdrom behind the disk that it installs to")
    func iso() throws {
        var guest = SampleGuest.make()
        guest.rootImage?.format = "iso"
        #expect(try targets(guest) == ["vda", "hda"])
        guest.rootDiskGiB = 0
        #expect(try targets(guest) == ["hda"])
    }

    @Test(
        "hardware that does not exist is refused",
        arguments: [
            ("hw_disk_bus", "floppy"), ("hw_vif_model", "token-ring"), ("hw_machine_type", "pc' x='"),
            ("hw_video_model", "hercules"), ("hw_firmware_type", "coreboot"),
        ])
    func refusedHardware(name: String, value: String) {
        #expect(throws: CloudError.self) { try GuestHardware([name: value]) }
    }

    @Test("a server id cannot name another folder", arguments: ["", "..", "../../../../etc", "a/b", "0123"])
    func paths(id: String) {
        #expect(throws: CloudError.self) { try GuestFiles(ServerID(id), Self.config) }
    }

    @Test("the root disk has the flavor's size, which must hold the image")
    func rootSize() throws {
        var guest = SampleGuest.make()
        #expect(try GuestDisks.rootSize(guest) == 1 << 30)
        guest.rootDiskGiB = 0
        #expect(try GuestDisks.rootSize(guest) == 1 << 20)
        guest.rootDiskGiB = 1
        guest.rootImage?.virtualSizeBytes = (1 << 30) + 1
        #expect(throws: CloudError.self) { try GuestDisks.rootSize(guest) }
    }

    @Test("a rescue disk has the root disk's place, or comes last beside all others, and is what the guest boots from")
    func rescue() throws {
        var guest = SampleGuest.make(configDrive: [.init(path: "a", content: [])])
        guest.swapMiB = 1
        let image = try #require(guest.rootImage)
        guest.rescue = .init(image: image, isStable: false)
        #expect(try targets(guest) == ["vda", "vdb", "hda"])
        #expect(try disks(guest).map(\.bootOrder) == [1, nil, nil])
        #expect(try disks(guest)[1].path.hasSuffix("/root.qcow2"))
        guest.rescue = .init(image: image, isStable: true, bus: "scsi")
        #expect(try targets(guest) == ["vda", "vdb", "hda", "sda"])
        #expect(try disks(guest).map(\.bootOrder) == [nil, nil, nil, 1])
        #expect(try disks(guest)[2].path.hasSuffix("/rescue-config.iso"))
        guest.rescue = .init(image: image, isStable: true, bus: "usb", device: "cdrom")
        #expect(try disks(guest).last?.device == "cdrom")
        #expect(try !text(guest).contains("<controller type='usb' model='none'/>"))
        // A server that boots from a volume has no disk of its own.
        guest.rootImage = nil
        guest.swapMiB = 0
        guest.volumes = [SampleGuest.volume(device: "vda")]
        #expect(try targets(guest).contains("vda") == false)
        for rescue: GuestSpecification.Rescue in [
            .init(image: image, isStable: true, device: "tape"), .init(image: image, isStable: true, bus: "lvm"),
        ] { #expect(throws: CloudError.self) { try GuestHardware([:]).check(rescue) } }
    }

    // MARK: Private

    private func disks(_ guest: GuestSpecification) throws -> [DiskLayout.Disk] {
        DiskLayout(
            guest: guest, hardware: try GuestHardware(guest.properties),
            files: try GuestFiles(guest.serverID, Self.config)
        ).disks()
    }

    private static let config = LibvirtConfig(
        stateDirectory: "/state", hostname: "h", hostAddress: "10.0.0.1", usesUserspaceDatapath: true)

    private func withNIC() -> GuestSpecification {
        var guest = SampleGuest.make()
        guest.nics = [.init(portID: "port-1", tapName: "tap1", macAddress: "fa:16:3e:00:00:01", mtu: 1442)]
        return guest
    }

    private func targets(_ guest: GuestSpecification) throws -> [String] {
        let files = try GuestFiles(guest.serverID, Self.config)
        let hardware = try GuestHardware(guest.properties)
        return DiskLayout(guest: guest, hardware: hardware, files: files).disks().map(\.target)
    }

    private func text(
        _ guest: GuestSpecification, virtualization: LibvirtConfig.Virtualization = .qemu,
        usesUserspaceDatapath: Bool = true
    ) throws -> String {
        var config = Self.config
        config.usesUserspaceDatapath = usesUserspaceDatapath
        return DomainDescription(
            guest: guest, hardware: try GuestHardware(guest.properties),
            files: try GuestFiles(guest.serverID, config),
            host: DomainHost(virtualization: virtualization, diskCache: .none, config: config)
        ).xml()
    }
}
