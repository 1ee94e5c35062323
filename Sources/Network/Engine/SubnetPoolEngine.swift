// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

extension PolicyTarget {
    init(_ pool: SubnetPool) {
        self.init(project: pool.project)
        self["shared"] = pool.isShared ? "True" : "False"
    }

    init(_ scope: AddressScope) {
        self.init(project: scope.project)
        self["shared"] = scope.isShared ? "True" : "False"
    }
}

/// Subnet pools: made, listed, changed and removed, and their prefixes edited one by one.
package struct SubnetPoolEngine: Sendable {
    /// Each is compared with all others of the pool, and with those of its scope; upstream has no bound.
    private static let mostPrefixes = 1000

    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [SubnetPool] {
        let viewer = context.viewer("get_subnetpool")
        return try await environment.read { try SubnetPoolStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: SubnetPoolID, for context: CallContext) async throws -> SubnetPool {
        let pool = try await environment.read { try SubnetPoolStore.find(id, for: context.projectID, $0) }
        guard let pool else { throw NetworkFault.subnetPoolNotFound(id) }
        try context.authorizeSight("get_subnetpool", PolicyTarget(pool), missing: NetworkFault.subnetPoolNotFound(id))
        return pool
    }

    // MARK: Create

    package func create(_ drafts: [SubnetPoolDraft], for context: CallContext) async throws -> [SubnetPool] {
        try await environment.write { change in
            try drafts.map { try Self.create($0, for: context, change) }
        }
    }

    private static func create(_ draft: SubnetPoolDraft, for context: CallContext, _ change: NetworkChange) throws
        -> SubnetPool
    {
        let project = try context.projectForNew(draft.project)
        let target = PolicyTarget(project: project)
        try context.authorizeCreation("create_subnetpool", target)
        try context.authorizeAttributes("create_subnetpool", draft.given, target)
        try change.checkQuota(.subnetPool, project)
        let prefixes = try checked(draft.prefixes ?? [])
        let isIPv6 = prefixes[0].isIPv6
        let minimum = draft.minimumLength ?? (isIPv6 ? 64 : 8)
        let pool = SubnetPool(
            id: change.newID(), project: project, name: draft.name ?? "", prefixes: prefixes,
            defaultLength: draft.defaultLength ?? minimum, minimumLength: minimum,
            maximumLength: draft.maximumLength ?? (isIPv6 ? 128 : 32), defaultQuota: draft.defaultQuota ?? nil,
            addressScope: draft.addressScope ?? nil, isDefault: draft.isDefault ?? false,
            isShared: draft.isShared ?? false, standard: change.standard(draft.description, draft.tags))
        try check(pool, for: context, change)
        try SubnetPoolStore.insert(pool, change.transaction)
        if pool.isShared { try RBACEngine.share(pool.id.rawValue, .subnetPool, owner: project, change) }
        return pool
    }

    private static func checked(_ prefixes: [CIDR]) throws -> [CIDR] {
        guard let first = prefixes.first else {
            throw CloudError.badRequest("Empty subnet pool prefix list.", kind: "EmptySubnetPoolPrefixList")
        }
        guard prefixes.allSatisfy({ $0.isIPv6 == first.isIPv6 }) else {
            throw CloudError.badRequest(
                "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", kind: "PrefixVersionMismatch")
        }
        let compacted = PrefixSet.compacted(prefixes)
        guard compacted.count <= mostPrefixes else {
            throw NetworkFault.invalidInput("A subnet pool has at most \(mostPrefixes) prefixes")
        }
        return compacted
    }

    private static func check(_ pool: SubnetPool, for context: CallContext, _ change: NetworkChange) throws {
        func bounds(_ name: String, _ length: Int, _ other: String, _ limit: Int) -> CloudError {
            .badRequest(
                "Illegal prefix bounds: \(name)=\(length), \(other)=\(limit).", kind: "IllegalSubnetPoolPrefixBounds")
        }
        let (minimum, maximum, standard) = (pool.minimumLength, pool.maximumLength, pool.defaultLength)
        let bits = pool.isIPv6 ? 128 : 32
        guard minimum <= maximum else { throw bounds("min_prefixlen", minimum, "max_prefixlen", maximum) }
        guard maximum <= bits else { throw bounds("max_prefixlen", maximum, "ip_version_max", bits) }
        guard standard >= minimum else { throw bounds("default_prefixlen", standard, "min_prefixlen", minimum) }
        guard standard <= maximum else { throw bounds("default_prefixlen", standard, "max_prefixlen", maximum) }
        if pool.isDefault {
            let others = try SubnetPoolStore.all(
                where: "b.is_default = 1 AND b.ip_version = \(pool.ipVersion) AND b.id <> \(pool.id)",
                change.transaction)
            guard others.isEmpty else {
                throw NetworkFault.invalidInput(
                    "A default subnetpool for this IP family has already been set. Only one default may "
                        + "exist per IP family"
                )
            }
        }
        if let scope = pool.addressScope { try check(pool, in: scope, for: context, change) }
    }

    private static func check(
        _ pool: SubnetPool, in id: AddressScopeID, for context: CallContext, _ change: NetworkChange
    ) throws {
        guard let scope = try AddressScopeStore.find(id, for: context.projectID, change.transaction),
            context.allows("get_address_scope", PolicyTarget(scope))
        else { throw NetworkFault.addressScopeNotFound(id) }
        guard scope.ipVersion == pool.ipVersion else {
            throw CloudError.badRequest(
                "Illegal subnetpool association: subnetpool \(pool.id) cannot associate with address scope "
                    + "\(id) because "
                    + "subnetpool ip_version is not \(scope.ipVersion).",
                kind: "IllegalSubnetPoolIpVersionAssociationToAddressScope")
        }
        let others = try SubnetPoolStore.all(
            where: "b.address_scope = \(id) AND b.id <> \(pool.id)", change.transaction)
        let isUnique = !others.flatMap(\.prefixes).contains { other in pool.prefixes.contains { $0.overlaps(other) } }
        guard isUnique else {
            throw CloudError.conflict(
                "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.",
                kind: "AddressScopePrefixConflict")
        }
    }

    // MARK: Update

    package func update(_ id: SubnetPoolID, _ draft: SubnetPoolDraft, ifMatch: Int? = nil, for context: CallContext)
        async throws -> SubnetPool
    {
        try await environment.write { change in
            let old = try Self.authorized(id, "update_subnetpool", for: context, change)
            try context.authorizeAttributes("update_subnetpool", draft.given, PolicyTarget(old))
            try old.standard.check(ifMatch)
            try Self.checkScopeOwner(of: old, for: context, change)
            var pool = old
            pool.name = draft.name ?? old.name
            pool.minimumLength = draft.minimumLength ?? old.minimumLength
            pool.maximumLength = draft.maximumLength ?? old.maximumLength
            pool.defaultLength = draft.defaultLength ?? old.defaultLength
            pool.isDefault = draft.isDefault ?? old.isDefault
            if let quota = draft.defaultQuota { pool.defaultQuota = quota }
            if let scope = draft.addressScope { pool.addressScope = scope }
            if let prefixes = draft.prefixes {
                pool.prefixes = try Self.checked(prefixes)
                guard PrefixSet.covers(pool.prefixes, old.prefixes) else {
                    throw CloudError.badRequest(
                        "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.",
                        kind: "IllegalSubnetPoolPrefixUpdate")
                }
            }
            pool.standard.apply(description: draft.description, tags: draft.tags)
            return try Self.save(pool, from: old, for: context, change)
        }
    }

    /// A pool in another project's scope stays as it is.
    private static func checkScopeOwner(of pool: SubnetPool, for context: CallContext, _ change: NetworkChange) throws {
        guard let id = pool.addressScope, !context.allows("context_is_admin", [:]),
            let scope = try AddressScopeStore.find(id, for: context.projectID, change.transaction),
            scope.project != context.projectID
        else { return }
        throw CloudError.badRequest(
            "Illegal subnetpool update : subnetpool \(pool.id) cannot be updated when associated with shared "
                + "address scope \(id).", kind: "IllegalSubnetPoolUpdate")
    }

    private static func authorized(
        _ id: SubnetPoolID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> SubnetPool {
        guard let pool = try SubnetPoolStore.find(id, for: context.projectID, change.transaction) else {
            throw NetworkFault.subnetPoolNotFound(id)
        }
        try context.authorizeChange(
            rule, seenBy: "get_subnetpool", PolicyTarget(pool), missing: NetworkFault.subnetPoolNotFound(id))
        return pool
    }

    private static func save(
        _ changed: SubnetPool, from old: SubnetPool, for context: CallContext, _ change: NetworkChange
    ) throws -> SubnetPool {
        var pool = changed
        try check(pool, for: context, change)
        pool.standard.touch(change)
        try SubnetPoolStore.update(pool, change.transaction)
        if pool.addressScope != old.addressScope {
            // Within a scope routers do not translate.
            let subnets = try change.transaction.query("SELECT id FROM subnets WHERE subnetpool = \(pool.id)") {
                $0.id(0) as SubnetID
            }
            for subnet in subnets {
                for router in try RouterStore.connected(to: subnet, change.transaction) { change.mark(.router(router)) }
            }
        }
        return pool
    }

    // MARK: Prefixes

    package func addPrefixes(
        _ prefixes: [CIDR], to id: SubnetPoolID, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> [CIDR] {
        try await environment.write { change in
            let old = try Self.authorized(id, "add_prefixes", for: context, change)
            try old.standard.check(ifMatch)
            try Self.checkScopeOwner(of: old, for: context, change)
            var pool = old
            pool.prefixes = try Self.checked(old.prefixes + prefixes)
            return try Self.save(pool, from: old, for: context, change).prefixes
        }
    }

    package func removePrefixes(
        _ prefixes: [CIDR], from id: SubnetPoolID, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> [CIDR] {
        try await environment.write { change in
            let old = try Self.authorized(id, "remove_prefixes", for: context, change)
            try old.standard.check(ifMatch)
            var pool = old
            pool.prefixes = try Self.checked(
                PrefixSet.remaining(of: old.prefixes, without: PrefixSet.compacted(prefixes)))
            let used = try SubnetPoolStore.allocations(of: id, change.transaction).map(\.cidr)
            guard PrefixSet.covers(pool.prefixes, used) else {
                throw CloudError.badRequest(
                    "Illegal update to prefixes: One or more subnets use the prefixes to be removed.",
                    kind: "IllegalSubnetPoolPrefixUpdate")
            }
            return try Self.save(pool, from: old, for: context, change).prefixes
        }
    }

    // MARK: Onboarding

    /// Takes a network's subnets of the pool's family into the pool, their prefixes with them.
    package func onboard(_ network: NetworkID, into id: SubnetPoolID, for context: CallContext) async throws
        -> [Subnet]
    {
        try await environment.write { change in
            let old = try Self.authorized(id, "onboard_network_subnets", for: context, change)
            try Self.checkScopeOwner(of: old, for: context, change)
            let owner = try NetworkEngine.visible(network, for: context, change).project
            // neutron: another project's subnets stay where they are, also on a shared network.
            guard owner == context.projectID || context.allows("context_is_admin", [:]) else {
                throw CloudError(.forbidden, "Not authorized.", kind: "NotAuthorized")
            }
            let subnets = try SubnetStore.all(on: network, change.transaction).filter {
                $0.ipVersion == old.ipVersion
            }
            let taken = try SubnetPoolStore.allocations(of: id, change.transaction).map(\.cidr)
            if let subnet = subnets.first(where: { subnet in taken.contains { $0.overlaps(subnet.cidr) } }) {
                throw CloudError.badRequest(
                    "Illegal subnetpool update : Onboarding subnet \(subnet.id): \(subnet.cidr) conflicts with "
                        + "allocated prefixes in subnet pool \(id).", kind: "IllegalSubnetPoolUpdate")
            }
            var pool = old
            pool.prefixes = try Self.checked(old.prefixes + subnets.map(\.cidr))
            _ = try Self.save(pool, from: old, for: context, change)
            return try subnets.map { subnet in
                var onboarded = subnet
                onboarded.pool = id
                onboarded.standard.touch(change)
                try SubnetStore.update(onboarded, change.transaction)
                // The pool's scope is the subnet's now.
                for router in try RouterStore.connected(to: subnet.id, change.transaction) {
                    change.mark(.router(router))
                }
                return onboarded
            }
        }
    }

    // MARK: Delete

    package func delete(_ id: SubnetPoolID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let pool = try Self.authorized(id, "delete_subnetpool", for: context, change)
            try pool.standard.check(ifMatch)
            guard try SubnetPoolStore.allocations(of: id, change.transaction).isEmpty else {
                throw CloudError.badRequest(
                    "Unable to delete subnet pool: Subnet pool has existing allocations.", kind: "SubnetPoolDeleteError"
                )
            }
            try SubnetPoolStore.delete(id, change.transaction)
        }
    }
}
