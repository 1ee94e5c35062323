// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// What happens to ports inside a transaction, whoever asks: a user, a router, a floating IP, Compute. Checks what
/// makes sense, not who may.
enum PortOperations {
    private static let macTries = 16
    /// More than DHCP has; upstream has no bound.
    private static let mostDHCPOptions = 256

    // MARK: Create

    static func insert(
        _ draft: PortDraft, project: ProjectID, on network: Network, viewer: ProjectID? = nil, checksQuota: Bool = true,
        _ change: NetworkChange
    ) throws -> Port {
        if checksQuota { try change.checkQuota(.port, project) }
        let owner = draft.deviceOwner ?? ""
        let mac = try mac(draft.mac, on: network.id, change)
        let addresses = try AddressAllocator(network, change).addresses(draft.addresses, owner: owner, mac: mac)
        let isTrusted = DeviceOwner.isTrusted(owner)
        let hasPortSecurity = isTrusted ? false : draft.hasPortSecurity ?? network.hasPortSecurity
        let groups = try groups(draft.groups, project: project, hasPortSecurity, isTrusted: isTrusted, change)
        let port = Port(
            id: draft.id ?? change.newID(), project: project, network: network.id, name: draft.name ?? "",
            mac: mac.description, isEnabled: draft.isEnabled ?? true,
            status: owner == DeviceOwner.floatingIP ? .notApplicable : .down, deviceID: draft.deviceID ?? "",
            deviceOwner: owner, host: draft.host ?? "", vnicType: draft.vnicType ?? "normal",
            profile: draft.profile?.text() ?? "{}", hasPortSecurity: hasPortSecurity,
            fixedIPsJSON: Port.encode(addresses), groupsJSON: JSONList.encode(groups.map(\.rawValue)),
            addressPairsJSON: try pairs(draft.addressPairs ?? [], mac: mac, hasPortSecurity, change),
            dhcpOptionsJSON: DHCPOption.encode(try options(draft.dhcpOptions ?? [], over: [])),
            dnsName: draft.dnsName ?? "", dnsDomain: draft.dnsDomain ?? "", isOwnedByCompute: draft.isOwnedByCompute,
            standard: change.standard(draft.description, draft.tags), qosPolicy: draft.qosPolicy ?? nil,
            networkQoSPolicy: network.qosPolicy)
        try QoSBinding.check(port.effectiveQoSPolicy, onPort: port, change)
        try PortStore.insert(port, change.transaction)
        change.mark(.port(port.id))
        return port
    }

    private static func mac(_ given: MACAddress?, on network: NetworkID, _ change: NetworkChange) throws -> MACAddress {
        if let given {
            guard !given.isMulticast, !given.isZero else {
                throw NetworkFault.invalidInput("'\(given)' is not a valid MAC address")
            }
            guard try !PortStore.hasMAC(given, on: network, change.transaction) else {
                throw NetworkFault.macInUse(given, on: network)
            }
            return given
        }
        for _ in 0..<macTries {
            let mac = MACAddress.generated(from: change.random())
            if try !PortStore.hasMAC(mac, on: network, change.transaction) { return mac }
        }
        throw CloudError(
            .unavailable, "Unable to generate unique mac on network \(network).", kind: "MacAddressGenerationFailure")
    }

    /// Nil: the project's default group, which is made when it is not there.
    private static func groups(
        _ given: [SecurityGroupID]?, project: ProjectID, _ hasPortSecurity: Bool, isTrusted: Bool,
        _ change: NetworkChange
    ) throws -> [SecurityGroupID] {
        guard let given else {
            guard hasPortSecurity, !isTrusted, !project.rawValue.isEmpty else { return [] }
            return [try SecurityGroupEngine.ensureDefault(of: project, change)]
        }
        guard hasPortSecurity || given.isEmpty else {
            throw CloudError.badRequest(
                "Port security must be enabled and port must have an IP address in order to use security groups.",
                kind: "PortSecurityAndIPRequiredForSecurityGroups")
        }
        return try checkedGroups(given, project: project, change)
    }

