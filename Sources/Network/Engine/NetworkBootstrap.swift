// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// What a newcomer finds: an external network, and a private network behind a router. Made once; what is there with
/// the same name is left as it is.
package struct NetworkBootstrap: Sendable {
    package struct External: Sendable {
        package var name = "public"
        package var physicalNetwork = "physnet1"
        package var subnetName = "public-subnet"
        package var cidr = "172.24.4.0/24"
        package var gateway = "172.24.4.1"
        package var pool = (start: "172.24.4.10", end: "172.24.4.250")
        package init() {}
    }
    package struct Private: Sendable {
        package var name = "private"
        package var subnetName = "private-subnet"
        package var cidr = "10.0.0.0/24"
        package var dnsServers: [String] = []
        package var routerName = "router1"
        package init() {}
    }

    private let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    /// The external network, owned by the administrators' project.
    @discardableResult
    package func ensureExternal(_ plan: External = External(), owner: ProjectID) async throws -> NetworkID {
        try await environment.write { change in
            if let id = try Self.find(plan.name, of: owner, in: "networks", NetworkTag.self, change) { return id }
            var draft = NetworkDraft()
            draft.name = plan.name
            draft.kind = Network.Kind.flat.rawValue
            draft.physicalNetwork = plan.physicalNetwork
            draft.isExternal = true
            draft.isDefault = try !change.transaction.exists("SELECT 1 FROM networks WHERE is_default = 1")
            let network = try NetworkEngine.insert(draft, project: owner, change)
            var subnet = SubnetDraft()
            subnet.name = plan.subnetName
            subnet.cidr = plan.cidr
            subnet.gateway = plan.gateway
            subnet.pools = [plan.pool]
            subnet.usesDHCP = false
            _ = try SubnetEngine.insert(subnet, project: owner, on: network, for: nil, change)
            return network.id
        }
    }

    /// A network of `project` with a router to `external`.
    @discardableResult
    package func ensurePrivate(_ plan: Private = Private(), project: ProjectID, external: NetworkID) async throws
        -> NetworkID
    {
        try await environment.write { change in
            if let id = try Self.find(plan.name, of: project, in: "networks", NetworkTag.self, change) { return id }
            var draft = NetworkDraft()
            draft.name = plan.name
            let network = try NetworkEngine.insert(draft, project: project, change)
            var subnetDraft = SubnetDraft()
            subnetDraft.name = plan.subnetName
            subnetDraft.cidr = plan.cidr
            subnetDraft.dnsServers = plan.dnsServers
            let subnet = try SubnetEngine.insert(subnetDraft, project: project, on: network, for: nil, change)
            var routerDraft = RouterDraft()
            routerDraft.name = plan.routerName
            routerDraft.gateway = .some(RouterDraft.Gateway(network: external))
            let router = try RouterEngine.insert(routerDraft, project: project, for: nil, change)
            _ = try RouterInterfaces.add(
                RouterInterfaceChoice(subnet: subnet.id, port: nil), to: router, for: nil, change)
            return network.id
        }
    }

    private static func find<Tag>(
        _ name: String, of project: ProjectID, in table: StaticString, _: Tag.Type, _ change: NetworkChange
    ) throws -> ID<Tag>? {
        try change.transaction.first(
            "SELECT id FROM \(name: table) WHERE project_id = \(project) AND name = \(name) ORDER BY created_at, id"
        ) { $0.id(0) }
    }
}
