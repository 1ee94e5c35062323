// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageAgent
import BlockStorageContract
import BlockStorageDriverKit
import ComputeContract
import ComputeDriverLibvirt
import ConfigKit
import LifecycleKit
import LinuxKit
import MessagingKit
import NetworkAgent
import NetworkContract
import NetworkDriverOVN
import OVSDBKit
import ObjectStorageCore

/// What the controller drives on its own host.
struct AllInOneHost: Sendable {
    let name: String
    let network: any NetworkDriver
    /// Parts of the drivers that run with the process, before everything else.
    let services: [any Service]
    let isFake: Bool
    let usesUserspaceDatapath: Bool

    /// Where the parts of the cloud reach each other: all are here.
    static let address = "127.0.0.1"

    static func real() async throws -> AllInOneHost {
        let ovn = OVNDriver(
            OVNConfiguration(
                northbound: [try endpoint(OVNConfiguration.localNorthbound)],
                southbound: [try endpoint(OVNConfiguration.localSouthbound)],
                // Guests of subnets that name no DNS servers ask this host's, and OVN answers for their neighbours on
                // the way, as upstream has it.
                dnsServers: try HostResolvers.shareable()))
        return AllInOneHost(
            name: SandboxHost.name, network: ovn, services: [ovn], isFake: false,
            usesUserspaceDatapath: try await HostNetworkSetup.probe() == .userspace)
    }

    static func fake() async throws -> AllInOneHost {
        AllInOneHost(
            name: "fake", network: FakeNetworkDriver(), services: [], isFake: true, usesUserspaceDatapath: false)
    }

    func hypervisor(
        _ config: LibvirtConfig, _ state: SandboxState, _ cloud: Cloud
    ) async throws -> any HypervisorDriver {
        if isFake {
            return FakeHypervisor(
                hostname: name, vcpus: 1024, memoryMiB: 4 << 20, copyDirectory: state.directory)
        }
        return LibvirtDriver(
            Self.libvirt(config, state, usesUserspaceDatapath: usesUserspaceDatapath), images: cloud.images,
            shares: KernelShareMounter())
    }

    /// The operator's options with what is known of this host.
    static func libvirt(
        _ options: LibvirtConfig, _ state: SandboxState, usesUserspaceDatapath: Bool
    ) -> LibvirtConfig {
        var config = options
        config.stateDirectory = state.directory
        config.hostname = SandboxHost.name
        config.hostAddress = address
        config.usesUserspaceDatapath = usesUserspaceDatapath
        return config
    }

    func volumeBackends(_ configuration: Configuration, _ state: SandboxState, _ cloud: Cloud) -> [ServedBackend] {
        let backends = VolumeBackends(
            host: name, hostAddress: Self.address, stateDirectory: state.directory, images: cloud.images)
        return isFake ? backends.fakes(configuration) : backends.make(configuration)
    }

    /// Real disks for fake hosts too: objects are kept by this process itself.
    func objectDevices(_ configuration: Configuration, _ state: SandboxState) throws -> ObjectStore.Devices {
        var directories = configuration.section(ObjectStorageConfig.self).directories
        if directories.isEmpty { directories = [state.directory + "/objects"] }
        for directory in directories where directory.hasPrefix("/") {
            try FileSystem.makeDirectories(directory, mode: 0o700)
        }
        let devices = StorageDevices(host: name, key: try state.storageKey(), ceph: configuration.section())
        return ObjectStore.Devices(
            host: name, directories: directories, services: devices.services, close: { await devices.close($0) }
        ) { try await devices.open($0) }
    }

    func agents(_ bus: any MessageBus) throws -> [any Service] {
        guard !isFake else { return [] }
        return [
            NetworkAgent(
                .init(chassis: name, southbound: [try Self.endpoint(OVNConfiguration.localSouthbound)]), bus: bus)
        ]
    }

    private static func endpoint(_ text: String) throws -> OVSDBEndpoint {
        guard let endpoint = OVSDBEndpoint(text) else { throw CommandFailure("\(text) names no OVSDB server.") }
        return endpoint
    }
}
