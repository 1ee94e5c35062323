// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Subnets: made, listed, changed and removed.
package struct SubnetEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [Subnet] {
        let viewer = context.viewer("get_subnet")
        return try await environment.read { try SubnetStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: SubnetID, for context: CallContext) async throws -> Subnet {
        let subnet = try await environment.read { try SubnetStore.find(id, for: context.projectID, $0) }
        guard let subnet else { throw NetworkFault.subnetNotFound(id) }
        try context.authorizeSight("get_subnet", PolicyTarget(subnet), missing: NetworkFault.subnetNotFound(id))
        return subnet
    }

    // MARK: Create

    package func create(_ drafts: [SubnetDraft], for context: CallContext) async throws -> [Subnet] {
        try await environment.write { change in
            try drafts.map { try Self.create($0, for: context, change) }
        }
    }

    private static func create(_ draft: SubnetDraft, for context: CallContext, _ change: NetworkChange) throws -> Subnet
    {
        guard let networkID = draft.network else {
            throw CloudError.badRequest(
                "Failed to parse request. Required attribute 'network_id' not specified", kind: "HTTPBadRequest")
        }
        let project = try context.projectForNew(draft.project)
        let network = try NetworkEngine.visible(networkID, for: context, change)
        let target = PolicyTarget(project: project, on: network)
        try context.authorizeCreation("create_subnet", target)
        try context.authorizeAttributes("create_subnet", draft.given, target)
        return try insert(draft, project: project, on: network, for: context, change)
    }

    /// `context` nil: the cloud itself asks.
    static func insert(
        _ draft: SubnetDraft, project: ProjectID, on network: Network, for context: CallContext?,
        _ change: NetworkChange
    ) throws -> Subnet {
        try change.checkQuota(.subnet, project)
        let pool = try SubnetPoolAllocator.pool(for: draft, context, change)
        let cidr =
            try pool.map { try SubnetPoolAllocator.allocate(draft, from: $0, project: project, change) }
            ?? SubnetCheck.cidr(draft)
        try SubnetCheck.mtu(network.mtu, of: network.id, for: cidr)
        let gateway = try SubnetCheck.gateway(draft.gateway, of: cidr)
        let others = try SubnetStore.all(on: network.id, change.transaction)
        guard !others.contains(where: { $0.cidr.overlaps(cidr) }) else {
            throw NetworkFault.invalidInput(
                "Requested subnet with cidr: \(cidr) for network: \(network.id) overlaps with another subnet")
        }
        try SubnetPoolAllocator.checkAffinity(pool, cidr, others, change)
        let segment = draft.segment ?? nil
        try SegmentEngine.check(segment, for: network, besides: others, change)
        let pools = try draft.pools.map { try AllocationPools.checked($0, in: cidr) }
        if let pools { try AllocationPools.checkGateway(gateway, outside: pools) }
        let subnet = Subnet(
            id: change.newID(), project: project, network: network.id, name: draft.name ?? "", cidr: cidr,
            gateway: gateway, usesDHCP: draft.usesDHCP ?? true, raMode: draft.raMode, addressMode: draft.addressMode,
            pools: pools ?? AllocationPools.computed(for: cidr, gateway: gateway),
            dnsServers: try SubnetCheck.dnsServers(draft.dnsServers ?? [], change.config.maximum),
            hostRoutes: try SubnetCheck.hostRoutes(draft.hostRoutes ?? [], cidr, change.config.maximum),
            serviceTypes: draft.serviceTypes ?? [], publishesDNS: draft.publishesDNS ?? false, pool: pool?.id,
            segment: segment, isExternal: network.isExternal, isShared: network.isShared, isGranted: network.isGranted,
            networkProject: network.project,
            standard: change.standard(draft.description, draft.tags))
        try SubnetCheck.modes(subnet)
        try SubnetStore.insert(subnet, change.transaction)
        try NetworkStore.touch(network.id, change)
        change.mark(.network(network.id))
        if subnet.usesAutomaticAddresses { try giveAutomaticAddresses(of: subnet, change) }
        if subnet.usesDHCP, !cidr.isIPv6 { try MetadataPort.ensure(on: network, change) }
        return subnet
    }

    /// Ports that exist make an address in a new SLAAC subnet as new ones do.
    private static func giveAutomaticAddresses(of subnet: Subnet, _ change: NetworkChange) throws {
        for old in try PortStore.all(where: "p.network_id = \(subnet.network)", change.transaction) {
            let addresses = try old.fixedIPs
            guard !DeviceOwner.isTrusted(old.deviceOwner), !addresses.isEmpty, subnet.serves(old.deviceOwner) else {
                continue
            }
            let mac = try old.place("mac").mac(old.mac)
            var port = old
            let address = Port.FixedIP(subnet: subnet.id, address: mac.slaacAddress(in: subnet.cidr))
            port.fixedIPsJSON = Port.encode(addresses + [address])
            try PortOperations.save(&port, from: old, change)
        }
    }

    // MARK: Update

    package func update(_ id: SubnetID, _ draft: SubnetDraft, ifMatch: Int? = nil, for context: CallContext)
        async throws
        -> Subnet
    {
        try await environment.write { change in
            let old = try Self.authorized(id, "update_subnet", for: context, change)
            try context.authorizeAttributes("update_subnet", draft.given, PolicyTarget(old))
            try old.standard.check(ifMatch)
            return try Self.update(old, draft, change)
        }
    }

    private static func authorized(
        _ id: SubnetID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> Subnet {
        guard let subnet = try SubnetStore.find(id, for: context.projectID, change.transaction) else {
            throw NetworkFault.subnetNotFound(id)
        }
        try context.authorizeChange(
            rule, seenBy: "get_subnet", PolicyTarget(subnet), missing: NetworkFault.subnetNotFound(id))
        return subnet
    }

    private static func update(_ old: Subnet, _ draft: SubnetDraft, _ change: NetworkChange) throws -> Subnet {
        var subnet = old
        subnet.name = draft.name ?? old.name
        subnet.usesDHCP = draft.usesDHCP ?? old.usesDHCP
        subnet.publishesDNS = draft.publishesDNS ?? old.publishesDNS
        subnet.serviceTypes = draft.serviceTypes ?? old.serviceTypes
        if let servers = draft.dnsServers {
            subnet.dnsServers = try SubnetCheck.dnsServers(servers, change.config.maximum)
        }
        if let routes = draft.hostRoutes {
            subnet.hostRoutes = try SubnetCheck.hostRoutes(routes, old.cidr, change.config.maximum)
        }
        if let segment = draft.segment, segment != old.segment { subnet.segment = try tie(old, to: segment, change) }
        if let pools = draft.pools { subnet.pools = try AllocationPools.checked(pools, in: old.cidr) }
        if let gateway = draft.gateway {
            subnet.gateway = try SubnetCheck.gateway(.some(gateway), of: old.cidr)
            if subnet.gateway != old.gateway { try checkGatewayUnused(old, change) }
        }
        try AllocationPools.checkGateway(subnet.gateway, outside: subnet.pools)
        subnet.standard.apply(description: draft.description, tags: draft.tags)
        try SubnetCheck.modes(subnet)
        subnet.standard.touch(change)
        try SubnetStore.update(subnet, change.transaction)
        try NetworkStore.touch(old.network, change)
        change.mark(.network(old.network))
        for router in try RouterStore.connected(to: old.id, change.transaction) { change.mark(.router(router)) }
        if subnet.usesDHCP != old.usesDHCP {
            guard let network = try NetworkStore.find(old.network, for: nil, change.transaction) else {
                throw NetworkFault.networkNotFound(old.network)
            }
            try MetadataPort.ensure(on: network, change)
            for port in try PortStore.users(of: old.id, change.transaction) { change.mark(.port(port.id)) }
        }
        return subnet
    }

    private static func tie(_ subnet: Subnet, to segment: SegmentID?, _ change: NetworkChange) throws -> SegmentID? {
        guard subnet.segment == nil else {
            throw CloudError.badRequest(
                "A subnet that is already associated with a segment cannot have its segment association changed.",
                kind: "SubnetSegmentAssociationChangeNotAllowed")
        }
        guard let network = try NetworkStore.find(subnet.network, for: nil, change.transaction) else {
            throw NetworkFault.networkNotFound(subnet.network)
        }
        let others = try SubnetStore.all(on: network.id, change.transaction).filter { $0.id != subnet.id }
        try SegmentEngine.check(segment, for: network, besides: others, change)
        return segment
    }

    private static func checkGatewayUnused(_ subnet: Subnet, _ change: NetworkChange) throws {
        guard let gateway = subnet.gateway else { return }
        let holder = try PortStore.users(of: subnet.id, change.transaction).first { port in
            try port.deviceOwner == DeviceOwner.routerInterface
                && port.fixedIPs.contains { $0.address == gateway }
        }
        if let holder {
            throw CloudError.conflict(
                "Current gateway ip \(gateway) already in use by port \(holder.id). Unable to update.",
                kind: "GatewayIpInUse")
        }
    }

    // MARK: Delete

    package func delete(_ id: SubnetID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let subnet = try Self.authorized(id, "delete_subnet", for: context, change)
            try subnet.standard.check(ifMatch)
            try Self.remove(subnet, change)
        }
    }

    private static func remove(_ subnet: Subnet, _ change: NetworkChange) throws {
        let users = try PortStore.users(of: subnet.id, change.transaction)
        for port in users {
            let goesAlong =
                DeviceOwner.automatic.contains(port.deviceOwner)
                || subnet.usesAutomaticAddresses && !DeviceOwner.isTrusted(port.deviceOwner)
            guard goesAlong else { throw NetworkFault.subnetInUse(subnet.id) }
        }
        for old in users where !DeviceOwner.automatic.contains(old.deviceOwner) {
            var port = old
            port.fixedIPsJSON = Port.encode(try old.fixedIPs.filter { $0.subnet != subnet.id })
            try PortOperations.save(&port, from: old, change)
        }
        if let network = try NetworkStore.find(subnet.network, for: nil, change.transaction) {
            try MetadataPort.ensure(on: network, without: subnet.id, change)
        }
        try SubnetStore.delete(subnet.id, change.transaction)
        try NetworkStore.touch(subnet.network, change)
        change.mark(.network(subnet.network))
    }
}
