// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract

/// The virtual hardware that an image asks for by its properties, with the defaults for the rest.
struct GuestHardware: Equatable {
    enum DiskBus: String, CaseIterable {
        case virtio, scsi, ide, sata, usb

        /// How libvirt names the bus's devices: `vda`, `sda`, `hda`.
        var devicePrefix: String {
            switch self {
            case .virtio: "vd"
            case .scsi, .sata, .usb: "sd"
            case .ide: "hd"
            }
        }

        /// How many disks the bus has names for.
        var nameCount: Int {
            switch self {
            case .ide: 4
            case .sata: 6
            case .scsi: 254
            case .virtio, .usb: 702
            }
        }
    }

    var machine = "pc"
    var diskBus = DiskBus.virtio
    var cdromBus = DiskBus.ide
    var networkModel = "virtio"
    var videoModel = "virtio"
    var usesUEFI = false
    var hasGuestAgent = false
    var hasUSBTablet = false
    var watchdogAction: String?
    var usesLocalTime = false

    static let networkModels = ["virtio", "e1000", "e1000e", "rtl8139", "ne2k_pci", "pcnet", "vmxnet3"]
    static let videoModels = ["vga", "cirrus", "virtio", "qxl", "bochs", "gop", "none"]

    /// QEMU's device for a model of an image's.
    static func videoDevice(_ model: String) -> String { model == "gop" ? "bochs" : model }

    /// Where a disk goes that asks for a bus, or for none.
    func bus(_ name: String?) -> DiskBus { name.flatMap(DiskBus.init) ?? diskBus }

    var isQ35: Bool { machine.contains("q35") }

    /// Throws `.badRequest` for hardware that QEMU lacks, as upstream does.
    init(_ properties: [String: String]) throws {
        func choice(_ name: String, of allowed: [String]) throws -> String? {
            guard let value = properties[name], !value.isEmpty else { return nil }
            guard allowed.contains(value) else { throw Self.unsupported(value) }
            return value
        }
        usesUEFI = try choice("hw_firmware_type", of: ["bios", "uefi"]) == "uefi"
        if let machine = properties["hw_machine_type"], !machine.isEmpty {
            guard Self.isMachineName(machine) else { throw Self.unsupported(machine) }
            self.machine = machine
        } else if usesUEFI {
            machine = "q35"
        }
        cdromBus = isQ35 ? .sata : .ide
        let buses = DiskBus.allCases.map(\.rawValue)
        // The newer machine has no IDE.
        let usable = isQ35 ? buses.filter { $0 != "ide" } : buses
        if let bus = try choice("hw_disk_bus", of: usable).flatMap(DiskBus.init) { diskBus = bus }
        if let bus = try choice("hw_cdrom_bus", of: usable).flatMap(DiskBus.init) { cdromBus = bus }
        if let model = try choice("hw_vif_model", of: Self.networkModels) { networkModel = model }
        if let model = try choice("hw_video_model", of: Self.videoModels) { videoModel = Self.videoDevice(model) }
        hasGuestAgent = Self.isYes(properties["hw_qemu_guest_agent"])
        hasUSBTablet = try choice("hw_pointer_model", of: ["usbtablet", "ps2mouse"]) == "usbtablet"
        let actions = ["disabled", "reset", "poweroff", "pause", "none"]
        watchdogAction = try choice("hw_watchdog_action", of: actions).flatMap { $0 == "disabled" ? nil : $0 }
        usesLocalTime = properties["os_type"] == "windows"
    }

    private static func unsupported(_ model: String) -> CloudError {
        .badRequest("Requested hardware '\(model)' is not supported by the 'qemu' virt driver")
    }

    private static func isMachineName(_ text: String) -> Bool {
        text.utf8.count <= 64
            && text.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_")
            }
    }

    private static func isYes(_ text: String?) -> Bool {
        ["yes", "true", "1", "on"].contains(text?.lowercased() ?? "")
    }
}
