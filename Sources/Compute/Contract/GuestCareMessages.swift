// SPDX-License-Identifier: Apache-2.0
import BaseKit
import MessagingKit

/// Controller to agent: boot a guest from the disk of `guest.rescue`, with its own disks beside it. Answer: `GuestReply`.
package struct RescueGuest: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.rescue-guest"
    package var guest: GuestSpecification
    /// How long the guest has to power off by itself.
    package var graceSeconds: Int
    package init(guest: GuestSpecification, graceSeconds: Int) {
        self.guest = guest
        self.graceSeconds = graceSeconds
    }
}

/// Controller to agent: the guest's own disks are all that it has again. Answer: `GuestReply`.
package struct UnrescueGuest: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.unrescue-guest"
    package var server: ServerID
    /// Where the guest, which is started, finds its volumes. Nil: it stays off.
    package var volumes: [GuestVolume]?
    package init(server: ServerID, volumes: [GuestVolume]?) {
        self.server = server
        self.volumes = volumes
    }
}

/// Controller to agent: make the guest's kernel crash. Answer: `GuestReply`.
package struct TriggerCrashDump: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.trigger-crash-dump"
    package var server: ServerID
    package init(server: ServerID) { self.server = server }
}

/// Controller to agent: set a user's password inside the guest. Answer: `GuestReply`.
package struct SetGuestPassword: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.set-guest-password"
    package var server: ServerID
    package var user: String
    package var password: String
    package init(server: ServerID, user: String, password: String) {
        self.server = server
        self.user = user
        self.password = password
    }
}
