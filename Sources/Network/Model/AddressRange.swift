// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Addresses from `first` to `last`, both included: an allocation pool.
package struct AddressRange: Sendable, Equatable {
    package var first: IPAddress
    package var last: IPAddress

    package init(_ first: IPAddress, _ last: IPAddress) {
        self.first = first
        self.last = last
    }

    package func contains(_ address: IPAddress) -> Bool { (first...last).contains(address) }
    /// Saturates, because an IPv6 pool may hold more than fit.
    package var count: UInt128 {
        let (sum, overflow) = (last.value - first.value).addingReportingOverflow(1)
        return overflow ? .max : sum
    }
}

/// Rules for allocation pools. Pure.
package enum AllocationPools {
    /// What a subnet gets when the caller names none: every host address but the gateway.
    package static func computed(for cidr: CIDR, gateway: IPAddress?) -> [AddressRange] {
        let hosts = cidr.hosts
        guard let gateway, hosts.contains(gateway) else { return [AddressRange(hosts.lowerBound, hosts.upperBound)] }
        var pools: [AddressRange] = []
        if gateway > hosts.lowerBound, let before = gateway.advanced(by: -1) {
            pools.append(AddressRange(hosts.lowerBound, before))
        }
        if gateway < hosts.upperBound, let after = gateway.advanced(by: 1) {
            pools.append(AddressRange(after, hosts.upperBound))
        }
        return pools
    }

    /// Reads and checks the pools that a caller names. Sorted by address.
    package static func checked(_ given: [(start: String, end: String)], in cidr: CIDR) throws -> [AddressRange] {
        var pools: [AddressRange] = []
        for pool in given {
            let shown = "\(pool.start)-\(pool.end)"
            guard let first = IPAddress(pool.start), let last = IPAddress(pool.end), first.isIPv6 == last.isIPv6,
                first.isIPv6 == cidr.isIPv6, first <= last
            else {
                throw CloudError.badRequest("The allocation pool \(shown) is not valid.", kind: "InvalidAllocationPool")
            }
            guard cidr.hosts.contains(first), cidr.hosts.contains(last) else {
                throw CloudError.badRequest(
                    "The allocation pool \(shown) spans beyond the subnet cidr \(cidr).",
                    kind: "OutOfBoundsAllocationPool")
            }
            pools.append(AddressRange(first, last))
        }
        pools.sort { $0.first < $1.first }
        for (left, right) in zip(pools, pools.dropFirst()) where right.first <= left.last {
            throw CloudError.conflict(
                "Found overlapping allocation pools: \(left.first)-\(left.last) \(right.first)-\(right.last) "
                    + "for subnet \(cidr).", kind: "OverlappingAllocationPools")
        }
        return pools
    }

    package static func checkGateway(_ gateway: IPAddress?, outside pools: [AddressRange]) throws {
        guard let gateway, let pool = pools.first(where: { $0.contains(gateway) }) else { return }
        throw CloudError.conflict(
            "Gateway ip \(gateway) conflicts with allocation pool \(pool.first)-\(pool.last).",
            kind: "GatewayConflictWithAllocationPools")
    }
}
