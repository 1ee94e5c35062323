// SPDX-License-Identifier: Apache-2.0

/// Every table of Compute, by what it holds.
package struct ComputeStores: Sendable {
    package let servers = ServerStore()
    package let blockDevices = ServerBlockDeviceStore()
    package let actions = ServerActionStore()
    package let migrations = ServerMigrationStore()
    package let shelves = ServerShelfStore()
    package let flavors = FlavorStore()
    package let keyPairs = KeyPairStore()
    package let hosts = HostStore()
    package let aggregates = AggregateStore()
    package let groups = ServerGroupStore()
    package let consoleTokens = ConsoleTokenStore()
    package let userQuotas = UserQuotaStore()
    package let settings = ComputeSettingStore()
    package init() {}
}
