// SPDX-License-Identifier: Apache-2.0
import ComputeContract

/// Which file is which disk of the guest.
struct DiskLayout {
    struct Disk: Equatable {
        var path: String
        var format: String
        var device: String
        var bus: GuestHardware.DiskBus
        var target: String
        var isReadOnly = false
        var bootOrder: Int?
    }

    let guest: GuestSpecification
    let hardware: GuestHardware
    let files: GuestFiles

    var bootsFromCDROM: Bool { guest.rootImage.format == "iso" }
    /// A guest from an ISO image may have no disk at all.
    var hasRootDisk: Bool { !bootsFromCDROM || guest.rootDiskGiB > 0 }

    func disks() -> [Disk] {
        var disks: [Disk] = []
        var used: [String: Int] = [:]
        func add(
            _ path: String, _ format: String, bus: GuestHardware.DiskBus, device: String = "disk", boot: Int? = nil
        ) {
            let number = used[bus.devicePrefix, default: 0]
            used[bus.devicePrefix] = number + 1
            let letter = Character(Unicode.Scalar(UInt8(ascii: "a") + UInt8(number)))
            disks.append(
                Disk(
                    path: path, format: format, device: device, bus: bus, target: "\(bus.devicePrefix)\(letter)",
                    isReadOnly: device == "cdrom" || path == files.configDrive, bootOrder: boot))
        }
        if hasRootDisk { add(files.root, "qcow2", bus: hardware.diskBus, boot: 1) }
        // After the disk: an installer starts while the disk is empty, and what it installed from then on.
        if bootsFromCDROM { add(files.cdrom, "raw", bus: hardware.cdromBus, device: "cdrom", boot: 2) }
        if guest.ephemeralDiskGiB > 0 { add(files.ephemeral, "raw", bus: hardware.diskBus) }
        if guest.swapMiB > 0 { add(files.swap, "raw", bus: hardware.diskBus) }
        if !guest.configDrive.isEmpty {
            if hardware.isQ35 {
                // Slim kernels do not know this machine's cdrom bus, so the drive is a plain disk.
                add(files.configDrive, "raw", bus: .virtio)
            } else {
                add(files.configDrive, "raw", bus: hardware.cdromBus, device: "cdrom")
            }
        }
        return disks
    }

    func write(to xml: inout XMLWriter, cache: LibvirtConfig.DiskCache) {
        let disks = disks()
        for disk in disks {
            xml.element("disk", ["type": "file", "device": disk.device]) { xml in
                if disk.device == "cdrom" || disk.isReadOnly {
                    xml.element("driver", ["name": "qemu", "type": disk.format])
                } else {
                    xml.element(
                        "driver", ["name": "qemu", "type": disk.format, "cache": cache.rawValue, "discard": "unmap"])
                }
                xml.element("source", ["file": disk.path])
                xml.element("target", ["dev": disk.target, "bus": disk.bus.rawValue])
                if disk.isReadOnly { xml.element("readonly") }
                if let order = disk.bootOrder { xml.element("boot", ["order": "\(order)"]) }
            }
        }
        if disks.contains(where: { $0.bus == .scsi }) {
            xml.element("controller", ["type": "scsi", "model": "virtio-scsi"])
        }
    }
}
