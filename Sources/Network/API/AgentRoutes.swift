// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// What operators look at: agents, zones, service providers, how full networks are.
struct AgentRoutes: Sendable {
    let agents: NetworkAgents
    let networks: NetworkEngine
    private let collection: Collection

    init(_ agents: NetworkAgents, _ networks: NetworkEngine, maximumPage: Int?) {
        self.agents = agents
        self.networks = networks
        collection = Collection("agent", "agents", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v2.0/agents", object: "get_agent", list)
        routes.add(.get, "/v2.0/agents/{id}", object: "get_agent", show)
        routes.add(.put, "/v2.0/agents/{id}", object: "update_agent", update)
        routes.add(.delete, "/v2.0/agents/{id}", object: "delete_agent") { request, context in
            try await agents.delete(request.parameter("id"), for: context)
            return .noContent()
        }
        routes.add(.get, "/v2.0/availability_zones", object: "get_availability_zone", zones)
        routes.add(.get, "/v2.0/service-providers", object: "get_service_provider", providers)
        routes.add(.get, "/v2.0/network-ip-availabilities", object: "get_network_ip_availability", availabilities)
        routes.add(.get, "/v2.0/network-ip-availabilities/{id}", object: "get_network_ip_availability", availability)
    }

    // MARK: Agents

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await agents.list(for: context).filter { agent in
            try query.filters.allSatisfy { filter in
                switch filter.name {
                case "id": filter.values.contains(agent.id)
                case "agent_type": filter.values.contains(agent.type)
                case "host": filter.values.contains(agent.host)
                case "binary": filter.values.contains(agent.binary)
                case "alive": filter.values.contains { ["true", "1"].contains($0.lowercased()) == agent.isAlive }
                case "admin_state_up": filter.values.contains { ["true", "1"].contains($0.lowercased()) }
                default: throw AttributeReader.bad("['\(filter.name.prefix(64))'] is invalid attribute for filtering")
                }
            }
        }
        let sorted = try query.sorts.reversed().reduce(found) { agents, sort in
            guard let value = Self.sortKeys[sort.key] else {
                throw AttributeReader.bad("['\(sort.key.prefix(64))'] is invalid attribute for sort_keys")
            }
            // One key after the other, the first last: equal ones stay as the other keys put them.
            let order = agents.enumerated().sorted { left, right in
                let (a, b) = (value(left.element), value(right.element))
                guard a != b else { return left.offset < right.offset }
                return (a < b) == sort.isAscending
            }
            return order.map(\.element)
        }
        return collection.list(request, query, query.page(of: sorted, id: \.id), id: \.id, write)
    }

    /// What all agents have in common orders none of them.
    private static let sortKeys: [String: @Sendable (NetworkAgentInfo) -> String] = [
        "id": { $0.id }, "agent_type": { $0.type }, "binary": { $0.binary }, "host": { $0.host },
        "alive": { $0.isAlive ? "1" : "0" }, "description": { $0.description }, "admin_state_up": { _ in "" },
        "topic": { _ in "" }, "availability_zone": { _ in "" }, "created_at": { _ in "" }, "started_at": { _ in "" },
        "heartbeat_timestamp": { _ in "" }, "resources_synced": { _ in "" },
    ]

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let agent = try await agents.get(request.parameter("id"), for: context)
        return collection.one(agent, fields: Collection.fields(request), write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (description, isEnabled) = try await collection.change(request) { reader in
            (try reader.string("description"), try reader.bool("admin_state_up", default: true))
        }
        let agent = try await agents.update(
            request.parameter("id"), description: description, isEnabled: isEnabled, for: context)
        return collection.one(agent, fields: nil, write)
    }

    func write(_ agent: NetworkAgentInfo, _ out: inout ResourceWriter) {
        out.field("id", agent.id)
        out.field("agent_type", agent.type)
        out.field("binary", agent.binary)
        out.field("host", agent.host)
        out.field("topic", "n/a")
        out.field("availability_zone", "")
        out.field("admin_state_up", true)
        out.field("alive", agent.isAlive)
        out.raw("configurations", "{}")
        out.field("description", agent.description)
        out.null("resources_synced")
        let started = agents.startedAt.iso8601(zone: false)
        out.field("created_at", started)
        out.field("started_at", started)
        out.field("heartbeat_timestamp", agents.now.iso8601(zone: false))
    }

    // MARK: Zones and providers

    private func zones(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let zone = try await agents.zone(for: context)
        let filters = Collection.filters(request)
        let rows = ["network", "router"].filter { resource in
            filters.allSatisfy { filter in
                switch filter.name {
                case "resource": filter.values.contains(resource)
                case "name": filter.values.contains(zone)
                case "state": filter.values.contains("available")
                default: false
                }
            }
        }
        return .json(
            200,
            JSONWriter.object { json in
                json.array("availability_zones") { json in
                    for resource in rows {
                        json.beginObject()
                        json.field("name", zone)
                        json.field("resource", resource)
                        json.field("state", "available")
                        json.endObject()
                    }
                }
            })
    }

    private func providers(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try context.authorize([:])
        return .json(
            200,
            JSONWriter.object { json in
                json.array("service_providers") { json in
                    json.beginObject()
                    json.field("service_type", ServiceProvider.serviceType)
                    json.field("name", ServiceProvider.name)
                    json.field("default", true)
                    json.endObject()
                }
            })
    }

    // MARK: Availability

    private func availabilities(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let all = try await networks.availability(of: nil, for: context)
        let names = request.queryAll("network_name")
        let ids = request.queryAll("network_id")
        let projects = request.queryAll("project_id") + request.queryAll("tenant_id")
        let versions = request.queryAll("ip_version")
        let found = all.map { entry in
            var entry = entry
            if !versions.isEmpty { entry.subnets.removeAll { !versions.contains("\($0.ipVersion)") } }
            return entry
        }.filter { entry in
            (names.isEmpty || names.contains(entry.name)) && (ids.isEmpty || ids.contains(entry.network.rawValue))
                && (projects.isEmpty || projects.contains(entry.project.rawValue))
        }
        return .json(
            200,
            JSONWriter.object { json in
                json.array("network_ip_availabilities") { json in
                    for entry in found { Self.write(entry, &json) }
                }
            })
    }

    private func availability(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: NetworkID = request.id("id")
        guard let entry = try await networks.availability(of: id, for: context).first else {
            throw NetworkFault.networkNotFound(id)
        }
        return .json(
            200,
            JSONWriter.object { json in
                json.key("network_ip_availability")
                Self.write(entry, &json)
            })
    }

    private static func write(_ entry: IPAvailability, _ json: inout JSONWriter) {
        json.beginObject()
        json.field("network_id", entry.network)
        json.field("network_name", entry.name)
        json.field("project_id", entry.project)
        json.field("tenant_id", entry.project)
        json.key("total_ips")
        json.raw(entry.total.description)
        json.field("used_ips", entry.used)
        json.array("subnet_ip_availability") { json in
            for subnet in entry.subnets {
                json.beginObject()
                json.field("subnet_id", subnet.id)
                json.field("subnet_name", subnet.name)
                json.field("ip_version", subnet.ipVersion)
                json.field("cidr", subnet.cidr)
                json.key("total_ips")
                json.raw(subnet.total.description)
                json.field("used_ips", subnet.used)
                json.endObject()
            }
        }
        json.endObject()
    }
}
