// SPDX-License-Identifier: Apache-2.0
import ComputeContract

/// The host's part of every domain.
struct DomainHost: Sendable {
    var virtualization: LibvirtConfig.Virtualization
    var diskCache: LibvirtConfig.DiskCache
    var config: LibvirtConfig
}

/// A guest as libvirt's domain XML. Pure: the same guest gives the same text.
struct DomainDescription {
    let guest: GuestSpecification
    let hardware: GuestHardware
    let files: GuestFiles
    let host: DomainHost
    var volumes: [VolumeDisk] = []

    func xml() -> String {
        var xml = XMLWriter()
        xml.element("domain", ["type": host.virtualization.rawValue]) { xml in
            xml.element("name", text: guest.instanceName)
            xml.element("uuid", text: guest.serverID.rawValue)
            xml.element("metadata") { writeMetadata(&$0) }
            xml.element("memory", ["unit": "MiB"], text: "\(guest.memoryMiB)")
            xml.element("vcpu", ["placement": "static"], text: "\(guest.vcpus)")
            xml.element("sysinfo", ["type": "smbios"]) { writeSystemInformation(&$0) }
            writeFirmware(&xml)
            xml.element("features") { writeFeatures(&$0) }
            writeProcessor(&xml)
            xml.element("clock", ["offset": hardware.usesLocalTime ? "localtime" : "utc"]) { xml in
                xml.element("timer", ["name": "pit", "tickpolicy": "delay"])
                xml.element("timer", ["name": "rtc", "tickpolicy": "catchup"])
                xml.element("timer", ["name": "hpet", "present": "no"])
            }
            xml.element("on_poweroff", text: "destroy")
            xml.element("on_reboot", text: "restart")
            xml.element("on_crash", text: "destroy")
            xml.element("pm") { xml in
                // A guest asleep could only be woken by its hypervisor, which no API offers.
                xml.element("suspend-to-mem", ["enabled": "no"])
                xml.element("suspend-to-disk", ["enabled": "no"])
            }
            xml.element("devices") { writeDevices(&$0) }
        }
        return xml.text
    }

    private func writeMetadata(_ xml: inout XMLWriter) {
        xml.element("haneul:instance", ["xmlns:haneul": LibvirtDomain.metadataNamespace]) { xml in
            xml.element("haneul:name", text: guest.displayName)
            xml.element("haneul:project", text: guest.projectID.rawValue)
            if let image = guest.rootImage { xml.element("haneul:image", text: image.imageID) }
        }
    }

    /// cloud-init knows the platform by the product's name (its ds-identify: `OpenStack Nova`, `OpenStack Compute`).
    private func writeSystemInformation(_ xml: inout XMLWriter) {
        xml.element("system") { xml in
            xml.element("entry", ["name": "manufacturer"], text: "OpenStack Foundation")
            xml.element("entry", ["name": "product"], text: "OpenStack Nova")
            xml.element("entry", ["name": "serial"], text: guest.serverID.rawValue)
            xml.element("entry", ["name": "uuid"], text: guest.serverID.rawValue)
            xml.element("entry", ["name": "family"], text: "Virtual Machine")
        }
    }

    private func writeFirmware(_ xml: inout XMLWriter) {
        func content(_ xml: inout XMLWriter) {
            xml.element("type", ["arch": "x86_64", "machine": hardware.machine], text: "hvm")
            xml.element("smbios", ["mode": "sysinfo"])
        }
        if hardware.usesUEFI {
            xml.element("os", ["firmware": "efi"]) { content(&$0) }
        } else {
            xml.element("os") { content(&$0) }
        }
    }

    private func writeFeatures(_ xml: inout XMLWriter) {
        xml.element("acpi")
        xml.element("apic")
        if host.virtualization == .qemu {
            xml.element("tcg") { xml in
                xml.element("tb-cache", ["unit": "MiB"], text: "\(host.config.translationCacheMiB)")
            }
        }
    }

    private func writeProcessor(_ xml: inout XMLWriter) {
        func topology(_ xml: inout XMLWriter) {
            xml.element(
                "topology", ["sockets": "\(guest.vcpus)", "dies": "1", "cores": "1", "threads": "1"])
        }
        switch host.virtualization {
        case .kvm:
            xml.element("cpu", ["mode": "host-passthrough", "check": "none", "migratable": "on"]) { topology(&$0) }
        case .qemu:
            xml.element("cpu", ["mode": "custom", "match": "exact", "check": "none"]) { xml in
                xml.element("model", ["fallback": "allow"], text: host.config.emulatedCPUModel)
                topology(&xml)
            }
        }
    }

    private func writeDevices(_ xml: inout XMLWriter) {
        xml.element("emulator", text: host.config.emulator)
        DiskLayout(guest: guest, hardware: hardware, files: files).write(
            to: &xml, cache: host.diskCache, volumes: volumes)
        if hardware.isQ35 {
            xml.element("controller", ["type": "pci", "model": "pcie-root"])
            // Free slots for what is attached to the running guest.
            for _ in 0..<8 { xml.element("controller", ["type": "pci", "model": "pcie-root-port"]) }
        }
        for nic in guest.nics {
            InterfaceDescription(nic: nic, model: nic.model ?? hardware.networkModel, config: host.config).write(
                to: &xml)
        }
        writeConsoles(&xml)
        xml.element("rng", ["model": "virtio"]) { xml in
            xml.element("backend", ["model": "random"], text: "/dev/urandom")
        }
        xml.element("memballoon", ["model": "virtio"]) { xml in xml.element("stats", ["period": "10"]) }
        if let action = hardware.watchdogAction {
            xml.element("watchdog", ["model": "i6300esb", "action": action])
        }
    }

    private func writeConsoles(_ xml: inout XMLWriter) {
        xml.element("serial", ["type": "unix"]) { xml in
            xml.element("source", ["mode": "bind", "path": files.serialSocket])
            xml.element("log", ["file": files.consoleLog.path, "append": "on"])
            xml.element("target", ["type": "isa-serial", "port": "0"])
        }
        if hardware.hasGuestAgent {
            xml.element("channel", ["type": "unix"]) { xml in
                xml.element("target", ["type": "virtio", "name": "org.qemu.guest_agent.0"])
            }
        }
        if hardware.hasUSBTablet {
            xml.element("input", ["type": "tablet", "bus": "usb"])
        } else if hardware.diskBus == .usb || hardware.cdromBus == .usb || guest.rescue?.bus == "usb" {
            xml.element("input", ["type": "tablet", "bus": "virtio"])
        } else {
            // An unused USB controller wakes an idle guest many times a second.
            xml.element("controller", ["type": "usb", "model": "none"])
            xml.element("input", ["type": "tablet", "bus": "virtio"])
        }
        if hardware.videoModel != "none" {
            xml.element("graphics", ["type": "vnc"]) { xml in
                xml.element("listen", ["type": "socket", "socket": files.vncSocket])
            }
        }
        xml.element("video") { xml in xml.element("model", ["type": hardware.videoModel]) }
    }
}
