// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// "Get me a network": a project's first network with subnets from the default pools, behind a router to the default
/// external network. All of it or nothing, in one transaction.
package struct AutoTopologyEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    /// The project's network; made when there is none yet.
    package func ensure(for project: ProjectID?, _ context: CallContext) async throws -> AutoTopology {
        try await ensure(for: Self.authorized(project, "get_auto_allocated_topology", context))
    }

    /// As above, for who is known to act for the project.
    func ensure(for project: ProjectID) async throws -> AutoTopology {
        if let present = try await environment.read({ try AutoTopologyStore.find(project, $0) }) { return present }
        return try await environment.write { change in
            try AutoTopologyStore.find(project, change.transaction) ?? Self.build(for: project, change)
        }
    }

    /// Throws unless `ensure` would find what it needs.
    package func check(for project: ProjectID?, _ context: CallContext) async throws -> ProjectID {
        let project = try Self.authorized(project, "get_auto_allocated_topology", context)
        return try await environment.write { change in
            _ = try Self.external(change)
            guard try !Self.pools(change).isEmpty else { throw Self.failure("No default subnetpools defined") }
            return project
        }
    }

    /// Takes what `ensure` made away. Not an error when there is nothing.
    package func delete(for project: ProjectID?, _ context: CallContext) async throws {
        let project = try Self.authorized(project, "delete_auto_allocated_topology", context)
        try await environment.write { change in
            guard let topology = try AutoTopologyStore.find(project, change.transaction) else { return }
            try Self.remove(topology, change)
        }
    }

    // neutron: only an administrator asks for another project's (auto_allocate/db.py: _validate).
    private static func authorized(_ given: ProjectID?, _ rule: PolicyName, _ context: CallContext) throws -> ProjectID
    {
        let project = try given ?? context.requireProject()
        context.authorizeListing()
        let isOwn = project == context.projectID || context.allows("context_is_admin", [:])
        guard isOwn, context.allows(rule, PolicyTarget(project: project)) else {
            throw CloudError(.forbidden, "Not authorized.", kind: "NotAuthorized")
        }
        // An administrator may name any project, and nobody here knows them all; but a topology must not be made for
        // what no project's id can be.
        guard isPlausible(project) else {
            throw CloudError.notFound("The resource could not be found.", kind: "HTTPNotFound")
        }
        return project
    }

    private static func isPlausible(_ project: ProjectID) -> Bool {
        (1...64).contains(project.rawValue.utf8.count)
            && project.rawValue.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    private static func failure(_ reason: String) -> CloudError {
        .conflict("Deployment error: \(reason).", kind: "AutoAllocationFailure")
    }

    // MARK: What it needs

    private static func external(_ change: NetworkChange) throws -> NetworkID {
        let found: NetworkID? = try change.transaction.first(
            "SELECT id FROM networks WHERE is_default = 1 AND is_external = 1 ORDER BY created_at, id LIMIT 1"
        ) { $0.id(0) }
        guard let found else { throw failure("No default router:external network") }
        return found
    }

    /// The default pool of each family that has one.
    private static func pools(_ change: NetworkChange) throws -> [SubnetPool] {
        try SubnetPoolStore.all(where: "b.is_default = 1", change.transaction).sorted { $0.ipVersion < $1.ipVersion }
    }

    // MARK: Build

    private static func build(for project: ProjectID, _ change: NetworkChange) throws -> AutoTopology {
        let external = try Self.external(change)
        let (network, subnets) = try explained("Unable to provide project private network") {
            try makeNetwork(of: project, change)
        }
        let router = try explained("Unable to provide external connectivity") {
            try makeRouter(of: project, to: external, subnets, change)
        }
        let topology = AutoTopology(project: project, network: network.id, router: router.id)
        try AutoTopologyStore.insert(topology, change.transaction)
        return topology
    }

    /// What is wrong with the cloud's own choices is no fault of the request's.
    private static func explained<T>(_ reason: String, _ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let fault as CloudError
            where [.badRequest, .notFound].contains(fault.code) || fault.kind == "SubnetAllocationError"
        {
            throw failure(reason)
        }
    }

    private static func makeNetwork(of project: ProjectID, _ change: NetworkChange) throws -> (Network, [Subnet]) {
        var draft = NetworkDraft()
        draft.name = "auto_allocated_network"
        let network = try NetworkEngine.insert(draft, project: project, change)
        let pools = try Self.pools(change)
        guard !pools.isEmpty else { throw failure("No default subnetpools defined") }
        let subnets = try pools.map { pool in
            var draft = SubnetDraft()
            draft.name = "auto_allocated_subnet_v\(pool.ipVersion)"
            draft.ipVersion = pool.ipVersion
            draft.pool = pool.id
            return try SubnetEngine.insert(draft, project: project, on: network, for: nil, change)
        }
        return (network, subnets)
    }

    private static func makeRouter(
        of project: ProjectID, to external: NetworkID, _ subnets: [Subnet], _ change: NetworkChange
    ) throws -> Router {
        var draft = RouterDraft()
        draft.name = "auto_allocated_router"
        draft.gateway = .some(RouterDraft.Gateway(network: external))
        let router = try RouterEngine.insert(draft, project: project, for: nil, change)
        for subnet in subnets {
            _ = try RouterInterfaces.add(
                RouterInterfaceChoice(subnet: subnet.id, port: nil), to: router, for: nil, change)
        }
        return router
    }

    // MARK: Remove

    private static func remove(_ topology: AutoTopology, _ change: NetworkChange) throws {
        if let router = try RouterStore.find(topology.router, change.transaction) {
            let ports = try RouterStore.ports(of: router.id, change.transaction)
            for port in ports where port.network == topology.network {
                _ = try RouterInterfaces.remove(
                    RouterInterfaceChoice(subnet: nil, port: port.id), from: router, change)
            }
            if let router = try RouterStore.find(topology.router, change.transaction) {
                try RouterEngine.remove(router, change)
            }
        }
        if let network = try NetworkStore.find(topology.network, for: nil, change.transaction) {
            try NetworkEngine.remove(network, change)
        }
        try AutoTopologyStore.delete(of: topology.network, change.transaction)
    }
}
