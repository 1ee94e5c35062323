// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageDriverKit
import ComputeContract
import ComputeDriverLibvirt
import ImageContract
import LogKit
import NetworkAgent

/// `haneul prepare-switch`: the host's Open vSwitch as OVN wants it, before its controller starts. Never by hand.
enum PrepareSwitchCommand {
    static func run() async throws {
        try await HostNetworkSetup(
            systemID: SandboxHost.name, hostname: SandboxHost.name,
            bridges: [.init(SandboxHost.externalBridge, physicalNetwork: "physnet1", devices: ["provider0"])]
        ).run()
    }
}

/// `haneul save-guests`: puts the memory of all running guests on disk before the host stops. Never by hand.
enum SaveGuestsCommand {
    private struct NoImages: ImageSource {
        func fetch(_ id: ImageID, to path: String) async throws {
            throw CloudError.notFound("A host that stops builds no guests.")
        }
    }

    static func run(_ words: [String]) async throws {
        let state = try Arguments(words, valued: ["state"]).state
        let log = Logger("host")
        let driver = LibvirtDriver(
            AllInOneHost.libvirt(options(state, log), state, usesUserspaceDatapath: false), images: NoImages(),
            shares: KernelShareMounter())
        for (server, power) in try await driver.guests() where power == .running || power == .paused {
            do {
                try await driver.suspend(server)
                log.info("guest saved", ["server": server])
            } catch {
                log.warning("guest not saved; it will boot again", ["server": server, "error": "\(error)"])
            }
        }
    }

    /// A file that was spoiled meanwhile must not cost the guests' memory.
    private static func options(_ state: SandboxState, _ log: Logger) -> LibvirtConfig {
        do {
            return try OperatorSettings.load(state).configuration.section()
        } catch {
            log.warning("options not read; defaults are used", ["error": "\(error)"])
            return LibvirtConfig()
        }
    }
}
