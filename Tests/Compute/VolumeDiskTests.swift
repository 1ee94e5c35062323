// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ComputeCore
import Testing

@testable import ComputeDriverLibvirt

/// Goal: a volume becomes the right disk, with its secrets by name alone, and libvirt's own descriptions can be changed
/// without loss.
/// Method: pure values in, text out.
@Suite("Disks of volumes")
struct VolumeDiskTests {
    private func disk(
        _ source: VolumeConnection.Source, _ change: (inout GuestVolume) -> Void = { _ in }
    ) -> String {
        var volume = SampleGuest.volume(device: "vdb")
        volume.connection.source = source
        change(&volume)
        return VolumeDisk(volume: volume, bus: .virtio, cache: .none, initiator: "iqn.2020-01.test:host").xml()
    }

    @Test("a raw file ends its chain, and a layered one says it")
    func files() {
        let raw = disk(.file(path: "/v/a", format: .raw))
        #expect(raw.contains("type='raw' cache='none'") && raw.contains("<backingStore/>"))
        let layered = disk(.file(path: "/v/b", format: .qcow2)) {
            $0.connection.layers = [.init(path: "/v/a", format: .raw, isEncrypted: false)]
            $0.isShared = true
            $0.connection.isReadOnly = true
        }
        #expect(layered.contains("<format type='raw'/>") && layered.contains("<source file='/v/a'>"))
        #expect(layered.contains("<shareable/>") && layered.contains("<readonly/>"))
        #expect(!disk(.file(path: "/v/b", format: .qcow2)).contains("backingStore"))
    }

    @Test("no secret is in the text")
    func secrets() throws {
        let target = VolumeConnection.ISCSI(
            portal: "[2001:db8::5]:3261", iqn: "iqn.x:y", lun: 3, chapUser: "me", chapPassword: "hush-hush-hush")
        let iscsi = disk(.iscsi(target)) { $0.connection.passphrase = "open sesame" }
        #expect(iscsi.contains("name='iqn.x:y/3'") && iscsi.contains("<host name='2001:db8::5' port='3261'/>"))
        #expect(iscsi.contains("<iqn name='iqn.2020-01.test:host'/>") && iscsi.contains("<auth username='me'>"))
        #expect(iscsi.contains("<encryption format='luks' engine='qemu'>"))
        #expect(!iscsi.contains("hush") && !iscsi.contains("sesame"))
        let image = VolumeConnection.RBD(
            pool: "p", image: "i", monitors: ["10.0.0.1", "10.0.0.2:3300"], user: "cinder", key: "a2V5")
        let rbd = disk(.rbd(image))
        #expect(rbd.contains("name='p/i'") && rbd.contains("<host name='10.0.0.1' port='6789'/>"))
        #expect(rbd.contains("<host name='10.0.0.2' port='3300'/>") && !rbd.contains("a2V5"))
        let secrets = try VolumeSecret.all(
            of: VolumeConnection(volume: IDSource.random.next(), source: .rbd(image), sizeBytes: 1, passphrase: "x"))
        #expect(secrets.map(\.value) == [Array("key".utf8), Array("x".utf8)])
        #expect(Set(secrets.map(\.id)).count == 2)
        #expect(secrets.allSatisfy { !$0.xml().contains("key") && $0.xml().contains("ephemeral='yes' private='yes'") })
    }

    @Test("what is read is written again")
    func roundTrip() throws {
        let text = "<a b='&lt;&amp;&apos;'><c/>x &gt; y<d e='1'>é</d></a>"
        #expect(try XMLReader.read("<?xml version='1.0'?>\n<!-- no -->\n" + text).text == text)
        for broken in ["", "<a>", "<a></b>", "<a b=1/>", "<a>&what;</a>", "<a><b></a>"] {
            #expect(throws: XMLReader.Malformed.self) { try XMLReader.read(broken) }
        }
        let deep = String(repeating: "<a>", count: 1000)
        #expect(throws: XMLReader.Malformed.self) { try XMLReader.read(deep) }
    }

    @Test("a volume that stays keeps its place on the guest's bus")
    func places() throws {
        let (kept, gone, new) = (
            SampleGuest.volume(device: "vdb"), SampleGuest.volume(device: "vdc"), SampleGuest.volume(device: "vdd")
        )
        func element(_ volume: GuestVolume) throws -> XMLElement {
            try XMLReader.read(VolumeDisk(volume: volume, bus: .virtio, cache: .none, initiator: "").xml())
        }
        var placed = try element(kept)
        placed.children.append(.element(try XMLReader.read("<address type='pci' slot='0x09'/>")))
        var root = try XMLReader.read(
            "<domain><name>n</name><devices><disk><target dev='vda'/></disk></devices></domain>")
        var devices = try #require(root.first("devices"))
        devices.children += [.element(placed), .element(try element(gone))]
        root.replace(devices)
        var document = DomainDocument(root)
        document.setVolumes([try element(kept), try element(new)])
        #expect(document.volumes == [kept.id, new.id])
        #expect(document.disks.count == 3)
        #expect(document.disk(kept.id)?.first("address")?["slot"] == "0x09")
        document.move(kept.id, toFile: "/v/head", format: "qcow2")
        #expect(document.disk(kept.id).flatMap(DomainDocument.file) == "/v/head")
        #expect(document.text.contains("<name>n</name>"))
    }

    @Test("disks of a server differ in their letters")
    func names() {
        var names = BlockDeviceNames(taken: ["/dev/vda", "/dev/sdc"], bus: nil)
        #expect(names.next() == "/dev/vdb")
        #expect(names.next(wanted: "/dev/vdb") == "/dev/vdd")
        #expect(names.next(wanted: "/dev/xvdz") == "/dev/vdz")
        #expect(names.next(bus: "scsi") == "/dev/sde")
        #expect(names.next(bus: "fdc") == "/dev/vdf")
        #expect(BlockDeviceNames.letters(number: 25) == "z" && BlockDeviceNames.letters(number: 26) == "aa")
        #expect(BlockDeviceNames.isPath("/dev/vdb") && BlockDeviceNames.isPath("/dev/sda1"))
        #expect(!BlockDeviceNames.isPath("vdb") && !BlockDeviceNames.isPath("/dev/../x"))
    }

    @Test("a config drive stays away from the names that the API gives")
    func hiddenDisks() throws {
        var guest = SampleGuest.make(configDrive: [.init(path: "a", content: [])])
        guest.imageProperties = ["hw_machine_type": "q35"]
        let files = try GuestFiles(
            guest.serverID,
            LibvirtConfig(stateDirectory: "/s", hostname: "h", hostAddress: "", usesUserspaceDatapath: false))
        let layout = DiskLayout(guest: guest, hardware: try GuestHardware(guest.properties), files: files)
        #expect(layout.disks().map(\.target) == ["vda", "vdzz"])
    }
}
