// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// The port through which each host answers metadata for a network: one per network that has DHCP in IPv4.
enum MetadataPort {
    static let serviceAddress = "169.254.169.254/32"

    static func deviceID(of network: NetworkID) -> String { "ovnmeta-\(network)" }

    static func find(on network: NetworkID, _ change: NetworkChange) throws -> Port? {
        try PortStore.all(
            where: """
                p.network_id = \(network) AND p.device_id = \(deviceID(of: network)) \
                AND p.device_owner = \(DeviceOwner.metadata)
                """, change.transaction
        ).first
    }

    /// Makes the port and its addresses what the subnets ask for. `without` is a subnet that is going away.
    static func ensure(on network: Network, without: SubnetID? = nil, _ change: NetworkChange) throws {
        let allocator = try AddressAllocator(network, change)
        let subnets = allocator.subnets.filter { $0.usesDHCP && !$0.cidr.isIPv6 && $0.id != without }
        let port = try find(on: network.id, change)
        guard !subnets.isEmpty else {
            if let port { try PortOperations.remove(port, change) }
            return
        }
        let mac = port.flatMap { MACAddress($0.mac) } ?? MACAddress.generated(from: change.random())
        let present = try port?.fixedIPs ?? []
        let addresses = try subnets.compactMap { subnet -> Port.FixedIP? in
            if let kept = present.first(where: { $0.subnet == subnet.id }) { return kept }
            // A subnet without a free address has no metadata; its guests get the rest all the same.
            return try allocator.next(in: subnet, mac: mac, owner: DeviceOwner.metadata)
                .map { Port.FixedIP(subnet: subnet.id, address: $0) }
        }
        if let old = port {
            var port = old
            port.fixedIPsJSON = Port.encode(addresses)
            if port != old { try PortOperations.save(&port, from: old, change) }
            return
        }
        var draft = PortDraft()
        draft.deviceID = deviceID(of: network.id)
        draft.deviceOwner = DeviceOwner.metadata
        draft.addresses = addresses.map { PortDraft.Address(subnet: $0.subnet, address: $0.address) }
        _ = try PortOperations.insert(draft, project: network.project, on: network, checksQuota: false, change)
        change.mark(.network(network.id))
    }
}
