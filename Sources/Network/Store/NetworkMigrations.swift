// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Network, in order.
package enum NetworkMigrations {
    package static let all: [Migration] = [
        M0001Networks.migration, M0002Ports.migration, M0003Routers.migration,
        M0004SecurityGroups.migration, M0005Bookkeeping.migration, M0006SubnetPools.migration,
        M0007Agents.migration, M0008DirtyOrder.migration,
        M0009QoS.migration, M0010Trunks.migration, M0011PortForwardings.migration, M0012Metering.migration,
        M0013AddressGroups.migration, M0014DefaultRules.migration, M0015AutoTopologies.migration,
        M0016Flavors.migration, M0017Segments.migration, M0018Statefulness.migration, M0019ListIndexes.migration,
        M0020PortBindings.migration, M0021ExtraGateways.migration, M0022Logs.migration,
        M0023VLANTransparency.migration, M0024GatewayHosts.migration,
    ]
}
