// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import TaskKit

package enum BlockDeviceTag {}
package typealias BlockDeviceID = ID<BlockDeviceTag>

/// One disk of a server: made of an image, blank, or a volume (nova: block device mapping).
package struct ServerBlockDevice: Sendable, Equatable {
    package enum Source: String, Sendable, Codable { case image, volume, snapshot, blank }
    package enum Destination: String, Sendable, Codable { case local, volume }

    /// The life of a volume at a server. A disk of the host's own is `attached` from the beginning.
    package enum State: String, Sendable, CaseIterable {
        /// Nothing is promised yet. With the lease it becomes `attaching`, or `attached` where no host is asked; with
        /// its server's build, `attached`; `releasing` when a host may have it open; otherwise its row goes.
        case reserving
        /// The lease is there, the host is asked. Becomes `attached` when the host has it, `releasing` when nobody can
        /// say; otherwise its row goes.
        case attaching
        case attached
        /// Its row goes when the host has closed the volume; `attached` again when the guest does not let it go.
        case detaching
        /// No run cares any more; the reconciler ends the lease as soon as no host can have the volume open.
        case releasing
    }

    package var id: BlockDeviceID
    package var server: ServerID
    package var source: Source
    package var destination: Destination
    /// The image or the snapshot that it is made of.
    package var sourceID: String?
    /// Chosen before the volume is made.
    package var volume: VolumeID?
    package var attachment: VolumeAttachmentID?
    /// `/dev/vdb`.
    package var device: String?
    /// Nil or negative: the server does not boot from it.
    package var bootIndex: Int?
    package var deletesOnTermination: Bool
    /// GiB; MiB for swap. 0: as the flavor says.
    package var size: Int
    package var volumeType: String?
    package var guestFormat: String?
    package var deviceType: String?
    package var diskBus: String?
    package var tag: String?
    package var isShared: Bool
    package var state: State
    package var sagaRun: SagaRunID?
    /// The host that may have the volume open.
    package var host: String?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: BlockDeviceID, server: ServerID, source: Source, destination: Destination, state: State, at now: Timestamp
    ) {
        self.id = id
        self.server = server
        self.source = source
        self.destination = destination
        deletesOnTermination = false
        size = 0
        isShared = false
        self.state = state
        createdAt = now
        updatedAt = now
    }

    package var isVolume: Bool { destination == .volume }
    package var isRoot: Bool { bootIndex == 0 }
    /// Compute makes the volume itself.
    package var isMade: Bool { isVolume && source != .volume }
    package var isSwap: Bool { source == .blank && destination == .local && guestFormat == "swap" }
    package var isEphemeral: Bool { source == .blank && destination == .local && guestFormat != "swap" }
    /// Whether the API shows it as a volume of the server.
    package var isShown: Bool { volume != nil && state != .releasing && !(isMade && state == .reserving) }
    /// Without `/dev/`, as the hypervisor's definition has it.
    package var target: String? { device.map { $0.hasPrefix("/dev/") ? String($0.dropFirst(5)) : $0 } }
}

/// A disk that a request asks for.
package struct BlockDeviceDraft: Sendable, Equatable {
    package var source: ServerBlockDevice.Source
    package var destination: ServerBlockDevice.Destination
    /// Of the image, the snapshot or the volume.
    package var sourceID: String?
    package var bootIndex: Int?
    package var device: String?
    package var size: Int?
    package var deletesOnTermination = false
    package var volumeType: String?
    package var guestFormat: String?
    package var deviceType: String?
    package var diskBus: String?
    package var tag: String?

    package init(
        source: ServerBlockDevice.Source, destination: ServerBlockDevice.Destination, sourceID: String? = nil,
        bootIndex: Int? = nil
    ) {
        self.source = source
        self.destination = destination
        self.sourceID = sourceID
        self.bootIndex = bootIndex
    }

    package var isVolume: Bool { destination == .volume }
    package var isSwap: Bool { source == .blank && destination == .local && guestFormat == "swap" }
    package var isEphemeral: Bool { source == .blank && destination == .local && guestFormat != "swap" }

    package static func root(image: String) -> BlockDeviceDraft {
        var draft = BlockDeviceDraft(source: .image, destination: .local, sourceID: image, bootIndex: 0)
        draft.deletesOnTermination = true
        return draft
    }

    package static func blank(size: Int, isSwap: Bool) -> BlockDeviceDraft {
        var draft = BlockDeviceDraft(source: .blank, destination: .local, bootIndex: -1)
        draft.deletesOnTermination = true
        draft.size = size
        draft.guestFormat = isSwap ? "swap" : nil
        return draft
    }
}
