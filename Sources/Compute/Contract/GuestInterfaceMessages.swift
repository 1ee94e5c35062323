// SPDX-License-Identifier: Apache-2.0
import BaseKit
import MessagingKit

// Requests about the network cards of one guest, in line with the guest's other requests.

/// Controller to agent: give a guest, running or off, a card on a port that is bound to this host. Answer: `GuestReply`.
package struct AttachInterface: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.attach-interface"
    package var server: ServerID
    package var nic: GuestSpecification.NIC
    package init(server: ServerID, nic: GuestSpecification.NIC) {
        self.server = server
        self.nic = nic
    }
}

/// Controller to agent: take a card from a guest. The answer, `GuestReply`, says that the guest has let it go and that no
/// later start has it; also when there is no such guest.
package struct DetachInterface: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.detach-interface"
    package var server: ServerID
    package var nic: GuestSpecification.NIC
    package init(server: ServerID, nic: GuestSpecification.NIC) {
        self.server = server
        self.nic = nic
    }
}
