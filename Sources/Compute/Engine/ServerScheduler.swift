// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import PlacementContract

/// Finds hosts for a server: those where placement has room, that pass the filters, best first.
package struct ServerScheduler: Sendable {
    /// Hosts that placement may propose for one server.
    private static let candidateLimit = 1000

    let parts: ComputeParts

    package init(_ parts: ComputeParts) { self.parts = parts }

    /// What the filters look at besides placement.
    private struct Facts: Sendable {
        var hosts: [ComputeHost]
        var zones: [String: String]
        var aggregates: [HostAggregate]
        /// Hosts of the servers that the hints and the group name.
        var serverHosts: [(id: ServerID, host: String)]
        var group: ServerGroup?
    }

    /// Throws `NoValidHost` as a `CloudError` with the owner's words as message and the administrator's as cause.
    package func hosts(for request: HostRequest, _ resources: ResourceRequest) async throws -> [HostView] {
        let facts = try await facts(for: request)
        let (candidates, refusals) = try await parts.placement.candidates(for: resources, limit: Self.candidateLimit)
        let room = Dictionary(candidates.map { ($0.provider.rawValue, $0) }, uniquingKeysWith: { first, _ in first })
        let refused = Dictionary(refusals.map { ($0.provider.rawValue, $0) }, uniquingKeysWith: { first, _ in first })
        let now = parts.clock.now()
        var passed: [HostView] = []
        var reasons: [NoValidHost.Refusal] = []
        for host in facts.hosts {
            let candidate = room[host.nodeID.rawValue]
            let view = view(of: host, facts, free: candidate?.free["MEMORY_MB"] ?? 0, at: now)
            if let reason = HostFilter.all.lazy.compactMap({ $0.refusal(view, request, facts.group) }).first {
                reasons.append(.init(host: host.host, reasons: [reason]))
            } else if candidate != nil {
                passed.append(view)
            } else {
                let why = refused[host.nodeID.rawValue]?.reasons ?? ["it is not known to placement"]
                reasons.append(.init(host: host.host, reasons: why))
            }
        }
        guard !passed.isEmpty else { throw Self.failure(NoValidHost(reasons)) }
        return HostWeigher.sorted(passed, group: facts.group)
    }

    static func failure(_ reasons: NoValidHost) -> CloudError {
        CloudError(.unavailable, reasons.message, kind: "NoValidHost", cause: reasons.details)
    }

    private func view(of host: ComputeHost, _ facts: Facts, free: Int64, at now: Timestamp) -> HostView {
        let members = Set(facts.group?.members ?? [])
        let here = facts.serverHosts.lazy.filter { $0.host == host.host }.map(\.id)
        return HostView(
            host: host, zone: facts.zones[host.host] ?? parts.config.defaultZone,
            isUp: host.isUp(at: now, limit: parts.config.hostTimeout),
            aggregateMetadata: facts.aggregates.filter { $0.hosts.contains(host.host) }.map(\.metadata),
            servers: Set(here), freeMemoryMiB: free, groupMembers: here.filter(members.contains).count)
    }

    private func facts(for request: HostRequest) async throws -> Facts {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            var group = try request.groupID.flatMap { try stores.groups.group($0, transaction) }
            let wanted = request.sameHostAs + request.differentHostFrom + (group?.members ?? [])
            let hosts = try stores.servers.hosts(of: wanted, transaction)
            // Members without a host are no neighbours yet.
            let placed = Set(hosts.map(\.id))
            group?.members.removeAll { !placed.contains($0) || $0 == request.moving }
            return Facts(
                hosts: try stores.hosts.all(transaction), zones: try stores.aggregates.zones(transaction),
                aggregates: request.extraSpecs.isEmpty ? [] : try stores.aggregates.all(transaction),
                serverHosts: hosts, group: group)
        }
    }
}
