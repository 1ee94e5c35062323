// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LifecycleKit
import LogKit
import MessagingKit

/// Answers the controller's messages about servers of this host. One server's changes run one after the other;
/// questions do not wait for them.
struct ServerAgent: Sendable {
    /// Builds that run at once: each starts a process that wants a processor at once (nova: `max_concurrent_builds`).
    private static let parallelBuilds = 10
    private static let maximumGraceSeconds = 3600

    private let driver: any HypervisorDriver
    private let queue = KeyedSerialQueue<ServerID>("servers of this host", parallel: 256)
    private let builds = AsyncSlots("builds", slots: parallelBuilds)
    private let log = Logger("compute-agent")

    init(driver: any HypervisorDriver) { self.driver = driver }

    func register(on server: BusServer) {
        server.handle(BuildGuest.self, build)
        server.handle(DestroyGuest.self, destroy)
        server.handle(PowerAction.self, changePower)
        server.handle(ConsoleOutput.self, consoleOutput)
        server.handle(ConsoleEndpointQuery.self, console)
    }

    private func build(_ message: BuildGuest) async throws -> GuestReply {
        let server = message.guest.serverID
        return try await queue.run(server) {
            let start = ContinuousClock.now
            try await builds.run { try await driver.spawn(message.guest) }
            log.info("guest built", ["server": server, "took": "\(ContinuousClock.now - start)"])
            return try await reply(server)
        }
    }

    private func destroy(_ message: DestroyGuest) async throws -> GuestReply {
        try await queue.run(message.server) {
            try await driver.destroy(message.server)
            log.info("guest destroyed", ["server": message.server])
            return try await reply(message.server)
        }
    }

    private func changePower(_ message: PowerAction) async throws -> GuestReply {
        let server = message.server
        let grace = Duration.seconds(min(max(0, message.graceSeconds), Self.maximumGraceSeconds))
        return try await queue.run(server) {
            switch message.kind {
            case .start: try await driver.start(server)
            case .stop: try await driver.stop(server, grace: grace)
            case .softReboot:
                // A reboot by the hypervisor knows nothing of this message's grace.
                try await driver.stop(server, grace: grace)
                try await driver.start(server)
            case .hardReboot: try await driver.reboot(server, .hard)
            case .pause: try await driver.pause(server)
            case .unpause: try await driver.unpause(server)
            case .suspend: try await driver.suspend(server)
            case .resume: try await driver.resume(server)
            }
            log.info("guest's power changed", ["server": server, "action": message.kind.rawValue])
            return try await reply(server)
        }
    }

    private func consoleOutput(_ message: ConsoleOutput) async throws -> ConsoleOutputReply {
        let bytes = try await driver.consoleOutput(message.server, lines: message.lines)
        return ConsoleOutputReply(output: ConsoleText.printable(bytes))
    }

    private func console(_ message: ConsoleEndpointQuery) async throws -> ConsoleEndpointReply {
        ConsoleEndpointReply(endpoint: try await driver.console(message.server, message.kind))
    }

    private func reply(_ server: ServerID) async throws -> GuestReply {
        GuestReply(powerState: try await driver.powerState(server))
    }
}

enum ConsoleText {
    /// Text without the control characters that nova leaves out, too; bytes that are no UTF-8 become U+FFFD.
    static func printable(_ bytes: [UInt8]) -> String {
        let kept = bytes.filter { byte in
            byte >= 0x20 || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
        }
        return String(decoding: kept, as: UTF8.self)
    }
}
