// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Cuts a subnet's prefix from a pool.
enum SubnetPoolAllocator {
    /// The pool that a draft names; nil when it names none.
    static func pool(for draft: SubnetDraft, _ context: CallContext?, _ change: NetworkChange) throws -> SubnetPool? {
        if draft.usesDefaultPool {
            guard draft.pool == nil else {
                throw NetworkFault.badRequest(
                    "subnets", "subnetpool_id and use_default_subnetpool cannot both be specified")
            }
            let version = draft.ipVersion ?? 4
            guard
                let pool = try SubnetPoolStore.all(
                    where: "b.is_default = 1 AND b.ip_version = \(version)", change.transaction
                ).first
            else {
                throw NetworkFault.badRequest("subnets", "No default subnetpool found for IPv\(version)")
            }
            return pool
        }
        guard let id = draft.pool else { return nil }
        guard let pool = try SubnetPoolStore.find(id, for: context?.projectID, change.transaction),
            context?.allows("get_subnetpool", PolicyTarget(pool)) ?? true
        else { throw NetworkFault.subnetPoolNotFound(id) }
        return pool
    }

    /// The draft's own prefix when the pool has it free, else any free one of the length that is asked for.
    static func allocate(_ draft: SubnetDraft, from pool: SubnetPool, project: ProjectID, _ change: NetworkChange)
        throws
        -> CIDR
    {
        if let version = draft.ipVersion, version != pool.ipVersion {
            throw NetworkFault.badRequest(
                "subnets", "Cannot allocate IPv\(version) subnet from IPv\(pool.ipVersion) subnet pool")
        }
        let wanted = try draft.cidr == nil ? nil : SubnetCheck.cidr(draft)
        guard wanted == nil || draft.prefixLength == nil else {
            throw NetworkFault.badRequest("subnets", "cidr and prefixlen must not be supplied together")
        }
        let length = wanted?.prefixLength ?? draft.prefixLength ?? pool.defaultLength
        guard length <= pool.maximumLength else {
            throw CloudError.badRequest(
                "Unable to allocate subnet with prefix length \(length), maximum allowed prefix is "
                    + "\(pool.maximumLength).",
                kind: "MaxPrefixSubnetAllocationError")
        }
        guard length >= pool.minimumLength else {
            throw CloudError.badRequest(
                "Unable to allocate subnet with prefix length \(length), minimum allowed prefix is "
                    + "\(pool.minimumLength).",
                kind: "MinPrefixSubnetAllocationError")
        }
        let allocations = try SubnetPoolStore.allocations(of: pool.id, change.transaction)
        try checkQuota(pool, length, allocations.filter { $0.project == project }.map(\.cidr))
        let taken = allocations.map(\.cidr)
        if let wanted {
            guard PrefixSet.covers(pool.prefixes, [wanted]), !taken.contains(where: { $0.overlaps(wanted) }) else {
                throw failure("Cannot allocate requested subnet from the available set of prefixes")
            }
            return wanted
        }
        guard let free = PrefixSet.free(length, in: pool.prefixes, without: taken) else {
            throw failure("Insufficient prefix space to allocate subnet size /\(length)")
        }
        return free
    }

    private static func failure(_ reason: String) -> CloudError {
        .conflict("Failed to allocate subnet: \(reason).", kind: "SubnetAllocationError")
    }

    private static func checkQuota(_ pool: SubnetPool, _ length: Int, _ own: [CIDR]) throws {
        guard let quota = pool.defaultQuota, quota > 0 else { return }
        var used = pool.quotaUnits(length)
        for cidr in own {
            let (sum, isTooLarge) = used.addingReportingOverflow(pool.quotaUnits(cidr.prefixLength))
            used = isTooLarge ? .max : sum
        }
        guard used <= quota else {
            throw CloudError(
                .overQuota, "Per-project subnet pool prefix quota exceeded.", kind: "SubnetPoolQuotaExceeded")
        }
    }

    /// Subnets of one family on one network come from one pool, or from none.
    static func checkAffinity(_ pool: SubnetPool?, _ cidr: CIDR, _ others: [Subnet], _ change: NetworkChange) throws {
        let siblings = others.filter { $0.cidr.isIPv6 == cidr.isIPv6 }
        guard siblings.allSatisfy({ $0.pool == pool?.id }) else {
            throw CloudError.badRequest(
                "Subnets hosted on the same network must be allocated from the same subnet pool.",
                kind: "NetworkSubnetPoolAffinityError")
        }
    }
}
