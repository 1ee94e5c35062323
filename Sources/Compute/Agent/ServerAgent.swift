// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import LifecycleKit
import LogKit
import MessagingKit

/// Answers the controller's messages about servers of this host. One server's changes run one after the other;
/// questions do not wait for them.
struct ServerAgent: Sendable {
    /// Builds that run at once: each starts a process that wants a processor at once (nova: `max_concurrent_builds`).
    private static let parallelBuilds = 10
    static let maximumGraceSeconds = 3600

    private let driver: any HypervisorDriver
    private let queue = KeyedSerialQueue<ServerID>("servers of this host", parallel: 256)
    private let builds = AsyncSlots("builds", slots: parallelBuilds)
    private let log = Logger("compute-agent")

    init(driver: any HypervisorDriver) { self.driver = driver }

    func register(on server: BusServer) {
        server.handle(BuildGuest.self, build)
        server.handle(DestroyGuest.self, destroy)
        GuestMoves(driver: driver, queue: queue, builds: builds).register(on: server)
        GuestCare(driver: driver, queue: queue).register(on: server)
        GuestInterfaces(driver: driver, queue: queue).register(on: server)
        server.handle(PowerAction.self, changePower)
        server.handle(AttachVolume.self, attach)
        server.handle(DetachVolume.self, detach)
        server.handle(MoveVolume.self, move)
        server.handle(RelocateVolume.self, relocate)
        server.handle(ResizeVolume.self, resize)
        server.handle(CopyRootDisk.self, copyRootDisk)
        server.handle(RemoveRootDiskCopy.self, removeRootDiskCopy)
        server.handle(ConsoleOutput.self, consoleOutput)
        server.handle(ConsoleEndpointQuery.self, console)
        server.handle(GuestDiagnosticsQuery.self) { try await self.driver.diagnostics($0.server) }
        server.handle(CacheImage.self, cache)
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
            case .start:
                try await prepare(message)
                try await driver.start(server)
            case .stop: try await driver.stop(server, grace: grace)
            case .softReboot:
                // A reboot by the hypervisor asks no guest.
                try await driver.stop(server, grace: grace)
                try await prepare(message)
                try await driver.start(server)
            case .hardReboot:
                try await prepare(message)
                try await driver.reboot(server)
            case .pause: try await driver.pause(server)
            case .unpause: try await driver.unpause(server)
            case .suspend: try await driver.suspend(server)
            case .resume:
                try await prepare(message)
                try await driver.resume(server)
            }
            log.info("guest's power changed", ["server": server, "action": message.kind.rawValue])
            return try await reply(server)
        }
    }

    private func prepare(_ message: PowerAction) async throws {
        guard let volumes = message.volumes else { return }
        try await driver.prepareVolumes(volumes, of: message.server)
    }

    // MARK: Volumes

    private func attach(_ message: AttachVolume) async throws -> GuestReply {
        try await change(message.server, "volume attached", message.volume.id) {
            try await driver.attachVolume(message.volume, to: message.server)
        }
    }

    private func detach(_ message: DetachVolume) async throws -> GuestReply {
        try await change(message.server, "volume detached", message.volume) {
            try await driver.detachVolume(message.volume, from: message.server)
        }
    }

    private func move(_ message: MoveVolume) async throws -> GuestReply {
        try await change(message.server, "volume moved", message.volume) {
            try await driver.moveVolume(
                message.volume, of: message.server, toFile: message.path, format: message.format)
        }
    }

    /// Each step is short, so that a guest which is being copied for hours still hears its owner.
    private func relocate(_ message: RelocateVolume) async throws -> VolumeRelocationReply {
        try await queue.run(message.server) {
            let state = try await driver.relocateVolume(message.volume, of: message.server, message.step)
            if message.step != .copy {
                log.info(
                    "volume relocated",
                    [
                        "server": message.server, "volume": message.volume.id, "step": message.step.rawValue,
                        "state": "\(state)",
                    ])
            }
            return VolumeRelocationReply(state: state)
        }
    }

    private func resize(_ message: ResizeVolume) async throws -> GuestReply {
        try await change(message.server, "volume resized", message.volume) {
            try await driver.resizeVolume(message.volume, of: message.server, toBytes: message.sizeBytes)
        }
    }

    private func change(
        _ server: ServerID, _ event: StaticString, _ volume: VolumeID,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> GuestReply {
        try await queue.run(server) {
            try await body()
            log.info(event, ["server": server, "volume": volume])
            return try await reply(server)
        }
    }

    // MARK: Images

    private func copyRootDisk(_ message: CopyRootDisk) async throws -> RootDiskCopy {
        try await queue.run(message.server) {
            RootDiskCopy(path: try await driver.copyRootDisk(message.server, named: message.copy))
        }
    }

    private func removeRootDiskCopy(_ message: RemoveRootDiskCopy) async throws -> GuestReply {
        try await queue.run(message.server) {
            try await driver.removeRootDiskCopy(message.server, named: message.copy)
            return try await reply(message.server)
        }
    }

    // MARK: Consoles

    private func consoleOutput(_ message: ConsoleOutput) async throws -> ConsoleOutputReply {
        let bytes = try await driver.consoleOutput(message.server, lines: message.lines)
        return ConsoleOutputReply(output: ConsoleText.printable(bytes))
    }

    private func console(_ message: ConsoleEndpointQuery) async throws -> ConsoleEndpointReply {
        ConsoleEndpointReply(endpoint: try await driver.console(message.server, message.kind))
    }

    private func cache(_ message: CacheImage) async throws -> BusDone {
        // An image that many guests wait for does not wait itself: it has a place among the builds.
        try await builds.run { try await driver.cacheImage(message.image) }
        log.info("image fetched ahead", ["image": message.image.imageID])
        return BusDone()
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
