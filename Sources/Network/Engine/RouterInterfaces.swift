// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

extension RouterEngine {
    package func addInterface(_ choice: RouterInterfaceChoice, to id: RouterID, for context: CallContext) async throws
        -> RouterInterfaceResult
    {
        try await environment.write { change in
            let router = try Self.authorized(id, "add_router_interface", for: context, change)
            return try RouterInterfaces.add(choice, to: router, for: context, change)
        }
    }

    package func removeInterface(_ choice: RouterInterfaceChoice, from id: RouterID, for context: CallContext)
        async throws
        -> RouterInterfaceResult
    {
        try await environment.write { change in
            let router = try Self.authorized(id, "remove_router_interface", for: context, change)
            return try RouterInterfaces.remove(choice, from: router, change)
        }
    }
}

/// A router's legs on the networks behind it.
enum RouterInterfaces {
    // MARK: Add

    /// `context` nil: the cloud itself asks.
    static func add(
        _ choice: RouterInterfaceChoice, to router: Router, for context: CallContext?, _ change: NetworkChange
    ) throws -> RouterInterfaceResult {
        let port: Port
        let subnets: [SubnetID]
        switch (choice.subnet, choice.port) {
        case (let subnet?, nil):
            port = try add(subnet, to: router, for: context, change)
            subnets = [subnet]
        case (nil, let id?):
            port = try add(id, to: router, for: context, change)
            subnets = try port.fixedIPs.map(\.subnet)
        case (.some, .some):
            throw NetworkFault.badRequest("router", "Cannot specify both subnet-id and port-id")
        case (nil, nil):
            throw NetworkFault.badRequest("router", "Either subnet_id or port_id must be specified")
        }
        return try result(router, port, subnets, change)
    }

    private static func result(_ router: Router, _ port: Port, _ subnets: [SubnetID], _ change: NetworkChange) throws
        -> RouterInterfaceResult
    {
        let saved = try RouterEngine.save(router, change)
        for subnet in subnets where try SubnetStore.find(subnet, change.transaction)?.cidr.isIPv6 == true {
            // Router advertisements are a matter of the network, too.
            change.mark(.network(port.network))
        }
        return RouterInterfaceResult(
            router: saved.id, project: saved.project, port: port.id, network: port.network, subnets: subnets,
            tags: saved.standard.tags)
    }

    private static func add(
        _ id: SubnetID, to router: Router, for context: CallContext?, _ change: NetworkChange
    ) throws -> Port {
        guard let subnet = try SubnetStore.find(id, for: context?.projectID, change.transaction),
            let network = try NetworkStore.find(subnet.network, for: context?.projectID, change.transaction)
        else { throw NetworkFault.subnetNotFound(id) }
        try context?.authorizeSight("get_subnet", PolicyTarget(subnet), missing: NetworkFault.subnetNotFound(id))
        guard let gateway = subnet.gateway else {
            throw NetworkFault.badRequest("router", "Subnet for router interface must have a gateway IP")
        }
        try checkOwner(of: subnet, for: context, change)
        try checkAddressMode(subnet)
        try checkOverlap(of: [id], with: router.id, change)
        let address = PortDraft.Address(subnet: id, address: gateway)
        // One interface of a router serves all IPv6 subnets of a network.
        let sibling =
            try subnet.cidr.isIPv6
            ? RouterStore.ports(of: router.id, change.transaction).first { port in
                try port.network == network.id && port.deviceOwner == DeviceOwner.routerInterface
                    && port.fixedIPs.contains { $0.address.isIPv6 }
            } : nil
        if let sibling {
            var draft = PortDraft()
            draft.addresses = try sibling.fixedIPs.map { .init(subnet: $0.subnet, address: $0.address) } + [address]
            return try PortOperations.update(sibling, draft, on: network, change)
        }
        var draft = PortDraft()
        draft.deviceID = router.id.rawValue
        draft.deviceOwner = DeviceOwner.routerInterface
        draft.addresses = [address]
        let port = try PortOperations.insert(draft, project: router.project, on: network, change)
        return port
    }

