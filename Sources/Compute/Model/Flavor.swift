// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A size of servers.
package struct Flavor: Sendable {
    /// Chosen by the administrator: `1`, `m1.tiny`, a UUID.
    package var id: String
    package var name: String
    package var description: String?
    package var vcpus: Int
    package var memoryMiB: Int
    package var rootGiB: Int
    package var ephemeralGiB: Int
    package var swapMiB: Int
    package var rxtxFactor: Double
    package var isPublic: Bool
    package var extraSpecs: [String: String]
    package var createdAt: Timestamp

    package init(
        id: String, name: String, description: String? = nil, vcpus: Int, memoryMiB: Int, rootGiB: Int,
        ephemeralGiB: Int = 0, swapMiB: Int = 0, rxtxFactor: Double = 1, isPublic: Bool = true,
        extraSpecs: [String: String] = [:], createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.vcpus = vcpus
        self.memoryMiB = memoryMiB
        self.rootGiB = rootGiB
        self.ephemeralGiB = ephemeralGiB
        self.swapMiB = swapMiB
        self.rxtxFactor = rxtxFactor
        self.isPublic = isPublic
        self.extraSpecs = extraSpecs
        self.createdAt = createdAt
    }

    package var snapshot: FlavorSnapshot {
        FlavorSnapshot(
            id: id, name: name, vcpus: vcpus, memoryMiB: memoryMiB, rootGiB: rootGiB, ephemeralGiB: ephemeralGiB,
            swapMiB: swapMiB, extraSpecs: JSON.object(extraSpecs.mapValues(JSON.string)).text())
    }

    /// The sizes that every cloud is expected to have.
    package static func classic(at time: Timestamp) -> [Flavor] {
        [
            ("1", "m1.tiny", 1, 512, 1), ("2", "m1.small", 1, 2048, 20), ("3", "m1.medium", 2, 4096, 40),
            ("4", "m1.large", 4, 8192, 80), ("5", "m1.xlarge", 8, 16384, 160),
        ].map {
            Flavor(id: $0.0, name: $0.1, vcpus: $0.2, memoryMiB: $0.3, rootGiB: $0.4, createdAt: time)
        }
    }
}

/// What changes in a flavor; nil leaves it.
package struct FlavorFilter: Sendable {
    /// Nil: public and private ones.
    package var isPublic: Bool? = true
    package var minDiskGiB = 0
    package var minMemoryMiB = 0
    package var name: String?
    package var sortKey = "flavorid"
    package var isDescending = false
    package var marker: String?
    package var limit: Int
    package init(limit: Int) { self.limit = limit }
}
