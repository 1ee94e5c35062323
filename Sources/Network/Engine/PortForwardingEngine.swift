// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Port forwardings of floating IPs. The first one ties the floating IP to a router, the last one unties it.
package struct PortForwardingEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, of id: FloatingIPID, for context: CallContext) async throws
        -> [PortForwarding]
    {
        let found = try await environment.read { transaction -> (FloatingIP, [PortForwarding])? in
            guard let floatingIP = try FloatingIPStore.find(id, transaction) else { return nil }
            return (floatingIP, try PortForwardingStore.list(query, of: id, transaction))
        }
        guard let (floatingIP, forwardings) = found else { throw NetworkFault.floatingIPNotFound(id) }
        try context.authorizeSight(
            "get_floatingip_port_forwarding", PolicyTarget(parentOwner: floatingIP.project),
            missing: NetworkFault.floatingIPNotFound(id))
        return forwardings
    }

    package func get(_ id: PortForwardingID, of parent: FloatingIPID, for context: CallContext) async throws
        -> PortForwarding
    {
        let (forwarding, floatingIP) = try await environment.read { try Self.find(id, of: parent, $0) }
        try context.authorizeSight(
            "get_floatingip_port_forwarding", PolicyTarget(parentOwner: floatingIP.project),
            missing: NetworkFault.portForwardingNotFound(id))
        return forwarding
    }

    private static func find(_ id: PortForwardingID, of parent: FloatingIPID, _ transaction: any Transaction) throws
        -> (PortForwarding, FloatingIP)
    {
        guard let floatingIP = try FloatingIPStore.find(parent, transaction) else {
            throw NetworkFault.floatingIPNotFound(parent)
        }
        guard let forwarding = try PortForwardingStore.find(id, transaction), forwarding.floatingIP == parent else {
            throw NetworkFault.portForwardingNotFound(id)
        }
        return (forwarding, floatingIP)
    }

    // MARK: Create

    package func create(_ drafts: [PortForwardingDraft], of id: FloatingIPID, for context: CallContext) async throws
        -> [PortForwarding]
    {
        try await environment.write { change in
            guard let floatingIP = try FloatingIPStore.find(id, change.transaction) else {
                throw NetworkFault.floatingIPNotFound(id)
            }
            try context.authorizeChange(
                "create_floatingip_port_forwarding", seenBy: "get_floatingip_port_forwarding",
                PolicyTarget(parentOwner: floatingIP.project), missing: NetworkFault.floatingIPNotFound(id))
            return try drafts.map { try Self.create($0, of: id, for: context, change) }
        }
    }

    private static func create(
        _ draft: PortForwardingDraft, of id: FloatingIPID, for context: CallContext, _ change: NetworkChange
    ) throws -> PortForwarding {
        guard var floatingIP = try FloatingIPStore.find(id, change.transaction) else {
            throw NetworkFault.floatingIPNotFound(id)
        }
        guard let portID = draft.internalPort, let protocolName = draft.protocolName, let external = draft.external,
            let inside = draft.inside
        else {
            throw PortForwardingRules.bad(
                "internal_port_id, protocol, and both an internal and an external port are required")
        }
        let port = try PortForwardingRules.port(portID, for: context, change)
        let fixed = try PortForwardingRules.fixedAddress(of: port, draft.internalAddress)
        try PortForwardingRules.checkUntied(port, fixed, floatingIP, change)
        let forwarding = PortForwarding(
            id: change.newID(), floatingIP: id, protocolName: protocolName, external: external, inside: inside,
            internalAddress: fixed.address, internalPort: port.id, description: draft.description ?? "",
            createdAt: change.now)
        try PortForwardingRules.checkPorts(forwarding, change)
        let router = try PortForwardingRules.router(for: floatingIP, to: port, fixed, change)
        if floatingIP.router == nil {
            floatingIP.router = router
            floatingIP.standard.touch(change)
            try FloatingIPStore.update(floatingIP, change.transaction)
        }
        try PortForwardingStore.insert(forwarding, change.transaction)
        change.mark(.router(router))
        return forwarding
    }

    // MARK: Update

    package func update(
        _ id: PortForwardingID, _ draft: PortForwardingDraft, of parent: FloatingIPID, for context: CallContext
    ) async throws -> PortForwarding {
        try await environment.write { change in
            let (old, floatingIP) = try Self.authorized(
                id, of: parent, "update_floatingip_port_forwarding", for: context, change)
            var forwarding = old
            forwarding.protocolName = draft.protocolName ?? old.protocolName
            forwarding.external = draft.external ?? old.external
            forwarding.inside = draft.inside ?? old.inside
            forwarding.description = draft.description ?? old.description
            let port = try PortForwardingRules.port(draft.internalPort ?? old.internalPort, for: context, change)
            let wanted = draft.internalAddress ?? (port.id == old.internalPort ? old.internalAddress : nil)
            let fixed = try PortForwardingRules.fixedAddress(of: port, wanted)
            forwarding.internalPort = port.id
            forwarding.internalAddress = fixed.address
            if draft.internalPort != nil { try PortForwardingRules.checkUntied(port, fixed, floatingIP, change) }
            try PortForwardingRules.checkPorts(forwarding, change)
            let router = try PortForwardingRules.router(for: floatingIP, to: port, fixed, change)
            try PortForwardingStore.update(forwarding, change.transaction)
            change.mark(.router(router))
            return forwarding
        }
    }

    private static func authorized(
        _ id: PortForwardingID, of parent: FloatingIPID, _ rule: PolicyName, for context: CallContext,
        _ change: NetworkChange
    ) throws -> (PortForwarding, FloatingIP) {
        let (forwarding, floatingIP) = try find(id, of: parent, change.transaction)
        try context.authorizeChange(
            rule, seenBy: "get_floatingip_port_forwarding", PolicyTarget(parentOwner: floatingIP.project),
            missing: NetworkFault.portForwardingNotFound(id))
        return (forwarding, floatingIP)
    }

    // MARK: Delete

    package func delete(_ id: PortForwardingID, of parent: FloatingIPID, for context: CallContext) async throws {
        try await environment.write { change in
            let (forwarding, _) = try Self.authorized(
                id, of: parent, "delete_floatingip_port_forwarding", for: context, change)
            try PortForwardingRules.remove(forwarding, change)
        }
    }
}

