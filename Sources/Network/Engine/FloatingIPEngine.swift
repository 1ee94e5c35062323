// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Floating IPs: taken, pointed at a port, pointed nowhere, given back.
package struct FloatingIPEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [FloatingIP] {
        let viewer = context.viewer("get_floatingip")
        return try await environment.read { try FloatingIPStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: FloatingIPID, for context: CallContext) async throws -> FloatingIP {
        let floatingIP = try await environment.read { try FloatingIPStore.find(id, $0) }
        guard let floatingIP else { throw NetworkFault.floatingIPNotFound(id) }
        try context.authorizeSight(
            "get_floatingip", PolicyTarget(project: floatingIP.project), missing: NetworkFault.floatingIPNotFound(id))
        return floatingIP
    }

    // MARK: Create

    package func create(_ drafts: [FloatingIPDraft], for context: CallContext) async throws -> [FloatingIP] {
        try await environment.write { change in
            try drafts.map { try Self.create($0, for: context, change) }
        }
    }

    private static func create(_ draft: FloatingIPDraft, for context: CallContext, _ change: NetworkChange) throws
        -> FloatingIP
    {
        guard let networkID = draft.network else {
            throw CloudError.badRequest(
                "Failed to parse request. Required attribute 'floating_network_id' not specified",
                kind: "HTTPBadRequest")
        }
        let project = try context.projectForNew(draft.project)
        let target = PolicyTarget(project: project)
        try context.authorizeCreation("create_floatingip", target)
        try context.authorizeAttributes("create_floatingip", draft.given, target)
        let network = try NetworkEngine.visible(networkID, for: context, change)
        guard network.isExternal else {
            throw NetworkFault.badRequest("floatingip", "Network \(networkID) is not a valid external network")
        }
        try change.checkQuota(.floatingip, project)
        let id: FloatingIPID = change.newID()
        let (port, address) = try reserve(draft, for: id, on: network, change)
        var floatingIP = FloatingIP(
            id: id, project: project, network: networkID, reservedPort: port.id, subnet: address.subnet,
            address: address.address, router: nil, port: nil, fixedAddress: nil, dnsName: draft.dnsName ?? "",
            dnsDomain: draft.dnsDomain ?? "", details: nil, standard: change.standard(draft.description, draft.tags))
        if let target = draft.port.flatMap({ $0 }) {
            try point(&floatingIP, at: target, draft.fixedAddress, for: context, change)
        } else if draft.fixedAddress != nil {
            throw NetworkFault.badRequest("floatingip", "fixed_ip_address cannot be specified without a port_id")
        }
        try FloatingIPStore.insert(floatingIP, change.transaction)
        return try reload(id, change)
    }

    /// Takes an IPv4 address of the external network, with a port that holds it.
    private static func reserve(
        _ draft: FloatingIPDraft, for id: FloatingIPID, on network: Network, _ change: NetworkChange
    ) throws -> (Port, Port.FixedIP) {
        let subnets = try SubnetStore.all(on: network.id, change.transaction).filter { !$0.cidr.isIPv6 }
        guard !subnets.isEmpty else {
            throw NetworkFault.badRequest("floatingip", "Network \(network.id) does not contain any IPv4 subnet")
        }
        if let subnet = draft.subnet, !subnets.contains(where: { $0.id == subnet }) {
            throw NetworkFault.badRequest(
                "floatingip", "Subnet \(subnet) is not an IPv4 subnet of network \(network.id)")
        }
        var portDraft = PortDraft()
        portDraft.deviceID = id.rawValue
        portDraft.deviceOwner = DeviceOwner.floatingIP
        if draft.address != nil || draft.subnet != nil {
            portDraft.addresses = [.init(subnet: draft.subnet, address: draft.address)]
        } else {
            portDraft.addresses = [try anyAddress(on: network, change)]
        }
        let port = try PortOperations.insert(
            portDraft, project: ProjectID(""), on: network, checksQuota: false, change)
        guard let address = try port.fixedIPs.first(where: { !$0.address.isIPv6 }) else {
            throw CloudError.conflict(
                "No IPv4 address is left on external network \(network.id).", kind: "ExternalIpAddressExhausted")
        }
        return (port, address)
    }

    /// IPv4 alone: nothing translates to the other addresses that a port gets by itself.
    private static func anyAddress(on network: Network, _ change: NetworkChange) throws -> PortDraft.Address {
        let allocator = try AddressAllocator(network, change)
        let mac = MACAddress.generated(from: 0)
        for subnet in allocator.subnets where !subnet.cidr.isIPv6 && subnet.serves(DeviceOwner.floatingIP) {
            if let address = try allocator.next(in: subnet, mac: mac, owner: DeviceOwner.floatingIP) {
                return PortDraft.Address(subnet: subnet.id, address: address)
            }
        }
        throw NetworkFault.noAddresses(on: network.id)
    }

    private static func reload(_ id: FloatingIPID, _ change: NetworkChange) throws -> FloatingIP {
        guard let floatingIP = try FloatingIPStore.find(id, change.transaction) else {
            throw NetworkFault.floatingIPNotFound(id)
        }
        return floatingIP
    }

    // MARK: Update

    package func update(_ id: FloatingIPID, _ draft: FloatingIPDraft, ifMatch: Int? = nil, for context: CallContext)
        async throws -> FloatingIP
    {
        try await environment.write { change in
            var floatingIP = try Self.authorized(id, "update_floatingip", for: context, change)
            try floatingIP.standard.check(ifMatch)
            floatingIP.standard.apply(description: draft.description, tags: draft.tags)
            if let port = draft.port {
                let old = floatingIP
                if let router = old.router { change.mark(.router(router)) }
                (floatingIP.port, floatingIP.fixedAddress, floatingIP.router) = (nil, nil, nil)
                if let port {
                    try Self.point(&floatingIP, at: port, draft.fixedAddress, for: context, change)
                }
            } else if let fixed = draft.fixedAddress {
                guard let port = floatingIP.port else {
                    throw NetworkFault.badRequest(
                        "floatingip", "fixed_ip_address cannot be specified without a port_id")
                }
                try Self.point(&floatingIP, at: port, fixed, for: context, change)
            }
            floatingIP.standard.touch(change)
            try FloatingIPStore.update(floatingIP, change.transaction)
            return try Self.reload(id, change)
        }
    }

    private static func authorized(
        _ id: FloatingIPID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> FloatingIP {
        guard let floatingIP = try FloatingIPStore.find(id, change.transaction) else {
            throw NetworkFault.floatingIPNotFound(id)
        }
        try context.authorizeChange(
            rule, seenBy: "get_floatingip", PolicyTarget(project: floatingIP.project),
            missing: NetworkFault.floatingIPNotFound(id))
        return floatingIP
    }

    /// Chooses the fixed address and finds the router that translates.
    private static func point(
        _ floatingIP: inout FloatingIP, at id: PortID, _ wanted: IPAddress?, for context: CallContext,
        _ change: NetworkChange
    ) throws {
        guard let port = try PortStore.find(id, change.transaction),
            let network = try NetworkStore.find(port.network, for: context.projectID, change.transaction)
        else { throw NetworkFault.portNotFound(id) }
        try context.authorizeSight(
            "get_port", PolicyTarget(project: port.project, on: network), missing: NetworkFault.portNotFound(id))
        guard port.project == floatingIP.project || context.allows("context_is_admin", [:]) else {
            throw NetworkFault.badRequest(
                "floatingip",
                "Port \(id) is associated with a different project than Floating IP \(floatingIP.id) "
                    + "and therefore cannot be bound")
        }
        let fixed = try fixedAddress(of: port, wanted)
        guard let router = try router(to: floatingIP.network, from: fixed, change) else {
            throw CloudError.notFound(
                "External network \(floatingIP.network) is not reachable from subnet \(fixed.subnet).  "
                    + "Therefore, cannot "
                    + "associate Port \(id) with a Floating IP.", kind: "ExternalGatewayForFloatingIPNotFound")
        }
        let holder = try FloatingIPStore.all(
            where: """
                f.port_id = \(id) AND f.fixed_address = \(fixed.address.description) \
                AND f.network_id = \(floatingIP.network) AND f.id <> \(floatingIP.id)
                """, change.transaction
        ).first
        if holder != nil {
            throw CloudError.conflict(
                "Cannot associate floating IP \(floatingIP.address) (\(floatingIP.id)) with port \(id) using fixed IP "
                    + "\(fixed.address), as that fixed IP already has a floating IP on external network "
                    + "\(floatingIP.network).", kind: "FloatingIPPortAlreadyAssociated")
        }
        (floatingIP.port, floatingIP.fixedAddress, floatingIP.router) = (id, fixed.address, router)
        change.mark(.router(router))
    }

    private static func fixedAddress(of port: Port, _ wanted: IPAddress?) throws -> Port.FixedIP {
        let candidates = try port.fixedIPs.filter { !$0.address.isIPv6 }
        if let wanted {
            guard let found = candidates.first(where: { $0.address == wanted }) else {
                throw NetworkFault.badRequest("floatingip", "Port \(port.id) does not have fixed ip \(wanted)")
            }
            return found
        }
        guard let only = candidates.first else {
            throw NetworkFault.badRequest(
                "floatingip", "Cannot add floating IP to port \(port.id) that has no fixed IPv4 addresses")
        }
        guard candidates.count == 1 else {
            throw NetworkFault.badRequest(
                "floatingip",
                "Port \(port.id) has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address "
                    + "when assigning a floating IP")
        }
        return only
    }

    /// A router between the subnet and the external network. One that holds the subnet's gateway address comes first.
    private static func router(to network: NetworkID, from fixed: Port.FixedIP, _ change: NetworkChange) throws
        -> RouterID?
    {
        try change.transaction.first(
            """
            SELECT r.id FROM routers r
              JOIN ports p ON p.device_id = r.id AND p.device_owner = \(DeviceOwner.routerInterface)
              JOIN ip_allocations a ON a.port_id = p.id
              JOIN subnets s ON s.id = a.subnet_id
             WHERE r.gateway_network = \(network) AND a.subnet_id = \(fixed.subnet)
             ORDER BY CASE WHEN a.address = s.gateway THEN 0 ELSE 1 END, r.created_at, r.id LIMIT 1
            """
        ) { $0.id(0) }
    }

    /// Points the address nowhere, because its port goes away.
    static func detach(_ floatingIP: FloatingIP, _ change: NetworkChange) throws {
        if let router = floatingIP.router { change.mark(.router(router)) }
        var detached = floatingIP
        (detached.port, detached.fixedAddress, detached.router) = (nil, nil, nil)
        detached.standard.touch(change)
        try FloatingIPStore.update(detached, change.transaction)
    }

    // MARK: Delete

    package func delete(_ id: FloatingIPID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let floatingIP = try Self.authorized(id, "delete_floatingip", for: context, change)
            try floatingIP.standard.check(ifMatch)
            try Self.remove(floatingIP, change)
        }
    }

    static func remove(_ floatingIP: FloatingIP, _ change: NetworkChange) throws {
        if let router = floatingIP.router { change.mark(.router(router)) }
        try FloatingIPStore.delete(floatingIP.id, change.transaction)
        if let port = try PortStore.find(floatingIP.reservedPort, change.transaction) {
            try PortOperations.remove(port, change)
        }
    }
}
