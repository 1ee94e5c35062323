// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LifecycleKit
import LogKit
import MessagingKit

/// The part of a host's agent that helps guests which are in trouble, in line with all else that is done to them.
struct GuestCare: Sendable {
    let driver: any HypervisorDriver
    let queue: KeyedSerialQueue<ServerID>
    private let log = Logger("compute-agent")

    init(driver: any HypervisorDriver, queue: KeyedSerialQueue<ServerID>) {
        self.driver = driver
        self.queue = queue
    }

    func register(on server: BusServer) {
        server.handle(RescueGuest.self, rescue)
        server.handle(UnrescueGuest.self, unrescue)
        server.handle(TriggerCrashDump.self, triggerCrashDump)
        server.handle(SetGuestPassword.self, setPassword)
    }

    private func rescue(_ message: RescueGuest) async throws -> GuestReply {
        let server = message.guest.serverID
        let grace = Duration.seconds(min(max(0, message.graceSeconds), ServerAgent.maximumGraceSeconds))
        return try await queue.run(server) {
            try await driver.rescue(message.guest, grace: grace)
            log.info("guest rescued", ["server": server])
            return try await reply(server)
        }
    }

    private func unrescue(_ message: UnrescueGuest) async throws -> GuestReply {
        let server = message.server
        return try await queue.run(server) {
            try await driver.unrescue(server)
            if let volumes = message.volumes {
                try await driver.prepareVolumes(volumes, of: server)
                try await driver.start(server)
            }
            log.info("guest has its own disks again", ["server": server])
            return try await reply(server)
        }
    }

    private func triggerCrashDump(_ message: TriggerCrashDump) async throws -> GuestReply {
        try await queue.run(message.server) {
            try await driver.triggerCrashDump(message.server)
            log.info("guest told to crash", ["server": message.server])
            return try await reply(message.server)
        }
    }

    private func setPassword(_ message: SetGuestPassword) async throws -> GuestReply {
        try await queue.run(message.server) {
            try await driver.setPassword(message.password, of: message.user, in: message.server)
            log.info("password set inside a guest", ["server": message.server])
            return try await reply(message.server)
        }
    }

    private func reply(_ server: ServerID) async throws -> GuestReply {
        GuestReply(powerState: try await driver.powerState(server))
    }
}
