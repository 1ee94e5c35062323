// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// Which agents carry which routers and networks: below /v2.0/agents, /v2.0/routers and /v2.0/networks.
///
/// The extensions of these calls are not listed: they promise agents that OVN does not have. Clients call them anyway.
struct AgentSchedulingRoutes: Sendable {
    let routers: RouterScheduling
    let networks: DHCPScheduling
    let agentRoutes: AgentRoutes
    let routerRoutes: RouterRoutes
    private let agentList = Collection("agent", "agents", maximumPage: nil)
    private let routerList = Collection("router", "routers", maximumPage: nil)

    init(_ environment: NetworkEnvironment, _ agents: AgentRoutes, _ routers: RouterRoutes) {
        self.routers = RouterScheduling(environment)
        networks = DHCPScheduling(environment)
        agentRoutes = agents
        routerRoutes = routers
    }

    func register(on routes: inout RouteTable) {
        let agent = agentList.item
        routes.add(.get, agent + "/l3-routers", object: "get_l3-routers") { request, context in
            let found = try await routers.routers(on: request.parameter("id"), for: context)
            return routerList.list(
                request, ListQuery(), found, id: { $0.id.rawValue }, routerRoutes.writer(context))
        }
        routes.add(.post, agent + "/l3-routers", object: "create_l3-router", addRouter)
        routes.add(.delete, agent + "/l3-routers/{router}", object: "delete_l3-router") { request, context in
            try await routers.remove(request.id("router"), from: request.parameter("id"), for: context)
            return .noContent()
        }
        routes.add(.get, routerList.item + "/l3-agents", object: "get_l3-agents") { request, context in
            let found = try await routers.agents(hosting: request.id("id"), for: context)
            return agentList.list(request, ListQuery(), found, id: \.id, agentRoutes.write)
        }
        routes.add(.get, agent + "/dhcp-networks", object: "get_dhcp-networks") { request, context in
            try await networks.checkAgent(request.parameter("id"), for: context)
            return .json(200, JSONWriter.object { $0.array("networks") { _ in } })
        }
        routes.add(.post, agent + "/dhcp-networks", object: "create_dhcp-network", addNetwork)
        routes.add(.delete, agent + "/dhcp-networks/{network}", object: "delete_dhcp-network") { request, context in
            try networks.remove(request.id("network"), from: request.parameter("id"), for: context)
            return .noContent()
        }
        routes.add(.get, "/v2.0/networks/{id}/dhcp-agents", object: "get_dhcp-agents") { request, context in
            try await networks.checkNetwork(request.id("id"), for: context)
            return .json(200, JSONWriter.object { $0.array("agents") { _ in } })
        }
    }

    private func addRouter(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: RouterID = try await member("router_id", of: request)
        try await routers.add(id, to: request.parameter("id"), for: context)
        return .json(201, Array("null".utf8))
    }

    private func addNetwork(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let _: NetworkID = try await member("network_id", of: request)
        try networks.add(to: request.parameter("id"), for: context)
        return .json(201, Array("null".utf8))
    }

    /// These bodies have no envelope.
    private func member<Tag>(_ name: String, of request: APIRequest) async throws -> ID<Tag> {
        var reader = try AttributeReader(try await request.json(), isCreate: true)
        try reader.require(name)
        guard let id: ID<Tag> = try reader.id(name) else { throw AttributeReader.invalid(name, "it is required") }
        try reader.finish()
        return id
    }
}
