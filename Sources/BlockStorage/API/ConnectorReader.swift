// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import PolicyKit

/// Reads what a client says of its host: os-brick's connector, whose unknown keys are other transports'.
enum ConnectorReader {
    /// `isFull`: the volume is exported to the host, so it must be named.
    static func read(_ json: JSON, isFull: Bool) throws -> VolumeAttachmentEngine.Connector {
        if json.isNull, !isFull { return empty }
        guard case .object = json else {
            throw VolumeErrors.invalidInput("Connector information must be an object.")
        }
        var reader = try ObjectReader(json, path: "connector", allowsUnknown: true)
        let name = try reader.nullableString("host") ?? nil
        let ip = try reader.nullableString("ip") ?? nil
        let initiator = try reader.nullableString("initiator") ?? nil
        let multipath = try reader.looseBool("multipath") ?? false
        let device = try reader.nullableString("mountpoint") ?? nil
        let mode = try reader.nullableString("mode") ?? nil
        guard let host = name ?? ip ?? (isFull ? nil : "") else {
            throw VolumeErrors.invalidInput("The connector names no host.")
        }
        if let mode, !["rw", "ro", "null", "None"].contains(mode) {
            throw VolumeErrors.invalidInput("Invalid attach mode '\(mode.prefix(16))'.")
        }
        return .init(
            host: HostConnector(host: host, ip: ip ?? "", initiator: initiator, multipath: multipath),
            text: json.text(), device: device, mode: mode == "ro" || mode == "rw" ? mode : nil)
    }

    private static let empty = VolumeAttachmentEngine.Connector(
        host: HostConnector(host: "", ip: ""), text: "{}", device: nil, mode: nil)
}

/// Where a host finds a volume, as os-brick reads it. Holds secrets: of the volume always, of the backend for services
/// and administrators alone, because it opens every tenant's volume.
enum ConnectionView {
    /// `{"driver_volume_type": …, "data": {…}}`
    static func classic(_ writer: inout JSONWriter, _ connection: VolumeConnection, for context: CallContext) {
        writer.field("driver_volume_type", kind(connection))
        writer.object("data") { writer in data(&writer, connection, context) }
        writer.field("enforce_multipath", false)
    }

    /// The attachments API writes both levels into one.
    static func flat(
        _ writer: inout JSONWriter, _ connection: VolumeConnection, _ attachment: VolumeAttachmentID,
        for context: CallContext
    ) {
        writer.field("driver_volume_type", kind(connection))
        writer.field("attachment_id", attachment)
        writer.field("enforce_multipath", false)
        data(&writer, connection, context)
    }

    private static func kind(_ connection: VolumeConnection) -> String {
        switch connection.source {
        case .file: connection.share == nil ? "local" : "nfs"
        case .iscsi: "iscsi"
        case .rbd: "rbd"
        }
    }

    private static func data(_ writer: inout JSONWriter, _ connection: VolumeConnection, _ context: CallContext) {
        writer.field("volume_id", connection.volume)
        writer.field("access_mode", connection.isReadOnly ? "ro" : "rw")
        writer.field("encrypted", connection.passphrase != nil)
        writer.field("discard", true)
        qos(&writer, connection.limits)
        switch connection.source {
        case .file(let path, let format):
            writer.field("format", format.rawValue)
            if let share = connection.share {
                writer.field("export", share.source)
                writer.field("name", path.split(separator: "/").last.map(String.init))
                writer.field("options", share.options)
                writer.field("mount_point_base", share.mountPoint)
            } else if context.isAdminOrService {
                writer.field("device_path", path)
            }
        case .iscsi(let target):
            writer.field("target_discovered", false)
            writer.field("target_portal", target.portal)
            writer.field("target_iqn", target.iqn)
            writer.field("target_lun", target.lun)
            writer.field("auth_method", "CHAP")
            writer.field("auth_username", target.chapUser)
            writer.field("auth_password", target.chapPassword)
        case .rbd(let image):
            writer.field("name", "\(image.pool)/\(image.image)")
            writer.field("hosts", image.monitors.map { host($0) })
            writer.field("ports", image.monitors.map { port($0) })
            writer.field("cluster_name", "ceph")
            writer.field("auth_enabled", true)
            writer.field("auth_username", image.user)
            writer.field("secret_type", "ceph")
            guard context.isAdminOrService else { return }
            writer.field("keyring", "[client.\(image.user)]\n\tkey = \(image.key)\n")
        }
    }

    private static func host(_ monitor: String) -> String {
        monitor.lastIndex(of: ":").map { String(monitor[..<$0]) } ?? monitor
    }

    private static func port(_ monitor: String) -> String {
        monitor.lastIndex(of: ":").map { String(monitor[monitor.index(after: $0)...]) } ?? "6789"
    }

    private static func qos(_ writer: inout JSONWriter, _ limits: VolumeConnection.Limits?) {
        guard let limits else { return writer.nullField("qos_specs") }
        writer.object("qos_specs") { writer in
            if let value = limits.totalBytesPerSecond { writer.field("total_bytes_sec", "\(value)") }
            if let value = limits.readBytesPerSecond { writer.field("read_bytes_sec", "\(value)") }
            if let value = limits.writeBytesPerSecond { writer.field("write_bytes_sec", "\(value)") }
            if let value = limits.totalOperationsPerSecond { writer.field("total_iops_sec", "\(value)") }
            if let value = limits.readOperationsPerSecond { writer.field("read_iops_sec", "\(value)") }
            if let value = limits.writeOperationsPerSecond { writer.field("write_iops_sec", "\(value)") }
        }
    }
}
