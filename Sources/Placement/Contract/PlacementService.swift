// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum ResourceProviderTag {}
package typealias ResourceProviderID = ID<ResourceProviderTag>

package struct ResourceInventory: Sendable, Equatable, Codable {
    package var total: Int64
    package var reserved: Int64
    package var minUnit: Int64
    package var maxUnit: Int64
    package var stepSize: Int64
    package var allocationRatio: Double

    package init(
        total: Int64, reserved: Int64 = 0, minUnit: Int64 = 1, maxUnit: Int64, stepSize: Int64 = 1,
        allocationRatio: Double = 1
    ) {
        self.total = total
        self.reserved = reserved
        self.minUnit = minUnit
        self.maxUnit = maxUnit
        self.stepSize = stepSize
        self.allocationRatio = allocationRatio
    }
}

/// What a consumer (a server) asks for: classes such as `VCPU`, `MEMORY_MB`, `DISK_GB`, and traits.
package struct ResourceRequest: Sendable, Equatable, Codable {
    package var resources: [String: Int64]
    package var requiredTraits: [String]
    package var forbiddenTraits: [String]

    package init(resources: [String: Int64], requiredTraits: [String] = [], forbiddenTraits: [String] = []) {
        self.resources = resources
        self.requiredTraits = requiredTraits
        self.forbiddenTraits = forbiddenTraits
    }
}

/// A provider that has room, with what it has left, for weighing.
package struct AllocationCandidate: Sendable, Equatable {
    package var provider: ResourceProviderID
    package var name: String
    /// Capacity minus usage of each class.
    package var free: [String: Int64]

    package init(provider: ResourceProviderID, name: String, free: [String: Int64]) {
        self.provider = provider
        self.name = name
        self.free = free
    }
}

/// Why a provider was no candidate: `VCPU: wants 4, 1 of 2 left`. For administrators' eyes.
package struct CandidateRefusal: Sendable, Equatable, Codable {
    package var provider: ResourceProviderID
    package var name: String
    package var reasons: [String]

    package init(provider: ResourceProviderID, name: String, reasons: [String]) {
        self.provider = provider
        self.name = name
        self.reasons = reasons
    }
}

/// What a caller says of a provider's traits. Those that it does not speak of are others' and stay as they are.
package struct ProviderTraits: Sendable, Equatable {
    package var present: Set<String>
    package var absent: Set<String>

    package init(present: Set<String>, absent: Set<String> = []) {
        self.present = present
        self.absent = absent.subtracting(present)
    }

    /// `traits` as they are when this has been said.
    package func applied(to traits: Set<String>) -> Set<String> { traits.subtracting(absent).union(present) }
}

package protocol PlacementService: Sendable {
    /// Creates the provider or brings its inventory and traits to what is said. Keeps allocations and other traits.
    func ensureProvider(
        _ id: ResourceProviderID, name: String, inventory: [String: ResourceInventory], traits: ProviderTraits
    ) async throws

    /// Nothing happens when there is no such provider.
    func changeTraits(of provider: ResourceProviderID, _ traits: ProviderTraits) async throws

    /// Providers that could take the request now, and why the others could not.
    func candidates(for request: ResourceRequest, limit: Int) async throws
        -> (candidates: [AllocationCandidate], refusals: [CandidateRefusal])

    /// Takes the resources for `consumer` in one transaction, or throws `.conflict` when they are no longer there.
    /// Repeating the same claim changes nothing; another provider replaces it.
    func claim(
        consumer: String, provider: ResourceProviderID, resources: [String: Int64], project: ProjectID, user: UserID
    ) async throws

    /// Gives back everything of `consumer`. Not an error when it holds nothing.
    func release(consumer: String) async throws

    /// What `consumer` holds is `other`'s from now on, whatever room there is: so a server that moves keeps what it has
    /// while it asks for more. Nothing happens when `consumer` holds nothing. `other` loses what it held when `replacing`;
    /// otherwise nothing happens when it holds something. Repeatable.
    func transfer(from consumer: String, to other: String, replacing: Bool) async throws

    /// Every consumer with allocations on `provider`; the leak check compares it with the servers.
    func consumers(of provider: ResourceProviderID) async throws -> [String]

    func usage(of provider: ResourceProviderID) async throws -> [String: Int64]
}
