// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Segments of networks, for administrators.
package struct SegmentEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    /// Empty for those who may see none.
    package func list(_ query: ListQuery, for context: CallContext) async throws -> [NetworkSegment] {
        context.authorizeListing()
        guard context.allows("get_segment", [:]) else { return [] }
        return try await environment.read { try SegmentStore.list(query, $0) }
    }

    package func get(_ id: SegmentID, for context: CallContext) async throws -> NetworkSegment {
        try context.authorizeSight("get_segment", [:], missing: NetworkFault.segmentNotFound(id))
        guard let segment = try await environment.read({ try SegmentStore.find(id, $0) }) else {
            throw NetworkFault.segmentNotFound(id)
        }
        return segment
    }

    // MARK: Write

    package func create(_ drafts: [NetworkSegmentDraft], for context: CallContext) async throws -> [NetworkSegment] {
        try context.authorizeCreation("create_segment", [:])
        return try await environment.write { change in
            try drafts.map { draft in
                guard let id = draft.network else {
                    throw CloudError.badRequest(
                        "Failed to parse request. Required attribute 'network_id' not specified",
                        kind: "HTTPBadRequest")
                }
                guard let network = try NetworkStore.find(id, for: nil, change.transaction) else {
                    throw NetworkFault.networkNotFound(id)
                }
                let segment = try Self.add(draft, to: network, change)
                try NetworkStore.touch(id, change)
                change.mark(.network(id))
                return segment
            }
        }
    }

    /// A network has further segments only beside a physical one, each on a physical network of its own: two doors to
    /// the same one would make a loop, and an overlay reaches every host already.
    static func add(_ draft: NetworkSegmentDraft, to network: Network, _ change: NetworkChange) throws
        -> NetworkSegment
    {
        let present = try SegmentStore.all(of: network.id, change.transaction)
        guard present.allSatisfy({ $0.physicalNetwork != nil }), let kind = draft.kind,
            kind != Network.Kind.geneve.rawValue
        else {
            throw NetworkFault.invalidInput(
                "A network has several segments only when all of them are flat or VLAN segments")
        }
        try NetworkEngine.checkTags(network, on: Network.Kind(rawValue: kind))
        guard !present.contains(where: { $0.physicalNetwork == draft.physicalNetwork }) else {
            throw CloudError.conflict(
                "Network \(network.id) has a segment on physical network \(draft.physicalNetwork?.prefix(64) ?? "").",
                kind: "Conflict")
        }
        guard try present.allSatisfy({ try SegmentStore.subnets(of: $0.id, change.transaction).isEmpty }) else {
            throw NetworkFault.invalidInput("Network \(network.id) has subnets that are tied to its only segment")
        }
        var wanted = NetworkDraft()
        (wanted.kind, wanted.physicalNetwork, wanted.segment) = (draft.kind, draft.physicalNetwork, draft.number)
        let claimed = try SegmentAllocator.allocate(wanted, for: network.id, change)
        let segment = NetworkSegment(
            id: change.newID(), network: network.id, name: draft.name ?? nil, description: draft.description ?? nil,
            kind: claimed.kind, physicalNetwork: claimed.physicalNetwork, number: claimed.number,
            position: (present.last?.position ?? -1) + 1, revision: 1, createdAt: change.now, updatedAt: change.now)
        try SegmentStore.insert(segment, change.transaction)
        return segment
    }

    package func update(
        _ id: SegmentID, _ draft: NetworkSegmentDraft, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> NetworkSegment {
        try context.authorizeChange(
            "update_segment", seenBy: "get_segment", [:], missing: NetworkFault.segmentNotFound(id))
        return try await environment.write { change in
            var segment = try Self.find(id, ifMatch, change)
            if let name = draft.name { segment.name = name }
            if let description = draft.description { segment.description = description }
            segment.revision += 1
            segment.updatedAt = change.now
            try SegmentStore.update(segment, change.transaction)
            return segment
        }
    }

    private static func find(_ id: SegmentID, _ ifMatch: Int?, _ change: NetworkChange) throws -> NetworkSegment {
        guard let segment = try SegmentStore.find(id, change.transaction) else {
            throw NetworkFault.segmentNotFound(id)
        }
        if let ifMatch, ifMatch != segment.revision { throw NetworkFault.revisionMismatch(ifMatch) }
        return segment
    }

    package func delete(_ id: SegmentID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try context.authorizeChange(
            "delete_segment", seenBy: "get_segment", [:], missing: NetworkFault.segmentNotFound(id))
        try await environment.write { change in
            let segment = try Self.find(id, ifMatch, change)
            let subnets = try SegmentStore.subnets(of: id, change.transaction)
            guard subnets.isEmpty else {
                let list = subnets.map(\.rawValue).joined(separator: ", ")
                throw Self.inUse(id, "The segment is still associated with subnet(s) \(list)")
            }
            guard segment.position > 0 else { throw Self.inUse(id, "It is its network's first and goes with it") }
            try SegmentStore.delete(id, change.transaction)
            try SegmentAllocator.release(segment, change)
            try NetworkStore.touch(segment.network, change)
            change.mark(.network(segment.network))
        }
    }

    private static func inUse(_ id: SegmentID, _ reason: String) -> CloudError {
        .conflict("Segment '\(id)' cannot be deleted: \(reason).", kind: "SegmentInUse")
    }

    // MARK: Subnets

    /// Throws unless a subnet of `network` may be tied to the segment. With one segment, every host that reaches the
    /// network reaches the subnet, so that an address can be given before a host is known.
    static func check(_ id: SegmentID?, for network: Network, besides subnets: [Subnet], _ change: NetworkChange) throws
    {
        guard subnets.allSatisfy({ ($0.segment == nil) == (id == nil) }) else {
            throw CloudError.badRequest(
                "All of the subnets on network '\(network.id)' must either all be associated with segments or all "
                    + "not associated with any segment.", kind: "SubnetsNotAllAssociatedWithSegments")
        }
        guard let id else { return }
        guard let segment = try SegmentStore.find(id, change.transaction) else {
            throw NetworkFault.segmentNotFound(id)
        }
        guard segment.network == network.id else {
            throw CloudError.badRequest(
                "The subnet's network id, '\(network.id)', doesn't match the network_id of segment '\(id)'",
                kind: "NetworkIdsDontMatch")
        }
        guard try SegmentStore.all(of: network.id, change.transaction).count == 1 else {
            throw CloudError.badRequest(
                "The network '\(network.id)' has multiple segments, it is only possible to associate an existing "
                    + "subnet with a segment on networks with a single segment.",
                kind: "NoUpdateSubnetWhenMultipleSegmentsOnNetwork")
        }
    }
}
