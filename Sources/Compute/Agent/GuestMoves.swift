// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LifecycleKit
import LogKit
import MessagingKit

/// The part of a host's agent that moves guests to other flavors and hosts, in line with all else that is done to them.
struct GuestMoves: Sendable {
    let driver: any HypervisorDriver
    let queue: KeyedSerialQueue<ServerID>
    let builds: AsyncSlots
    private let log = Logger("compute-agent")

    init(driver: any HypervisorDriver, queue: KeyedSerialQueue<ServerID>, builds: AsyncSlots) {
        self.driver = driver
        self.queue = queue
        self.builds = builds
    }

    func register(on server: BusServer) {
        server.handle(SetGuestAside.self, setAside)
        server.handle(ResizeGuest.self, resize)
        server.handle(RestoreGuest.self, restore)
        server.handle(DiscardAside.self, discard)
    }

    private func setAside(_ message: SetGuestAside) async throws -> GuestReply {
        let grace = Duration.seconds(min(max(0, message.graceSeconds), ServerAgent.maximumGraceSeconds))
        return try await queue.run(message.server) {
            try await driver.setAside(message.server, named: message.aside, grace: grace)
            log.info("guest set aside", ["server": message.server])
            return GuestReply(powerState: .shutdown)
        }
    }

    private func resize(_ message: ResizeGuest) async throws -> GuestReply {
        let server = message.guest.serverID
        return try await queue.run(server) {
            let start = ContinuousClock.now
            try await builds.run {
                try await driver.resize(message.guest, from: message.aside, starts: message.starts)
            }
            log.info("guest resized", ["server": server, "took": "\(ContinuousClock.now - start)"])
            return GuestReply(powerState: try await driver.powerState(server))
        }
    }

    private func restore(_ message: RestoreGuest) async throws -> RestoreGuestReply {
        try await queue.run(message.server) {
            let isRestored = try await driver.restore(message.server, from: message.aside)
            log.info("guest restored", ["server": message.server, "was there": isRestored])
            return RestoreGuestReply(isRestored: isRestored)
        }
    }

    private func discard(_ message: DiscardAside) async throws -> GuestReply {
        try await queue.run(message.server) {
            try await driver.discardAside(message.server, named: message.aside)
            return GuestReply(powerState: try await driver.powerState(message.server))
        }
    }
}