    private static func checkedGroups(_ given: [SecurityGroupID], project: ProjectID, _ change: NetworkChange) throws
        -> [SecurityGroupID]
    {
        var seen: Set<SecurityGroupID> = []
        var isStateful: Bool?
        for id in given {
            guard seen.insert(id).inserted else {
                throw NetworkFault.invalidInput("Duplicate items in the list: '\(id)'")
            }
            guard let group = try SecurityGroupStore.find(id, for: project, change.transaction),
                group.project == project || group.isShared
            else { throw NetworkFault.groupNotFound(id) }
            guard isStateful == nil || isStateful == group.isStateful else {
                throw CloudError.conflict(
                    "Error Cannot apply both stateful and stateless security groups on the same port at the same time "
                        + "while attempting the operation.", kind: "SecurityGroupConflict")
            }
            isStateful = group.isStateful
        }
        return given
    }

    private static func pairs(
        _ given: [PortDraft.Pair], mac: MACAddress, _ hasPortSecurity: Bool, _ change: NetworkChange
    ) throws -> String {
        guard !given.isEmpty else { return "[]" }
        guard hasPortSecurity else {
            throw CloudError.conflict(
                "Port Security must be enabled in order to have allowed address pairs on a port.",
                kind: "AddressPairAndPortSecurityRequired")
        }
        let limit = change.config.maximum.allowedAddressPairs
        guard given.count <= limit else {
            throw CloudError.badRequest(
                "The number of allowed address pair exceeds the maximum \(limit).", kind: "AllowedAddressPairExhausted")
        }
        var pairs: [LogicalPort.AddressPair] = []
        for pair in given {
            let full = LogicalPort.AddressPair(macAddress: (pair.mac ?? mac).description, ip: pair.ip)
            guard !pairs.contains(full) else {
                throw CloudError.badRequest(
                    "Request contains duplicate address pair: mac_address \(full.macAddress) ip_address \(full.ip).",
                    kind: "DuplicateAddressPairInRequest")
            }
            pairs.append(full)
        }
        return Port.encode(pairs)
    }

    /// A null value takes an option away; others stay.
    private static func options(
        _ given: [(name: String, value: String?, ipVersion: Int)], over old: [DHCPOption]
    ) throws -> [DHCPOption] {
        var options = old
        for option in given {
            options.removeAll { $0.name == option.name && $0.ipVersion == option.ipVersion }
            if let value = option.value {
                options.append(DHCPOption(name: option.name, value: value, ipVersion: option.ipVersion))
            }
        }
        guard options.count <= mostDHCPOptions else {
            throw NetworkFault.invalidInput("A port has at most \(mostDHCPOptions) DHCP options")
        }
        return options
    }

    // MARK: Update

    static func update(_ old: Port, _ draft: PortDraft, on network: Network, _ change: NetworkChange) throws -> Port {
        var port = old
        port.name = draft.name ?? old.name
        port.isEnabled = draft.isEnabled ?? old.isEnabled
        port.deviceID = draft.deviceID ?? old.deviceID
        port.deviceOwner = draft.deviceOwner ?? old.deviceOwner
        port.host = draft.host ?? old.host
        port.vnicType = draft.vnicType ?? old.vnicType
        if let profile = draft.profile { port.profile = profile.text() }
        port.dnsName = draft.dnsName ?? old.dnsName
        port.dnsDomain = draft.dnsDomain ?? old.dnsDomain
        if let policy = draft.qosPolicy { port.qosPolicy = policy }
        port.hasPortSecurity = draft.hasPortSecurity ?? old.hasPortSecurity
        port.standard.apply(description: draft.description, tags: draft.tags)
        try applyMAC(draft, old, &port, change)
        let mac = try port.place("mac").mac(port.mac)
        if let wanted = draft.addresses {
            let allocator = try AddressAllocator(network, change)
            let addresses = try allocator.addresses(wanted, owner: port.deviceOwner, mac: mac, kept: old.fixedIPs)
            try checkFloatingIPs(old, keeps: addresses, change)
            try PortForwardingRules.removeStale(of: old.id, keeping: addresses, change)
            port.fixedIPsJSON = Port.encode(addresses)
        }
        if let groups = draft.groups {
            port.groupsJSON = JSONList.encode(
                try self.groups(groups, project: old.project, port.hasPortSecurity, isTrusted: false, change)
                    .map(\.rawValue))
        } else if !port.hasPortSecurity, old.groupsJSON != "[]" {
            throw CloudError.conflict(
                "Port has security group associated. Cannot disable port security or IP address until "
                    + "security group is "
                    + "removed.", kind: "PortSecurityPortHasSecurityGroup")
        }
        if let pairs = draft.addressPairs {
            port.addressPairsJSON = try self.pairs(pairs, mac: mac, port.hasPortSecurity, change)
        } else if !port.hasPortSecurity, old.addressPairsJSON != "[]" {
            throw CloudError.conflict(
                "Port Security must be enabled in order to have allowed address pairs on a port.",
                kind: "AddressPairAndPortSecurityRequired")
        }
        if let given = draft.dhcpOptions {
            port.dhcpOptionsJSON = DHCPOption.encode(try options(given, over: old.dhcpOptions))
        }
        if port.host.isEmpty, !old.host.isEmpty, port.status == .active { port.status = .down }
        if port.effectiveQoSPolicy != old.effectiveQoSPolicy || port.host != old.host {
            try QoSBinding.check(port.effectiveQoSPolicy, onPort: port, change)
        }
        try save(&port, from: old, change)
        return port
    }

