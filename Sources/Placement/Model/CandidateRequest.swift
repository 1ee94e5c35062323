// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PlacementContract

/// What a search for allocation candidates asks for: groups of resources and how they belong together.
package struct CandidateRequest: Sendable {
    /// Resources that come together. The group without a suffix may be spread over a tree and what is shared with it;
    /// every other group is for one provider.
    package struct Group: Sendable {
        package var resources: [String: Int64] = [:]
        /// Every inner list needs one match.
        package var requiredTraits: [[String]] = []
        package var forbiddenTraits: [String] = []
        /// Every inner list needs one match.
        package var memberOf: [[String]] = []
        package var forbiddenAggregates: [String] = []
        /// Any provider of the tree.
        package var inTree: ResourceProviderID?

        package init() {}
    }

    /// By suffix; empty for the group without one.
    package var groups: [String: Group] = [:]
    package var limit: Int?
    /// Groups with a suffix must not share a provider.
    package var isIsolated = false
    package var rootRequiredTraits: [String] = []
    package var rootForbiddenTraits: [String] = []
    /// Groups whose providers must lie below one of them.
    package var sameSubtrees: [Set<String>] = []
    /// Since 1.29: an answer may take from several providers of one tree.
    package var knowsTrees = true

    package init() {}
}

/// One way to satisfy a request.
package struct CandidateAllocation: Sendable, Hashable {
    package struct Place: Hashable, Sendable {
        package var provider: ResourceProviderID
        package var resourceClass: String
    }

    package var amounts: [Place: Int64]
    /// Which providers serve which group.
    package var mappings: [String: Set<ResourceProviderID>]
}

/// A provider of a tree that an answer touches.
package struct ProviderSummary: Sendable {
    package struct Room: Sendable {
        package var resourceClass: String
        package var capacity: Int64
        package var used: Int64
        package var maxUnit: Int64
    }

    package var id: ResourceProviderID
    package var parent: ResourceProviderID?
    package var root: ResourceProviderID
    package var resources: [Room] = []
    package var traits: [String] = []
}

package struct CandidateAnswer: Sendable {
    package var allocations: [CandidateAllocation] = []
    package var summaries: [ProviderSummary] = []
}
