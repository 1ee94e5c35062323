// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Ports as Compute sees them: each with its subnets, floating addresses and group names. A handful of statements,
/// whatever the number of ports.
enum ServerPortStore {
    static func complete(_ ports: [Port], _ transaction: any Transaction) throws -> [ServerPort] {
        guard !ports.isEmpty else { return [] }
        let subnets = try SubnetStore.all(ports.flatMap { try $0.fixedIPs.map(\.subnet) }, transaction)
        let networks = try networks(Set(ports.map(\.network)), transaction)
        let metadata = try metadataAddresses(Set(ports.map(\.network)), transaction)
        let floating = try floatingAddresses(ports, transaction)
        let names = try groupNames(Set(ports.flatMap { try $0.groups }), transaction)
        // A page of servers is mostly on one subnet: what all its addresses share is made once.
        let shared = subnets.mapValues { sharedPart($0, metadata[$0.network] ?? []) }
        return try ports.map { port in
            ServerPort(
                id: port.id, network: port.network, networkName: networks[port.network]?.name ?? "",
                macAddress: port.mac, mtu: networks[port.network]?.mtu ?? 1500,
                fixedAddresses: try port.fixedIPs.compactMap { fixed in
                    shared[fixed.subnet].map { part in
                        var address = part
                        address.address = fixed.address.description
                        return address
                    }
                },
                floatingAddresses: floating[port.id] ?? [:],
                securityGroupNames: try port.groups.compactMap { names[$0] }, deviceID: port.deviceID,
                project: port.project.rawValue.isEmpty ? nil : port.project, isUp: port.status == .active,
                isOwnedByCompute: port.isOwnedByCompute)
        }
    }

    /// A fixed address of the subnet, without the address itself.
    private static func sharedPart(_ subnet: Subnet, _ metadata: [Port.FixedIP]) -> ServerPort.FixedAddress {
        ServerPort.FixedAddress(
            address: "", subnet: subnet.id, prefixLength: subnet.cidr.prefixLength,
            gateway: subnet.gateway?.description, dnsServers: subnet.dnsServers,
            hostRoutes: Projection.hostRoutes(of: subnet, metadata: metadata), usesDHCP: subnet.usesDHCP)
    }

    private static func networks(_ ids: Set<NetworkID>, _ transaction: any Transaction) throws
        -> [NetworkID: (name: String, mtu: Int)]
    {
        var networks: [NetworkID: (name: String, mtu: Int)] = [:]
        for chunk in Array(ids).slices() {
            try transaction.forEach("SELECT id, name, mtu FROM networks WHERE id IN \(list: chunk)") {
                networks[$0.id(0)] = ($0.text(1), $0.int(2))
            }
        }
        return networks
    }

    private static func metadataAddresses(_ ids: Set<NetworkID>, _ transaction: any Transaction) throws
        -> [NetworkID: [Port.FixedIP]]
    {
        var addresses: [NetworkID: [Port.FixedIP]] = [:]
        for chunk in Array(ids).slices() {
            let devices = chunk.map { MetadataPort.deviceID(of: $0) }
            for port in try PortStore.all(
                where: "p.device_id IN \(list: devices) AND p.device_owner = \(DeviceOwner.metadata)", transaction)
            where port.deviceID == MetadataPort.deviceID(of: port.network) {
                addresses[port.network] = try port.fixedIPs
            }
        }
        return addresses
    }

    private static func floatingAddresses(_ ports: [Port], _ transaction: any Transaction) throws
        -> [PortID: [String: [String]]]
    {
        var floating: [PortID: [String: [String]]] = [:]
        for chunk in ports.map(\.id).slices() {
            try transaction.forEach(
                """
                SELECT port_id, fixed_address, address FROM floatingips
                 WHERE port_id IN \(list: chunk) ORDER BY created_at, id
                """
            ) { floating[$0.id(0), default: [:]][$0.text(1), default: []].append($0.text(2)) }
        }
        return floating
    }

    private static func groupNames(_ ids: Set<SecurityGroupID>, _ transaction: any Transaction) throws
        -> [SecurityGroupID: String]
    {
        var names: [SecurityGroupID: String] = [:]
        for chunk in Array(ids).slices() {
            try transaction.forEach("SELECT id, name FROM security_groups WHERE id IN \(list: chunk)") {
                names[$0.id(0)] = $0.text(1)
            }
        }
        return names
    }
}