    private static func add(_ id: PortID, to router: Router, for context: CallContext?, _ change: NetworkChange) throws
        -> Port
    {
        guard let old = try PortStore.find(id, change.transaction),
            let network = try NetworkStore.find(old.network, for: context?.projectID, change.transaction)
        else { throw NetworkFault.portNotFound(id) }
        try context?.authorizeSight(
            "get_port", PolicyTarget(project: old.project, on: network), missing: NetworkFault.portNotFound(id))
        guard old.deviceID.isEmpty else { throw NetworkFault.portInUse(old) }
        guard old.project == router.project || context?.allows("context_is_admin", [:]) ?? true else {
            throw NetworkFault.portNotFound(id)
        }
        let addresses = try old.fixedIPs
        guard !addresses.isEmpty else {
            throw NetworkFault.badRequest("router", "Router port must have at least one fixed IP")
        }
        guard addresses.filter({ !$0.address.isIPv6 }).count <= 1 else {
            throw NetworkFault.badRequest("router", "Cannot have multiple IPv4 subnets on router port")
        }
        let subnets = try SubnetStore.all(addresses.map(\.subnet), change.transaction)
        for subnet in subnets.values { try checkAddressMode(subnet) }
        try checkPools(addresses, subnets, of: id, for: context)
        try checkOverlap(of: addresses.map(\.subnet), with: router.id, change)
        var port = old
        port.deviceID = router.id.rawValue
        port.deviceOwner = DeviceOwner.routerInterface
        port.hasPortSecurity = false
        port.groupsJSON = "[]"
        port.addressPairsJSON = "[]"
        try PortOperations.save(&port, from: old, change)
        return port
    }

    // neutron: on a network that is shared with everybody, nobody but its owner takes the gateway's address
    // (LP-1757482);
    // leave given to one project by RBAC includes it (LP-1975603).
    private static func checkOwner(of subnet: Subnet, for context: CallContext?, _ change: NetworkChange) throws {
        guard let context, let project = context.projectID, subnet.project != project,
            !context.allows("context_is_admin", [:])
        else { return }
        let grant = try RBACStore.entry(subnet.network.rawValue, .shared, project.rawValue, change.transaction)
        guard grant != nil else {
            throw NetworkFault.badRequest(
                "router",
                "Cannot add interface to router because subnet \(subnet.id) is not owned by project making the "
                    + "request")
        }
    }

    private static func checkAddressMode(_ subnet: Subnet) throws {
        guard subnet.cidr.isIPv6, subnet.raMode == nil, subnet.addressMode != nil else { return }
        throw NetworkFault.badRequest(
            "router",
            "IPv6 subnet \(subnet.id) configured to receive RAs from an external router cannot be added to "
                + "Neutron Router.")
    }

    private static func checkPools(
        _ addresses: [Port.FixedIP], _ subnets: [SubnetID: Subnet], of port: PortID, for context: CallContext?
    ) throws {
        guard let context, !context.allows("context_is_admin", [:]) else { return }
        for fixed in addresses {
            guard let subnet = subnets[fixed.subnet], subnet.project != context.projectID,
                !subnet.pools.contains(where: { $0.contains(fixed.address) })
            else { continue }
            throw NetworkFault.badRequest(
                "router",
                "Cannot add interface to router because specified port \(port) has an IP address out of the "
                    + "allocation pool of subnet \(subnet.id), which is not owned by the project making the request")
        }
    }

