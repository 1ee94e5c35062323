// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Network cards of fake guests.
extension FakeHypervisor {
    package func attachInterface(_ nic: GuestSpecification.NIC, to server: ServerID) async throws {
        try await change("attachInterface", server) { guest in
            guard !guest.specification.nics.contains(where: { $0.portID == nic.portID }) else { return }
            guest.specification.nics.append(nic)
        }
    }

    package func detachInterface(_ nic: GuestSpecification.NIC, from server: ServerID) async throws {
        try await callWithAsides("detachInterface", server) { guests, _ in
            guests[server]?.specification.nics.removeAll { $0.portID == nic.portID }
        }
    }
}
