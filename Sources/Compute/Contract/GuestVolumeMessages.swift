// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import MessagingKit

// Requests about the volumes of one guest. The agent does them in line with the guest's other requests, so a volume is
// never unplugged in the middle of a start.

/// Controller to agent: give a guest, running or off, a volume. Answer: `GuestReply`.
package struct AttachVolume: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.attach-volume"
    package var server: ServerID
    package var volume: GuestVolume
    package init(server: ServerID, volume: GuestVolume) {
        self.server = server
        self.volume = volume
    }
}

/// Controller to agent: take a volume from a guest. The answer, `GuestReply`, says that the hypervisor has closed it and
/// that no later start opens it; also when there is no such guest.
package struct DetachVolume: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.detach-volume"
    package var server: ServerID
    package var volume: VolumeID
    package init(server: ServerID, volume: VolumeID) {
        self.server = server
        self.volume = volume
    }
}

/// Controller to agent: a guest writes to the volume's new head, a file that reads as the old one, from now on. Answer:
/// `GuestReply`; also when there is no such guest.
package struct MoveVolume: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.move-volume"
    package var server: ServerID
    package var volume: VolumeID
    package var path: String
    package var format: VolumeConnection.Format
    package init(server: ServerID, volume: VolumeID, path: String, format: VolumeConnection.Format) {
        self.server = server
        self.volume = volume
        self.path = path
        self.format = format
    }
}

/// Controller to agent: a volume has grown. Answer: `GuestReply`, when the guest sees the new size; also when there is no
/// such guest.
package struct ResizeVolume: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.resize-volume"
    package var server: ServerID
    package var volume: VolumeID
    package var sizeBytes: Int64
    package init(server: ServerID, volume: VolumeID, sizeBytes: Int64) {
        self.server = server
        self.volume = volume
        self.sizeBytes = sizeBytes
    }
}
