// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// Gives addresses to ports. The primary key of `ip_allocations` is the lock.
struct AddressAllocator {
    /// New addresses are spread over this many behind the highest one in use, so that an address is not given again
    /// at once.
    private static let window: UInt64 = 8
    /// Tries at random before the pool is walked.
    private static let randomTries = 12

    let network: Network
    let subnets: [Subnet]
    let change: NetworkChange

    init(_ network: Network, _ change: NetworkChange) throws {
        self.network = network
        self.change = change
        subnets = try SubnetStore.all(on: network.id, change.transaction)
    }

    // MARK: Whole ports

    /// Addresses for a port that asks for `wanted`, or for what it gets when it does not ask (nil). `kept` are the
    /// addresses that the port has.
    func addresses(
        _ wanted: [PortDraft.Address]?, owner: String, mac: MACAddress, kept: [Port.FixedIP] = []
    ) throws -> [Port.FixedIP] {
        guard let wanted else { return try unasked(owner: owner, mac: mac) }
        guard wanted.count <= change.config.maximum.fixedIPs else {
            throw NetworkFault.invalidInput("Exceeded maximum amount of fixed ips per port.")
        }
        var result: [Port.FixedIP] = []
        var unused = kept
        // Addresses that are named come first, so that none of them is given to an entry that names only a subnet.
        for entry in wanted {
            guard let address = entry.address else { continue }
            let subnet = try subnet(of: entry, address: address)
            let fixed = Port.FixedIP(subnet: subnet.id, address: address)
            guard !result.contains(fixed) else { throw NetworkFault.addressTaken(address, in: subnet.id) }
            if let index = unused.firstIndex(of: fixed) {
                unused.remove(at: index)
            } else {
                try check(address, in: subnet, mac: mac, owner: owner)
            }
            result.append(fixed)
        }
        for entry in wanted where entry.address == nil {
            let subnet = try subnet(of: entry, address: nil)
            if let index = unused.firstIndex(where: { $0.subnet == subnet.id }) {
                result.append(unused.remove(at: index))
                continue
            }
            guard let address = try next(in: subnet, mac: mac, owner: owner, besides: result) else {
                throw NetworkFault.noAddresses(on: network.id)
            }
            result.append(Port.FixedIP(subnet: subnet.id, address: address))
        }
        return result + (try automatic(mac: mac, owner: owner, besides: result, wanted: wanted))
    }

    /// One IPv4 address, one IPv6 address, and one in each subnet where hosts make their own.
    private func unasked(owner: String, mac: MACAddress) throws -> [Port.FixedIP] {
        var result: [Port.FixedIP] = []
        for isIPv6 in [false, true] {
            let candidates = subnets.filter {
                $0.cidr.isIPv6 == isIPv6 && !automatesAddress($0, owner) && $0.serves(owner)
            }
            guard !candidates.isEmpty else { continue }
            var isFound = false
            for subnet in candidates where !isFound {
                if let address = try next(in: subnet, mac: mac, owner: owner) {
                    result.append(Port.FixedIP(subnet: subnet.id, address: address))
                    isFound = true
                }
            }
            guard isFound else { throw NetworkFault.noAddresses(on: network.id) }
        }
        return result + (try automatic(mac: mac, owner: owner, besides: result, wanted: nil))
    }

    /// What the port has in subnets with SLAAC by itself. A port that asks for no address at all gets none.
    private func automatic(
        mac: MACAddress, owner: String, besides present: [Port.FixedIP], wanted: [PortDraft.Address]?
    ) throws -> [Port.FixedIP] {
        if let wanted, wanted.isEmpty || DeviceOwner.router.contains(owner) { return [] }
        return try subnets.filter { automatesAddress($0, owner) && $0.serves(owner) }.compactMap { subnet in
            guard !present.contains(where: { $0.subnet == subnet.id }) else { return nil }
            let address = mac.slaacAddress(in: subnet.cidr)
            guard try !PortStore.isTaken(address, in: subnet.id, change.transaction) else { return nil }
            return Port.FixedIP(subnet: subnet.id, address: address)
        }
    }