    /// A router cannot have two ways into the same addresses.
    static func checkOverlap(
        of new: [SubnetID], with router: RouterID, besides: Set<PortID> = [], _ change: NetworkChange
    ) throws {
        let ports = try RouterStore.ports(of: router, change.transaction).filter { !besides.contains($0.id) }
        let present = try ports.flatMap { try $0.fixedIPs.map(\.subnet) }
        let subnets = try SubnetStore.all(new + present, change.transaction)
        for id in new {
            guard !present.contains(id) else {
                throw NetworkFault.badRequest("router", "Router already has a port on subnet \(id)")
            }
            guard let cidr = subnets[id]?.cidr else { throw NetworkFault.subnetNotFound(id) }
            for other in present {
                guard let otherCIDR = subnets[other]?.cidr, otherCIDR.overlaps(cidr) else { continue }
                throw NetworkFault.badRequest(
                    "router", "Cidr \(cidr) of subnet \(id) overlaps with cidr \(otherCIDR) of subnet \(other)")
            }
        }
    }

    // MARK: Remove

    static func remove(_ choice: RouterInterfaceChoice, from router: Router, _ change: NetworkChange) throws
        -> RouterInterfaceResult
    {
        let ports = try RouterStore.ports(of: router.id, change.transaction)
            .filter { $0.deviceOwner == DeviceOwner.routerInterface }
        guard let old = try find(choice, of: router, among: ports, change) else {
            if let subnet = choice.subnet {
                throw CloudError.notFound(
                    "Router \(router.id) has no interface on subnet \(subnet)", kind: "RouterInterfaceNotFoundForSubnet"
                )
            }
            throw CloudError.notFound(
                "Router \(router.id) does not have an interface with id \(choice.port?.rawValue ?? "")",
                kind: "RouterInterfaceNotFound")
        }
        // By subnet, an interface with several subnets loses one; by port, all go.
        let addresses = try old.fixedIPs
        let leaving = choice.port == nil ? choice.subnet.map { [$0] } ?? [] : addresses.map(\.subnet)
        for subnet in leaving { try checkUnused(subnet, router, change) }
        let staying = addresses.filter { !leaving.contains($0.subnet) }
        if staying.isEmpty {
            try PortOperations.remove(old, change)
        } else {
            var port = old
            port.fixedIPsJSON = Port.encode(staying)
            try PortOperations.save(&port, from: old, change)
        }
        return try result(router, old, leaving, change)
    }

    private static func find(
        _ choice: RouterInterfaceChoice, of router: Router, among ports: [Port], _ change: NetworkChange
    ) throws -> Port? {
        switch (choice.subnet, choice.port) {
        case (nil, nil):
            throw NetworkFault.badRequest("router", "Either subnet_id or port_id must be specified")
        case (let subnet?, nil): return try ports.first { try $0.fixedIPs.contains { $0.subnet == subnet } }
        case (let subnet, let id?):
            guard let port = ports.first(where: { $0.id == id }) else { return nil }
            if let subnet, try !port.fixedIPs.contains(where: { $0.subnet == subnet }) {
                throw CloudError.conflict(
                    "Subnet \(subnet) could not be found on port \(id).", kind: "SubnetMismatchForPort")
            }
            return port
        }
    }

    private static func checkUnused(_ id: SubnetID, _ router: Router, _ change: NetworkChange) throws {
        guard let subnet = try SubnetStore.find(id, change.transaction) else { return }
        let floating = try FloatingIPStore.all(where: "f.router_id = \(router.id)", change.transaction)
        let forwarded = try PortForwardingStore.all(of: floating.map(\.id), change.transaction).values.joined()
        let isUsed =
            floating.contains { $0.fixedAddress.map(subnet.cidr.contains) ?? false }
            || forwarded.contains { subnet.cidr.contains($0.internalAddress) }
        guard !isUsed else {
            throw CloudError.conflict(
                "Router interface for subnet \(id) on router \(router.id) cannot be deleted, as it is "
                    + "required by one or "
                    + "more floating IPs.", kind: "RouterInterfaceInUseByFloatingIP")
        }
        let hops = try router.routes.compactMap { IPAddress($0.nextHop) }
        guard !hops.contains(where: { subnet.cidr.contains($0) }) else {
            throw CloudError.conflict(
                "Router interface for subnet \(id) on router \(router.id) cannot be deleted, as it is "
                    + "required by one or "
                    + "more routes.", kind: "RouterInterfaceInUseByRoute")
        }
    }
}
