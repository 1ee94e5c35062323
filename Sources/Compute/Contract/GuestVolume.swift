// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// A volume as a guest has it. Holds the connection's secrets.
package struct GuestVolume: Sendable, Codable, Equatable {
    package var connection: VolumeConnection
    /// The disk's name in the guest's definition: `vdb`. No two disks of a guest have the same.
    package var device: String
    /// `virtio`, `scsi`, …; nil: what the image asks for.
    package var bus: String?
    /// `disk` or `cdrom`; nil: `disk`.
    package var deviceType: String?
    /// From 0; nil or negative: the guest does not boot from it.
    package var bootIndex: Int?
    package var tag: String?
    /// Other guests have it open, too.
    package var isShared: Bool

    package var id: VolumeID { connection.volume }

    package init(
        connection: VolumeConnection, device: String, bus: String? = nil, deviceType: String? = nil,
        bootIndex: Int? = nil, tag: String? = nil, isShared: Bool = false
    ) {
        self.connection = connection
        self.device = device
        self.bus = bus
        self.deviceType = deviceType
        self.bootIndex = bootIndex
        self.tag = tag
        self.isShared = isShared
    }
}

/// A disk on the host that is made with the guest and goes with it, besides the root disk.
package struct GuestLocalDisk: Sendable, Codable, Equatable {
    package enum Kind: String, Sendable, Codable { case ephemeral, swap }
    package var kind: Kind
    package var sizeMiB: Int
    /// As `GuestVolume.device`.
    package var device: String
    package var bus: String?
    /// The file system of an ephemeral disk: `ext4` when nil.
    package var format: String?

    package init(kind: Kind, sizeMiB: Int, device: String, bus: String? = nil, format: String? = nil) {
        self.kind = kind
        self.sizeMiB = sizeMiB
        self.device = device
        self.bus = bus
        self.format = format
    }
}
