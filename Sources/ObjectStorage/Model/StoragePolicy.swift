// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A way of keeping objects that a container can be made with; its index names the ring.
package struct StoragePolicy: Sendable, Hashable {
    package var index: Int
    package var name: String
    package var aliases: [String]
    package var isDefault: Bool
    /// Containers that have it keep it; no new one gets it.
    package var isDeprecated: Bool
    package var replicas: Int
    /// Devices of this class alone hold its objects; nil: all do.
    package var deviceClass: String?

    package init(
        index: Int, name: String, aliases: [String] = [], isDefault: Bool = false, isDeprecated: Bool = false,
        replicas: Int = 1, deviceClass: String? = nil
    ) {
        self.index = index
        self.name = name
        self.aliases = aliases
        self.isDefault = isDefault
        self.isDeprecated = isDeprecated
        self.replicas = replicas
        self.deviceClass = deviceClass
    }
}

/// Every storage policy of the cloud, by index. There is always one, and one of them is the default.
package struct StoragePolicies: Sendable, Hashable {
    package let all: [StoragePolicy]

    /// Empty: one policy of one replica, `Policy-0`, as upstream names it.
    package init(_ policies: [StoragePolicy] = []) {
        var all = policies.sorted { $0.index < $1.index }
        if all.isEmpty { all = [StoragePolicy(index: 0, name: "Policy-0", isDefault: true)] }
        if !all.contains(where: \.isDefault) { all[0].isDefault = true }
        self.all = all
    }

    /// What a container gets whose request names none.
    package var defaultPolicy: StoragePolicy { all.first(where: \.isDefault) ?? all[0] }

    package subscript(index: Int) -> StoragePolicy? { all.first { $0.index == index } }

    /// By name or alias, whatever the case.
    package subscript(name: String) -> StoragePolicy? {
        let wanted = name.asciiLowercased()
        func isNamed(_ name: String) -> Bool { name.asciiLowercased().isByteEqual(to: wanted) }
        return all.first { isNamed($0.name) || $0.aliases.contains(where: isNamed) }
    }
}
