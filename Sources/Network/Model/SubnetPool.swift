// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum SubnetPoolTag {}
package enum AddressScopeTag {}
package typealias SubnetPoolID = ID<SubnetPoolTag>
package typealias AddressScopeID = ID<AddressScopeTag>

/// Prefixes that subnets are cut from, so that none overlap.
package struct SubnetPool: Sendable, Equatable {
    package var id: SubnetPoolID
    package var project: ProjectID
    package var name: String
    package var prefixes: [CIDR]
    package var defaultLength: Int
    package var minimumLength: Int
    package var maximumLength: Int
    /// In /32 for IPv4, in /64 for IPv6; nil: no limit.
    package var defaultQuota: Int?
    package var addressScope: AddressScopeID?
    package var isDefault: Bool
    package var isShared: Bool
    package var standard: StandardAttributes

    package var isIPv6: Bool { prefixes.first?.isIPv6 ?? false }
    package var ipVersion: Int { isIPv6 ? 6 : 4 }

    /// How much of the quota a prefix of `length` takes. Saturates.
    package func quotaUnits(_ length: Int) -> Int {
        let bits = (isIPv6 ? 64 : 32) - length
        return bits < 0 ? 1 : bits > 62 ? Int.max >> 1 : 1 << bits
    }
}

/// Pools of one scope do not overlap, so their networks may route to each other without translation.
package struct AddressScope: Sendable, Equatable {
    package var id: AddressScopeID
    package var project: ProjectID
    package var name: String
    package var ipVersion: Int
    package var isShared: Bool
}

/// What a caller gives to create or change a pool. Nil: not given; `.some(nil)`: given as null.
package struct SubnetPoolDraft: Sendable {
    package var project: ProjectID?
    package var name: String?
    package var description: String?
    package var prefixes: [CIDR]?
    package var defaultLength: Int?
    package var minimumLength: Int?
    package var maximumLength: Int?
    package var defaultQuota: Int??
    package var addressScope: AddressScopeID??
    package var isDefault: Bool?
    package var isShared: Bool?
    package var tags: [String]?
    package var given: [String] = []

    package init() {}
}

package struct AddressScopeDraft: Sendable {
    package var project: ProjectID?
    package var name: String?
    package var ipVersion: Int?
    package var isShared: Bool?
    package var given: [String] = []

    package init() {}
}