/// What a port forwarding needs (neutron/services/portforwarding/pf_plugin.py).
enum PortForwardingRules {
    static func bad(_ message: String) -> CloudError { NetworkFault.badRequest("port_forwarding", message) }

    static func port(_ id: PortID, for context: CallContext, _ change: NetworkChange) throws -> Port {
        guard let port = try PortStore.find(id, change.transaction),
            let network = try NetworkStore.find(port.network, for: context.projectID, change.transaction)
        else { throw NetworkFault.portNotFound(id) }
        try context.authorizeSight(
            "get_port", PolicyTarget(project: port.project, on: network), missing: NetworkFault.portNotFound(id))
        return port
    }

    static func fixedAddress(of port: Port, _ wanted: IPAddress?) throws -> Port.FixedIP {
        let candidates = try port.fixedIPs.filter { !$0.address.isIPv6 }
        guard let first = candidates.first else {
            throw bad("Requested internal port \(port.id) must allocate an IPv4 address at least")
        }
        guard let wanted else { return first }
        guard let found = candidates.first(where: { $0.address == wanted }) else {
            throw bad(
                "Requested internal IP address \(wanted) is not suitable for internal neutron port \(port.id), as its "
                    + "fixed_ips are \(port.fixedIPsJSON)")
        }
        return found
    }

    /// Neither the floating IP nor the port is tied to one of the other kind.
    static func checkUntied(
        _ port: Port, _ fixed: Port.FixedIP, _ floatingIP: FloatingIP, _ change: NetworkChange
    ) throws {
        if let tied = try FloatingIPStore.all(where: "f.port_id = \(port.id)", change.transaction).first {
            throw CloudError.conflict(
                "Cannot create port forwarding to floating IP \(tied.address) (\(tied.id)) with port \(port.id) using "
                    + "fixed IP \(fixed.address), as that port already has a binding floating IP.",
                kind: "PortHasBindingFloatingIP")
        }
        if floatingIP.port != nil {
            throw CloudError.conflict(
                "Cannot associate floating IP \(floatingIP.address) (\(floatingIP.id)) with port \(port.id) "
                    + "using fixed IP \(fixed.address), as that fixed IP already has a floating IP on external network "
                    + "\(floatingIP.network).", kind: "FloatingIPPortAlreadyAssociated")
        }
    }

