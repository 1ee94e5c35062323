// SPDX-License-Identifier: Apache-2.0
import ObjectStorageContract

/// Every ring of the cloud, and its storage policies. A value that is replaced as a whole.
package struct StorageLayout: Sendable {
    package let policies: StoragePolicies
    /// Of accounts and containers.
    package var indexes: Ring
    /// Of objects, by the policy's index.
    package var objects: [Int: Ring]

    package init(policies: StoragePolicies, indexes: Ring, objects: [Int: Ring]) {
        self.policies = policies
        self.indexes = indexes
        self.objects = objects
    }

    package func ring(_ kind: StorageKind) -> Ring? {
        switch kind {
        case .accounts, .containers: indexes
        case .objects(let policy): objects[policy]
        }
    }

    package var kinds: [StorageKind] {
        [.accounts, .containers] + objects.keys.sorted().map { .objects(policy: $0) }
    }
}

extension StorageKind {
    /// In metrics, in logs and in `haneul ring`.
    package var name: String {
        switch self {
        case .accounts: "accounts"
        case .containers: "containers"
        case .objects(0): "objects"
        case .objects(let policy): "objects-\(policy)"
        }
    }
}
