// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The wanted data plane, object by object, in terms of no engine. Each value is complete: a driver needs nothing else
/// to build the object, and applying the same value twice changes nothing.
package enum LogicalObject: Sendable, Equatable {
    case network(LogicalNetwork)
    case port(LogicalPort)
    case router(LogicalRouter)
    case securityGroup(LogicalSecurityGroup)
    case addressGroup(LogicalAddressGroup)

    package var key: LogicalKey {
        switch self {
        case .network(let network): .network(network.id)
        case .port(let port): .port(port.id)
        case .router(let router): .router(router.id)
        case .securityGroup(let group): .securityGroup(group.id)
        case .addressGroup(let group): .addressGroup(group.id)
        }
    }
}

package enum LogicalKey: Hashable, Sendable {
    case network(NetworkID)
    case port(PortID)
    case router(RouterID)
    case securityGroup(SecurityGroupID)
    case addressGroup(AddressGroupID)
}