    static func checkPorts(_ forwarding: PortForwarding, _ change: NetworkChange) throws {
        guard forwarding.external.count <= PortForwarding.longestRange else {
            throw bad("A range has at most \(PortForwarding.longestRange) ports")
        }
        guard forwarding.inside.count == 1 || forwarding.inside.count == forwarding.external.count else {
            throw bad(
                "Invalid ranges of internal and/or external ports. The relation between internal and external ports "
                    + "must be N-N or 1-N")
        }
        let others = try PortForwardingStore.all(
            where: """
                w.protocol = \(forwarding.protocolName) AND w.id <> \(forwarding.id)
                   AND (w.floatingip_id = \(forwarding.floatingIP) OR w.internal_port = \(forwarding.internalPort))
                """, change.transaction)
        let held = others.filter { $0.floatingIP == forwarding.floatingIP }.reduce(0) { $0 + $1.external.count }
        guard held + forwarding.external.count <= PortForwarding.mostPorts else {
            throw bad("At most \(PortForwarding.mostPorts) ports of a floating IP are forwarded for each protocol")
        }
        for other in others {
            if other.internalPort == forwarding.internalPort, other.internalAddress == forwarding.internalAddress,
                other.inside.overlaps(forwarding.inside)
            {
                throw collision("internal_port_range", other.inside, forwarding.inside)
            }
            if other.floatingIP == forwarding.floatingIP, other.external.overlaps(forwarding.external) {
                throw collision("external_port_range", other.external, forwarding.external)
            }
        }
    }

    private static func collision(_ key: String, _ old: ClosedRange<Int>, _ new: ClosedRange<Int>) -> CloudError {
        bad(
            "There is a port collision with the \(key). The following ranges collide: "
                + "\(old.lowerBound):\(old.upperBound) and \(new.lowerBound):\(new.upperBound)")
    }

    /// The floating IP's router, or the one that it gets.
    static func router(
        for floatingIP: FloatingIP, to port: Port, _ fixed: Port.FixedIP, _ change: NetworkChange
    ) throws -> RouterID {
        guard let router = try FloatingIPEngine.router(to: floatingIP.network, from: fixed, change) else {
            throw bad(
                "External network \(floatingIP.network) is not reachable from subnet \(fixed.subnet). Cannot set Port "
                    + "forwarding for port \(port.id) with Floating IP \(floatingIP.id)")
        }
        guard floatingIP.router == nil || floatingIP.router == router else {
            throw bad(
                "The Floating IP \(floatingIP.id) had been set on router \(floatingIP.router?.rawValue ?? ""), the "
                    + "internal Neutron port \(port.id) can not reach it")
        }
        return router
    }

    static func remove(_ forwarding: PortForwarding, _ change: NetworkChange) throws {
        try PortForwardingStore.delete(forwarding.id, change.transaction)
        guard var floatingIP = try FloatingIPStore.find(forwarding.floatingIP, change.transaction) else { return }
        if let router = floatingIP.router { change.mark(.router(router)) }
        guard try !PortForwardingStore.exist(of: floatingIP.id, change.transaction) else { return }
        floatingIP.router = nil
        floatingIP.standard.touch(change)
        try FloatingIPStore.update(floatingIP, change.transaction)
    }

    /// Those that lead to an address which the port does not have any more.
    static func removeStale(of port: PortID, keeping addresses: [Port.FixedIP], _ change: NetworkChange) throws {
        for forwarding in try PortForwardingStore.all(where: "w.internal_port = \(port)", change.transaction)
        where !addresses.contains(where: { $0.address == forwarding.internalAddress }) {
            try remove(forwarding, change)
        }
    }

    static func checkUnused(_ floatingIP: FloatingIP, _ change: NetworkChange) throws {
        guard try PortForwardingStore.exist(of: floatingIP.id, change.transaction) else { return }
        throw CloudError.conflict(
            "Floating IP \(floatingIP.id) in use by Port Forwarding resources.", kind: "FipInUseByPortForwarding")
    }
}
