// SPDX-License-Identifier: Apache-2.0
import ComputeDriverLibvirt
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
