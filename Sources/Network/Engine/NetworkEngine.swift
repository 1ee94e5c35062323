// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Networks: made, listed, changed and removed. Its extension `ServerPorts.swift` is what Compute uses.
package struct NetworkEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [Network] {
        let viewer = context.viewer("get_network")
        return try await environment.read { try NetworkStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: NetworkID, for context: CallContext) async throws -> Network {
        let network = try await environment.read { try NetworkStore.find(id, for: context.projectID, $0) }
        guard let network else { throw NetworkFault.networkNotFound(id) }
        try Self.authorizeSight(of: network, for: context)
        return network
    }

    static func authorizeSight(of network: Network, for context: CallContext) throws {
        try context.authorizeSight(
            "get_network", PolicyTarget(network), missing: NetworkFault.networkNotFound(network.id))
    }

    /// The network, when the caller may see it.
    static func visible(_ id: NetworkID, for context: CallContext, _ change: NetworkChange) throws -> Network {
        guard let network = try NetworkStore.find(id, for: context.projectID, change.transaction) else {
            throw NetworkFault.networkNotFound(id)
        }
        try authorizeSight(of: network, for: context)
        return network
    }

    // MARK: Create

    package func create(_ drafts: [NetworkDraft], for context: CallContext) async throws -> [Network] {
        try await environment.write { change in
            try drafts.map { try Self.create($0, for: context, change) }
        }
    }

    static func create(_ draft: NetworkDraft, for context: CallContext, _ change: NetworkChange) throws -> Network {
        let project = try context.projectForNew(draft.project)
        let target = PolicyTarget(project: project)
        try context.authorizeCreation("create_network", target)
        try context.authorizeAttributes("create_network", draft.given, target)
        _ = try QoSBinding.changed(from: nil, to: draft.qosPolicy, for: context, change)
        return try insert(draft, project: project, change)
    }

    static func insert(_ given: NetworkDraft, project: ProjectID, _ change: NetworkChange) throws -> Network {
        let (draft, others) = try SegmentAllocator.split(given)
        try change.checkQuota(.network, project)
        try change.checkZones(draft.zoneHints)
        let id: NetworkID = change.newID()
        let segment = try SegmentAllocator.allocate(draft, for: id, change)
        let largest =
            segment.kind == .geneve
            ? change.config.physicalMTU - change.config.overlayOverhead : change.config.physicalMTU
        try checkMTU(draft.mtu, largest)
        var network = Network(
            id: id, project: project, name: draft.name ?? "", isEnabled: draft.isEnabled ?? true,
            mtu: draft.mtu.flatMap { $0 == 0 ? nil : $0 } ?? largest, kind: segment.kind,
            physicalNetwork: segment.physicalNetwork, segment: segment.number, isExternal: draft.isExternal ?? false,
            isDefault: draft.isDefault ?? false, hasPortSecurity: draft.hasPortSecurity ?? true,
            dnsDomain: draft.dnsDomain ?? "", zoneHints: JSONList.encode(draft.zoneHints ?? []),
            isShared: draft.isShared ?? false, subnets: [], ipv4Scope: nil, ipv6Scope: nil,
            isGranted: (draft.isShared ?? false) || (draft.isExternal ?? false),
            standard: change.standard(draft.description, draft.tags),
            qosPolicy: try QoSBinding.forNewNetwork(draft.qosPolicy, project: project, change),
            isVLANTransparent: draft.isVLANTransparent, hasQinQ: draft.hasQinQ)
        try checkTags(network, on: network.kind)
        try checkDefault(network, change)
        try NetworkStore.insert(network, change.transaction)
        try SegmentStore.insert(
            NetworkSegment(
                id: change.newID(), network: id, kind: segment.kind, physicalNetwork: segment.physicalNetwork,
                number: segment.number, position: 0, revision: 1, createdAt: change.now, updatedAt: change.now),
            change.transaction)
        for other in others { _ = try SegmentEngine.add(other, to: network, change) }
        if !others.isEmpty { network.segments = try SegmentStore.all(of: id, change.transaction) }
        if network.isShared { try share(network, .shared, change) }
        if network.isExternal { try share(network, .external, change) }
        change.mark(.network(id))
        return network
    }

    private static func checkMTU(_ mtu: Int?, _ largest: Int) throws {
        guard let mtu, mtu != 0 else { return }
        guard mtu <= largest else {
            throw NetworkFault.invalidInput("Requested MTU is too big, maximum is \(largest)")
        }
    }

    /// What OVN carries: no tags on a network that has none to put them in (neutron: ovn/mech_driver.py).
    static func checkTags(_ network: Network, on kind: Network.Kind?) throws {
        let isTransparent = network.isVLANTransparent ?? false
        let hasQinQ = network.hasQinQ ?? false
        guard !(isTransparent && hasQinQ) else {
            throw NetworkFault.badRequest(
                "network", "Attributes 'vlan_transparent' and 'qinq' can not be set to True for the same network.")
        }
        guard !isTransparent || kind != .flat, !hasQinQ || kind == .vlan else {
            throw NetworkFault.badRequest("network", "A network of this type does not carry VLAN tags of its guests")
        }
    }

    /// There is one default: the network that topologies made by the cloud lead to.
    private static func checkDefault(_ network: Network, _ change: NetworkChange) throws {
        guard network.isDefault else { return }
        guard network.isExternal else {
            throw NetworkFault.badRequest("network", "A default network must be external")
        }
        let other: NetworkID? = try change.transaction.first(
            "SELECT id FROM networks WHERE is_default = 1 AND id <> \(network.id) LIMIT 1"
        ) { $0.id(0) }
        if let other {
            throw CloudError.conflict(
                "A default external network already exists: \(other).", kind: "DefaultExternalNetworkExists")
        }
    }

    /// Shows the network to every project.
    private static func share(_ network: Network, _ action: RBACPolicy.Action, _ change: NetworkChange) throws {
        guard try RBACStore.entry(network.id.rawValue, action, "*", change.transaction) == nil else { return }
        try RBACStore.insert(
            RBACPolicy(
                id: change.newID(), project: network.project, objectType: .network, object: network.id.rawValue,
                action: action, target: "*", createdAt: change.now), change.transaction)
    }

    // MARK: Update

    package func update(_ id: NetworkID, _ draft: NetworkDraft, ifMatch: Int? = nil, for context: CallContext)
        async throws
        -> Network
    {
        try await environment.write { change in
            guard let old = try NetworkStore.find(id, for: context.projectID, change.transaction) else {
                throw NetworkFault.networkNotFound(id)
            }
            let target = PolicyTarget(old)
            try context.authorizeChange(
                "update_network", seenBy: "get_network", target, missing: NetworkFault.networkNotFound(id))
            try context.authorizeAttributes("update_network", draft.given, target)
            try old.standard.check(ifMatch)
            return try Self.update(old, draft, for: context, change)
        }
    }

    private static func update(
        _ old: Network, _ draft: NetworkDraft, for context: CallContext, _ change: NetworkChange
    ) throws -> Network {
        guard draft.kind == nil || draft.kind == old.kind.rawValue,
            draft.physicalNetwork == nil || draft.physicalNetwork == old.physicalNetwork
        else {
            throw NetworkFault.invalidInput("Plugin does not support updating provider attributes")
        }
        var network = old
        network.name = draft.name ?? old.name
        network.isEnabled = draft.isEnabled ?? old.isEnabled
        network.isExternal = draft.isExternal ?? old.isExternal
        network.isShared = draft.isShared ?? old.isShared
        network.isDefault = draft.isDefault ?? (old.isDefault && network.isExternal)
        network.hasPortSecurity = draft.hasPortSecurity ?? old.hasPortSecurity
        network.dnsDomain = draft.dnsDomain ?? old.dnsDomain
        network.qosPolicy = try QoSBinding.changed(from: old.qosPolicy, to: draft.qosPolicy, for: context, change)
        if network.qosPolicy != old.qosPolicy {
            try QoSBinding.check(network.qosPolicy, onPortsOf: old.id, change)
            try QoSBinding.markPorts(of: old.id, change)
        }
        let largest =
            old.kind == .geneve
            ? change.config.physicalMTU - change.config.overlayOverhead : change.config.physicalMTU
        try checkMTU(draft.mtu, largest)
        if let mtu = draft.mtu { network.mtu = mtu == 0 ? largest : mtu }
        if network.mtu < old.mtu {
            for subnet in try SubnetStore.all(on: old.id, change.transaction) {
                try SubnetCheck.mtu(network.mtu, of: old.id, for: subnet.cidr)
            }
        }
        if let segment = draft.segment, segment != old.segment {
            network.segment = try SegmentAllocator.move(old, to: segment, change)
            try SegmentStore.renumber(old.id, network.segment, at: change.now, change.transaction)
        }
        network.standard.apply(description: draft.description, tags: draft.tags)
        if draft.isDefault != nil { try checkDefault(network, change) }
        if network.isShared != old.isShared { try setShared(network, .shared, network.isShared, change) }
        if network.isExternal != old.isExternal { try setShared(network, .external, network.isExternal, change) }
        network.standard.touch(change)
        try NetworkStore.update(network, change.transaction)
        change.mark(.network(network.id))
        if network.mtu != old.mtu {
            for router in try RouterStore.connected(to: network.id, change.transaction) { change.mark(.router(router)) }
        }
        return network
    }

    private static func setShared(
        _ network: Network, _ action: RBACPolicy.Action, _ isOn: Bool, _ change: NetworkChange
    ) throws {
        if isOn { return try share(network, action, change) }
        try RBACUse.check(network, withoutWildcard: action, change)
        if let entry = try RBACStore.entry(network.id.rawValue, action, "*", change.transaction) {
            try RBACStore.delete(entry.id, change.transaction)
        }
    }

    // MARK: Delete

    package func delete(_ id: NetworkID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            guard let network = try NetworkStore.find(id, for: context.projectID, change.transaction) else {
                throw NetworkFault.networkNotFound(id)
            }
            try context.authorizeChange(
                "delete_network", seenBy: "get_network", PolicyTarget(network),
                missing: NetworkFault.networkNotFound(id))
            try network.standard.check(ifMatch)
            try Self.remove(network, change)
        }
    }

    /// Takes the cloud's own ports and the subnets along; any other port keeps the network.
    static func remove(_ network: Network, _ change: NetworkChange) throws {
        // neutron: floating IPs that point nowhere go with their external network.
        for floating in try FloatingIPStore.all(
            where: "f.network_id = \(network.id) AND f.port_id IS NULL", change.transaction)
        { try FloatingIPEngine.remove(floating, change) }
        let ports = try PortStore.all(where: "p.network_id = \(network.id)", change.transaction)
        guard ports.allSatisfy({ DeviceOwner.automatic.contains($0.deviceOwner) }) else {
            throw NetworkFault.networkInUse(network.id)
        }
        for port in ports { try PortOperations.remove(port, change) }
        for subnet in network.subnets { try SubnetStore.delete(subnet, change.transaction) }
        try NetworkStore.delete(network.id, change.transaction)
        change.mark(.network(network.id))
    }
}
