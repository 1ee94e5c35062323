// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// Gives each network its segment. The claim's primary key is the lock.
enum SegmentAllocator {
    struct Segment {
        var kind: Network.Kind
        var physicalNetwork: String?
        var number: Int?
    }

    /// Tries at random before it gives up; a range that is nearly full is walked.
    private static let randomTries = 16

    static func allocate(_ draft: NetworkDraft, for id: NetworkID, _ change: NetworkChange) throws -> Segment {
        guard let wanted = draft.kind else {
            guard draft.physicalNetwork == nil, draft.segment == nil else {
                throw NetworkFault.invalidInput("network_type required")
            }
            return try overlay(number: nil, for: id, change)
        }
        guard change.environment.driver.capabilities.providerTypes.contains(wanted) || wanted == "geneve",
            let kind = Network.Kind(rawValue: wanted)
        else { throw NetworkFault.invalidInput("network_type value '\(wanted.prefix(64))' not supported") }
        switch kind {
        case .geneve:
            guard draft.physicalNetwork == nil else {
                throw NetworkFault.invalidInput("provider:physical_network specified for geneve network")
            }
            return try overlay(number: draft.segment, for: id, change)
        case .flat:
            guard draft.segment == nil else {
                throw NetworkFault.invalidInput("provider:segmentation_id specified for flat network")
            }
            let physical = try physicalNetwork(draft, "flat", change)
            guard try claim("flat:\(physical)", id, change) else {
                throw CloudError.conflict(
                    "Unable to create the flat network. Physical network \(physical) is in use.",
                    kind: "FlatNetworkInUse")
            }
            return Segment(kind: .flat, physicalNetwork: physical, number: nil)
        case .vlan:
            let physical = try physicalNetwork(draft, "vlan", change)
            let number = try vlan(draft.segment, on: physical, for: id, change)
            return Segment(kind: .vlan, physicalNetwork: physical, number: number)
        }
    }

    /// Another VLAN for a network. Throws `.conflict` when it is taken.
    static func move(_ network: Network, to number: Int, _ change: NetworkChange) throws -> Int {
        guard network.kind == .vlan, let physical = network.physicalNetwork else {
            throw NetworkFault.invalidInput("Only the segmentation_id of a VLAN network can be updated")
        }
        if let old = network.segment { try NetworkStore.release("vlan:\(physical):\(old)", change.transaction) }
        return try vlan(number, on: physical, for: network.id, change)
    }

    /// Gives back what a segment holds.
    static func release(_ segment: NetworkSegment, _ change: NetworkChange) throws {
        guard let physical = segment.physicalNetwork else { return }
        let claim = segment.number.map { "vlan:\(physical):\($0)" } ?? "flat:\(physical)"
        try NetworkStore.release(claim, change.transaction)
    }

    /// The first of the segments that a draft lists, as the network's own, and the others.
    static func split(_ draft: NetworkDraft) throws -> (NetworkDraft, [NetworkSegmentDraft]) {
        guard let segments = draft.segments, let first = segments.first else { return (draft, []) }
        guard draft.kind == nil, draft.physicalNetwork == nil, draft.segment == nil else {
            throw CloudError.badRequest(
                "Segments and provider values cannot both be set.", kind: "SegmentsSetInConjunctionWithProviders")
        }
        var own = draft
        (own.kind, own.physicalNetwork, own.segment) = (first.kind, first.physicalNetwork, first.number)
        return (own, Array(segments.dropFirst()))
    }

    private static func claim(_ claim: String, _ id: NetworkID, _ change: NetworkChange) throws -> Bool {
        try NetworkStore.claim(claim, for: id, change.transaction)
    }

    private static func physicalNetwork(_ draft: NetworkDraft, _ kind: String, _ change: NetworkChange) throws -> String
    {
        guard let name = draft.physicalNetwork else {
            throw NetworkFault.invalidInput("physical_network required for \(kind) provider network")
        }
        guard change.config.vlans(of: name) != nil else {
            throw NetworkFault.invalidInput(
                "physical_network '\(name.prefix(64))' unknown for \(kind) provider network")
        }
        return name
    }

    private static func vlan(_ wanted: Int?, on physical: String, for id: NetworkID, _ change: NetworkChange) throws
        -> Int
    {
        if let wanted {
            guard (1...4094).contains(wanted) else {
                throw NetworkFault.invalidInput("segmentation_id out of range (1 through 4094)")
            }
            guard try claim("vlan:\(physical):\(wanted)", id, change) else {
                throw CloudError.conflict(
                    "Unable to create the network. The VLAN \(wanted) on physical network \(physical) is in use.",
                    kind: "VlanIdInUse")
            }
            return wanted
        }
        let range = change.config.vlans(of: physical) ?? PhysicalNetwork.allVLANs
        return try free(in: range, "vlan:\(physical):", id, change)
    }

    private static func overlay(number: Int?, for id: NetworkID, _ change: NetworkChange) throws -> Segment {
        if let number {
            guard (1...0xFF_FFFF).contains(number) else {
                throw NetworkFault.invalidInput("segmentation_id out of range (1 through \(0xFF_FFFF))")
            }
            guard try claim("geneve:\(number)", id, change) else {
                throw CloudError.conflict(
                    "Unable to create the network. The tunnel ID \(number) is in use.", kind: "TunnelIdInUse")
            }
            return Segment(kind: .geneve, number: number)
        }
        return Segment(kind: .geneve, number: try free(in: change.config.overlaySegments, "geneve:", id, change))
    }

    private static func free(in range: ClosedRange<Int>, _ prefix: String, _ id: NetworkID, _ change: NetworkChange)
        throws
        -> Int
    {
        for _ in 0..<randomTries {
            let number = range.lowerBound + Int(change.random() % UInt64(range.count))
            if try claim("\(prefix)\(number)", id, change) { return number }
        }
        for number in range where try claim("\(prefix)\(number)", id, change) { return number }
        throw CloudError(
            .unavailable, "Unable to create the network. No tenant network is available for allocation.",
            kind: "NoNetworkAvailable")
    }
}
