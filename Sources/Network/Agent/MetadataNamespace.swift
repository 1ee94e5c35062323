// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPServer
import LinuxKit
import NetworkContract

/// The place on this host where a network's guests meet the metadata service: a namespace with one cable into the
/// integration bridge, and a listening socket whose other side is this process.
struct MetadataNamespace: MetadataPlaces {
    /// Of one network, so that its guests cannot take all there are.
    private static let connectionLimit = 256

    let local: LocalSwitch
    let server: HTTPServer
    let bridge: String

    /// Builds it anew, whatever was there: a half-built one of a crash, or one with other addresses.
    func build(_ wanted: MetadataNetwork) async throws {
        let namespace = NetworkNamespace(wanted.namespace)
        // A listener's socket is in the namespace that it was made in, even when that is gone.
        if try !namespace.exists { server.removeListener(tag: wanted.network.rawValue) }
        try await namespace.create()
        try await removeCable(wanted.outerDevice)
        let isUserspace = try await local.datapath(of: bridge) == .userspace
        try await NetworkLinks.configure { links in
            try links.createVethPair(wanted.outerDevice, peer: wanted.innerDevice, peerNamespace: namespace)
            if isUserspace { try links.disableTransmitChecksum(wanted.outerDevice) }
            try links.setUp(wanted.outerDevice)
        }
        try await NetworkLinks.configure(in: namespace) { links in
            try links.setMACAddress(wanted.innerDevice, wanted.macAddress)
            if isUserspace { try links.disableTransmitChecksum(wanted.innerDevice) }
            try links.setUp(wanted.innerDevice)
            for address in wanted.addresses {
                try links.addAddress(wanted.innerDevice, address.address, prefixLength: address.prefixLength)
            }
            try links.addAddress(wanted.innerDevice, MetadataNetwork.address, prefixLength: 32)
        }
        try await local.ensurePort(
            wanted.outerDevice, on: bridge, externalIDs: ["iface-id": wanted.metadataPort])
        if server.ports(tag: wanted.network.rawValue).isEmpty {
            let socket = try await namespace.listen(address: MetadataNetwork.address, port: MetadataNetwork.port)
            try Self.hand(socket, of: wanted.network, to: server.addListener)
        }
    }

    /// Gives a listening socket away; closes it when it is not taken.
    static func hand(_ socket: Int32, of network: NetworkID, to add: (Listener) throws -> Void) throws {
        do {
            try add(Listener(.descriptor(socket), tag: network.rawValue, connectionLimit: connectionLimit))
        } catch {
            close(socket)
            throw error
        }
    }

    /// Not an error when there is nothing.
    func remove(_ network: NetworkID) async throws {
        server.removeListener(tag: network.rawValue)
        let gone = MetadataNetwork(network: network, metadataPort: "", macAddress: "", addresses: [])
        try await removeCable(gone.outerDevice)
        try await NetworkNamespace(gone.namespace).delete()
    }

    /// Networks that have such a namespace now.
    func existing() throws -> [NetworkID] {
        try NetworkNamespace.list().compactMap { namespace in
            guard namespace.name.hasPrefix(MetadataNetwork.namespacePrefix) else { return nil }
            let id = String(namespace.name.dropFirst(MetadataNetwork.namespacePrefix.count))
            return UUIDText.isUUID(id) ? NetworkID(id) : nil
        }
    }

    func missing(of networks: [MetadataNetwork]) async throws -> [NetworkID: String] {
        guard !networks.isEmpty else { return [:] }
        let devices = try await NetworkLinks.configure { try Set($0.list()) }
        var missing: [NetworkID: String] = [:]
        for network in networks {
            let isPlugged = try await local.hasPort(
                network.outerDevice, on: bridge, externalIDs: ["iface-id": network.metadataPort])
            missing[network.network] =
                if try !NetworkNamespace(network.namespace).exists {
                    "namespace"
                } else if !devices.contains(network.outerDevice) {
                    "cable"
                } else if !isPlugged {
                    "port of the switch"
                } else if server.ports(tag: network.network.rawValue).isEmpty {
                    "listener"
                } else {
                    nil
                }
        }
        return missing
    }

    private func removeCable(_ device: String) async throws {
        try await local.removePort(device)
        try await NetworkLinks.configure { try $0.delete(device) }
    }
}
