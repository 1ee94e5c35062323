// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Floating IPs: taken, pointed at a port, pointed nowhere, given back.
package struct FloatingIPEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [FloatingIP] {
        let viewer = context.viewer("get_floatingip")
        return try await environment.read {
            let found = try FloatingIPStore.list(query, for: viewer, $0)
            guard query.fields?.contains("port_forwardings") ?? true else { return found }
            return try Self.filled(found, $0)
        }
    }

    package func get(_ id: FloatingIPID, for context: CallContext) async throws -> FloatingIP {
        let floatingIP = try await environment.read { transaction in
            try Self.filled(FloatingIPStore.find(id, transaction).map { [$0] } ?? [], transaction).first
        }
        guard let floatingIP else { throw NetworkFault.floatingIPNotFound(id) }
        try context.authorizeSight(
            "get_floatingip", PolicyTarget(project: floatingIP.project), missing: NetworkFault.floatingIPNotFound(id))
        return floatingIP
    }

    /// With their port forwardings.
    private static func filled(_ floatingIPs: [FloatingIP], _ transaction: any Transaction) throws -> [FloatingIP] {
        guard try transaction.exists("SELECT 1 FROM port_forwardings LIMIT 1") else { return floatingIPs }
        let forwardings = try PortForwardingStore.all(of: floatingIPs.map(\.id), transaction)
        return floatingIPs.map { floatingIP in
            var filled = floatingIP
            filled.portForwardings = forwardings[floatingIP.id] ?? []
            return filled
        }
    }

    /// Subnets that a floating IP of the caller's may come from. Empty for those who may see none.
    package func pools(for context: CallContext) async throws -> [Subnet] {
        let viewer = context.viewer("get_subnet")
        guard context.allows("get_floatingip_pool", context.projectID.map { PolicyTarget(project: $0) } ?? [:]) else {
            return []
        }
        var query = ListQuery()
        query.filters = [("router:external", ["true"]), ("ip_version", ["4"])]
        return try await environment.read { [query] in try SubnetStore.list(query, for: viewer, $0) }
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
            dnsDomain: draft.dnsDomain ?? "", details: nil, standard: change.standard(draft.description, draft.tags),
            qosPolicy: try QoSBinding.changed(from: nil, to: draft.qosPolicy, for: context, change))
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
        let found = try FloatingIPStore.find(id, change.transaction).map { [$0] } ?? []
        guard let floatingIP = try filled(found, change.transaction).first else {
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
            let policy = try QoSBinding.changed(
                from: floatingIP.qosPolicy, to: draft.qosPolicy, for: context, change)
            if policy != floatingIP.qosPolicy, let router = floatingIP.router { change.mark(.router(router)) }
            floatingIP.qosPolicy = policy
            if let port = draft.port {
                let old = floatingIP
                // Its port forwardings hold it where it is, and there was no port to take away.
                if try PortForwardingStore.exist(of: id, change.transaction) {
                    if port != nil { try PortForwardingRules.checkUnused(old, change) }
                    floatingIP.standard.touch(change)
                    try FloatingIPStore.update(floatingIP, change.transaction)
                    return try Self.reload(id, change)
                }
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

    // MARK: Delete

    package func delete(_ id: FloatingIPID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let floatingIP = try Self.authorized(id, "delete_floatingip", for: context, change)
            try floatingIP.standard.check(ifMatch)
            try PortForwardingRules.checkUnused(floatingIP, change)
            try Self.remove(floatingIP, change)
        }
    }

    static func remove(_ floatingIP: FloatingIP, _ change: NetworkChange) throws {
        if let router = floatingIP.router { change.mark(.router(router)) }
        for forwarding in try PortForwardingStore.all(
            where: "w.floatingip_id = \(floatingIP.id)", change.transaction)
        { try PortForwardingStore.delete(forwarding.id, change.transaction) }
        try FloatingIPStore.delete(floatingIP.id, change.transaction)
        if let port = try PortStore.find(floatingIP.reservedPort, change.transaction) {
            try PortOperations.remove(port, change)
        }
    }
}
