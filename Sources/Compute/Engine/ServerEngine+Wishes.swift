// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import NetworkContract
import PolicyKit

/// Where a new server wishes to be, and on which networks.
extension ServerEngine {
    /// One NIC: a port of the user's, or a request for a new one.
    struct NetworkPlan: Sendable {
        var existing: PortID?
        var request: ServerPortRequest?
        var tag: String?
    }

    // MARK: Host

    func hostRequest(
        _ draft: ServerDraft, _ image: ImageInfo, _ flavor: Flavor, _ project: ProjectID, _ context: CallContext,
        _ target: PolicyTarget
    ) async throws -> (HostRequest, ServerGroup?) {
        var request = HostRequest()
        request.imageProperties = image.properties
        request.extraSpecs = flavor.extraSpecs
        request.zone = draft.zone
        if draft.forcedHost != nil || draft.forcedNode != nil {
            try context.authorize(target, as: "os_compute_api:servers:create:forced_host")
            (request.host, request.node, request.isForced) = (draft.forcedHost, draft.forcedNode, true)
            // Upstream lets the host win over a zone that it is not in.
            request.zone = nil
        }
        if draft.requestedHost != nil || draft.requestedNode != nil {
            try context.authorize(target, as: "compute:servers:create:requested_destination")
            (request.host, request.node) = (draft.requestedHost, draft.requestedNode)
        }
        request.sameHostAs = Self.serverIDs(draft.schedulerHints["same_host"])
        request.differentHostFrom = Self.serverIDs(draft.schedulerHints["different_host"])
        if parts.config.allowsHostQueries, let query = draft.schedulerHints["query"], !query.isNull {
            let text = query.string ?? query.text()
            _ = try HostQuery.read(text)
            request.query = text
        }
        let (stores, config, isAdmin) = (stores, parts.config, context.isAdmin)
        let groupID = Self.strings(draft.schedulerHints["group"]).first
        let final = request
        let group = try await parts.database.read { transaction -> ServerGroup? in
            let hosts = try stores.hosts.all(transaction)
            if let zone = final.zone, zone != config.defaultZone {
                let zones = try stores.aggregates.zones(transaction)
                guard hosts.contains(where: { zones[$0.host] == zone }) else {
                    throw CloudError.badRequest("The requested availability zone is not available")
                }
            }
            if let host = final.host, !hosts.contains(where: { $0.host == host }) {
                throw CloudError.badRequest("Compute host \(host) could not be found.", kind: "ComputeHostNotFound")
            }
            if let node = final.node, !hosts.contains(where: { $0.hypervisor.hostname == node }) {
                throw CloudError.badRequest("Compute host \(node) could not be found.", kind: "ComputeHostNotFound")
            }
            guard let groupID else { return nil }
            guard let group = try stores.groups.group(ID(groupID), transaction),
                isAdmin || group.projectID == project
            else {
                throw CloudError.badRequest(
                    "Instance group \(groupID.prefix(64)) could not be found.", kind: "InstanceGroupNotFound")
            }
            return group
        }
        request.groupID = group?.id
        return (request, group)
    }

    private static func strings(_ json: JSON?) -> [String] {
        switch json {
        case .string(let text)?: [text]
        case .array(let elements)?: elements.compactMap(\.string)
        default: []
        }
    }

    private static func serverIDs(_ json: JSON?) -> [ServerID] { strings(json).map { ID($0) } }

    // MARK: Networks

    func networks(
        _ draft: ServerDraft, _ context: CallContext, _ target: PolicyTarget
    ) async throws -> [NetworkPlan] {
        if case .none = draft.networks { return [] }
        let principal = context.principal
        var groups: [SecurityGroupID]?
        if let names = draft.securityGroups, names != ["default"], !names.isEmpty {
            groups = try await parts.networks.securityGroups(named: names, for: principal)
        }
        let plans: [NetworkPlan]
        switch draft.networks {
        case .none: plans = []
        case .automatic(let isExplicit):
            plans = try await automatic(isExplicit: isExplicit, groups, context)
        case .requested(let requests):
            try context.authorize(target, as: "os_compute_api:servers:create:attach_network")
            if draft.maxCount > 1 {
                if requests.contains(where: { $0.port != nil }) {
                    throw CloudError.badRequest(
                        "Unable to launch multiple instances with a single configured port ID. Please launch your "
                            + "instance one by one with different ports.", kind: "MultiplePortsNotApplicable")
                }
                if requests.contains(where: { $0.fixedIP != nil }) {
                    throw CloudError.badRequest(
                        "Failed to launch instances: Invalid value for fixed_ip with max_count greater than 1.",
                        kind: "InvalidFixedIpAndMaxCountRequest")
                }
            }
            plans = requests.map { request in
                if let port = request.port { return NetworkPlan(existing: ID(port), tag: request.tag) }
                return NetworkPlan(
                    request: ServerPortRequest(
                        network: ID(request.network ?? ""), fixedAddress: request.fixedIP, securityGroups: groups),
                    tag: request.tag)
            }
        }
        guard !plans.isEmpty else { return [] }
        try await parts.networks.validate(
            networks: plans.compactMap(\.request), ports: plans.compactMap(\.existing), for: principal)
        return plans
    }

    private func automatic(
        isExplicit: Bool, _ groups: [SecurityGroupID]?, _ context: CallContext
    ) async throws -> [NetworkPlan] {
        let available = try await parts.networks.networksForServers(of: context.principal)
        guard available.count <= 1 else {
            throw CloudError.conflict(
                "Multiple possible networks found, use a Network ID to be more specific.", kind: "NetworkAmbiguous")
        }
        let network: NetworkID
        if let found = available.first {
            network = found.id
        } else {
            // Upstream boots without a network unless one was asked for.
            guard isExplicit else { return [] }
            network = try await allocated(context)
        }
        return [NetworkPlan(request: ServerPortRequest(network: network, securityGroups: groups))]
    }

    private func allocated(_ context: CallContext) async throws -> NetworkID {
        do {
            return try await parts.networks.ensureNetwork(for: context.principal)
        } catch let reason as CloudError where [.conflict, .overQuota].contains(reason.code) {
            throw CloudError.badRequest(
                "Unable to automatically allocate a network for project \(context.projectID?.rawValue ?? ""): "
                    + reason.message, kind: "UnableToAutoAllocateNetwork")
        }
    }
}
