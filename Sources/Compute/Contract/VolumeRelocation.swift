// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import MessagingKit

/// A volume that a guest has open goes on in another place: its bytes are copied below the running guest, which then
/// writes to the new place alone.
package enum VolumeRelocation {
    package enum Step: String, Sendable, Codable {
        /// Begins the copy, unless it is under way.
        case copy
        /// Lets the guest go on in the new place, if the copy is equal.
        case finish
        /// Ends the copy, if there is one.
        case cancel
    }

    package enum State: Sendable, Codable, Equatable {
        /// The guest is off, or does not have the volume; its next start opens it where it was.
        case closed
        /// The guest has it open where it was, and nothing is being copied.
        case resting
        case copying(doneBytes: Int64)
        /// Both places are equal, and every write goes to both.
        case ready
        /// The guest, running or off, has it in the new place alone, and the old one is closed.
        case moved
        /// Something is being done to the server: ask again.
        case waiting
        /// There is no such guest any more, or its host is lost: nobody has the volume open, or knows where it was.
        case gone
    }
}

/// Controller to agent: one step of a volume's way to the place that its connection names, which is empty and as large.
package struct RelocateVolume: BusMessage, Equatable {
    package typealias Reply = VolumeRelocationReply
    package static let version = 1
    package static let name: StaticString = "compute.relocate-volume"
    package var server: ServerID
    /// Without secrets but for `copy`.
    package var volume: GuestVolume
    package var step: VolumeRelocation.Step
    package init(server: ServerID, volume: GuestVolume, step: VolumeRelocation.Step) {
        self.server = server
        self.volume = volume
        self.step = step
    }
}

package struct VolumeRelocationReply: Sendable, Codable, Equatable {
    package var state: VolumeRelocation.State
    package init(state: VolumeRelocation.State) { self.state = state }
}
