// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Guests that move to other flavors.
extension FakeHypervisor {
    /// What is set aside of a guest.
    package struct Aside: Sendable, Equatable {
        package var name: String
        package var guest: Guest
    }

    package func setAside(_ server: ServerID, named name: String, grace: Duration) async throws {
        try await callWithAsides("setAside", server) { guests, asides in
            guard asides[server]?.name != name else {
                guests[server] = nil
                return
            }
            guard var guest = guests.removeValue(forKey: server) else { throw Self.noGuest(server) }
            guest.powerState = .shutdown
            guest.relocations = [:]
            asides[server] = Aside(name: name, guest: guest)
        }
    }

    package func resize(_ guest: GuestSpecification, from name: String, starts: Bool) async throws {
        let server = guest.serverID
        try await callWithAsides("resize", server) { guests, asides in
            guard let aside = asides[server], aside.name == name else { throw Self.noGuest(server) }
            var resized = aside.guest
            resized.restoredFrom = nil
            resized.specification = guest
            resized.volumes = guest.volumes ?? []
            resized.powerState = starts ? .running : .shutdown
            if starts { resized.bootCount += 1 }
            guests[server] = resized
        }
    }

    package func restore(_ server: ServerID, from name: String) async throws -> Bool {
        try await callWithAsides("restore", server) { guests, asides in
            if let aside = asides[server], aside.name == name {
                asides[server] = nil
                guests[server] = aside.guest
                guests[server]?.restoredFrom = name
                return true
            }
            return guests[server]?.restoredFrom == name
        }
    }

    package func discardAside(_ server: ServerID, named name: String) async throws {
        try await callWithAsides("discardAside", server) { _, asides in
            if asides[server]?.name == name { asides[server] = nil }
        }
    }

    /// Changes a guest that has its own disks again before.
    func changeOwn(_ operation: String, _ server: ServerID, _ body: (inout Guest) throws -> Void) async throws {
        try await callWithAsides(operation, server) { guests, asides in
            if guests[server] == nil, let aside = asides.removeValue(forKey: server) {
                guests[server] = aside.guest
                guests[server]?.restoredFrom = aside.name
            }
            guard var guest = guests[server] else { throw Self.noGuest(server) }
            if guest.rescue != nil {
                guest.rescue = nil
                guest.powerState = .shutdown
            }
            defer { guests[server] = guest }
            try body(&guest)
        }
    }

    private static func noGuest(_ server: ServerID) -> CloudError {
        .notFound("Instance \(server) could not be found.", kind: "InstanceNotFound")
    }
}
