// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PlacementContract

/// Something that has resources: a host, a device of it, a shared storage. Providers form trees.
package struct ResourceProvider: Sendable, Equatable {
    package var id: ResourceProviderID
    package var name: String
    /// Grows with each change of what the provider has or gives away; who changes it says which one was seen.
    package var generation: Int64
    package var parent: ResourceProviderID?
    /// Itself for the top of a tree.
    package var root: ResourceProviderID
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
}

/// What a provider has of one class, and what consumers hold of it.
package struct InventoryRecord: Sendable, Equatable {
    package var resourceClass: String
    package var inventory: ResourceInventory
    package var used: Int64
    package var updatedAt: Timestamp

    package init(_ resourceClass: String, _ inventory: ResourceInventory, used: Int64 = 0, updatedAt: Timestamp) {
        self.resourceClass = resourceClass
        self.inventory = inventory
        self.used = used
        self.updatedAt = updatedAt
    }
}

extension ResourceInventory {
    /// What may be held in all, overcommitment included.
    package var capacity: Int64 {
        let exact = (Double(total - reserved) * allocationRatio).rounded(.down)
        return exact >= 9e18 ? .max : exact <= -9e18 ? .min : Int64(exact)
    }

    /// Whether one consumer may hold `amount`, room aside.
    package func permits(_ amount: Int64) -> Bool {
        amount >= minUnit && amount <= maxUnit && amount % stepSize == 0
    }
}

/// What one consumer holds of one class at one provider.
package struct Allocation: Sendable, Equatable {
    package var consumer: String
    package var provider: ResourceProviderID
    package var resourceClass: String
    package var used: Int64
    package var updatedAt: Timestamp
}

package struct Consumer: Sendable, Equatable {
    package var id: String
    package var projectID: String
    package var userID: String
    /// `INSTANCE`, `MIGRATION`; nil for one that was made before types existed.
    package var type: String?
    package var generation: Int64
}

/// What one consumer shall hold from now on, in place of whatever it held.
package struct ConsumerClaim: Sendable, Equatable {
    package enum GenerationCheck: Sendable, Equatable {
        case ignored
        /// Nil: the consumer must be new.
        case expected(Int64?)
    }

    package var consumer: String
    package var projectID: String
    package var userID: String
    /// Nil leaves the type as it is.
    package var type: String?
    package var generation: GenerationCheck
    package var allocations: [ResourceProviderID: [String: Int64]]

    package init(
        consumer: String, projectID: String, userID: String, type: String? = nil,
        generation: GenerationCheck = .ignored, allocations: [ResourceProviderID: [String: Int64]]
    ) {
        self.consumer = consumer
        self.projectID = projectID
        self.userID = userID
        self.type = type
        self.generation = generation
        self.allocations = allocations
    }
}