    /// Routers choose their own addresses even where hosts may not.
    private func automatesAddress(_ subnet: Subnet, _ owner: String) -> Bool {
        subnet.usesAutomaticAddresses && !DeviceOwner.router.contains(owner)
    }

    // MARK: One address

    private func subnet(of entry: PortDraft.Address, address: IPAddress?) throws -> Subnet {
        if let id = entry.subnet {
            guard let subnet = subnets.first(where: { $0.id == id }) else {
                guard try SubnetStore.find(id, change.transaction) != nil else { throw NetworkFault.subnetNotFound(id) }
                throw NetworkFault.invalidInput(
                    "Failed to create port on network \(network.id), because fixed_ips included invalid subnet \(id)")
            }
            if let address, !subnet.cidr.contains(address) { throw NetworkFault.invalidAddress(address, in: id) }
            return subnet
        }
        guard let address else { throw NetworkFault.invalidInput("IP allocation requires subnet_id or ip_address") }
        guard let subnet = subnets.first(where: { $0.cidr.contains(address) }) else {
            throw CloudError.badRequest(
                "IP address \(address) is not a valid IP for any of the subnets on the specified network.",
                kind: "InvalidIpForNetwork")
        }
        return subnet
    }

    private func check(_ address: IPAddress, in subnet: Subnet, mac: MACAddress, owner: String) throws {
        if automatesAddress(subnet, owner), address != mac.slaacAddress(in: subnet.cidr) {
            throw NetworkFault.invalidInput(
                "IPv6 address \(address) cannot be directly assigned to a port on subnet \(subnet.id) as the subnet is "
                    + "configured for automatic addresses")
        }
        let isAllowed = subnet.cidr.hosts.contains(address) || subnet.cidr.isIPv6 && DeviceOwner.router.contains(owner)
        guard isAllowed else { throw NetworkFault.invalidAddress(address, in: subnet.id) }
        guard try !PortStore.isTaken(address, in: subnet.id, change.transaction) else {
            throw NetworkFault.addressTaken(address, in: subnet.id)
        }
    }

    /// A free address of the subnet's pools, without a walk unless the pool is nearly full. Nil: there is none.
    func next(in subnet: Subnet, mac: MACAddress, owner: String, besides: [Port.FixedIP] = []) throws -> IPAddress? {
        if automatesAddress(subnet, owner) {
            let address = mac.slaacAddress(in: subnet.cidr)
            return try PortStore.isTaken(address, in: subnet.id, change.transaction) ? nil : address
        }
        func isFree(_ address: IPAddress) throws -> Bool {
            try !besides.contains { $0.address == address }
                && !PortStore.isTaken(address, in: subnet.id, change.transaction)
        }
        for pool in subnet.pools {
            let highest = try PortStore.highest(in: pool, of: subnet.id, change.transaction)
            let first = highest == nil ? pool.first : highest?.advanced(by: 1)
            let step = pool.count > 32 ? Int(change.random() % Self.window) : 0
            if let candidate = first?.advanced(by: step), pool.contains(candidate), try isFree(candidate) {
                return candidate
            }
            for _ in 0..<Self.randomTries {
                let offset = UInt128(change.random()) % pool.count
                let candidate = IPAddress(isIPv6: pool.first.isIPv6, value: pool.first.value + offset)
                if try isFree(candidate) { return candidate }
            }
            if besides.isEmpty, let candidate = try PortStore.lowestFree(in: pool, of: subnet.id, change.transaction) {
                return candidate
            }
            var candidate: IPAddress? = besides.isEmpty ? nil : pool.first
            while let address = candidate, pool.contains(address) {
                if try isFree(address) { return address }
                candidate = address.advanced(by: 1)
            }
        }
        return nil
    }
}