    private static func applyMAC(_ draft: PortDraft, _ old: Port, _ port: inout Port, _ change: NetworkChange) throws {
        guard draft.regeneratesMAC || (draft.mac != nil && draft.mac?.description != old.mac) else { return }
        guard old.host.isEmpty || draft.host == "" else {
            throw CloudError.conflict(
                "Unable to complete operation on port \(old.id), port is already bound, port type: ovs, "
                    + "old_mac \(old.mac), "
                    + "new_mac \(draft.mac?.description ?? "generated").", kind: "PortBound")
        }
        port.mac = try mac(draft.regeneratesMAC ? nil : draft.mac, on: old.network, change).description
    }

    /// An address that a floating IP points to must not go away under it.
    private static func checkFloatingIPs(_ port: Port, keeps addresses: [Port.FixedIP], _ change: NetworkChange) throws
    {
        for floating in try FloatingIPStore.all(where: "f.port_id = \(port.id)", change.transaction)
        where !addresses.contains(where: { $0.address == floating.fixedAddress }) {
            try FloatingIPEngine.detach(floating, change)
        }
    }

    /// Writes a changed row and marks what hangs on it.
    static func save(_ port: inout Port, from old: Port, _ change: NetworkChange) throws {
        port.standard.touch(change)
        try PortStore.update(port, from: old, change.transaction)
        // What was prepared there is the port's own now.
        if port.host != old.host { try PortBindingStore.delete(port.id, on: port.host, change.transaction) }
        // Who let go of the port moves nowhere with it.
        if port.deviceID.isEmpty, !old.deviceID.isEmpty {
            try PortBindingStore.deleteAll(of: port.id, change.transaction)
        }
        change.mark(.port(port.id))
        try NetworkLogEngine.portChanged(port, from: old, change)
        if port.host.isEmpty, !old.host.isEmpty {
            try TrunkStore.setStatus(.down, ofTrunkOn: port.id, change.transaction)
        }
        if DeviceOwner.router.contains(port.deviceOwner) { change.mark(.router(RouterID(port.deviceID))) }
        if DeviceOwner.router.contains(old.deviceOwner) { change.mark(.router(RouterID(old.deviceID))) }
        if port.deviceOwner == DeviceOwner.metadata { change.mark(.network(port.network)) }
        if port.mac != old.mac {
            for floating in try FloatingIPStore.all(where: "f.port_id = \(port.id)", change.transaction) {
                if let router = floating.router { change.mark(.router(router)) }
            }
        }
    }

    // MARK: Delete

    /// Takes the port with all it holds. Floating IPs that point to it stay, and point nowhere.
    static func remove(_ port: Port, _ change: NetworkChange) throws {
        for floating in try FloatingIPStore.all(where: "f.port_id = \(port.id)", change.transaction) {
            try FloatingIPEngine.detach(floating, change)
        }
        try PortForwardingRules.removeStale(of: port.id, keeping: [], change)
        try TrunkRules.release(port.id, change)
        try NetworkLogEngine.portRemoved(port, change)
        try PortStore.delete(port.id, change.transaction)
        change.mark(.port(port.id))
        if DeviceOwner.router.contains(port.deviceOwner) { change.mark(.router(RouterID(port.deviceID))) }
        if port.deviceOwner == DeviceOwner.metadata { change.mark(.network(port.network)) }
    }
}
