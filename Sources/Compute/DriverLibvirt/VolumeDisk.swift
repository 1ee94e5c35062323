// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract

/// A volume as a disk of a domain. The serial is the volume's id: by it the disk is found again.
struct VolumeDisk {
    let volume: GuestVolume
    let bus: GuestHardware.DiskBus
    let cache: LibvirtConfig.DiskCache
    /// The host's iSCSI name.
    let initiator: String

    private var connection: VolumeConnection { volume.connection }
    private var isCDROM: Bool { volume.deviceType == "cdrom" }

    func xml() -> String {
        var xml = XMLWriter()
        write(to: &xml, bootOrder: volume.bootOrder)
        return xml.text
    }

    func write(to xml: inout XMLWriter, bootOrder: Int?) {
        xml.element("disk", ["type": type, "device": isCDROM ? "cdrom" : "disk"]) { xml in
            if isCDROM {
                xml.element("driver", ["name": "qemu", "type": format])
            } else {
                xml.element(
                    "driver", ["name": "qemu", "type": format, "cache": cache.rawValue, "discard": "unmap"])
            }
            writeSource(to: &xml)
            // Nobody looks for a chain in bytes that a tenant wrote.
            if let layers = format == "raw" ? [] : connection.layers { write(layers[...], to: &xml) }
            xml.element("target", ["dev": volume.device, "bus": bus.rawValue])
            if let limits = connection.limits { Self.write(limits, to: &xml) }
            if connection.isReadOnly || isCDROM { xml.element("readonly") }
            if volume.isShared { xml.element("shareable") }
            xml.element("serial", text: connection.volume.rawValue)
            if let bootOrder { xml.element("boot", ["order": "\(bootOrder)"]) }
            if bus == .scsi { DiskLayout.writeSCSIAddress(of: volume.device, to: &xml) }
        }
    }

    private var type: String {
        if case .file = connection.source { "file" } else { "network" }
    }

    private var format: String {
        if case .file(_, let format) = connection.source { format.rawValue } else { "raw" }
    }

    private func writeSource(to xml: inout XMLWriter) {
        switch connection.source {
        case .file(let path, _):
            xml.element("source", ["file": path]) { writeEncryption(to: &$0) }
        case .iscsi(let target):
            xml.element("source", ["protocol": "iscsi", "name": "\(target.iqn)/\(target.lun)"]) { xml in
                Self.writeHost(target.portal, defaultPort: "3260", to: &xml)
                writeAuthentication(.chap, user: target.chapUser, type: "iscsi", to: &xml)
                xml.element("initiator") { xml in xml.element("iqn", ["name": initiator]) }
                writeEncryption(to: &xml)
            }
        case .rbd(let image):
            xml.element("source", ["protocol": "rbd", "name": "\(image.pool)/\(image.image)"]) { xml in
                for monitor in image.monitors { Self.writeHost(monitor, defaultPort: "6789", to: &xml) }
                writeAuthentication(.cephx, user: image.user, type: "ceph", to: &xml)
                writeEncryption(to: &xml)
            }
        }
    }

    private func write(_ layers: ArraySlice<VolumeConnection.Layer>, to xml: inout XMLWriter) {
        guard let layer = layers.first else { return xml.element("backingStore") }
        xml.element("backingStore", ["type": "file"]) { xml in
            xml.element("format", ["type": layer.format.rawValue])
            xml.element("source", ["file": layer.path]) { xml in
                if layer.isEncrypted { writeEncryption(to: &xml) }
            }
            write(layers.dropFirst(), to: &xml)
        }
    }

    private func writeAuthentication(
        _ kind: VolumeSecret.Kind, user: String, type: String, to xml: inout XMLWriter
    ) {
        guard !user.isEmpty else { return }
        xml.element("auth", ["username": user]) { xml in
            xml.element("secret", ["type": type, "uuid": VolumeSecret.id(kind, connection.volume)])
        }
    }

    private func writeEncryption(to xml: inout XMLWriter) {
        guard connection.passphrase != nil else { return }
        Self.writeEncryption(of: connection.volume, to: &xml)
    }

    static func writeEncryption(of volume: VolumeID, to xml: inout XMLWriter) {
        xml.element("encryption", ["format": "luks", "engine": "qemu"]) { xml in
            xml.element("secret", ["type": "passphrase", "uuid": VolumeSecret.id(.passphrase, volume)])
        }
    }

    /// `10.0.0.5:3260`, `[2001:db8::5]:3260`.
    private static func writeHost(_ address: String, defaultPort: String, to xml: inout XMLWriter) {
        var (name, port) = (address[...], defaultPort)
        let isBareIPv6 = !address.hasPrefix("[") && address.utf8.count { $0 == UInt8(ascii: ":") } > 1
        if !isBareIPv6, let colon = address.lastIndex(of: ":"), !address[colon...].contains("]") {
            name = address[..<colon]
            port = String(address[address.index(after: colon)...])
        }
        if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
        xml.element("host", ["name": String(name), "port": port])
    }

    private static func write(_ limits: VolumeConnection.Limits, to xml: inout XMLWriter) {
        let values: [(StaticString, Int64?)] = [
            ("total_bytes_sec", limits.totalBytesPerSecond), ("read_bytes_sec", limits.readBytesPerSecond),
            ("write_bytes_sec", limits.writeBytesPerSecond), ("total_iops_sec", limits.totalOperationsPerSecond),
            ("read_iops_sec", limits.readOperationsPerSecond), ("write_iops_sec", limits.writeOperationsPerSecond),
        ]
        guard values.contains(where: { $0.1 != nil }) else { return }
        xml.element("iotune") { xml in
            for (name, value) in values {
                if let value { xml.element(name, text: "\(value)") }
            }
        }
    }
}

extension GuestVolume {
    /// libvirt counts from 1.
    var bootOrder: Int? { bootIndex.flatMap { $0 >= 0 ? $0 + 1 : nil } }
}
