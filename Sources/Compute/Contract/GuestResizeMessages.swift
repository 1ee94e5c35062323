// SPDX-License-Identifier: Apache-2.0
import BaseKit
import MessagingKit

// Requests of a move. What a guest was before is set aside on its host under a name of the controller's, until the move
// is confirmed or taken back.

/// Controller to agent: stop a guest and put its definition and its disks by. Answer: `GuestReply`.
package struct SetGuestAside: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.set-guest-aside"
    package var server: ServerID
    package var aside: String
    /// How long the guest has to power off by itself.
    package var graceSeconds: Int
    package init(server: ServerID, aside: String, graceSeconds: Int) {
        self.server = server
        self.aside = aside
        self.graceSeconds = graceSeconds
    }
}

/// Controller to agent: make a guest anew, with the disks that were set aside here. Answer: `GuestReply`.
package struct ResizeGuest: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.resize-guest"
    package var guest: GuestSpecification
    package var aside: String
    /// False: it stays off.
    package var starts: Bool
    package init(guest: GuestSpecification, aside: String, starts: Bool) {
        self.guest = guest
        self.aside = aside
        self.starts = starts
    }
}

/// Controller to agent: the guest is what was set aside, and off. Answer: `RestoreGuestReply`.
package struct RestoreGuest: BusMessage, Equatable {
    package typealias Reply = RestoreGuestReply
    package static let version = 1
    package static let name: StaticString = "compute.restore-guest"
    package var server: ServerID
    package var aside: String
    package init(server: ServerID, aside: String) {
        self.server = server
        self.aside = aside
    }
}

package struct RestoreGuestReply: Sendable, Codable, Equatable {
    /// False: nothing is set aside under this name, and nothing was changed.
    package var isRestored: Bool
    package init(isRestored: Bool) { self.isRestored = isRestored }
}

/// Controller to agent: forget what was set aside. Answer: `GuestReply`; also when there is nothing.
package struct DiscardAside: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.discard-aside"
    package var server: ServerID
    package var aside: String
    package init(server: ServerID, aside: String) {
        self.server = server
        self.aside = aside
    }
}
