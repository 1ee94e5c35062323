// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import PolicyKit

/// Reads `block_device_mapping_v2`, and the older `block_device_mapping`, of a new server (nova: schemas/servers.py,
/// block_device.py).
struct BlockDeviceReader {
    private static let maximumDevices = 64
    private static let maximumSize = Int64(Int32.max)

    private let context: CallContext

    init(_ context: CallContext) { self.context = context }

    func read(_ reader: inout ObjectReader, _ draft: inout ServerDraft) throws {
        let legacy = try reader.array("block_device_mapping", 0...Self.maximumDevices) ?? []
        let devices = try reader.array("block_device_mapping_v2", 0...Self.maximumDevices) ?? []
        guard legacy.isEmpty || devices.isEmpty else {
            throw CloudError.badRequest(
                "Using different block_device_mapping syntaxes is not allowed in the same request.")
        }
        draft.usesLegacyMapping = !legacy.isEmpty
        let hasImage = draft.imageID != nil
        draft.blockDevices =
            legacy.isEmpty
            ? try devices.compactMap { try device($0, hasImage: hasImage) } : try legacy.compactMap(legacyDevice)
    }

    // MARK: Today's syntax

    private func device(_ json: JSON, hasImage: Bool) throws -> BlockDeviceDraft? {
        var reader = try ObjectReader(json, path: "block_device_mapping_v2")
        let sourceName = try word(&reader, "source_type", of: ["volume", "image", "snapshot", "blank"])
        let destinationName = try word(&reader, "destination_type", of: ["local", "volume"])
        let uuid = try reader.string("uuid", 1...255)
        for name in ["image_id", "volume_id", "snapshot_id", "virtual_name"] { _ = try reader.string(name, 0...255) }
        let index = try bootIndex(&reader)
        let common = try common(&reader)
        let guestFormat = try reader.string("guest_format", 0...255)
        let deviceType = try reader.string("device_type", 0...255)
        let bus = try reader.string("disk_bus", 0...255)
        // 2.32 alone by accident of upstream's, then from 2.42 on.
        let tag =
            context.has(42) || (context.has(32) && !context.has(33)) ? try ServerVolumeRoutes.tag(&reader) : nil
        let volumeType = context.has(67) ? try reader.string("volume_type", 0...255) : nil
        try reader.finish()
        guard !common.isAbsent else { return nil }
        guard let source = sourceName.flatMap(ServerBlockDevice.Source.init(rawValue:)) else {
            throw Self.invalid("Some required fields are missing")
        }
        let destination =
            destinationName.flatMap(ServerBlockDevice.Destination.init(rawValue:))
            ?? (source == .blank || (source == .image && hasImage && index == 0) ? .local : .volume)
        var draft = BlockDeviceDraft(source: source, destination: destination, sourceID: uuid, bootIndex: index)
        try check(draft, volumeType: volumeType, hasImage: hasImage)
        draft.device = common.device
        draft.size = common.size
        draft.deletesOnTermination = common.deletes
        draft.guestFormat = Self.filled(guestFormat)
        draft.deviceType = Self.filled(deviceType)
        draft.diskBus = Self.filled(bus)
        draft.tag = tag
        draft.volumeType = Self.filled(volumeType)
        return draft
    }

    private static func filled(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    /// nova: `BlockDeviceDict.from_api`.
    private func check(_ draft: BlockDeviceDraft, volumeType: String?, hasImage: Bool) throws {
        if draft.source == .blank {
            guard draft.sourceID == nil else { throw Self.invalid("Invalid device UUID.") }
        } else {
            guard draft.sourceID != nil else { throw Self.invalid("Missing device UUID.") }
        }
        if draft.destination == .local {
            guard draft.source != .image || (hasImage && draft.bootIndex == 0) else {
                throw Self.invalid("Mapping image to local is not supported.")
            }
            guard draft.source == .image || draft.source == .blank else {
                throw Self.invalid("Mapping \(draft.source.rawValue) to local is not supported.")
            }
            guard volumeType == nil else {
                throw Self.invalid("Specifying a volume_type with destination_type=local is not supported.")
            }
        }
        guard draft.source != .volume || volumeType == nil else {
            throw Self.invalid("Specifying volume type to existing volume is not supported.")
        }
    }

    private func word(_ reader: inout ObjectReader, _ key: String, of allowed: [String]) throws -> String? {
        guard let text = try reader.string(key) else { return nil }
        guard allowed.contains(text) else {
            throw reader.invalid(key, .string(text), "is not one of \(allowed)")
        }
        return text
    }

    /// A number, a string of one, or null.
    private func bootIndex(_ reader: inout ObjectReader) throws -> Int? {
        if reader.isNull("boot_index") {
            _ = reader.value("boot_index")
            return nil
        }
        return try reader.looseInt("boot_index", Int64(Int32.min)...Int64(Int32.max)).map(Int.init)
    }

    // MARK: Both

    private struct Common {
        var device: String?
        var size: Int?
        var deletes: Bool
        /// `no_device`: takes a device away that an image describes.
        var isAbsent: Bool
    }

    private func common(_ reader: inout ObjectReader) throws -> Common {
        let device = try reader.string("device_name", 1...255)
        if let device, !device.utf8.allSatisfy(Self.isNameByte) {
            throw reader.invalid("device_name", .string(device), "does not match '^[a-zA-Z0-9._/-]*$'")
        }
        let size = try reader.looseInt("volume_size", 1...Self.maximumSize).map(Int.init)
        let deletes = try reader.looseBool("delete_on_termination") ?? false
        _ = try reader.string("connection_info", 0...16_777_215)
        let isAbsent: Bool
        switch reader.value("no_device") {
        case nil, .null?, .bool(false)?, .int(0)?, .string("")?: isAbsent = false
        default: isAbsent = true
        }
        return Common(device: device, size: size, deletes: deletes, isAbsent: isAbsent)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x2D...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
        default: false
        }
    }

    // MARK: The older syntax

    /// nova: `BlockDeviceDict.from_legacy`.
    private func legacyDevice(_ json: JSON) throws -> BlockDeviceDraft? {
        var reader = try ObjectReader(json, path: "block_device_mapping")
        let virtual = try reader.string("virtual_name", 0...255) ?? ""
        let volume = try id(&reader, "volume_id")
        let snapshot = try id(&reader, "snapshot_id")
        let common = try common(&reader)
        try reader.finish()
        var draft: BlockDeviceDraft
        if virtual == "swap" || Self.isEphemeral(virtual) {
            draft = .blank(size: common.size ?? 0, isSwap: virtual == "swap")
        } else {
            if let snapshot {
                draft = BlockDeviceDraft(source: .snapshot, destination: .volume, sourceID: snapshot)
            } else if let volume {
                draft = BlockDeviceDraft(source: .volume, destination: .volume, sourceID: volume)
            } else if common.isAbsent {
                return nil
            } else {
                throw Self.invalid("Unrecognized legacy format.")
            }
            draft.size = common.size
            draft.deletesOnTermination = common.deletes
        }
        draft.device = common.device
        return draft
    }

    private func id(_ reader: inout ObjectReader, _ key: String) throws -> String? {
        guard let text = try reader.string(key, 0...255), !text.isEmpty else { return nil }
        return try ComputeWire.uuid(text, key)
    }

    private static func isEphemeral(_ name: String) -> Bool {
        name.hasPrefix("ephemeral") && Int(name.dropFirst("ephemeral".count)) != nil
    }

    private static func invalid(_ details: String) -> CloudError {
        .badRequest("Block Device Mapping is Invalid: \(details)", kind: "InvalidBDMFormat")
    }
}
