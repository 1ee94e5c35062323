// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Guests that boot from another disk, that crash, and whose passwords change.
extension FakeHypervisor {
    package func rescue(_ guest: GuestSpecification, grace: Duration) async throws {
        try await change("rescue", guest.serverID) { present in
            present.rescue = guest.rescue
            present.powerState = .running
            present.bootCount += 1
            present.relocations = [:]
        }
    }

    package func unrescue(_ server: ServerID) async throws {
        try await change("unrescue", server) { guest in
            guard guest.rescue != nil else { return }
            guest.rescue = nil
            guest.powerState = .shutdown
        }
    }

    package func triggerCrashDump(_ server: ServerID) async throws {
        try await change("triggerCrashDump", server) { guest in
            guard guest.powerState == .running || guest.powerState == .paused else { throw Self.notRunning(server) }
            guest.crashDumps += 1
        }
    }

    package func setPassword(_ password: String, of user: String, in server: ServerID) async throws {
        try await change("setPassword", server) { guest in
            guard guest.powerState == .running else { throw Self.notRunning(server) }
            guest.passwords[user] = password
        }
    }

    private static func notRunning(_ server: ServerID) -> CloudError {
        .conflict("Instance \(server) is not running.", kind: "InstanceNotRunning")
    }
}
