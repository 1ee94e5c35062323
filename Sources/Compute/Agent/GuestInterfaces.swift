// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LifecycleKit
import LogKit
import MessagingKit

/// The part of a host's agent that plugs network cards into guests, in line with all else that is done to them.
struct GuestInterfaces: Sendable {
    let driver: any HypervisorDriver
    let queue: KeyedSerialQueue<ServerID>
    private let log = Logger("compute-agent")

    init(driver: any HypervisorDriver, queue: KeyedSerialQueue<ServerID>) {
        self.driver = driver
        self.queue = queue
    }

    func register(on server: BusServer) {
        server.handle(AttachInterface.self, attach)
        server.handle(DetachInterface.self, detach)
    }

    private func attach(_ message: AttachInterface) async throws -> GuestReply {
        try await queue.run(message.server) {
            try await driver.attachInterface(message.nic, to: message.server)
            log.info("interface attached", ["server": message.server, "port": message.nic.portID])
            return GuestReply(powerState: try await driver.powerState(message.server))
        }
    }

    private func detach(_ message: DetachInterface) async throws -> GuestReply {
        try await queue.run(message.server) {
            try await driver.detachInterface(message.nic, from: message.server)
            log.info("interface detached", ["server": message.server, "port": message.nic.portID])
            return GuestReply(powerState: try await driver.powerState(message.server))
        }
    }
}
