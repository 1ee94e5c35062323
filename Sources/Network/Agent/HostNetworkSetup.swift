// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LinuxKit
import LogKit
import OVSDBKit

/// Prepares this host's Open vSwitch for OVN. Run it before `ovn-controller` starts for the first time: that makes
/// `br-int` with the datapath that is set here. May be repeated; what is there stays.
package struct HostNetworkSetup: Sendable {
    /// The switch that OVN programs.
    package static let integrationBridge = "br-int"
    private static let log = Logger("network")
    /// How long ovs-vswitchd may take to make a bridge's device.
    private static let deviceLimit = Duration.seconds(10)

    /// A bridge of the host, with the network cards that belong to it.
    package struct Bridge: Sendable {
        package var name: String
        /// The physical network that it is the door to; nil for one that only carries tunnels.
        package var physicalNetwork: String?
        package var devices: [String]
        package init(_ name: String, physicalNetwork: String?, devices: [String] = []) {
            self.name = name
            self.physicalNetwork = physicalNetwork
            self.devices = devices
        }
    }

    /// Names the host to OVN; the file or setting of an older installation wins where `systemID` is nil.
    package var systemID: String?
    package var hostname: String
    /// Where ovn-controller finds the Southbound database: `unix:/run/ovn/ovnsb_db.sock`, `tcp:10.0.0.1:6642`.
    package var southbound: String
    /// The address of this host's end of the tunnels. With the userspace datapath it must be on a bridge that owns the
    /// underlay's card.
    package var tunnelAddress: String
    package var bridges: [Bridge]
    /// Whether routers' gateways may be put here.
    package var isGateway: Bool
    /// Nil: the kernel's where it works.
    package var datapath: OVSDatapath?
    package var localSwitch: OVSDBEndpoint

    package init(
        systemID: String? = nil, hostname: String, southbound: String = "unix:/run/ovn/ovnsb_db.sock",
        tunnelAddress: String = "127.0.0.1", bridges: [Bridge] = [Bridge("br-ex", physicalNetwork: "physnet1")],
        isGateway: Bool = true, datapath: OVSDatapath? = nil,
        localSwitch: OVSDBEndpoint = LocalSwitch.defaultEndpoint
    ) {
        self.systemID = systemID
        self.hostname = hostname
        self.southbound = southbound
        self.tunnelAddress = tunnelAddress
        self.bridges = bridges
        self.isGateway = isGateway
        self.datapath = datapath
        self.localSwitch = localSwitch
    }

    /// Does it all. Returns the datapath: with `.userspace` a guest's NIC must not leave checksums to the host
    /// (`<host csum='off'/>`). Needs ovsdb-server and ovs-vswitchd running.
    @discardableResult
    package func run() async throws -> OVSDatapath {
        let local = LocalSwitch(localSwitch)
        return try await withThrowingTaskGroup(of: OVSDatapath?.self) { group in
            group.addTask {
                try await local.run()
                return nil
            }
            group.addTask { try await self.configure(local) }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    private func configure(_ local: LocalSwitch) async throws -> OVSDatapath {
        let chosen: OVSDatapath
        if let datapath { chosen = datapath } else { chosen = try await Self.probe() }
        let mappings = bridges.compactMap { bridge in bridge.physicalNetwork.map { "\($0):\(bridge.name)" } }
        var settings: [String: String?] = [
            "hostname": hostname, "ovn-remote": southbound, "ovn-encap-type": "geneve",
            "ovn-encap-ip": tunnelAddress, "ovn-bridge": Self.integrationBridge,
            "ovn-bridge-datapath-type": chosen.rawValue,
            "ovn-bridge-mappings": mappings.isEmpty ? nil : mappings.joined(separator: ","),
            "ovn-cms-options": isGateway ? "enable-chassis-as-gw" : nil,
        ]
        if let systemID {
            settings["system-id"] = systemID
        } else if try await local.settings()["system-id"] == nil {
            settings["system-id"] = hostname
        }
        try await local.set(settings)
        for bridge in bridges {
            try await local.ensureBridge(bridge.name, chosen, isLearning: true)
            for device in bridge.devices {
                try await local.ensurePort(device, on: bridge.name)
                try await Self.bringUp(device, chosen)
            }
            try await Self.bringUp(bridge.name, chosen)
        }
        Self.log.info("switch prepared", ["datapath": chosen.rawValue, "hostname": hostname])
        return chosen
    }

    private static func bringUp(_ device: String, _ datapath: OVSDatapath) async throws {
        // A bridge of an earlier start is in the database before ovs-vswitchd has made its device again.
        try await withTimeout(deviceLimit, "device \(device)") {
            while !FileSystem.exists("/sys/class/net/\(device)") { try await Task.sleep(for: .milliseconds(20)) }
        }
        try await NetworkLinks.configure { links in
            if datapath == .userspace {
                do {
                    try links.disableTransmitChecksum(device)
                } catch let error as SystemError {
                    // A device that cannot leave checksums out never does.
                    Self.log.debug("checksums not changed", ["device": device, "error": error])
                }
            }
            try links.setUp(device)
        }
    }

    /// The kernel's datapath when its module is there or can be loaded.
    package static func probe() async throws -> OVSDatapath {
        if try GenericNetlink.hasFamily("ovs_datapath") { return .kernel }
        if let modprobe = Subprocess.find("modprobe") {
            // A kernel without modules, or without this one, is no fault here.
            _ = try? await Subprocess.run(modprobe, ["openvswitch"], timeout: .seconds(10))  // Asked again below.
        }
        return try GenericNetlink.hasFamily("ovs_datapath") ? .kernel : .userspace
    }
}
