// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract

/// Which file, or volume, is which disk of the guest.
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

    var bootsFromCDROM: Bool { guest.rootImage?.format == "iso" }
    /// A guest from an ISO image may have no disk at all; another's root disk may be a volume.
    var hasRootDisk: Bool { guest.rootImage != nil && (!bootsFromCDROM || guest.rootDiskGiB > 0) }

    var localDisks: [GuestLocalDisk] {
        if let disks = guest.localDisks { return disks }
        var disks: [GuestLocalDisk] = []
        let prefix = hardware.diskBus.devicePrefix
        func add(_ kind: GuestLocalDisk.Kind, _ sizeMiB: Int) {
            guard sizeMiB > 0 else { return }
            let index = disks.count + (hasRootDisk ? 1 : 0)
            disks.append(.init(kind: kind, sizeMiB: sizeMiB, device: prefix + Self.letters(index)))
        }
        add(.ephemeral, guest.ephemeralDiskGiB * 1024)
        add(.swap, guest.swapMiB)
        return disks
    }

    /// The file of the `number`-th local disk.
    func path(of disk: GuestLocalDisk, number: Int) -> String {
        disk.kind == .swap ? files.swap : files.ephemeral(number)
    }

    /// Those that are files of this guest alone.
    func disks() -> [Disk] {
        if let rescue = guest.rescue, !rescue.isStable { return rescueDisks(rescue) }
        var disks: [Disk] = []
        var used = Set((guest.volumes ?? []).map(\.device))
        func add(_ disk: Disk) {
            used.insert(disk.target)
            disks.append(disk)
        }
        if hasRootDisk {
            add(
                Disk(
                    path: files.root, format: "qcow2", device: "disk", bus: hardware.diskBus,
                    target: guest.rootDevice ?? "\(hardware.diskBus.devicePrefix)a", bootOrder: ownOrder(1)))
        }
        let local = localDisks
        used.formUnion(local.map(\.device))
        if bootsFromCDROM {
            // After the disks: an installer starts while they are empty, and what it installed from then on.
            let last = (guest.volumes ?? []).compactMap(\.bootOrder).max() ?? 1
            add(
                Disk(
                    path: files.cdrom, format: "raw", device: "cdrom", bus: hardware.cdromBus,
                    target: hidden(hardware.cdromBus, used), isReadOnly: true, bootOrder: ownOrder(max(last, 1) + 1)))
        }
        for (number, disk) in local.enumerated() {
            add(
                Disk(
                    path: path(of: disk, number: number), format: "raw", device: "disk",
                    bus: hardware.bus(disk.bus), target: disk.device))
        }
        if !guest.configDrive.isEmpty {
            // Slim kernels do not know the newer machine's cdrom bus, so there the drive is a plain disk.
            let bus = hardware.isQ35 ? .virtio : hardware.cdromBus
            add(
                Disk(
                    path: guest.rescue == nil ? files.configDrive : files.rescueConfigDrive, format: "raw",
                    device: hardware.isQ35 ? "disk" : "cdrom", bus: bus, target: hidden(bus, used), isReadOnly: true))
        }
        if let rescue = guest.rescue {
            let bus = hardware.rescueBus(rescue)
            add(rescueDisk(rescue, bus, target: hidden(bus, used)))
        }
        return disks
    }

    /// A guest that is rescued boots from nothing of its own.
    private func ownOrder(_ order: Int) -> Int? { guest.rescue == nil ? order : nil }

    /// The rescue disk has the place of the root disk, which comes second.
    private func rescueDisks(_ rescue: GuestSpecification.Rescue) -> [Disk] {
        let (bus, prefix) = (hardware.diskBus, hardware.diskBus.devicePrefix)
        var disks = [rescueDisk(rescue, bus, target: prefix + "a")]
        if hasRootDisk {
            disks.append(
                Disk(path: files.root, format: "qcow2", device: "disk", bus: bus, target: prefix + "b"))
        }
        if !guest.configDrive.isEmpty {
            let bus = hardware.isQ35 ? .virtio : hardware.cdromBus
            disks.append(
                Disk(
                    path: files.rescueConfigDrive, format: "raw", device: hardware.isQ35 ? "disk" : "cdrom", bus: bus,
                    target: hidden(bus, Set(disks.map(\.target))), isReadOnly: true))
        }
        return disks
    }

    private func rescueDisk(
        _ rescue: GuestSpecification.Rescue, _ bus: GuestHardware.DiskBus, target: String
    ) -> Disk {
        let isCDROM = rescue.isStable && rescue.device == "cdrom"
        return Disk(
            path: files.rescueRoot, format: "qcow2", device: isCDROM ? "cdrom" : "disk", bus: bus, target: target,
            isReadOnly: isCDROM, bootOrder: 1)
    }

    /// A name for a disk that the API knows nothing of: away from the names that it gives on this bus.
    private func hidden(_ bus: GuestHardware.DiskBus, _ used: Set<String>) -> String {
        let prefix = bus.devicePrefix
        let isNamedByAPI =
            hardware.diskBus.devicePrefix == prefix
            || (guest.volumes ?? []).contains { hardware.bus($0.bus).devicePrefix == prefix }
        let indexes = isNamedByAPI ? Array((0..<bus.nameCount).reversed()) : Array(0..<bus.nameCount)
        let free = indexes.lazy.map { prefix + Self.letters($0) }.first { !used.contains($0) }
        return free ?? prefix + Self.letters(bus.nameCount)
    }

    func write(to xml: inout XMLWriter, cache: LibvirtConfig.DiskCache, volumes: [VolumeDisk]) {
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
                if disk.bus == .scsi { Self.writeSCSIAddress(of: disk.target, to: &xml) }
            }
        }
        for volume in volumes { volume.write(to: &xml, bootOrder: volume.volume.bootOrder.flatMap(ownOrder)) }
        if disks.contains(where: { $0.bus == .scsi }) || volumes.contains(where: { $0.bus == .scsi }) {
            xml.element("controller", ["type": "scsi", "index": "0", "model": "virtio-scsi"])
        }
    }

    /// All on one controller; libvirt would make another for every few.
    static func writeSCSIAddress(of target: String, to xml: inout XMLWriter) {
        xml.element(
            "address",
            ["type": "drive", "controller": "0", "bus": "0", "target": "0", "unit": "\(index(of: target) ?? 0)"])
    }

    /// 1 for `vdb`, 26 for `vdaa`.
    static func index(of target: String) -> Int? {
        let letters = target.utf8.dropFirst(2)
        guard !letters.isEmpty, letters.count <= 3 else { return nil }
        var number = 0
        for letter in letters {
            guard (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) else { return nil }
            number = number * 26 + Int(letter - UInt8(ascii: "a")) + 1
        }
        return number - 1
    }

    static func letters(_ index: Int) -> String {
        var (rest, text) = (index, "")
        repeat {
            text = String(Character(Unicode.Scalar(UInt8(ascii: "a") + UInt8(rest % 26)))) + text
            rest = rest / 26 - 1
        } while rest >= 0
        return text
    }
}
