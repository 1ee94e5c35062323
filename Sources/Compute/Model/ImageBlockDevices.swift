// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ImageContract

/// The disks that an image of a server with volumes describes, in its property `block_device_mapping`.
package enum ImageBlockDevices {
    private static let maximumDevices = 64

    package static func read(_ image: ImageInfo) throws -> [BlockDeviceDraft] {
        guard let text = image.properties["block_device_mapping"], !text.isEmpty else { return [] }
        guard let list = try? JSONReader.read(text).array,  // whoever owns an image may write what he likes there
            list.count <= maximumDevices
        else {
            throw CloudError.badRequest(
                "Block Device Mapping is Invalid: image \(image.id) describes its devices wrongly.",
                kind: "InvalidBDMFormat")
        }
        return list.compactMap(device)
    }

    private static func device(_ json: JSON) -> BlockDeviceDraft? {
        guard json["no_device"]?.bool != true,
            let source = json["source_type"]?.string.flatMap(ServerBlockDevice.Source.init(rawValue:))
        else { return nil }
        let destination = json["destination_type"]?.string.flatMap(ServerBlockDevice.Destination.init(rawValue:))
        let id = json["\(source.rawValue)_id"]?.string
        guard source == .blank || id != nil else { return nil }
        var draft = BlockDeviceDraft(
            source: source, destination: destination ?? (source == .blank ? .local : .volume), sourceID: id,
            bootIndex: json["boot_index"]?.int.flatMap { Int(exactly: $0) })
        draft.device = json["device_name"]?.string
        draft.size = json["volume_size"]?.int.flatMap { Int(exactly: $0) }.flatMap { $0 < 0 ? nil : $0 }
        draft.deletesOnTermination = json["delete_on_termination"]?.bool ?? false
        draft.volumeType = json["volume_type"]?.string
        draft.guestFormat = json["guest_format"]?.string
        draft.deviceType = json["device_type"]?.string
        draft.diskBus = json["disk_bus"]?.string
        draft.tag = json["tag"]?.string
        return draft
    }

    /// The property's text. `snapshots`: what each volume's bytes are frozen in.
    package static func text(
        _ devices: [ServerBlockDevice], snapshots: [BlockDeviceID: VolumeSnapshotID]
    ) -> String {
        JSON.array(devices.compactMap { entry($0, snapshots[$0.id]) }).text()
    }

    private static func entry(_ device: ServerBlockDevice, _ snapshot: VolumeSnapshotID?) -> JSON? {
        guard !device.isVolume || snapshot != nil else { return nil }
        func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
        return [
            "source_type": .string(device.isVolume ? "snapshot" : device.source.rawValue),
            "destination_type": .string(device.destination.rawValue), "snapshot_id": text(snapshot?.rawValue),
            "image_id": text(device.source == .image && !device.isVolume ? device.sourceID : nil), "volume_id": nil,
            "boot_index": device.bootIndex.map { .int(Int64($0)) } ?? .null, "device_name": text(device.device),
            "delete_on_termination": .bool(device.deletesOnTermination),
            "volume_size": device.size > 0 ? .int(Int64(device.size)) : .null,
            "volume_type": text(device.volumeType), "guest_format": text(device.guestFormat),
            "device_type": text(device.deviceType), "disk_bus": text(device.diskBus), "tag": nil, "no_device": nil,
        ]
    }
}
